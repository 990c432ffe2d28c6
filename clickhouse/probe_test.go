package clickhouse_test

import (
	"context"
	"net"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"porterhouse"
	"porterhouse/clickhouse"
	"porterhouse/sandbox"
	"porterhouse/sandbox/fake"
)

// probe looks at the town as its gateway, with the given changes to the Config.
func (w *town) probe(t testing.TB, changes ...func(*clickhouse.Config)) clickhouse.Facts {
	t.Helper()
	return probe(t, clickhouse.Config{
		URL: w.HTTP, User: gateway, Password: porterhouse.NewSecret(gatewayPassword),
		Access: clickhouse.Access{Native: w.Native, Mint: w.mint}, Trial: clickhouse.Trial{Within: 30 * time.Second},
	}, changes...)
}

func probe(t testing.TB, c clickhouse.Config, changes ...func(*clickhouse.Config)) clickhouse.Facts {
	t.Helper()
	for _, change := range changes {
		change(&c)
	}
	facts, err := clickhouse.Probe(t.Context(), c)
	if err != nil {
		t.Fatal(err)
	}
	return facts
}

// as says whom to try the ways with.
func trying(t testing.TB, name string) func(*clickhouse.Config) {
	return func(c *clickhouse.Config) { c.Trial.Person = account(t, name).User }
}

// works fails the test for a finding that is not one that works.
func works(t testing.TB, what string, f clickhouse.Finding) {
	t.Helper()
	if !f.Works() {
		t.Errorf("%s: %+v", what, f)
	}
}

// fails wants a finding that fails of a cause, with those words of ClickHouse's.
func fails(t testing.TB, what string, f clickhouse.Finding, cause clickhouse.Cause, said string) {
	t.Helper()
	if !f.Failed(cause) || !strings.Contains(f.Said, said) {
		t.Errorf("%s: %+v, want %s %q", what, f, cause, said)
	}
}

// untried wants a finding of something that was not tried.
func untried(t testing.TB, what string, f clickhouse.Finding, cause clickhouse.Cause) {
	t.Helper()
	if f.Outcome != clickhouse.Untried || f.Cause != cause {
		t.Errorf("%s: %+v, want none, because of %s", what, f, cause)
	}
}

// A server that has everything is found to have it, and what fails there does so with
// ClickHouse's own words.
func TestProbe(t *testing.T) {
	t.Parallel()
	w := newTown(t)
	for _, sql := range []string{
		"CREATE USER provisioner IDENTIFIED BY 'p'", "GRANT CREATE USER ON ph_* TO provisioner WITH GRANT OPTION", "GRANT writer TO provisioner WITH ADMIN OPTION",
		"GRANT IMPERSONATE ON bob, IMPERSONATE ON ph_* TO " + gateway, "ALTER USER " + gateway + " SETTINGS max_result_rows = 7 CONST", "SYSTEM FLUSH LOGS",
	} {
		if err := w.Exec(t.Context(), sql); err != nil {
			t.Fatal(err)
		}
	}
	f := w.probe(t, func(c *clickhouse.Config) {
		c.Trial.Provisioner, c.Trial.ProvisionerPassword = "provisioner", porterhouse.NewSecret("p")
	})
	for what, finding := range map[string]clickhouse.Finding{
		"reached": f.Reached, "login": f.Gateway.Login, "grants": f.Gateway.GrantsOf, "provisioner": f.Provisioner.Login,
		"EXECUTE AS": f.ExecuteAs.Known, "as bob": f.ExecuteAs.Person, "FORMAT": f.ExecuteAs.FormatKept, "ticket": f.Ticket,
		"native": f.Native.Reached, "native login": f.Native.Login, "SQL_": f.CustomSettings, "query_log": f.QueryLog, "session_log": f.SessionLog,
	} {
		works(t, what, finding)
	}
	fails(t, "default", f.OpenDefault, clickhouse.LoginRefused, "default: Authentication failed")
	fails(t, "Bearer", f.Bearer, clickhouse.Unknown, "'Bearer' HTTP Authorization scheme is not supported")
	if f.Person != "bob" || f.Server.Version != w.Version || f.Server.Timezone == "" || f.Server.DisplayName == "" || f.Server.RoundTrip <= 0 {
		t.Errorf("%+v, with %q", f.Server, f.Person)
	}
	if f.Server.Uptime < 0 || f.Server.Uptime > time.Hour || f.Server.Ahead.Abs() > 5*time.Second || f.Took <= 0 || f.TLS != nil {
		t.Errorf("%+v, TLS %+v, in %s", f.Server, f.TLS, f.Took)
	}
	if !f.Gateway.Complete || !slices.Equal(f.Gateway.Roles, []string{"reader", "writer"}) || !slices.Contains(f.Gateway.Changed, clickhouse.ChangedSetting{Name: "max_result_rows", Value: "7", Const: true}) {
		t.Errorf("%+v", f.Gateway)
	}
	if held := f.Gateway.Holds(clickhouse.Writing); !slices.ContainsFunc(held, func(g clickhouse.Grant) bool { return g.Right == "INSERT" && g.On == "app.*" }) {
		t.Errorf("what its roles may is missing: %+v", held)
	}
	if managed := f.Provisioner.Holds(clickhouse.Management); len(managed) != 2 || managed[0].On != "ph_*" || managed[1].On != "writer" {
		t.Errorf("%+v", managed)
	}
}

// What is not there, or goes wrong, is a finding that says what.
func TestProbeOfWhatFails(t *testing.T) {
	t.Parallel()
	w := newTown(t)
	for _, sql := range []string{
		"CREATE USER held IDENTIFIED BY 'held' SETTINGS readonly = 1", "GRANT IMPERSONATE ON alice TO held",
		"CREATE USER plain IDENTIFIED BY 'plain'", // no http: no ticket lets in
		"GRANT IMPERSONATE ON alice TO " + gateway,
	} {
		if err := w.Exec(t.Context(), sql); err != nil {
			t.Fatal(err)
		}
	}
	f := w.probe(t, trying(t, "carol"))
	fails(t, "as carol", f.ExecuteAs.Person, clickhouse.NotGranted, "IMPERSONATE ON carol")
	untried(t, "FORMAT", f.ExecuteAs.FormatKept, clickhouse.NotReached)
	works(t, "ticket", f.Ticket)

	f = w.probe(t, trying(t, "alice"), func(c *clickhouse.Config) {
		c.Access.Mint = func(context.Context, porterhouse.UserName, string) (porterhouse.Secret, error) {
			return porterhouse.Secret{}, porterhouse.Errorf(porterhouse.Unavailable, "the store is away")
		}
	})
	fails(t, "ticket", f.Ticket, clickhouse.OtherError, "the store is away")

	f = w.probe(t, trying(t, "plain"))
	fails(t, "ticket", f.Ticket, clickhouse.LoginRefused, "plain: Authentication failed")

	f = w.probe(t, func(c *clickhouse.Config) { c.User, c.Password = "held", porterhouse.NewSecret("held") })
	works(t, "login", f.Gateway.Login)
	works(t, "EXECUTE AS", f.ExecuteAs.Known)
	fails(t, "as alice", f.ExecuteAs.Person, clickhouse.HeldToReading, "readonly")
	if f.Gateway.ReadOnly != 1 || f.Server.Version != w.Version {
		t.Errorf("%+v", f.Gateway)
	}

	f = w.probe(t, trying(t, "alice"), func(c *clickhouse.Config) { c.Password = porterhouse.NewSecret("old"); c.Access.Mint = nil })
	works(t, "reached", f.Reached)
	fails(t, "login", f.Gateway.Login, clickhouse.LoginRefused, gateway+": Authentication failed")
	fails(t, "native login", f.Native.Login, clickhouse.LoginRefused, gateway+": Authentication failed")
	works(t, "native", f.Native.Reached)
	untried(t, "EXECUTE AS", f.ExecuteAs.Known, clickhouse.NotReached)
	untried(t, "ticket", f.Ticket, clickhouse.NotConfigured)

	// Nobody is nobody: without a login ClickHouse would take us for default.
	f = w.probe(t, func(c *clickhouse.Config) {
		c.User, c.Password, c.Access.Native = "", porterhouse.Secret{}, w.HTTP[len("http://"):]
		c.Trial.Within = 2 * time.Second // the HTTP port waits for more of what it takes for a request
	}, trying(t, "alice"))
	untried(t, "login", f.Gateway.Login, clickhouse.NotConfigured)
	works(t, "ticket", f.Ticket)
	if len(f.Gateway.Grants) > 0 {
		t.Errorf("grants of nobody: %+v", f.Gateway.Grants)
	}
	fails(t, "native", f.Native.Reached, clickhouse.TooSlow, "no answer in time")
	if f.Server.Version != w.Version {
		t.Errorf("the version is %q", f.Server.Version)
	}
}

// A secret is proved by an answer, as the person or as the gateway's own user.
func TestProbeOfTheSecret(t *testing.T) {
	t.Parallel()
	real := sandbox.ForTest(t, sandbox.Options{ExtraConfig: fake.SecretConfig, Init: []string{"CREATE USER alice", "CREATE USER " + gateway}})
	for _, test := range []struct {
		what, cluster, secret, user, person string
		works, asPerson                     bool
	}{
		{"all right", fake.Cluster, fake.Secret, gateway, "alice", true, true},
		{"another secret", fake.Cluster, "another", gateway, "alice", false, false},
		{"another cluster", "another", fake.Secret, gateway, "alice", false, false},
		{"a person whom ClickHouse does not know", fake.Cluster, fake.Secret, gateway, "nobody", true, false},
		{"a gateway whom ClickHouse does not know", fake.Cluster, fake.Secret, "nobody", "alice", true, true},
	} {
		f := probe(t, clickhouse.Config{
			URL: real.HTTP, User: test.user, Password: porterhouse.NewSecret("x"),
			Access: clickhouse.Access{Native: real.Native, Cluster: test.cluster, Secret: porterhouse.NewSecret(test.secret)},
			Trial:  clickhouse.Trial{Person: account(t, test.person).User, Within: 30 * time.Second},
		})
		if got := f.Native; got.Secret.Works() != test.works || got.SecretPerson.Works() != test.asPerson {
			t.Errorf("%s: %+v, %+v", test.what, got.Secret, got.SecretPerson)
		}
	}
	f := probe(t, clickhouse.Config{URL: real.HTTP, User: gateway, Access: clickhouse.Access{Native: real.Native}})
	untried(t, "the secret", f.Native.Secret, clickhouse.NotConfigured)
}

// Whoever looks into query_log sees which statements were a Probe's; none of them does
// anything but look.
func TestProbeIsRecognizable(t *testing.T) {
	t.Parallel()
	w := newTown(t)
	for _, sql := range []string{"GRANT IMPERSONATE ON alice TO " + gateway, "CREATE USER held IDENTIFIED BY 'held' SETTINGS readonly = 1"} {
		if err := w.Exec(t.Context(), sql); err != nil {
			t.Fatal(err)
		}
	}
	w.probe(t)
	w.probe(t, func(c *clickhouse.Config) { c.User, c.Password = "held", porterhouse.NewSecret("held") })
	const ours = "FROM system.query_log WHERE initial_user IN ('gw_porter', 'held', 'alice')"
	var found string
	eventually(t, "the log was written", func() bool {
		found, _ = w.Text(t.Context(), "SELECT count() > 20 "+ours)
		return found == "1"
	})
	for what, condition := range map[string]string{
		"without a word that it is a Probe's":  "log_comment != '" + clickhouse.ProbeComment + "' AND query NOT LIKE '%Porterhouse looks what works here%'",
		"that does more than look":             "query_kind NOT IN ('Select', 'Show', 'None', '')",
		"without its log_comment, of somebody": "log_comment = '' AND user != 'held'",
	} {
		n, err := w.Text(t.Context(), "SELECT count(), any(query), any(query_kind) "+ours+" AND "+condition)
		if err != nil || !strings.HasPrefix(n, "0\t") {
			t.Errorf("%s: %s, %v", what, n, err)
		}
	}
}

// What stands in the way of reaching ClickHouse is told apart.
func TestProbeOnTheWay(t *testing.T) {
	t.Parallel()
	silent, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer silent.Close()
	plain := httptest.NewServer(nil)
	defer plain.Close()
	secure := httptest.NewTLSServer(nil)
	defer secure.Close()
	ssh := banner(t, "SSH-2.0-OpenSSH_9.6\r\n")
	deaf := banner(t, "")
	for _, test := range []struct {
		url   string
		cause clickhouse.Cause
	}{
		{"http://127.0.0.1:1", clickhouse.NobodyListens},
		{"http://" + silent.Addr().String(), clickhouse.TooSlow},
		{plain.URL, clickhouse.NotClickHouse},
		{ssh, clickhouse.NotClickHouse},
		{deaf, clickhouse.HungUp},
		{strings.Replace(plain.URL, "http:", "https:", 1), clickhouse.NoTLS},
		{secure.URL, clickhouse.Untrusted},
	} {
		f := probe(t, clickhouse.Config{URL: test.url, User: gateway})
		fails(t, test.url, f.Reached, test.cause, "")
		if f.Took > 20*time.Second || f.Reached.Said == "" || f.Gateway.Login.Outcome != clickhouse.Untried || f.Traps != nil {
			t.Errorf("%+v", f)
		}
	}
	if _, err := clickhouse.Probe(t.Context(), clickhouse.Config{URL: "http://example.com"}); err == nil {
		t.Error("a password would have travelled in the clear")
	}
}

// banner is a server that says something to everybody, and hangs up.
func banner(t testing.TB, text string) (url string) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			_, _ = c.Write([]byte(text)) // who has gone again hears nothing
			c.Close()
		}
	}()
	return "http://" + l.Addr().String()
}
