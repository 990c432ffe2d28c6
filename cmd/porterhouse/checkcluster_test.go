package main

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"porterhouse"
	"porterhouse/clickhouse"
	"porterhouse/doctor"
	"porterhouse/sandbox"
	"porterhouse/sandbox/fake"
)

// checked is a configuration whose cluster is a persona in front of a real server.
type checked struct {
	*testing.T
	real   *sandbox.Server
	config string // its path
}

func (c checked) dress(name string) {
	c.Helper()
	p, found := fake.Named(name)
	if !found {
		c.Fatalf("there is no persona %q", name)
	}
	for _, sql := range slices.Concat(fake.Undress(), p.Setup) {
		if err := c.real.Exec(c.Context(), sql); err != nil {
			c.Fatal(err)
		}
	}
	s, err := fake.Start(p, c.real.HTTP)
	if err != nil {
		c.Fatal(err)
	}
	c.Cleanup(func() {
		if err := s.Close(); err != nil {
			c.Error(err)
		}
	})
	c.write(s.URL)
}

// write writes the configuration, with the cluster at url.
func (c checked) write(url string) {
	c.Helper()
	text := "clusters: {main: {url: '" + url + "', user: " + fake.Gateway + ", password: 'env:PASSWORD', provision: {user: " + fake.Provisioner + ", password: 'env:PASSWORD', prefix: ph_}}}\n" +
		leastTokens + leastAudit + leastUsers
	if err := os.WriteFile(c.config, []byte(text), 0o600); err != nil {
		c.Fatal(err)
	}
}

// check runs porterhouse check cluster, with answer on its standard input.
func (c checked) check(answer string, flags ...string) (code int, out, told string) {
	c.Helper()
	env := func(name string) (string, bool) {
		switch name {
		case "PASSWORD":
			return fake.Password, true
		case "SECRET":
			return fake.Secret, true
		case "ADMIN":
			return c.real.Password, true
		}
		return "", false
	}
	var stdout, stderr strings.Builder
	if !slices.Contains(flags, "--within") { // what is found is no matter of time
		flags = append([]string{"--within", "1m"}, flags...)
	}
	code = run(c.Context(), terminal{strings.NewReader(answer), &stdout, &stderr, env}, append([]string{"check", "cluster", "--config", c.config}, flags...))
	for _, secret := range []string{fake.Password, c.real.Password} {
		if strings.Contains(stdout.String()+stderr.String(), secret) {
			c.Errorf("a password is told:\n%s%s", stdout.String(), stderr.String())
		}
	}
	return code, stdout.String(), stderr.String()
}

func openChecked(t *testing.T) checked {
	return checked{t, sandbox.ForTest(t, sandbox.Options{}), filepath.Join(t.TempDir(), "porterhouse.yaml")}
}

// check says what is wrong at a cluster and what to run, and runs it when somebody
// agrees; then there is nothing left to do.
func TestCheckAndApply(t *testing.T) {
	c := openChecked(t)
	c.dress("26.7")
	c.exec("GRANT SELECT ON system.users, IMPERSONATE ON * TO " + fake.Gateway)
	code, out, told := c.check("", "--host", "127.0.0.1")
	if code != 1 || !strings.Contains(told, "something is to be done") {
		t.Errorf("%d %q", code, told)
	}
	for _, part := range []string{
		"access mode execute_as: ", "WRONG   the gateway may act as more users", "REVOKE IMPERSONATE ON * FROM `porterhouse`;",
		"GRANT IMPERSONATE ON `alice` TO `porterhouse`;", "HOST IP '127.0.0.1' DEFAULT ROLE NONE GRANTEES NONE", "check --apply",
	} {
		if !strings.Contains(out, part) {
			t.Errorf("it says nothing of %q:\n%s", part, out)
		}
	}
	if _, out, _ := c.check(""); strings.Contains(out, "HOST IP") || !strings.Contains(out, "this machine's is 127.0.0.1") {
		t.Errorf("nobody said from where, and it says:\n%s", out)
	}
	admin := []string{"--host", "127.0.0.1", "--apply", "--admin", c.real.User, "--password", "env:ADMIN"}
	code, _, told = c.check("no\n", admin...)
	if code != 1 || !strings.Contains(told, "statements on cluster main as default? yes or no") || !strings.Contains(told, "Nothing was run.") {
		t.Errorf("whoever says no: %d %q", code, told)
	}
	if left, err := c.real.Text(t.Context(), "SELECT count() FROM system.grants WHERE user_name = 'porterhouse' AND access_type = 'IMPERSONATE' AND ifNull(access_object, '') = ''"); err != nil || left != "1" {
		t.Errorf("something was run without a yes: %s %v", left, err)
	}
	code, out, told = c.check("yes\n", admin...)
	if _, after, ran := strings.Cut(out, "After that was run:"); code != 0 || !ran || strings.Contains(after, "WRONG") || strings.Contains(after, "To be run") {
		t.Errorf("whoever says yes: %d %s\n%s", code, told, out)
	}
	if code, out, told = c.check(""); code != 0 || strings.Contains(out, "To be run") {
		t.Errorf("afterwards: %d %s\n%s", code, told, out)
	}
	if code, _, told = c.check("", append(admin, "--yes")...); code != 0 || strings.Contains(told, "yes or no") {
		t.Errorf("where nothing is to be run: %d %q", code, told)
	}
}

// exec runs statements as the administrator.
func (c checked) exec(statements ...string) {
	c.Helper()
	for _, sql := range statements {
		if err := c.real.Exec(c.Context(), sql); err != nil {
			c.Fatal(err)
		}
	}
}

// text asks as the administrator.
func (c checked) text(sql string) string {
	c.Helper()
	answer, err := c.real.Text(c.Context(), sql)
	if err != nil {
		c.Fatal(err)
	}
	return answer
}

// What cannot be run is told with where it stopped, and what is told holds no password.
func TestApplyFails(t *testing.T) {
	c := openChecked(t)
	c.dress("almighty")
	for _, test := range []struct {
		flags []string
		want  string
	}{
		{[]string{"--apply", "--admin", "nobody", "--password", "env:ADMIN", "--yes"}, "0 of "},
		{[]string{"--apply", "--admin", fake.Provisioner, "--password", "env:PASSWORD", "--yes"}, "then this failed: "},
	} {
		if code, _, told := c.check("", test.flags...); code != 1 || !strings.Contains(told, test.want) {
			t.Errorf("%v: %d %q", test.flags, code, told)
		}
	}
	c.dress("stale-password")
	if _, _, told := c.check("", "--apply", "--admin", c.real.User, "--password", "written here"); !strings.Contains(told, "say --password - and write the password to standard input") || strings.Contains(told, "written here") {
		t.Errorf("a password on the command line: %s", told)
	}
	if code, out, _ := c.check(c.real.Password, "--apply", "--admin", c.real.User, "--password", "-", "--yes"); code != 0 {
		t.Errorf("with the password on standard input: %d\n%s", code, out)
	}
}

// grants are the statements of check grants.
func (e examination) grants(cluster string) (statements []string) {
	for _, s := range e.wanted(cluster).Setup().SQL {
		statements = append(statements, s.String())
	}
	return statements
}

// Passwords are taken out of what a server says of them, also where one is the beginning
// of another.
func TestPasswordsAreTakenOut(t *testing.T) {
	config := ClusterConfig{Password: porterhouse.NewSecret(`gate's \ way`), Provision: &ProvisionConfig{Password: porterhouse.NewSecret(`gate's \ way out`)}}
	said := withoutPasswords(`failed at: CREATE USER a IDENTIFIED BY 'gate\'s \\ way', CREATE USER b IDENTIFIED BY 'gate\'s \\ way out'; (gate's \ way out)`, passwordsOf(config))
	if want := "failed at: CREATE USER a IDENTIFIED BY <the gateway's password>, CREATE USER b IDENTIFIED BY <the provisioner's password>; (<the provisioner's password>)"; said != want {
		t.Errorf("it tells %s", said)
	}
}

// A server that quotes the whole statement in its error does not make us tell the
// password in it.
func TestPasswordsAreNotQuoted(t *testing.T) {
	quoting := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body) // what there is of it
		w.Header().Set("X-ClickHouse-Exception-Code", "62")
		w.WriteHeader(http.StatusBadRequest)
		fmt.Fprintf(w, "Code: 62. DB::Exception: Syntax error: failed at position 1 (CREATE): %s. Expected nothing. (SYNTAX_ERROR) (version 21.8.15.7)\n", body)
	}))
	defer quoting.Close()
	cluster := ClusterConfig{URL: quoting.URL, User: "gw", Password: porterhouse.NewSecret("tell nobody")}
	plan := doctor.Plan{Cluster: "main", SQL: []doctor.Statement{{Parts: []doctor.Part{{Text: "CREATE USER gw IDENTIFIED BY "}, {Password: doctor.GatewayPassword}}}}}
	who := administrator{user: "boss", password: porterhouse.NewSecret("x"), agreed: true}
	_, err := who.apply(t.Context(), cluster, plan)
	if err == nil || strings.Contains(err.Error(), "tell nobody") || !strings.Contains(err.Error(), "position 1 (CREATE): CREATE USER gw IDENTIFIED BY "+string(doctor.GatewayPassword)) {
		t.Errorf("%v", err)
	}
}

// JSON has the plan and the facts; flags that do not go together are refused.
func TestCheckAsJSON(t *testing.T) {
	c := openChecked(t)
	c.dress("25.11-off")
	code, out, _ := c.check("", "--json")
	var got checkReport
	if err := json.Unmarshal([]byte(out), &got); err != nil || code != 1 {
		t.Fatalf("%d %v: %s", code, err, out)
	}
	x := got.Clusters[0]
	if x.Mode != clickhouse.ExecuteAs || len(x.Files) != 1 || !strings.Contains(x.Files[0].Text, "<access_control_improvements>") || !x.Facts.ExecuteAs.Known.Failed(clickhouse.SwitchedOff) {
		t.Errorf("%+v", x)
	}
	for _, flags := range [][]string{
		{"--yes"}, {"--admin", "default"}, {"--apply"}, {"--apply", "--admin", "default"}, {"--apply", "--admin", "default", "--password", "-"},
		{"--apply", "--admin", "default", "--password", "env:ADMIN", "--json"}, {"more"}, {"--host", "10.0.0.0/99"}, {"--host", "a'b"}, {"--host", ""},
	} {
		if code, _, _ := c.check("yes\n", flags...); code != 2 {
			t.Errorf("%v: exit code %d", flags, code)
		}
	}
	for _, within := range []string{"5", "0s", "-1s"} {
		if code, _, told := c.check("", "--within", within); code != 2 || !strings.Contains(told, "such as 10s\n") {
			t.Errorf("--within %s: exit code %d: %s", within, code, told)
		}
	}
	if _, out, _ := c.check("", "--json", "--host", "gw.example.com", "--host", "10.0.0.0/24"); !strings.Contains(out, `HOST IP '10.0.0.0/24', NAME 'gw.example.com'`) && !strings.Contains(out, `HOST IP \u0027`) {
		t.Errorf("the hosts are not in it: %s", out)
	}
	if code, _, told := c.check("", "--cluster", "other"); code != 1 || !strings.Contains(told, `there is no cluster "other"`) {
		t.Errorf("%d %q", code, told)
	}
}

// A cluster that is away is told by its exit code; one that is none is wrong.
func TestCheckAway(t *testing.T) {
	c := openChecked(t)
	c.write("http://127.0.0.1:1")
	if code, out, told := c.check(""); code != 3 || !strings.Contains(out, "nobody listens there") || told != "porterhouse check: cluster main was not reached, see above\n" {
		t.Errorf("%d %s\n%s", code, told, out)
	}
	if both := verdict([]examined{{Plan: away("east")}, {Plan: away("west")}}); both.Error() != "the clusters east, west were not reached, see above" {
		t.Error(both)
	}
	c.dress("stranger")
	if code, out, _ := c.check(""); code != 1 || !strings.Contains(out, "somebody else answers there") {
		t.Errorf("%d\n%s", code, out)
	}
}

// away is the plan for a cluster that was not reached.
func away(cluster string) doctor.Plan {
	return doctor.Plan{Cluster: cluster, Findings: []doctor.Finding{{Severity: doctor.Wrong}}}
}

// An argument that is no flag is told by its name, and a part that stands behind the flags
// as what it is.
func TestCheckTellsArguments(t *testing.T) {
	c := checked{T: t, real: &sandbox.Server{Password: "of nobody"}, config: "nowhere.yaml"}
	for argument, want := range map[string]string{
		"clients": "porterhouse check: say clients first, before the flags: porterhouse check clients --config FILE\n",
		"more":    "porterhouse check: nothing is known of the argument \"more\": the parts are idp, cluster, clients, grants and authenticator\n",
	} {
		if code, _, told := c.check("", argument); code != 2 || told != want {
			t.Errorf("%s: %d %q", argument, code, told)
		}
	}
}
