package clickhouse

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"

	"porterhouse"
)

// maxColumns bounds each of the two lines that name the columns and their types.
const maxColumns = 1 << 20

// readColumns reads the names and the types of the columns, which are the first
// two lines of a row format. A statement that answers nothing has neither.
func readColumns(s *stream, format porterhouse.Format) ([]porterhouse.Column, error) {
	names, err := readFields(s, format)
	if names == nil || err != nil {
		return nil, err
	}
	types, err := readFields(s, format)
	if err != nil {
		return nil, err
	}
	if len(names) != len(types) {
		return nil, notRows(fmt.Errorf("%d names of columns and %d types", len(names), len(types)))
	}
	columns := make([]porterhouse.Column, len(names))
	for i := range columns {
		columns[i] = porterhouse.Column{Name: names[i], Type: types[i]}
	}
	return columns, nil
}

// readFields reads one line as texts; nil when the body is empty.
func readFields(s *stream, format porterhouse.Format) ([]string, error) {
	for bytes.IndexByte(s.data(), '\n') < 0 {
		switch {
		case s.err == nil && len(s.data()) > maxColumns:
			return nil, porterhouse.Errorf(porterhouse.Limited, "the names or types of the columns alone have more than %d bytes; select fewer columns", maxColumns)
		case s.err == nil:
			s.fill()
		case s.err == io.EOF && len(s.data()) == 0:
			return nil, nil
		case s.err == io.EOF:
			return nil, notRows(errors.New("the body ends in the lines of the columns"))
		default:
			return nil, s.err
		}
	}
	line, _, _ := bytes.Cut(s.data(), []byte{'\n'})
	s.take(len(line) + 1)
	if format == porterhouse.TSVRows {
		return tsvFields(string(line)), nil
	}
	var fields []string
	if err := json.Unmarshal(line, &fields); err != nil {
		return nil, notRows(err)
	}
	return fields, nil
}

// tsvFields splits a line of TabSeparated into its values.
func tsvFields(line string) []string {
	fields := strings.Split(line, "\t")
	for i, field := range fields {
		fields[i] = tsvValue(field)
	}
	return fields
}

// tsvEscapes are the letters that ClickHouse writes behind a backslash; every
// other byte behind one stands for itself.
var tsvEscapes = map[byte]byte{'b': '\b', 'f': '\f', 'n': '\n', 'r': '\r', 't': '\t', '0': 0}

// tsvValue takes the backslashes out of a value.
func tsvValue(field string) string {
	if !strings.Contains(field, `\`) {
		return field
	}
	value := make([]byte, 0, len(field))
	for i := 0; i < len(field); i++ {
		c := field[i]
		if c == '\\' && i+1 < len(field) {
			i++
			c = field[i]
			if plain, ok := tsvEscapes[c]; ok {
				c = plain
			}
		}
		value = append(value, c)
	}
	return string(value)
}
