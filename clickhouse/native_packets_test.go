package clickhouse_test

import (
	"bytes"
	"encoding/binary"
	"io"
	"strings"
	"testing"

	"porterhouse/clickhouse"
)

// of returns the bytes of numbers of variable length, texts, single bytes and int32.
func of(parts ...any) []byte {
	var b []byte
	for _, p := range parts {
		switch p := p.(type) {
		case int:
			b = binary.AppendUvarint(b, uint64(p))
		case uint64:
			b = binary.AppendUvarint(b, p)
		case string:
			b = append(binary.AppendUvarint(b, uint64(len(p))), p...)
		case byte:
			b = append(b, p)
		case int32:
			b = binary.LittleEndian.AppendUint32(b, uint32(p))
		case []byte:
			b = append(b, p...)
		}
	}
	return b
}

// block begins a block of a table without a name.
func block(kind, columns, rows int) []byte {
	return of(kind, "", 1, byte(0), 2, int32(-1), 0, columns, rows)
}

// Whatever a server sends, nothing is guessed, and nothing is too much.
func TestReadPackets(t *testing.T) {
	const huge = uint64(1) << 62
	for name, c := range map[string]struct {
		sent []byte
		says string
	}{
		"nothing":             {nil, "unexpected EOF"},
		"an unknown packet":   {of(77), "the kind 77"},
		"another greeting":    {of(0), "the kind 0"},
		"a number too long":   {bytes.Repeat([]byte{0xff}, 11), "overflows"},
		"half an exception":   {of(2, int32(60), "DB::Exception", "half")[:20], "unexpected EOF"},
		"a text without end":  {of(2, int32(60), huge), "more than the 1048576"},
		"one in another":      {of(2, int32(1), "", "", "", byte(1), int32(2), "", "", "", byte(0), 77), "the kind 77"},
		"too many of them":    {append(of(2), bytes.Repeat(of(int32(1), "", "", "", byte(1)), 50)...), "more than 32"},
		"an answer's rows":    {of(block(1, 1, 1), "x", "UInt8", byte(0), byte(1)), "a block with rows"},
		"totals":              {of(block(7, 1, 1), "x", "UInt8", byte(0), byte(1)), "a block with rows"},
		"extremes":            {of(block(8, 1, 2), "x", "UInt8", byte(0), byte(1)), "a block with rows"},
		"too many columns":    {block(1, 100_001, 0), "more than the 100000"},
		"an unknown field":    {of(1, "", 9), "the field 9"},
		"logs":                {of(block(10, 2, 2), "x", "UInt64", byte(0), make([]byte, 16), "y", "String", byte(0), "a", "b", 5), "unexpected EOF"},
		"logs without end":    {of(1, "", 0, 1, 0, "x", "UInt64", byte(0), 10, "", 0, 1, huge, "x", "UInt64", byte(0)), "values of the type UInt64"},
		"long logs":           {of(10, "", 0, 1, uint64(1)<<50, "x", "UInt64", byte(0), "short"), "unexpected EOF"},
		"texts without end":   {of(10, "", 0, 1, huge, "x", "String", byte(0), "a"), "unexpected EOF"},
		"logs nobody skips":   {of(block(14, 1, 1), "x", "Array(String)", byte(0), 1), "cannot be skipped"},
		"written otherwise":   {of(block(14, 1, 1), "x", "String", byte(1)), "not written as one"},
		"half a profile":      {of(6, 1, 2, 3, byte(1)), "unexpected EOF"},
		"half a progress":     {of(3, 1, 2, 3), "unexpected EOF"},
		"columns of a table":  {of(11, "", "columns format version: 1", 77), "the kind 77"},
		"a block without any": {of(block(1, 0, 0), 77), "the kind 77"},
		"an empty block":      {of(block(1, 1, 0), "x", "Anything", byte(0), 77), "the kind 77"},
		"an end and a pong":   {of(5, 4, 77), "the kind 77"},
	} {
		if err := clickhouse.ReadPackets(c.sent); err == nil || !strings.Contains(err.Error(), c.says) {
			t.Errorf("%s: the error is %v, want … %s", name, err, c.says)
		}
	}
}

// Whatever comes, reading ends, and with an error that says why.
func FuzzReadPackets(f *testing.F) {
	f.Add(of(block(10, 1, 1), "x", "String", byte(0), "a", 5))
	f.Add(of(2, int32(60), "DB::Exception", "DB::Exception: x", "", byte(0)))
	f.Add(of(3, 1, 2, 3, 4, 5, 6, 6, 1, 1, 1, byte(1), 1, byte(1), 5))
	f.Fuzz(func(t *testing.T, sent []byte) {
		if err := clickhouse.ReadPackets(sent); err == nil || err == io.EOF {
			t.Errorf("the error is %v", err)
		}
	})
}
