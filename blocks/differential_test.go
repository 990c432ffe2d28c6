package blocks_test

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"porterhouse/blocks"
	"porterhouse/sandbox"
)

// ask asks ClickHouse, with further parameters as name, value, name, value …
func ask(t testing.TB, server *sandbox.Server, sql, format string, parameters ...string) []byte {
	t.Helper()
	v := url.Values{"user": {server.User}, "password": {server.Password}, "default_format": {format}, "allow_suspicious_low_cardinality_types": {"1"}}
	for i := 0; i+1 < len(parameters); i += 2 {
		v.Set(parameters[i], parameters[i+1])
	}
	response, err := http.Post(server.HTTP+"/?"+v.Encode(), "text/plain", strings.NewReader(sql))
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	answer, err := io.ReadAll(response.Body)
	if err != nil || response.StatusCode != http.StatusOK {
		t.Fatalf("%.300s: %v, %s", sql, err, answer)
	}
	return answer
}

// settings makes Settings of name, value, name, value …
func settings(pairs []string) (s []blocks.Setting) {
	for i := 0; i+1 < len(pairs); i += 2 {
		s = append(s, blocks.Setting{Name: pairs[i], Value: pairs[i+1]})
	}
	return s
}

// revision is what the native protocol is spoken in.
const revision = "54460"

// prints reads an answer in Native and prints it.
func prints(native []byte, format string, config blocks.Config) ([]byte, error) {
	if config.Zone == nil {
		config.Zone = time.UTC
	}
	r, err := blocks.NewReader(config)
	if err != nil {
		return nil, err
	}
	p, err := blocks.NewPrinter(format, r)
	if err != nil {
		return nil, err
	}
	var b []byte
	in := bufio.NewReader(bytes.NewReader(native))
	for first := true; ; first = false {
		if _, err := in.Peek(1); err == io.EOF {
			return p.Tail(b, blocks.Statistics{}), nil
		}
		block, err := r.Read(in)
		if err != nil {
			return nil, err
		}
		if first {
			b = p.Head(b)
		}
		for row := range block.Rows {
			if b, err = p.Row(b, block, row); err != nil {
				return nil, err
			}
		}
	}
}

// compare compares how we print an answer with how ClickHouse does.
func compare(t *testing.T, server *sandbox.Server, sql, format string, parameters ...string) {
	t.Helper()
	native := ask(t, server, sql, "Native", append([]string{"client_protocol_version", revision}, parameters...)...)
	got, err := prints(native, format, blocks.Config{Settings: settings(parameters)})
	if err != nil {
		t.Errorf("%.200s as %s: %v", sql, format, err)
		return
	}
	want := ask(t, server, sql, format, parameters...)
	if before, _, ok := bytes.Cut(want, []byte("\"statistics\"")); ok {
		want = before
		got, _, _ = bytes.Cut(got, []byte("\"statistics\""))
	}
	if !bytes.Equal(got, want) {
		at := 0
		for at < min(len(got), len(want)) && got[at] == want[at] {
			at++
		}
		t.Errorf("%.300s as %s: from byte %d\nwe print         %.200q\nClickHouse prints %.200q", sql, format, at, got[max(0, at-20):], want[max(0, at-20):])
	}
}

// quoting is what an agent's answers are printed with.
var quoting = []string{
	"output_format_json_quote_64bit_integers", "1", "output_format_json_quote_denormals", "1", "output_format_json_quote_decimals", "1",
}

// Every value is printed byte for byte as ClickHouse prints it, in all styles.
func TestValues(t *testing.T) {
	server := sandbox.ForTest(t, sandbox.Options{})
	count := 0
	for _, group := range values {
		count += len(group.values)
		t.Run(group.name, func(t *testing.T) {
			for _, value := range group.values {
				sql := "SELECT " + value + " AS x"
				if strings.HasPrefix(value, "SELECT ") || strings.HasPrefix(value, "WITH ") {
					sql = value
				}
				compare(t, server, sql, "TabSeparatedWithNamesAndTypes")
				compare(t, server, sql, "JSONCompactEachRowWithNamesAndTypes", quoting...)
				if group.many {
					continue
				}
				compare(t, server, sql, "TSVRaw")
				compare(t, server, sql, "JSONCompact")
				wrapped := fmt.Sprintf("SELECT [x], (x, 'y'), map('k', x), CAST((x, 1), 'Tuple(a ' || toTypeName(x) || ', b Int8)') FROM (%s)", sql)
				if group.alone {
					continue
				}
				compare(t, server, wrapped, "TSV")
				compare(t, server, wrapped, "JSONCompactEachRow")
			}
		})
	}
	if count < 130 {
		t.Errorf("only %d values are tried", count)
	}
}

// reader reads b.
func reader(b []byte) *bufio.Reader { return bufio.NewReader(bytes.NewReader(b)) }

// With fewer digits numbers that differ behind them are the same, and no others.
func TestDigits(t *testing.T) {
	server := sandbox.ForTest(t, sandbox.Options{})
	print := func(value string) string {
		native := ask(t, server, "SELECT "+value, "Native", "client_protocol_version", revision)
		text, err := prints(native, "TSV", blocks.Config{Digits: 9})
		if err != nil {
			t.Fatal(err)
		}
		return string(text)
	}
	for _, test := range []struct {
		a, b string
		same bool
	}{
		{"0.1 + 0.2", "0.3", true}, {"-0.", "0.", true}, {"-nan", "nan", true}, {"1e300 / 3", "1e300 * (1 / 3)", true},
		{"[0.1 + 0.2, 1]", "[0.3, 1]", true}, {"(0.1 + 0.2, 'a')", "(0.3, 'a')", true}, {"toFloat32(1.000001)", "toFloat32(1.000002)", true},
		{"1.00000001", "1.00000002", false}, {"inf", "-inf", false}, {"toFloat32(1.0001)", "toFloat32(1.0002)", false}, {"1e10", "1e11", false}, {"1.5", "-1.5", false},
	} {
		if a, b := print(test.a), print(test.b); (a == b) != test.same {
			t.Errorf("%s is %q, %s is %q", test.a, a, test.b, b)
		}
	}
}
