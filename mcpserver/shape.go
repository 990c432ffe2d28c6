package mcpserver

import (
	"bytes"
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"porterhouse"
)

// shape is a form of the answer's text. The values in it are the very characters
// that ClickHouse printed.
type shape struct {
	wire porterhouse.Format
	head func(dst []byte, columns []porterhouse.Column) []byte
	row  func(dst, line []byte, first bool) []byte // line has no newline
	wrap func(dst []byte, s status, head, rows []byte) []byte
	cuts bool // a row that is too long can be shown with shortened values
}

// status is what the first line of an answer says.
type status struct {
	rows     int64
	complete bool
	notes    []string // why not complete, and what to do instead
	behind   []byte   // what follows the rows and is none; not in JSON
}

// shapes are the formats of the tool query, by name; "" is the default.
var shapes = map[string]shape{
	"":         compactShape,
	"compact":  compactShape,
	"json":     {porterhouse.JSONRows, jsonHead, jsonRow, jsonWrap, false},
	"markdown": {porterhouse.TSVRows, markdownHead, markdownRow, lineWrap, true},
}

var compactShape = shape{porterhouse.TSVRows, compactHead, compactRow, lineWrap, true}

// maxType is the longest type shown in a head, in bytes: an Enum can have
// thousands. describe_tables shows all of it.
const maxType = 100

// compactHead writes name:type for each column, as ClickHouse would print them
// between tabs.
func compactHead(dst []byte, columns []porterhouse.Column) []byte {
	for i, c := range columns {
		if i > 0 {
			dst = append(dst, '\t')
		}
		dst = append(append(dst, escapeTSV(c.Name)...), ':')
		dst = append(dst, shorten([]byte(plain(c.Type)), maxType)...)
	}
	return append(dst, '\n')
}

func compactRow(dst, line []byte, _ bool) []byte {
	return append(append(dst, line...), '\n')
}

// markdownHead writes names only: a table in Markdown is for people.
func markdownHead(dst []byte, columns []porterhouse.Column) []byte {
	names := make([]string, len(columns))
	for i, c := range columns {
		names[i] = escapeTSV(c.Name)
	}
	dst = markdownRow(dst, []byte(strings.Join(names, "\t")), true)
	return append(append(append(dst, '|'), strings.Repeat("---|", len(columns))...), '\n')
}

// markdownRow turns tabs into bars. Inside a value a bar becomes \|, which a
// reader of Markdown shows as the bar that ClickHouse printed.
func markdownRow(dst, line []byte, _ bool) []byte {
	dst = append(dst, "| "...)
	for _, b := range line {
		switch b {
		case '\t':
			dst = append(dst, " | "...)
		case '|':
			dst = append(dst, `\|`...)
		default:
			dst = append(dst, b)
		}
	}
	return append(dst, " |\n"...)
}

// lineWrap puts the line of the status before everything else: there, no value
// in a row can pass for it.
func lineWrap(dst []byte, s status, head, rows []byte) []byte {
	dst = fmt.Appendf(dst, "%s, ", count(s.rows, "row"))
	if s.complete {
		dst = append(dst, "complete."...)
	} else {
		dst = append(dst, "NOT ALL."...)
	}
	for _, note := range s.notes {
		dst = append(append(dst, ' '), note...)
	}
	dst = append(append(dst, '\n'), head...)
	return append(append(dst, rows...), s.behind...)
}

// jsonHead writes the columns as pairs of name and type.
func jsonHead(dst []byte, columns []porterhouse.Column) []byte {
	pairs := make([][2]string, len(columns))
	for i, c := range columns {
		pairs[i] = [2]string{c.Name, string(shorten([]byte(c.Type), maxType))}
	}
	return append(dst, marshal(pairs)...)
}

func jsonRow(dst, line []byte, first bool) []byte {
	if !first {
		dst = append(dst, ",\n"...)
	}
	return append(dst, line...)
}

// jsonWrap makes one JSON document.
func jsonWrap(dst []byte, s status, head, rows []byte) []byte {
	dst = fmt.Appendf(dst, `{"row_count":%d,"complete":%t,`, s.rows, s.complete)
	if len(s.notes) > 0 {
		dst = append(append(append(dst, `"note":`...), marshal(strings.Join(s.notes, " "))...), ',')
	}
	dst = append(append(dst, `"columns":`...), head...)
	dst = append(dst, `,"rows":[`...)
	if len(rows) > 0 {
		dst = append(append(append(dst, '\n'), rows...), '\n')
	}
	return append(dst, "]}\n"...)
}

// marshal is json.Marshal of strings, which cannot fail, without HTML's escapes.
func marshal(v any) []byte {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if err := e.Encode(v); err != nil {
		panic(err) // only strings come here
	}
	return bytes.TrimSpace(b.Bytes())
}

// escapeTSV writes a name as ClickHouse writes it in a TSV header, and what is
// treacherous beyond that as plain does.
func escapeTSV(name string) string {
	if !strings.ContainsAny(name, "\\\t\n\r\b\f\x00'") {
		return plain(name)
	}
	return plain(strings.NewReplacer("\\", `\\`, "\t", `\t`, "\n", `\n`, "\r", `\r`, "\b", `\b`, "\f", `\f`, "\x00", `\0`, "'", `\'`).Replace(name))
}

// shorten cuts text to most bytes, and says by how much. It cuts neither through
// a character nor through an escape of ClickHouse's.
func shorten(text []byte, most int) []byte {
	if len(text) <= most {
		return text
	}
	kept := bytes.ToValidUTF8(text[:most], nil)
	if slashes := len(kept) - len(bytes.TrimRight(kept, `\`)); slashes%2 == 1 {
		kept = kept[:len(kept)-1]
	}
	return fmt.Appendf(slices.Clip(kept), "…(+%d bytes)", len(text)-len(kept))
}

// maxEcho is as much of the caller's own text as an answer repeats, in bytes.
const maxEcho = 200

// echo is the caller's own text, short enough to be repeated to them.
func echo(text string) string { return string(shorten([]byte(text), maxEcho)) }

// count is a number with its noun.
func count[N int | int64 | uint64](n N, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	return fmt.Sprintf("%d %ss", n, noun)
}
