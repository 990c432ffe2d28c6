package mcpserver

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strconv"
	"strings"

	"github.com/modelcontextprotocol/go-sdk/mcp"

	"porterhouse"
)

// tool is one thing that an agent can do here. All of them only read, and each call
// from one ClickHouse.
type tool struct {
	name        string
	title       string
	description string
	schema      string // JSON Schema of the arguments
	run         func(ctx context.Context, c *call, arguments json.RawMessage) error
}

// tools are the tools of the door, for a person who has these choices; nil: none. Their
// definitions are in the context of every model that works with us, so each word has to
// earn its place.
func tools(n numbers, among *choices) []tool {
	return []tool{
		{
			name:  "query",
			title: "Query ClickHouse",
			description: fmt.Sprintf("Run one read-only ClickHouse statement as yourself. The first line of the answer says how many rows it has and whether they are all; "+
				"in the compact format a line of name:type and tab-separated rows follow (\\N is NULL). Aggregate in SQL rather than fetching rows. An answer is cut at %d rows and about %d tokens, unless you set max_rows (this also doubles the tokens) or max_bytes (it replaces them).",
				n.rows, n.tokens),
			schema: schema(among, "sql",
				`"sql":{"type":"string","description":"SELECT, WITH, SHOW, DESCRIBE, EXISTS or EXPLAIN; without FORMAT"}`,
				fmt.Sprintf(`"max_rows":{"type":"integer","minimum":1,"maximum":%d}`, n.mostRows),
				fmt.Sprintf(`"max_bytes":{"type":"integer","minimum":%d,"maximum":%d}`, leastBytes, n.mostBytes),
				`"format":{"type":"string","enum":["compact","json","markdown"]}`,
				`"database":{"type":"string","description":"for tables named without one"}`),
			run: runQuery,
		},
		{
			name:        "search_schema",
			title:       "Search databases, tables and columns",
			description: "Find tables and columns that you may read, by words in their names and comments; best matches first. Start here.",
			schema: schema(among, "words",
				`"words":{"type":"string","description":"such as: daily token usage"}`,
				`"database":{"type":"string","description":"search only this one"}`,
				`"kind":{"type":"string","enum":["database","table","column"]}`,
				`"page":{"type":"integer","minimum":1}`),
			run: runSearch,
		},
		{
			name:        "describe_tables",
			title:       "Describe tables",
			description: "Columns, types, comments, keys, engine and size of tables; with samples also 3 rows of each.",
			schema: schema(among, "tables",
				fmt.Sprintf(`"tables":{"type":"array","items":{"type":"string"},"minItems":1,"maxItems":%d,"description":"database.table"}`, maxTables),
				`"samples":{"type":"boolean"}`),
			run: runDescribe,
		},
		{
			name:        "whoami",
			title:       "Who am I",
			description: "Who you are to ClickHouse: account, roles, databases you may see, and your limits.",
			schema:      schema(among, ""),
			run:         runWhoami,
		},
	}
}

// schema is the JSON Schema of a tool's arguments: its own, of which one may be needed,
// and the cluster where there is a choice.
func schema(among *choices, needed string, properties ...string) string {
	var required []string
	if needed != "" {
		required = append(required, strconv.Quote(needed))
	}
	if among != nil {
		properties = append(properties, among.property())
		if among.usual == "" {
			required = append(required, strconv.Quote(clusterArgument))
		}
	}
	text := `{"type":"object"`
	if len(properties) > 0 {
		text += `,"properties":{` + strings.Join(properties, ",") + `}`
	}
	if len(required) > 0 {
		text += `,"required":[` + strings.Join(required, ",") + `]`
	}
	return text + `,"additionalProperties":false}`
}

// listed are tools as clients list them.
func listed(tools []tool) []*mcp.Tool {
	no := false
	var all []*mcp.Tool
	for _, t := range tools {
		all = append(all, &mcp.Tool{
			Name: t.name, Title: t.title, Description: t.description,
			InputSchema: json.RawMessage(t.schema),
			Annotations: &mcp.ToolAnnotations{ReadOnlyHint: true, DestructiveHint: &no, IdempotentHint: true, OpenWorldHint: &no},
		})
	}
	return all
}

// handler runs a tool for the person whose visit brought the call.
func handler(t tool) mcp.ToolHandler {
	return func(ctx context.Context, req *mcp.CallToolRequest) (*mcp.CallToolResult, error) {
		v, err := visitOf(req.Extra)
		if err != nil {
			return nil, err
		}
		c := newCall(v, t.name)
		defer c.end()
		c.progress = progressOf(req)
		counts := &v.server.state.counts
		counts.calls.Add(1)
		if err := t.run(ctx, c, req.Params.Arguments); err != nil {
			counts.failures.Add(1)
			return c.failed(ctx, err), nil
		}
		return c.result(), nil
	}
}

// decode reads the arguments of a tool strictly: a model that misspelt one must
// hear of it, not get an answer to another question.
func decode[T any](arguments json.RawMessage) (T, error) {
	var in T
	if len(arguments) == 0 || string(arguments) == "null" {
		return in, nil
	}
	if err := checkNames(arguments, fieldNames(reflect.TypeFor[T]())); err != nil {
		return in, err
	}
	err := json.Unmarshal(arguments, &in)
	var wrong *json.UnmarshalTypeError
	switch {
	case err == nil:
		return in, nil
	case errors.As(err, &wrong):
		err = porterhouse.Errorf(porterhouse.Invalid, "the argument %q must be %s, not %s", wrong.Field, jsonName(wrong.Type), echo(article(wrong.Value)))
	default:
		err = porterhouse.Errorf(porterhouse.Invalid, "the arguments are not a JSON object: %v", err)
	}
	return in, err
}

// checkNames refuses names of arguments that are not exactly ours, and those that
// come twice. encoding/json ignores case and takes the last one, so whoever was
// shown {"sql":…,"SQL":…} might approve another statement than the one that runs.
// What is no JSON object is left to encoding/json to complain about.
func checkNames(arguments json.RawMessage, known []string) error {
	d := json.NewDecoder(bytes.NewReader(arguments))
	if open, err := d.Token(); err != nil || open != json.Delim('{') {
		return nil
	}
	seen := make(map[string]bool, len(known))
	for d.More() {
		token, err := d.Token()
		name, ok := token.(string)
		if err != nil || !ok {
			return nil
		}
		if !slices.Contains(known, name) {
			told := slices.DeleteFunc(slices.Clone(known), func(name string) bool { return name == clusterArgument })
			return porterhouse.Errorf(porterhouse.Invalid, "there is no argument %s; this tool takes %s",
				echo(strconv.Quote(name)), cmp.Or(strings.Join(told, ", "), "none"))
		}
		if seen[name] {
			return porterhouse.Errorf(porterhouse.Invalid, "the argument %q is there twice", name)
		}
		seen[name] = true
		var value json.RawMessage
		if d.Decode(&value) != nil {
			return nil
		}
	}
	return nil
}

// jsonName says in JSON's words what a Go type holds.
func jsonName(t reflect.Type) string {
	switch t.Kind() {
	case reflect.String:
		return "a string"
	case reflect.Bool:
		return "true or false"
	case reflect.Slice:
		return "an array of strings"
	case reflect.Struct, reflect.Map:
		return "an object"
	}
	return "a whole number"
}

// article puts the article before encoding/json's name of a value.
func article(value string) string {
	if value != "" && strings.Contains("aeiou", value[:1]) {
		return "an " + value
	}
	return "a " + value
}

// fieldNames are the JSON names of a struct's fields.
func fieldNames(t reflect.Type) (names []string) {
	for i := range t.NumField() {
		names = append(names, t.Field(i).Tag.Get("json"))
	}
	return names
}
