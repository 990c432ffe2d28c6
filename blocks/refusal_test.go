package blocks_test

import (
	"bytes"
	"errors"
	"strings"
	"testing"
	"time"

	"porterhouse/blocks"
	"porterhouse/sandbox"
)

// What cannot be printed exactly is refused by name, before a value is printed.
func TestRefusesByName(t *testing.T) {
	server := sandbox.ForTest(t, sandbox.Options{})
	for _, c := range []struct {
		sql, column, kind string
		parameters        []string
	}{
		{"SELECT 1, sumState(1) AS s", "s", "AggregateFunction(sum, UInt8)", nil},
		{"SELECT [uniqState(1)] AS s", "s", "AggregateFunction(uniq, UInt8)", nil},
		{"SELECT map('a', (1, sumState(1))) AS s", "s", "AggregateFunction(sum, UInt8)", nil},
		{"SELECT CAST(sumState(1)::Dynamic, 'Dynamic') AS s", "s", "AggregateFunction(sum, UInt8)", nil},
		{"SELECT '{\"a\":1}'::JSON AS s", "s", "JSON", []string{"output_format_native_write_json_as_string", "1"}},
	} {
		native := ask(t, server, c.sql, "Native", append([]string{"client_protocol_version", revision}, c.parameters...)...)
		_, err := prints(native, "TSV", blocks.Config{})
		unprintable, ok := errors.AsType[*blocks.Unprintable](err)
		if !ok || unprintable.Column != c.column || unprintable.Type != c.kind || unprintable.Why == "" {
			t.Errorf("%s: %v", c.sql, err)
		}
	}
}

// Of a block without rows the refusal leaves the next thing to be read.
func TestRefusesEmptyBlocksWhole(t *testing.T) {
	server := sandbox.ForTest(t, sandbox.Options{})
	native := ask(t, server, "SELECT sumState(number) AS s, 1 AS n FROM numbers(1) WHERE 0 GROUP BY number", "Native", "client_protocol_version", revision)
	r, err := blocks.NewReader(blocks.Config{Zone: time.UTC})
	if err != nil {
		t.Fatal(err)
	}
	in := reader(native)
	if _, err := r.Read(in); err == nil || in.Buffered() != 0 && len(native) > 0 {
		t.Errorf("%v, with %d of %d bytes left", err, in.Buffered(), len(native))
	}
}

// Settings that change the printing are honoured or refused by name.
func TestSettings(t *testing.T) {
	server := sandbox.ForTest(t, sandbox.Options{})
	for _, format := range []string{"TSV", "TSVRaw", "JSONCompactEachRow", "JSONCompact"} {
		for _, parameters := range [][]string{
			{"output_format_json_quote_64bit_integers", "1"}, {"output_format_json_quote_64bit_integers", "0"},
			{"output_format_json_quote_denormals", "1"}, {"output_format_json_quote_decimals", "true"}, {"output_format_json_quote_64bit_floats", "1"},
			{"bool_true_representation", "yes'\\\t", "bool_false_representation", "no"},
			{"date_time_output_format", "simple", "output_format_parallel_formatting", "0", "max_threads", "1"},
		} {
			compare(t, server, "SELECT 1::UInt64, -1::Int128, [nan, -inf], 1.5, toFloat32(1.5), toDecimal32(1.5, 2), true, false, [true], map('a', false), ('x', 1::Int64), toIntervalDay(1), '{\"a\":{\"b\":1,\"c\":1.5}}'::JSON", format, parameters...)
		}
	}
	for _, s := range [][2]string{
		{"date_time_output_format", "iso"}, {"output_format_json_named_tuples_as_objects", "0"}, {"output_format_tsv_crlf_end_of_line", "1"},
		{"output_format_something_new", "1"}, {"format_tsv_null_representation", "-"}, {"output_format_json_quote_64bit_integers", "2"},
	} {
		_, err := blocks.NewReader(blocks.Config{Zone: time.UTC, Settings: settings(s[:])})
		if err == nil || !strings.Contains(err.Error(), s[0]+"="+s[1]) {
			t.Errorf("%s: %v", s, err)
		}
	}
}

// What names no zone is written in that of the session.
func TestZones(t *testing.T) {
	server := sandbox.ForTest(t, sandbox.Options{})
	const sql = "SELECT toDateTime(1700000000) AS a, [toDateTime64(1700000000.5, 1)] AS b, toDateTime(0, 'UTC') AS c"
	for _, name := range []string{"UTC", "Asia/Tokyo", "America/St_Johns"} {
		zone, err := time.LoadLocation(name)
		if err != nil {
			t.Fatal(err)
		}
		native := ask(t, server, sql, "Native", "client_protocol_version", revision, "session_timezone", name)
		got, err := prints(native, "TSV", blocks.Config{Zone: zone})
		want := ask(t, server, sql, "TSV", "session_timezone", name)
		if err != nil || !bytes.Equal(got, want) {
			t.Errorf("%s: %q, %v, want %q", name, got, err, want)
		}
	}
}

// A sparse column comes as a whole one at this revision.
func TestSparse(t *testing.T) {
	server := sandbox.ForTest(t, sandbox.Options{Init: []string{
		"CREATE DATABASE app",
		"CREATE TABLE app.sparse (n UInt64, x UInt64, s String, t Tuple(a UInt8, b String)) ENGINE = MergeTree ORDER BY n SETTINGS ratio_of_defaults_for_sparse_serialization = 0.1",
		"INSERT INTO app.sparse SELECT number, if(number % 100 = 0, number, 0), if(number % 100 = 0, 'x', ''), (0, '') FROM numbers(5000)",
	}})
	for _, sql := range []string{"SELECT count() > 0 FROM system.parts_columns WHERE table = 'sparse' AND serialization_kind = 'Sparse'"} {
		if got := string(ask(t, server, sql, "TSV")); got != "1\n" {
			t.Fatalf("there is no sparse column: %q", got)
		}
	}
	compare(t, server, "SELECT * FROM app.sparse ORDER BY n", "TSV")
}

// Names and types of columns are written as values are.
func TestHeads(t *testing.T) {
	server := sandbox.ForTest(t, sandbox.Options{})
	for _, format := range []string{
		"TabSeparated", "TSV", "TabSeparatedWithNames", "TSVWithNames", "TabSeparatedWithNamesAndTypes", "TSVWithNamesAndTypes",
		"TabSeparatedRaw", "TSVRaw", "TabSeparatedRawWithNames", "TSVRawWithNames", "TabSeparatedRawWithNamesAndTypes", "TSVRawWithNamesAndTypes",
		"JSONCompactEachRow", "JSONCompactEachRowWithNames", "JSONCompactEachRowWithNamesAndTypes", "JSONCompact",
	} {
		compare(t, server, "SELECT number AS `a'\"\\t\\\\/b`, CAST('a', 'Enum8(\\'a\\' = 1)') AS `\xff\xffc`, 'x' AS y FROM numbers(2)", format)
	}
}
