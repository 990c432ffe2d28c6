package mcpserver

import (
	"bufio"
	"bytes"
	"context"
	"io"
	"strings"

	"porterhouse"
)

// mostLookup bounds what the tools' own questions may bring, in rows and bytes.
const (
	mostLookupRows  = 10_000
	mostLookupBytes = 4 << 20
)

// lookup asks one of the tools' own questions, as the person, and returns the
// values of the rows as text; a NULL is "". What the person said travels in
// params, never in sql. It reports whether there was more than fits.
func (c *call) lookup(ctx context.Context, sql string, params map[string]string) (rows [][]string, cut bool, err error) {
	escaped := make(map[string]string, len(params))
	for name, value := range params {
		escaped[name] = paramEscapes.Replace(value)
	}
	answer, err := c.ask(ctx, porterhouse.Query{
		SQL: sql, Params: escaped, Format: porterhouse.TSVRows,
		Limits: porterhouse.Limits{Rows: mostLookupRows, Bytes: mostLookupBytes, Time: c.server.config.LookupTime},
	})
	if err != nil {
		return nil, false, err
	}
	text, err := io.ReadAll(answer.Body)
	if closing := answer.Body.Close(); err == nil {
		err = closing
	}
	if err != nil {
		return nil, false, err
	}
	lines := bufio.NewScanner(bytes.NewReader(text))
	lines.Buffer(nil, len(text)+1)
	for lines.Scan() {
		values := strings.Split(lines.Text(), "\t")
		for i, value := range values {
			values[i] = unescapeTSV(value)
		}
		rows = append(rows, values)
	}
	return rows, answer.Summary().Cut != "", lines.Err()
}

// paramEscapes writes a value as ClickHouse reads the parameters of a query: the
// characters that end a value in TSV stand behind a backslash.
var paramEscapes = strings.NewReplacer("\\", `\\`, "\t", `\t`, "\n", `\n`)

// unescapeTSV reads a value as ClickHouse writes it in TSV.
func unescapeTSV(value string) string {
	if value == `\N` {
		return ""
	}
	if !strings.Contains(value, `\`) {
		return value
	}
	var b strings.Builder
	for i := 0; i < len(value); i++ {
		if value[i] != '\\' || i+1 == len(value) {
			b.WriteByte(value[i])
			continue
		}
		i++
		switch value[i] {
		case 't':
			b.WriteByte('\t')
		case 'n':
			b.WriteByte('\n')
		case 'r':
			b.WriteByte('\r')
		case 'b':
			b.WriteByte('\b')
		case 'f':
			b.WriteByte('\f')
		case '0':
			b.WriteByte(0)
		default:
			b.WriteByte(value[i])
		}
	}
	return b.String()
}
