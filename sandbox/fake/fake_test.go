package fake_test

import (
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"testing"

	"porterhouse/sandbox"
	"porterhouse/sandbox/fake"
)

// answer is what a persona answered.
type answer struct {
	status int
	code   string // of ClickHouse's exception
	text   string
	header http.Header
}

// client asks as the gateway, unless a token is given.
type client struct {
	*testing.T
	url   string
	token string
}

func (c client) ask(sql, parameters string) (answer, error) {
	request, err := http.NewRequestWithContext(c.Context(), http.MethodPost, c.url+"/?"+parameters, strings.NewReader(sql))
	if err != nil {
		return answer{}, err
	}
	request.SetBasicAuth(fake.Gateway, fake.Password)
	if c.token != "" {
		request.Header.Set("Authorization", "Bearer "+c.token)
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return answer{}, err
	}
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	return answer{response.StatusCode, response.Header.Get("X-Clickhouse-Exception-Code"), string(text), response.Header}, err
}

// must asks, and the answer has to be like want: a part of the text, and the code of
// the exception before a space, if it is one.
func (c client) must(sql, parameters, want string) answer {
	c.Helper()
	got, err := c.ask(sql, parameters)
	if err != nil {
		c.Errorf("%s: %v", sql, err)
		return got
	}
	code, text := "", want
	if before, after, found := strings.Cut(want, " "); found && strings.Trim(before, "0123456789") == "" {
		code, text = before, after
	}
	if got.code != code || !strings.Contains(got.text, text) {
		c.Errorf("%s: %d %s %q; want %q", sql, got.status, got.code, got.text, want)
	}
	return got
}

// dress lets a persona stand in front of the real server, with its accounts.
func dress(t *testing.T, real *sandbox.Server, p fake.Persona) client {
	t.Helper()
	for _, sql := range slices.Concat(fake.Undress(), p.Setup) {
		if err := real.Exec(t.Context(), sql); err != nil {
			t.Fatal(err)
		}
	}
	s, err := fake.Start(p, real.HTTP)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return client{T: t, url: s.URL}
}

// A persona says its own version, and of EXECUTE AS, GRANT IMPERSONATE, tokens and
// new words what its version says.
func TestPersonas(t *testing.T) {
	real := sandbox.ForTest(t, sandbox.Options{})
	const as, grant = "EXECUTE AS 'alice' SELECT currentUser()", "GRANT IMPERSONATE ON alice TO alice"
	for _, test := range []struct{ name, as, grant, bearer, setting, asJSON string }{
		{"21.8", "62 failed at position 1 ('EXECUTE')", "62 failed at", "516 scheme is not supported", "115 , e.displayText() = DB::Exception: Unknown setting http_write", ""},
		{"22.8", "62 failed at position 1 ('EXECUTE')", "62 failed at", "516 scheme is not supported", "115 Unknown setting http_write", ""},
		{"no-secret", "62 failed at", "62 failed at", "516 scheme is not supported", "115 Unknown setting http_write", ""},
		{"23.8", "62 failed at position 1 ('EXECUTE')", "62 failed at", "516 scheme is not supported", "115 Unknown setting http_write", ""},
		{"25.11-off", "344 set allow_impersonate_user to 1", "344 set allow_imp", "516 scheme", "porterhouse", ""},
		{"26.1-off", "344 set allow_impersonate_user to 1", "344 set allow_imp", "516 scheme", "porterhouse", ""},
		{"26.2-off", "344 set access_control_improvements.allow_impersonate_user to 1", "344 set access_control", "516 scheme", "porterhouse", ""},
		{"26.3-format", "alice\n", "497 ", "516 scheme", "porterhouse", "alice\n"},
		{"26.7", "alice\n", "497 ", "516 scheme", "porterhouse", `"data":`},
		{"cloud", "62 failed at", "62 failed at", "516 could not be verified", "porterhouse", ""},
		{"antalya", "344 set allow_imp", "344 set allow_imp", "516 could not be verified", "porterhouse", ""},
		{"aiven", "62 failed at", "62 failed at", "516 scheme", "porterhouse", ""},
		{"ungranted", "497 IMPERSONATE ON alice", "497 ", "516 scheme", "porterhouse", ""},
		{"readonly", "164 readonly mode", "497 ", "516 scheme", "porterhouse", ""},
		{"stale-password", "516 ", "516 ", "516 ", "516 ", ""},
	} {
		t.Run(test.name, func(t *testing.T) {
			p, found := fake.Named(test.name)
			if !found {
				t.Fatal("there is no such persona")
			}
			c := dress(t, real, p)
			if test.name != "stale-password" {
				c.must("SELECT version()", "", p.Version+"\n")
			}
			c.must(as, "", test.as)
			c.must(grant, "", test.grant)
			if test.asJSON != "" {
				c.must(as+" FORMAT JSON", "", test.asJSON)
			}
			if test.name != "readonly" { // where no setting may be sent
				c.must("SELECT currentUser()", "http_write_exception_in_output_format=0", test.setting)
			}
			if test.name != "stale-password" {
				failed := c.must("nosuch", "query="+url.QueryEscape("SELECT 1 +"), "47 (version "+p.Version+p.Build+")")
				if old := slices.Contains([]string{"21.8", "22.8", "no-secret", "23.8", "antalya"}, p.Name); old == (failed.header.Get("X-Clickhouse-Exception-Tag") != "") {
					t.Error("the tag of exceptions came with 25.11")
				}
			}
			c.token = "made up"
			c.must("SELECT currentUser()", "", test.bearer)
		})
	}
}

// Every set-up is one that ClickHouse takes, and can be taken off again.
func TestSetups(t *testing.T) {
	real := sandbox.ForTest(t, sandbox.Options{})
	for _, p := range fake.Personas() {
		dress(t, real, p)
	}
	for _, sql := range fake.Undress() {
		if err := real.Exec(t.Context(), sql); err != nil {
			t.Fatal(err)
		}
	}
	if left, err := real.Text(t.Context(), "SELECT count() FROM system.users"); err != nil || left != "1" {
		t.Errorf("%s users are left (%v), not the admin alone", left, err)
	}
}

// Whoever is not well is not well in the way of its name.
func TestUnwellPersonas(t *testing.T) {
	real := sandbox.ForTest(t, sandbox.Options{})
	named := func(name string) client {
		p, _ := fake.Named(name)
		return dress(t, real, p)
	}
	named("stranger").must("SELECT 1", "", "Welcome to nginx!")
	flapping := named("flapping")
	failures := 0
	for range 4 {
		if _, err := flapping.ask("SELECT 1", ""); err != nil {
			failures++
		}
		http.DefaultClient.CloseIdleConnections()
	}
	if failures == 0 || failures == 4 {
		t.Errorf("of 4 questions %d failed", failures)
	}
	if _, err := named("expired").ask("SELECT 1", ""); err == nil || !strings.Contains(err.Error(), "certificate") {
		t.Errorf("a certificate that has ended: %v", err)
	}
}

// A persona whose ClickHouse is gone is gone.
func TestWithoutUpstream(t *testing.T) {
	gone := httptest.NewServer(nil)
	gone.Close()
	p, _ := fake.Named("26.7")
	s, err := fake.Start(p, gone.URL)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	if got, err := (client{T: t, url: s.URL}).ask("SELECT 1", ""); err == nil {
		t.Errorf("it answers %+v", got)
	}
}

// Names are unique, everybody is explained, and there are enough.
func TestTable(t *testing.T) {
	seen := map[string]bool{}
	for _, p := range fake.Personas() {
		if seen[p.Name] || p.About == "" || p.Version == "" && !p.Stranger {
			t.Errorf("%+v", p)
		}
		seen[p.Name] = true
	}
	if len(seen) < 12 {
		t.Errorf("%d personas", len(seen))
	}
	if _, found := fake.Named("nobody"); found {
		t.Error("there is a nobody")
	}
}
