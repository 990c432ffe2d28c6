package clickhouse

import (
	"net/url"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"porterhouse"
)

// Every setting that a request of ours has is in the table, and every one of the table is
// in some request.
func TestSentSettings(t *testing.T) {
	t.Parallel()
	limits := porterhouse.Limits{Time: time.Second, Memory: 1}
	rows := porterhouse.Query{SQL: "SELECT 1", ID: "i", Comment: "{}", Database: "d", Format: porterhouse.JSONRows, Limits: limits, Params: map[string]string{"x": "1"}}
	passed := rows
	passed.Class = porterhouse.Class{Read: true, Data: true}
	passed.Passage = &porterhouse.Passage{
		Progress: func(string) {}, Roles: []string{"r"}, QuotaKey: "k", Session: &porterhouse.Session{ID: "s", Owner: "o", Timeout: time.Second, Check: true, Close: true},
		Settings: []porterhouse.Setting{{Name: "max_execution_time", Value: "0"}},
	}
	seen := map[string]bool{}
	for _, q := range []porterhouse.Query{rows, passed} {
		s := statement{Query: q, way: byGateway{}}
		sent, err := url.ParseQuery(s.parameters(nil))
		if err != nil {
			t.Fatal(err)
		}
		for name := range sent {
			if slices.Contains(interfaceNames, name) || strings.HasPrefix(name, "param_") {
				continue
			}
			seen[name] = true
			if !slices.ContainsFunc(sentSettings, func(s sentSetting) bool { return s.name == name }) {
				t.Errorf("%s is sent, and not in the table", name)
			}
		}
	}
	page, err := os.ReadFile("../doc/versions.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range sentSettings {
		if row := "| `" + s.name + "` | " + s.since + " | "; s.since != "" && !strings.Contains(string(page), row) {
			t.Errorf("doc/versions.md has no %q", row)
		}
		if !seen[s.name] {
			t.Errorf("%s is in the table, and never sent", s.name)
		}
		if s.since != "" && (s.without == "") == (s.remedy == "") {
			t.Errorf("%s: either it can be left out, or there is something to be done", s.name)
		}
	}
}

// What an exception says of a setting of ours is understood, whoever made ClickHouse say
// it; and what bounds or explains a statement is never left out.
func TestUnknownSent(t *testing.T) {
	t.Parallel()
	const write, format = "http_write_exception_in_output_format", "allow_settings_after_format_in_insert"
	for text, want := range map[string]string{
		"Code: 115. DB::Exception: Unknown setting " + write + ". (UNKNOWN_SETTING) (version 23.8.16.40 (official build))":                                                                   write,
		"Code: 115. DB::Exception: Unknown setting '" + write + "'. (UNKNOWN_SETTING) (version 23.8.16.40)":                                                                                  write,
		"Code: 115. DB::Exception: Unknown setting " + write + ": Maybe you meant ['x']. (UNKNOWN_SETTING) (version 22.8.1.1)":                                                               write,
		"Code: 115, e.displayText() = DB::Exception: Unknown setting " + write + " (version 21.8.15.7 (official build))\n":                                                                   write,
		"Code: 115. DB::Exception: Setting " + write + " is neither a builtin setting nor started with the prefix 'SQL_' registered for user-defined settings. (UNKNOWN) (version 22.8.1.1)": write,
		"Code: 115. DB::Exception: Unknown setting " + format + ". (UNKNOWN_SETTING)":                                                                                                        format,

		"Code: 115. DB::Exception: Unknown setting " + write + "_x. (UNKNOWN_SETTING) (version 22.8.1.1)":                            "",
		"Code: 115. DB::Exception: Unknown setting final_x: Maybe you meant ['" + write + "']. (UNKNOWN_SETTING) (version 22.8.1.1)": "",
		"Code: 115. DB::Exception: Unknown setting max_memory_usage. (UNKNOWN_SETTING) (version 22.8.1.1)":                           "", // all know it
		"Code: 395. DB::Exception: Unknown setting " + write + ". (THROW) (version 22.8.1.1)":                                        "",
		"Unknown setting " + write: "",
	} {
		if got, found := unknownSent(exceptionText(text)); got.name != want || found != (want != "") {
			t.Errorf("%s: %q", text, got.name)
		}
	}
	for _, s := range sentSettings {
		if s.without != "" && (strings.HasPrefix(s.name, "max_") || s.name == "readonly" || s.name == format || s.name == "log_comment") {
			t.Errorf("%s would be left out", s.name)
		}
	}
}
