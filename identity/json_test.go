package identity

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestParseClaims(t *testing.T) {
	for _, test := range []struct{ name, text, want string }{ // want: "" accepted, else part of the reason
		{"empty object", `{}`, ""},
		{"all there is", ` { "a" : [ 1 , -2.50e+3, true, false, null, "x" ] , "b" : { "c" : { } } } ` + "\n", ""},
		{"escapes", `{"a":"\"\\\/\b\f\n\r\té😀"}`, ""},
		{"the same key in different objects", `{"a":{"a":{"a":1}}}`, ""},
		{"no object", `["aud"]`, "an array, not a JSON object"},
		{"null", `null`, "null, not a JSON object"},
		{"nothing", ``, "ends too early"},
		{"a key twice", `{"aud":"us","aud":"them"}`, `"aud" is there twice`},
		{"a key twice, once escaped", `{"aud":"us","\u0061ud":"them"}`, `"aud" is there twice`},
		{"a key twice, deep", `{"a":[{"b":{"c":1,"d":2,"c":1}}]}`, `"c" is there twice`},
		{"NUL", `{"sub":"root` + `\u0000` + `x"}`, "NUL"},
		{"NUL in a key", `{"su\u0000b":1}`, "NUL"},
		{"a raw control character", "{\"a\":\"b\nc\"}", "control character"},
		{"a raw control character after an escape", "{\"a\":\"\\tb\nc\"}", "control character"},
		{"not UTF-8", "{\"a\":\"\xff\"}", "UTF-8"},
		{"overlong UTF-8", "{\"a\":\"\xc0\x80\"}", "UTF-8"},
		{"half a pair", `{"a":"\ud83d"}`, "surrogate"},
		{"the other half", `{"a":"\ude00\ud83d"}`, "surrogate"},
		{"half a pair and a letter", `{"a":"\ud83d\u0061"}`, "surrogate"},
		{"no such escape", `{"a":"\x41"}`, "escape"},
		{"a sign for a digit", `{"a":"\u+041"}`, "hexadecimal"},
		{"an escape cut", `{"a":"\u00`, "no end"},
		{"a text cut", `{"a":"b`, "no end"},
		{"cut at the backslash", `{"a":"b\`, "no end"},
		{"something after", `{} {}`, "something follows"},
		{"a comma too many", `{"a":1,}`, "a key is expected"},
		{"a comma too many in an array", `{"a":[1,]}`, "no JSON value"},
		{"no comma", `{"a":1 "b":2}`, "comma"},
		{"no colon", `{"a" 1}`, "colon"},
		{"a bare key", `{a:1}`, "a key is expected"},
		{"a comment", `{/**/"a":1}`, "a key is expected"},
		{"a leading zero", `{"a":01}`, "no JSON value"},
		{"a leading plus", `{"a":+1}`, "no JSON value"},
		{"hexadecimal", `{"a":0x10}`, "comma"},
		{"no digits after the point", `{"a":1.}`, "number ends"},
		{"no digits before it", `{"a":.5}`, "no JSON value"},
		{"no exponent", `{"a":1e}`, "number ends"},
		{"not a number", `{"a":NaN}`, "no JSON value"},
		{"True", `{"a":True}`, "no JSON value"},
		{"nested as deep as allowed", `{"a":` + strings.Repeat("[", maxClaimsDepth) + strings.Repeat("]", maxClaimsDepth) + `}`, ""},
		{"nested deeper", `{"a":` + strings.Repeat("[", maxClaimsDepth+1) + strings.Repeat("]", maxClaimsDepth+1) + `}`, "nested deeper"},
		{"a million brackets", strings.Repeat("[", 1_000_000), "nested deeper"},
		{"too long", `{"a":"` + strings.Repeat("x", maxClaims) + `"}`, "more than"},
	} {
		t.Run(test.name, func(t *testing.T) {
			_, err := parseClaims([]byte(test.text))
			if test.want == "" && err != nil || test.want != "" && (err == nil || !strings.Contains(err.Error(), test.want)) {
				t.Errorf("%v, want %q", err, test.want)
			}
		})
	}
}

func TestNumbersAreExact(t *testing.T) {
	c, err := parseClaims([]byte(`{"n":123456789012345678901234567890.10}`))
	if err != nil || c["n"] != json.Number("123456789012345678901234567890.10") {
		t.Errorf("read %v, %v", c["n"], err)
	}
}

// What we accept, encoding/json reads the same way.
func FuzzClaims(f *testing.F) {
	for _, seed := range []string{`{}`, `{"a":[1,-2.5e3,true,null,"\u00e9\ud83d\ude00"],"b":{"c":{}}}`, `{"a":1,"a":2}`, `{"a":"\ud800"}`, "{\"a\":\"\x00\"}", `{"a":0e00}`} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		ours, err := parseClaims(text)
		if err != nil {
			return
		}
		decoder := json.NewDecoder(strings.NewReader(string(text)))
		decoder.UseNumber()
		var theirs map[string]any
		if err := decoder.Decode(&theirs); err != nil {
			t.Fatalf("%q was accepted, and is no JSON: %v", text, err)
		}
		if diff := cmp.Diff(theirs, map[string]any(ours)); diff != "" {
			t.Fatalf("%q is read otherwise:\n%s", text, diff)
		}
	})
}

func TestContains(t *testing.T) {
	for _, test := range []struct {
		have, want string
		is         bool
	}{
		{`{"a":1,"b":2}`, `{"a":1}`, true},
		{`{"a":1.0}`, `{"a":1}`, true},
		{`{"a":1}`, `{"a":"1"}`, false},
		{`{"a":true}`, `{"a":"true"}`, false},
		{`{"a":null}`, `{"a":null}`, true},
		{`{}`, `{"a":null}`, false},
		{`{"a":["x","y"]}`, `{"a":["y"]}`, true},
		{`{"a":["x","y"]}`, `{"a":["y","x"]}`, true},
		{`{"a":["x"]}`, `{"a":["x","y"]}`, false},
		{`{"a":"x"}`, `{"a":["x"]}`, false},
		{`{"a":["x"]}`, `{"a":"x"}`, false},
		{`{"a":{"b":{"c":[{"d":1,"e":2}]}}}`, `{"a":{"b":{"c":[{"d":1}]}}}`, true},
		{`{"a":{"b":{"c":[{"d":1,"e":2}]}}}`, `{"a":{"b":{"c":[{"d":2}]}}}`, false},
		{`{"a":1e1000000}`, `{"a":1e1000001}`, false},
		{`{"a":1e1000000}`, `{"a":1e1000000}`, true},
	} {
		have, err1 := parseClaims([]byte(test.have))
		want, err2 := parseClaims([]byte(test.want))
		if err1 != nil || err2 != nil {
			t.Fatal(err1, err2)
		}
		if is := contains(map[string]any(have), map[string]any(want)); is != test.is {
			t.Errorf("%s contains %s: %v", test.have, test.want, is)
		}
	}
}
