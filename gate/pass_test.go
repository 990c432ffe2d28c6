package gate

import (
	"errors"
	"strings"
	"testing"

	"porterhouse"
	"porterhouse/statement"
)

// The doors that there are: for agents; where we are the person; where the person's own
// login bounds everything.
var (
	agents    = newJudge(Pass{}, Allow{})
	asPerson  = newJudge(Pass{Writes: true, Format: true, Settings: statement.Ordinary}, Allow{Settings: []string{"SQL_tenant"}, TableFunctions: []string{"S3"}})
	ownLogin  = newJudge(Pass{Writes: true, Sources: true, Format: true, Settings: statement.Unknown}, Allow{})
	someDoors = []judge{agents, asPerson, ownLogin}
)

// What passes at which door, and ClickHouse's number for what does not.
func TestWhatPassesWhere(t *testing.T) {
	const ok = 0
	for sql, want := range map[string][3]int{
		"SELECT 1":                      {ok, ok, ok},
		"SELECT 1 FORMAT JSON":          {codeSyntax, ok, ok},
		"INSERT INTO t SELECT 1":        {codeReadOnly, ok, ok},
		"DROP TABLE t":                  {codeReadOnly, ok, ok},
		"SELECT * FROM url('http://x')": {codeAccessDenied, codeAccessDenied, ok},
		"INSERT INTO FUNCTION url('http://x') SELECT 1":                 {codeReadOnly, codeAccessDenied, ok},
		"SELECT 1 SETTINGS max_threads = 1":                             {codeSettingConstraint, ok, ok},
		"SELECT 1 SETTINGS SQL_tenant = 'x'":                            {codeSettingConstraint, ok, ok},
		"SELECT 1 SETTINGS SQL_other = 'x'":                             {codeSettingConstraint, codeSettingConstraint, ok},
		"SELECT 1 SETTINGS log_comment = 'x'":                           {codeSettingConstraint, codeSettingConstraint, codeSettingConstraint},
		"SELECT 1 SETTINGS readonly = 0":                                {codeSettingConstraint, codeSettingConstraint, codeSettingConstraint},
		"SET log_comment = 'x'":                                         {codeReadOnly, codeSettingConstraint, codeSettingConstraint},
		"SELECT (SELECT 1 SETTINGS log_queries=0)":                      {codeSettingConstraint, codeSettingConstraint, codeSettingConstraint},
		"EXECUTE AS bob SELECT 1":                                       {codeAccessDenied, codeAccessDenied, codeAccessDenied},
		"CREATE TABLE a (x Int8) PARALLEL WITH CREATE TABLE b (x Int8)": {codeReadOnly, codeAccessDenied, codeAccessDenied},
		"CREATE TABLE t (a Int8) ENGINE = URL('http://x')":              {codeReadOnly, codeAccessDenied, ok},
		"CREATE TABLE t (a Int8) ENGINE = S3('http://x')":               {codeReadOnly, ok, ok},
		"SELECT * FROM s3('http://x')":                                  {codeAccessDenied, ok, ok},
		"INSERT INTO t FROM INFILE 'x' FORMAT CSV":                      {codeReadOnly, codeAccessDenied, codeAccessDenied},
		"SELECT 1 INTO OUTFILE 'x'":                                     {codeAccessDenied, codeAccessDenied, codeAccessDenied},
		"SELECT 1; SELECT 2":                                            {codeSyntax, codeSyntax, codeSyntax},
		"SELECT 'x":                                                     {codeSyntax, codeSyntax, codeSyntax},
		" -- nothing":                                                   {codeSyntax, codeSyntax, codeSyntax},
	} {
		for i, j := range someDoors {
			err := j.text(statement.Check(sql), !j.pass.Writes, "")
			if codeIn(err) != want[i] {
				t.Errorf("door %d: %s: %v; want code %d", i, sql, err, want[i])
			}
		}
	}
}

func codeIn(err error) int {
	e := &porterhouse.Error{}
	errors.As(err, &e)
	return e.Code
}

// Who may only read may not do more by any door, and is told why; sessions are no write.
func TestReadOnlyPasses(t *testing.T) {
	for sql, want := range map[string]int{
		"SELECT 1": 0, "SET max_threads = 1": 0, "USE flights": 0, "DROP TABLE t": codeReadOnly, "INSERT INTO t FORMAT CSV": codeReadOnly,
		"SET readonly = 0": codeSettingConstraint, "WITH 1 AS x INSERT INTO t SELECT x": codeReadOnly, "OPTIMIZE TABLE t": codeReadOnly,
	} {
		err := ownLogin.text(statement.Check(sql), true, "; the reason")
		if codeIn(err) != want || want == codeReadOnly && !strings.HasSuffix(err.(*porterhouse.Error).Public, "; the reason") {
			t.Errorf("%s: %v; want code %d", sql, err, want)
		}
	}
	if err := agents.text(statement.Check("SET max_threads = 1"), true, ""); codeIn(err) != codeReadOnly {
		t.Errorf("an agent changes a session: %v", err)
	}
}

// Whoever may only read is told why: what the request itself can change comes last.
func TestWhyReadOnly(t *testing.T) {
	for _, c := range []struct {
		reader, writes, request bool
		want                    string
	}{
		{true, false, true, "what you came in with is for reading only"},
		{false, false, true, "this door is for reading only"},
		{false, false, false, "this door is for reading only"},
		{false, true, true, "as one by GET does: send it with POST"},
	} {
		a := asking{
			who:  porterhouse.Principal{ReadOnly: c.reader},
			door: &door{Door: Door{Pass: Pass{Writes: c.writes}}},
			q:    porterhouse.Query{Passage: &porterhouse.Passage{ReadOnly: c.request}},
		}
		if why := a.whyReadOnly(); !a.readOnly() || !strings.HasSuffix(why, c.want) {
			t.Errorf("%+v: read only: %v%s", c, a.readOnly(), why)
		}
	}
}

// A setting beside the statement passes where it passes in the statement, and nowhere
// else, however often it is given.
func TestSettingsPassAlike(t *testing.T) {
	for _, name := range []string{
		"max_threads", "join_use_nulls", "log_comment", "log_queries", "readonly", "profile", "max_execution_time", "SQL_tenant", "SQL_other",
		"output_format_json_quote_64bit_integers", "max_query_size", "implicit_select", "dialect", "replace_running_query", "insert_deduplication_token", "async_insert", "not_a_setting",
		"allow_custom_error_code_in_throwif",
	} {
		for i, j := range someDoors {
			inText := j.text(statement.Check("SELECT 1 SETTINGS "+name+" = 1"), false, "")
			for _, settings := range [][]porterhouse.Setting{
				{{Name: name, Value: "1"}},
				{{Name: "join_use_nulls", Value: "1"}, {Name: name, Value: "1"}, {Name: name, Value: "2"}, {Name: "final", Value: "0"}},
			} {
				if beside := j.settings(settings); codeIn(beside) != codeIn(inText) {
					t.Errorf("door %d: %s: in the text %v, beside it %v", i, name, inText, beside)
				}
			}
		}
	}
	less := []porterhouse.Setting{{Name: memory, Value: "1"}} // which is made to be less, but only here
	if err := ownLogin.settings(less); err != nil {
		t.Errorf("%s beside a statement: %v", memory, err)
	}
	if inText, agent := ownLogin.text(statement.Check("SELECT 1 SETTINGS "+memory+" = 1"), false, ""), agents.settings(less); codeIn(inText) != codeSettingConstraint || agent == nil {
		t.Errorf("%s in a statement: %v; by an agent: %v", memory, inText, agent)
	}
	for _, name := range []string{"", "a b", "a&b", "ä", "1a", "a\n", strings.Repeat("a", 200)} {
		if err := ownLogin.settings([]porterhouse.Setting{{Name: name}}); codeIn(err) != codeUnknownSetting {
			t.Errorf("the name %q: %v", name, err)
		}
	}
}

// What the record and the limits stand on is not the operator's to give away by name.
func TestReservedSettingsCannotBeAllowed(t *testing.T) {
	for name, may := range map[string]bool{
		"log_comment": false, "LOG_QUERIES": false, "readonly": false, "profile": false, "replace_running_query": false, "max_query_size": false, "allow_custom_error_code_in_throwif": false,
		"input_format_values_interpret_expressions": true, "max_memory_usage": true, "max_threads": true, "brand_new_setting": true,
	} {
		if err := (Allow{Settings: []string{"final", name}}).check(); (err == nil) != may {
			t.Errorf("%s: %v", name, err)
		}
	}
}
