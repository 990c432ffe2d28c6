package clickhouse

// quote appends text to sql as a string literal: single quotes, a backslash
// before ' and \, every other byte as it is. ClickHouse reads back exactly text.
func quote(sql []byte, text string) []byte {
	sql = append(sql, '\'')
	for i := range len(text) {
		if text[i] == '\'' || text[i] == '\\' {
			sql = append(sql, '\\')
		}
		sql = append(sql, text[i])
	}
	return append(sql, '\'')
}
