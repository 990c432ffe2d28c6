package proxy

import (
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"porterhouse"
)

// pairs are settings, each a name and a value.
func pairs(texts ...string) (all []porterhouse.Setting) {
	for two := range slices.Chunk(texts, 2) {
		all = append(all, porterhouse.Setting{Name: two[0], Value: two[1]})
	}
	return all
}

func TestReadParameters(t *testing.T) {
	for _, c := range []struct {
		raw  string
		form bool
		want parameters
	}{
		{raw: "", want: parameters{}},
		{raw: "&&=1&", want: parameters{}},
		{raw: "query=SELECT+1%2B1", want: parameters{single: pairs("query", "SELECT 1+1")}},
		{raw: "%71uery=1", want: parameters{single: pairs("query", "1")}},
		{raw: "query", want: parameters{single: pairs("query", "")}},
		{raw: "query=a=b;c", want: parameters{single: pairs("query", "a=b;c")}},
		{raw: "database=a&database=a", want: parameters{single: pairs("database", "a", "database", "a")}},
		{raw: "role=a&role=b%26", want: parameters{roles: []string{"a", "b&"}}},
		{raw: "param_a=1&param_A=%C3%BC&param_=x", want: parameters{params: map[string]string{"a": "1", "A": "ü", "": "x"}}},
		{raw: "max_threads=1&max_threads=2&readonly=0", want: parameters{settings: pairs("max_threads", "1", "max_threads", "2", "readonly", "0")}},
		{raw: "compress=1&wait_end_of_query=x", want: parameters{options: pairs("compress", "1", "wait_end_of_query", "x")}},
		{raw: "x_format=CSV&x_types=Int8", form: true, want: parameters{tables: pairs("x_format", "CSV", "x_types", "Int8")}},
		{raw: "x_format=CSV", want: parameters{settings: pairs("x_format", "CSV")}},
		{raw: "default_format=CSV", form: true, want: parameters{single: pairs("default_format", "CSV")}},
	} {
		got, err := readParameters(c.raw, c.form)
		if err != nil {
			t.Errorf("%s: %v", c.raw, err)
			continue
		}
		if diff := cmp.Diff(&c.want, got, cmp.AllowUnexported(parameters{})); diff != "" {
			t.Errorf("%s: %s", c.raw, diff)
		}
	}
}

func TestReadParametersRefused(t *testing.T) {
	for raw, want := range map[string]int{
		"query=1%":                              codeBadArguments,
		"query=%2":                              codeBadArguments,
		"query=%zz":                             codeBadArguments,
		"%+1=1":                                 codeBadArguments,
		"query=1\x00":                           codeBadArguments,
		"query=ü":                               codeBadArguments,
		"query=1#x":                             codeBadArguments,
		"query=1&query=2":                       codeBadArguments,
		"query=1&%71uery=2":                     codeBadArguments,
		"user=a&user=b":                         codeBadArguments,
		"param_a=1&param_a=2":                   codeBadArguments,
		"compress=1&compress=0":                 codeBadArguments,
		"QUERY=1":                               codeUnknownSetting,
		"User=a":                                codeUnknownSetting,
		"Session_Id=a":                          codeUnknownSetting,
		"rOle=a":                                codeUnknownSetting,
		"Param_a=1":                             codeUnknownSetting,
		"WAIT_END_OF_QUERY=1":                   codeUnknownSetting,
		strings.Repeat("a=1&", maxParameters+1): codeBadArguments,
	} {
		got, err := readParameters(raw, false)
		if p := newProblem(err, ""); err == nil || p.code != want {
			t.Errorf("%.40q: %+v, %v, want code %d", raw, got, err, want)
		}
	}
}

func TestFlag(t *testing.T) {
	for value, want := range map[string]string{"0": "false", "false": "false", "1": "true", "true": "true", "": "error", "yes": "error", "2": "error", "TRUE": "error"} {
		got := "error"
		if on, err := (&parameters{single: pairs("decompress", value)}).flag("decompress"); err == nil {
			got = map[bool]string{false: "false", true: "true"}[on]
		}
		if got != want {
			t.Errorf("%q: %s, want %s", value, got, want)
		}
	}
}

// Whatever a URL holds, it is read in one way or refused: what was read, written anew,
// is read again as the same.
func FuzzUnescape(f *testing.F) {
	for _, seed := range []string{"a+b", "%41%zz", "%", "%4", "ü", "a%2bb", "#"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		got, ok := unescape(text)
		if !ok {
			return
		}
		if again, ok := unescape(escape(got)); !ok || again != got {
			t.Errorf("%q was read as %q, and then as %q", text, got, again)
		}
	})
}

func escape(text string) string {
	const digits = "0123456789ABCDEF"
	var b strings.Builder
	for i := range len(text) {
		b.WriteString("%" + digits[text[i]>>4:text[i]>>4+1] + digits[text[i]&15:text[i]&15+1])
	}
	return b.String()
}

// A client may ask for a read and nothing else; what is no such wish stays a setting.
func TestTakeReadOnly(t *testing.T) {
	for raw, want := range map[string]struct {
		asked bool
		left  []porterhouse.Setting
	}{
		"max_threads=1":                                  {false, pairs("max_threads", "1")},
		"readonly=1&max_threads=1":                       {true, pairs("max_threads", "1")},
		"max_threads=1&readonly=2":                       {true, pairs("max_threads", "1")},
		"readonly=0":                                     {false, pairs("readonly", "0")},
		"readonly=1&readonly=0":                          {true, pairs("readonly", "0")},
		"readonly=true&READONLY=1&a=b":                   {false, pairs("readonly", "true", "READONLY", "1", "a", "b")},
		"cancel_http_readonly_queries_on_client_close=1": {false, nil},
	} {
		p, err := readParameters(raw, false)
		if err != nil {
			t.Fatal(err)
		}
		if asked := p.takeReadOnly(); asked != want.asked || !slices.Equal(p.settings, want.left) {
			t.Errorf("%s: %v, %v is left", raw, asked, p.settings)
		}
	}
}
