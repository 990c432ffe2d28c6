package statement

// What the tests of the tables need to see.

// Outside reports whether the scalar function of this name is known to reach outside.
func Outside(function string) bool { return outward(function) != "" }

// PlacedTableFunction reports whether the table function is placed, and inside.
func PlacedTableFunction(lower string) (placed, in bool) {
	place := tableFunctions.find(lower)
	return place != unknown, place == inside
}

// HarmlessSettings are the settings that a statement may set.
func HarmlessSettings() map[string]bool { return harmlessSettings }

// RiskySettings are the settings that have a risk by name.
func RiskySettings() map[string]Risk { return riskySettings }

// SettingFamilies are the beginnings of the names of settings that are of one risk.
func SettingFamilies() (prefixes []string) {
	for _, f := range settingFamilies {
		prefixes = append(prefixes, f.prefix)
	}
	return prefixes
}

// EngineInside reports whether a table engine is known to stay inside.
func EngineInside(name string) bool { return engineInside(name) }
