package clickhouse

// CodeNames returns the names of the codes in the table of rules.
func CodeNames() map[int]string {
	names := map[int]string{}
	for code, r := range rules {
		names[code] = r.name
	}
	return names
}
