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
