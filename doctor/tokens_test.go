package doctor_test

import (
	"encoding/xml"
	"io"
	"slices"
	"strings"
	"testing"

	"porterhouse/clickhouse"
	"porterhouse/doctor"
)

// forwards makes it a cluster that is shown tokens.
func forwards(c *doctor.Case) {
	c.Access.Mode, c.Facts.Bearer = clickhouse.Forward, works
	c.Facts.Gateway = clickhouse.AccountFacts{Login: clickhouse.Finding{Cause: clickhouse.NotConfigured}}
	c.Tokens = &doctor.Tokens{
		Configured: true, SignIn: []string{"corp (https://idp.example.com)"}, Wanted: "the resource https://ch.example.com", Audience: "https://ch.example.com",
		Exchanged:  []string{"partners"},
		Processors: []doctor.Processor{{Name: "corp", Keys: []doctor.Key{{Name: "type", Value: "openid"}, {Name: "configuration_endpoint", Value: "https://idp.example.com/?a&b"}}}, {Name: "1 & <all>"}},
	}
}

// Where tokens for ClickHouse come from is told, and what is wrong about them, with what
// to do.
func TestTokens(t *testing.T) {
	for _, test := range []struct {
		name   string
		change func(*doctor.Case)
		want   []string // all findings about tokens: severity, name, and a part of what is said
		files  int
	}{
		{"all is said", func(*doctor.Case) {}, []string{
			"fine token for who signs in here, corp (https://idp.example.com) is asked for a token for the resource https://ch.example.com, which goes on if it names https://ch.example.com (aud)",
			"fine token a token that somebody of partners brings, and that does not name ClickHouse, is exchanged there",
		}, 1},
		{"the usual token", func(c *doctor.Case) { c.Tokens.Wanted, c.Tokens.Exchanged = "", nil }, []string{"fine token for who signs in here, corp (https://idp.example.com) is asked for its usual access token"}, 1},
		{"for anything", func(c *doctor.Case) { c.Tokens.Audience, c.Tokens.Exchanged = "", nil }, []string{"careful token-audience could use them elsewhere", "fine token goes on whatever it is for"}, 1},
		{"for our doors as well", func(c *doctor.Case) { c.Tokens.Opens, c.Tokens.Exchanged = []string{"a.b", "c"}, nil }, []string{"careful token-audience open our own doors, too, by a.b, c:", "fine token "}, 1},
		{"by rules that ClickHouse does not have", func(c *doctor.Case) {
			c.Tokens.Unheld, c.Tokens.Exchanged = []string{"token_processors.corp.allowed_groups", "x"}, nil
		}, []string{"careful token-rules no word for token_processors.corp.allowed_groups, x:", "fine token "}, 1},
		{"nothing is said, and people sign in", func(c *doctor.Case) { c.Tokens = &doctor.Tokens{SignIn: []string{"corp"}} }, []string{"wrong token who signs in here is kept out", "fine token goes on as it is, unless"}, 0},
		{"nothing is said, and nobody signs in", func(c *doctor.Case) { c.Tokens = &doctor.Tokens{Unheld: []string{"x"}} }, []string{"careful token-rules no word for x", "fine token goes on as it is, unless"}, 0},
		{"another mode", func(c *doctor.Case) { c.Access.Mode = clickhouse.Static }, nil, 0},
	} {
		c := healthy()
		forwards(&c)
		test.change(&c)
		plan := doctor.Examine(c)
		var got []string
		for _, f := range plan.Findings {
			if strings.HasPrefix(f.Name, "token") {
				got = append(got, string(f.Severity)+" "+f.Name+" "+f.Text)
			}
			if f.Severity != doctor.Fine && f.Remedy == "" {
				t.Errorf("%s: %s says nothing of what to do", test.name, f.Name)
			}
		}
		if !matches(got, test.want) {
			t.Errorf("%s: %q; want %q", test.name, got, test.want)
		}
		if len(plan.Files) != test.files {
			t.Errorf("%s: the files are %+v", test.name, plan.Files)
		}
	}
}

// A ClickHouse that takes no tokens at all is told as that, and the file with it.
func TestTokensAreNotTaken(t *testing.T) {
	c := healthy()
	forwards(&c)
	c.Facts.Bearer = fails(clickhouse.Unknown)
	plan := doctor.Examine(c)
	if plan.Findings[0].Name != "bearer" || plan.Worst() != doctor.Wrong || len(plan.Files) != 1 {
		t.Errorf("%+v", plan)
	}
}

// The file is XML, whatever stands in the configuration, and has the audience of
// ClickHouse for each processor.
func TestTokensFile(t *testing.T) {
	c := healthy()
	forwards(&c)
	file := doctor.Examine(c).Files[0]
	var tags, texts []string
	for d := xml.NewDecoder(strings.NewReader(file.Text)); ; {
		token, err := d.Token()
		if err == io.EOF {
			break
		}
		if err != nil {
			t.Fatalf("%v in\n%s", err, file.Text)
		}
		switch token := token.(type) {
		case xml.StartElement:
			tags = append(tags, token.Name.Local)
		case xml.CharData:
			if text := strings.TrimSpace(string(token)); text != "" {
				texts = append(texts, text)
			}
		}
	}
	if want := []string{"clickhouse", "enable_token_auth", "token_processors", "corp", "type", "configuration_endpoint", "expected_audience", "_1____all_", "expected_audience"}; !slices.Equal(tags, want) {
		t.Errorf("%q, want %q", tags, want)
	}
	if want := []string{"1", "openid", "https://idp.example.com/?a&b", "https://ch.example.com", "https://ch.example.com"}; !slices.Equal(texts, want) {
		t.Errorf("%q, want %q", texts, want)
	}
	c.Tokens.Audience = ""
	if file := doctor.Examine(c).Files[0]; strings.Contains(file.Text, "audience") {
		t.Errorf("an audience that nobody said is asked for:\n%s", file.Text)
	}
}
