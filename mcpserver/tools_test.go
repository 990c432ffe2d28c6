package mcpserver

import (
	"encoding/json"
	"strings"
	"testing"

	"porterhouse"
)

// TestArgumentNames: the arguments that run are those that an approval dialogue
// showed; no other spelling and no second one takes their place.
func TestArgumentNames(t *testing.T) {
	for arguments, want := range map[string]string{
		`{"sql":"SELECT 1","SQL":"SELECT 3"}`:         `there is no argument "SQL"; this tool takes sql, `,
		`{"SQL":"SELECT 3"}`:                          `there is no argument "SQL"`,
		`{"\u017fql":"SELECT 3"}`:                     `there is no argument`, // folds to sql
		`{"sql":"SELECT 1","sql":"SELECT 3"}`:         `the argument "sql" is there twice`,
		`{"sql":"SELECT 1","s\u0071l":"SELECT 3"}`:    `the argument "sql" is there twice`,
		`{"sql":"SELECT 1","sql":null}`:               `the argument "sql" is there twice`,
		`{"sql":["SELECT 1"],"format":"json"}`:        `the argument "sql" must be a string`,
		`["sql"]`:                                     `must be an object`,
		`{"sql":"SELECT 1"`:                           `not a JSON object`,
		`{"sql":`:                                     `not a JSON object`,
		`{"sql":"SELECT 1","format":"json"}`:          "",
		`{"format":"json","sql":"{\"sql\":\"sql\"}"}`: "",
	} {
		in, err := decode[queryInput](json.RawMessage(arguments))
		_, text := porterhouse.Explain(err)
		if (err == nil) != (want == "") || err != nil && !strings.Contains(text, want) {
			t.Errorf("%s: %+v, %q; want %q", arguments, in, text, want)
		}
	}
	if _, err := decode[struct{}](json.RawMessage(`{"none":1}`)); err == nil {
		t.Error("a tool without arguments takes one")
	}
}
