package clickhouse

import (
	"strings"

	"porterhouse"
)

// sendTables sends the tables, as ClickHouse wants to have them: multipart/form-data
// (RFC 7578) with a file for each table, and before it the fields that describe it,
// name_format, name_structure or name_types.
func (u *upload) sendTables(boundary string) error {
	for table, err := range u.what.tables {
		if err != nil {
			return &dataError{err}
		}
		if err := checkTable(table); err != nil {
			return &dataError{err}
		}
		if err := u.sendText(partsBefore(boundary, table)); err != nil {
			return err
		}
		if err := u.sendChunks(table.Data); err != nil {
			return err
		}
		if err := u.sendText("\r\n"); err != nil {
			return err
		}
	}
	return u.sendText("--" + boundary + "--\r\n")
}

// partsBefore returns what stands before the data of a table.
func partsBefore(boundary string, table porterhouse.Table) string {
	var b strings.Builder
	for _, field := range table.Fields {
		b.WriteString("--" + boundary + "\r\nContent-Disposition: form-data; name=\"" + table.Name + "_" + field.Name + "\"\r\n\r\n" + field.Value + "\r\n")
	}
	b.WriteString("--" + boundary + "\r\nContent-Disposition: form-data; name=\"" + table.Name + "\"; filename=\"data\"\r\n" +
		"Content-Type: application/octet-stream\r\n\r\n")
	return b.String()
}

// sendText sends text in chunks.
func (u *upload) sendText(text string) error {
	for text != "" {
		n := copy(u.piece.room(), text)
		text = text[n:]
		if _, err := u.connection.Write(u.piece.chunk(n)); err != nil {
			return err
		}
	}
	return nil
}

// maxTableName is the longest name of a table, in bytes, and maxTableField that of
// what describes it; ClickHouse takes 128 KiB.
const (
	maxTableName  = 255
	maxTableField = 128 << 10
)

// checkTable refuses a table that could be read as something else.
func checkTable(table porterhouse.Table) error {
	if name := table.Name; name == "" || len(name) > maxTableName || strings.ContainsFunc(name, notOfTables) {
		return porterhouse.Errorf(porterhouse.Invalid, "an external table has the name %.40q; use letters, digits and _", name)
	}
	for _, field := range table.Fields {
		switch {
		case field.Name != "format" && field.Name != "structure" && field.Name != "types":
			return porterhouse.Errorf(porterhouse.Invalid, "the external table %q is described by %.40q; ClickHouse knows format, structure and types", table.Name, field.Name)
		case len(field.Value) > maxTableField:
			return porterhouse.Errorf(porterhouse.Invalid, "the %s of the external table %q has %d bytes, more than the %d allowed", field.Name, table.Name, len(field.Value), maxTableField)
		}
	}
	return nil
}

// notOfTables finds what the name of a table cannot have.
func notOfTables(r rune) bool {
	return (r < '0' || r > '9') && (r < 'a' || r > 'z') && (r < 'A' || r > 'Z') && r != '_'
}
