package clickhouse_test

import (
	"crypto/tls"
	"crypto/x509"
	"slices"
	"testing"
	"time"

	"porterhouse"
	"porterhouse/clickhouse"
	"porterhouse/sandbox"
	"porterhouse/sandbox/fake"
)

// personaConfig is what an operator says of a persona.
func personaConfig(t testing.TB, s *fake.Server) clickhouse.Config {
	t.Helper()
	password := porterhouse.NewSecret(fake.Password)
	c := clickhouse.Config{
		URL: s.URL, User: fake.Gateway, Password: password,
		Trial: clickhouse.Trial{Person: account(t, fake.Alice).User, Provisioner: fake.Provisioner, ProvisionerPassword: password, Within: 30 * time.Second},
	}
	if s.CA != nil {
		pool := x509.NewCertPool()
		pool.AppendCertsFromPEM(s.CA)
		c.TLS = &tls.Config{RootCAs: pool}
	}
	return c
}

// dressed lets a persona stand in front of the real server, changed as the test wants it.
func dressed(t testing.TB, real *sandbox.Server, name string, changes ...func(*fake.Persona)) *fake.Server {
	t.Helper()
	p, ok := fake.Named(name)
	if !ok {
		t.Fatalf("there is no persona %s", name)
	}
	for _, change := range changes {
		change(&p)
	}
	for _, sql := range slices.Concat(fake.Undress(), p.Setup) {
		if err := real.Exec(t.Context(), sql); err != nil {
			t.Fatal(err)
		}
	}
	s, err := fake.Start(p, real.HTTP)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return s
}

// what is one thing that Facts say, and what it must be.
type what struct {
	finding func(f clickhouse.Facts) clickhouse.Finding
	outcome clickhouse.Outcome
	cause   clickhouse.Cause
}

func known(f clickhouse.Facts) clickhouse.Finding    { return f.ExecuteAs.Known }
func asPerson(f clickhouse.Facts) clickhouse.Finding { return f.ExecuteAs.Person }
func keeps(f clickhouse.Facts) clickhouse.Finding    { return f.ExecuteAs.FormatKept }
func bearer(f clickhouse.Facts) clickhouse.Finding   { return f.Bearer }
func reached(f clickhouse.Facts) clickhouse.Finding  { return f.Reached }
func loggedIn(f clickhouse.Facts) clickhouse.Finding { return f.Gateway.Login }

// Of every sort of server the one thing is found by which it differs from others.
func TestProbePersonas(t *testing.T) {
	t.Parallel()
	real := sandbox.ForTest(t, sandbox.Options{})
	const good, bad, not = clickhouse.Works, clickhouse.Fails, clickhouse.Untried
	for _, test := range []struct {
		persona string
		build   clickhouse.Build
		finds   []what
	}{
		{"old", clickhouse.Official, []what{{known, bad, clickhouse.Unknown}, {asPerson, bad, clickhouse.Unknown}, {keeps, not, clickhouse.NotReached}, {bearer, bad, clickhouse.Unknown}}},
		{"23.8", clickhouse.Official, []what{{known, bad, clickhouse.Unknown}}},
		{"25.11-off", clickhouse.Official, []what{{known, bad, clickhouse.SwitchedOff}}},
		{"26.1-off", clickhouse.Official, []what{{known, bad, clickhouse.SwitchedOff}}},
		{"26.2-off", clickhouse.Official, []what{{known, bad, clickhouse.SwitchedOff}, {asPerson, bad, clickhouse.SwitchedOff}}},
		{"26.3-format", clickhouse.Official, []what{{known, good, ""}, {asPerson, good, ""}, {keeps, bad, clickhouse.OtherError}}},
		{"26.7", clickhouse.Other, []what{{known, good, ""}, {asPerson, good, ""}, {keeps, good, ""}, {bearer, bad, clickhouse.Unknown}}},
		{"cloud", clickhouse.Cloud, []what{{known, bad, clickhouse.CompiledOut}, {bearer, good, ""}}},
		{"antalya", clickhouse.Antalya, []what{{known, bad, clickhouse.SwitchedOff}, {bearer, good, ""}}},
		{"altinity", clickhouse.Altinity, []what{{known, good, ""}, {bearer, bad, clickhouse.Unknown}}},
		{"aiven", clickhouse.Other, []what{{known, bad, clickhouse.CompiledOut}}},
		{"readonly", clickhouse.Other, []what{{loggedIn, good, ""}, {asPerson, bad, clickhouse.HeldToReading}}},
		{"ungranted", clickhouse.Other, []what{{known, good, ""}, {asPerson, bad, clickhouse.NotGranted}}},
		{"stale-password", "", []what{{reached, good, ""}, {loggedIn, bad, clickhouse.LoginRefused}, {known, not, clickhouse.NotReached}}},
		{"flapping", clickhouse.Other, []what{{reached, good, ""}, {asPerson, good, ""}}},
		{"slow", clickhouse.Other, []what{{reached, good, ""}, {loggedIn, good, ""}, {asPerson, good, ""}, {keeps, good, ""}}},
		{"expired", "", []what{{reached, bad, clickhouse.Expired}, {loggedIn, not, ""}}},
		{"stranger", "", []what{{reached, bad, clickhouse.NotClickHouse}, {loggedIn, not, ""}}},
	} {
		t.Run(test.persona, func(t *testing.T) {
			s := dressed(t, real, test.persona)
			f := probe(t, personaConfig(t, s))
			for i, w := range test.finds {
				if got := w.finding(f); got.Outcome != w.outcome || got.Cause != w.cause || got.Outcome == bad && got.Said == "" {
					t.Errorf("the finding %d is %+v, want %q %q", i, got, w.outcome, w.cause)
				}
			}
			if f.Server.Build != test.build || f.Gateway.Login.Works() && f.Server.Version != s.Version {
				t.Errorf("%+v, want %s %s", f.Server, test.build, s.Version)
			}
			if f.Took > 10*time.Second { // one thing after the other, the slow one would take twice that
				t.Errorf("it took %s", f.Took)
			}
			if (f.Lost > 0) != s.Flaps {
				t.Errorf("%d connections were lost", f.Lost)
			}
		})
	}
}

// What a gateway holds too much is in the Facts.
func TestProbeOfAnAlmightyGateway(t *testing.T) {
	t.Parallel()
	real := sandbox.ForTest(t, sandbox.Options{})
	f := probe(t, personaConfig(t, dressed(t, real, "almighty")))
	for realm, right := range map[clickhouse.Realm]string{clickhouse.Management: "CREATE USER", clickhouse.Impersonation: "IMPERSONATE", clickhouse.Sources: "READ"} {
		if held := f.Gateway.Holds(realm); !slices.ContainsFunc(held, func(g clickhouse.Grant) bool { return g.Right == right }) {
			t.Errorf("%s: %+v", realm, held)
		}
	}
	f = probe(t, personaConfig(t, dressed(t, real, "readonly")))
	if f.Gateway.ReadOnly != 1 || !slices.ContainsFunc(f.Gateway.Changed, func(c clickhouse.ChangedSetting) bool { return c.Name == "max_result_rows" }) {
		t.Errorf("%d, %+v", f.Gateway.ReadOnly, f.Gateway.Changed)
	}
	if f.Provisioner == nil || !f.Provisioner.Login.Works() || len(f.Provisioner.Holds(clickhouse.Management)) == 0 {
		t.Errorf("%+v", f.Provisioner)
	}
}
