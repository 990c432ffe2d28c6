package clickhouse_test

import (
	"context"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"porterhouse"
	"porterhouse/clickhouse"
	"porterhouse/sandbox"
	"porterhouse/sandbox/fake"
	"porterhouse/sandbox/idp"
)

// The best way that works is chosen, and never one that gives the gateway more than
// its operator has said.
func TestChoose(t *testing.T) {
	t.Parallel()
	works := clickhouse.Finding{Outcome: clickhouse.Works}
	fails := func(c clickhouse.Cause) clickhouse.Finding {
		return clickhouse.Finding{Outcome: clickhouse.Fails, Cause: c, Code: 1, Said: "said"}
	}
	lost := clickhouse.Finding{Outcome: clickhouse.Fails, Cause: clickhouse.HungUp, Said: "lost"}
	everything := clickhouse.Access{Tokens: true}
	all := clickhouse.Facts{
		Reached: works, Gateway: clickhouse.AccountFacts{Login: works}, Ticket: works, Bearer: works,
		ExecuteAs: clickhouse.ExecuteAsFacts{Known: works, Person: works}, Native: clickhouse.NativeFacts{Secret: works},
	}
	for _, test := range []struct {
		what   string
		change func(f *clickhouse.Facts, a *clickhouse.Access)
		want   clickhouse.Mode
		why    string
	}{
		{"all works", func(*clickhouse.Facts, *clickhouse.Access) {}, clickhouse.Verify, "authenticator"},
		{"nobody mints", func(f *clickhouse.Facts, _ *clickhouse.Access) {
			f.Ticket = clickhouse.Finding{Cause: clickhouse.NotConfigured}
		}, clickhouse.ExecuteAs, "EXECUTE AS"},
		{"tickets are refused", func(f *clickhouse.Facts, _ *clickhouse.Access) { f.Ticket = fails(clickhouse.LoginRefused) }, clickhouse.ExecuteAs, "EXECUTE AS"},
		{"not granted for the person", func(f *clickhouse.Facts, _ *clickhouse.Access) {
			f.Ticket, f.ExecuteAs.Person = fails(clickhouse.LoginRefused), fails(clickhouse.NotGranted)
		}, clickhouse.ExecuteAs, "EXECUTE AS"},
		{"tickets could not be tried", func(f *clickhouse.Facts, _ *clickhouse.Access) { f.Ticket = lost }, clickhouse.ExecuteAs, "EXECUTE AS"},
		{"tickets could not be tried, and there is no EXECUTE AS", func(f *clickhouse.Facts, _ *clickhouse.Access) {
			f.Ticket, f.ExecuteAs.Known = lost, fails(clickhouse.Unknown)
		}, "", "could not be tried"},
		{"switched off", func(f *clickhouse.Facts, _ *clickhouse.Access) {
			f.Ticket, f.ExecuteAs.Known = fails(clickhouse.LoginRefused), fails(clickhouse.SwitchedOff)
		}, clickhouse.Interserver, "secret"},
		{"EXECUTE AS could not be tried", func(f *clickhouse.Facts, _ *clickhouse.Access) {
			f.Ticket, f.ExecuteAs.Known = fails(clickhouse.LoginRefused), lost
		}, "", "lost"},
		{"the secret is another", func(f *clickhouse.Facts, _ *clickhouse.Access) {
			f.Ticket, f.ExecuteAs.Known, f.Native.Secret = fails(clickhouse.LoginRefused), fails(clickhouse.Unknown), lost
		}, clickhouse.Forward, "token"},
		{"nobody has tokens", func(f *clickhouse.Facts, a *clickhouse.Access) {
			f.Ticket, f.ExecuteAs.Known, a.Tokens = fails(clickhouse.LoginRefused), fails(clickhouse.CompiledOut), false
			f.Native.Secret = clickhouse.Finding{Cause: clickhouse.NotConfigured}
		}, "", "said"},
		{"the gateway has no account", func(f *clickhouse.Facts, _ *clickhouse.Access) {
			none := clickhouse.Finding{Cause: clickhouse.NotConfigured}
			f.Ticket, f.Gateway.Login, f.ExecuteAs.Known, f.Native.Secret = none, none, clickhouse.Finding{Cause: clickhouse.NotReached}, none
		}, clickhouse.Forward, "token"},
		{"the gateway is refused", func(f *clickhouse.Facts, _ *clickhouse.Access) {
			f.Ticket = fails(clickhouse.LoginRefused)
			f.Gateway.Login, f.ExecuteAs.Known = fails(clickhouse.LoginRefused), clickhouse.Finding{Cause: clickhouse.NotReached}
		}, "", "gateway's account"},
		{"the gateway is refused, and tickets are not", func(f *clickhouse.Facts, _ *clickhouse.Access) {
			f.Gateway.Login, f.ExecuteAs.Known = fails(clickhouse.LoginRefused), clickhouse.Finding{Cause: clickhouse.NotReached}
		}, clickhouse.Verify, "authenticator"},
		{"nobody is there", func(f *clickhouse.Facts, _ *clickhouse.Access) {
			*f = clickhouse.Facts{Reached: fails(clickhouse.NoHost)}
		}, "", "not reached: said"},
		{"nothing is known", func(f *clickhouse.Facts, _ *clickhouse.Access) { *f = clickhouse.Facts{} }, "", "not reached"},
	} {
		f, a := all, everything
		test.change(&f, &a)
		if mode, why := clickhouse.Choose(f, a); mode != test.want || !strings.Contains(why, test.why) {
			t.Errorf("%s: %q, because %s", test.what, mode, why)
		}
	}
}

// auto makes a client one of the mode Auto.
func (w *town) auto(c *clickhouse.Config) {
	c.Access = clickhouse.Access{Mode: clickhouse.Auto, Mint: w.mint, Native: w.Native}
}

// inMode fails the test when the client is in another mode.
func inMode(t testing.TB, c *clickhouse.Client, want clickhouse.Mode) {
	t.Helper()
	if mode, why := c.Mode(); mode != want || why == "" {
		t.Errorf("the mode is %q, because %s; want %q", mode, why, want)
	}
}

// whoAmI asks as name who that is.
func whoAmI(t testing.TB, c *clickhouse.Client, name string) (string, error) {
	t.Helper()
	got, err := pass(t.Context(), c, account(t, name), passing("SELECT currentUser()", nil))
	return strings.TrimSpace(got.Text), err
}

// Before the first question nothing was looked at; many first ones look once; and all
// that follow cost no look.
func TestAutoFindsVerify(t *testing.T) {
	t.Parallel()
	w := newTown(t)
	var log logged
	c := dial(t, w.HTTP, w.auto, log.into)
	if _, err := pass(t.Context(), c, porterhouse.Account{}, passing("SELECT 1", nil)); err == nil {
		t.Error("nobody was let in")
	}
	if mode, _ := c.Mode(); mode != "" || c.Stats().Looks != 0 {
		t.Errorf("%q was found by looking %d times, and nobody has asked", mode, c.Stats().Looks)
	}
	var wg sync.WaitGroup
	for range 20 {
		wg.Go(func() {
			if who, err := whoAmI(t, c, "alice"); who != "alice" || err != nil {
				t.Errorf("%q, %v", who, err)
			}
		})
	}
	wg.Wait()
	inMode(t, c, clickhouse.Verify)
	if looks, told := c.Stats().Looks, strings.Count(log.String(), "access mode found"); looks != 1 || told != 1 {
		t.Errorf("%d looks, told %d times", looks, told)
	}
}

// Where ClickHouse does not ask us, EXECUTE AS carries reads and writes.
func TestAutoFindsExecuteAs(t *testing.T) {
	t.Parallel()
	h := open(t)
	c := dial(t, h.HTTP, func(c *clickhouse.Config) {
		c.Access = clickhouse.Access{Mode: clickhouse.Auto, Native: h.Native}
	})
	if err := h.Exec(t.Context(), "GRANT INSERT ON app.* TO alice"); err != nil {
		t.Fatal(err)
	}
	for _, q := range []porterhouse.Query{passing("SELECT currentUser()", nil), writing("INSERT INTO app.t VALUES (1, 'one')", nil, 0)} {
		if got, err := pass(t.Context(), c, account(t, "alice"), q); err != nil || got.Status != 200 {
			t.Errorf("%s: %+v, %v", q.SQL, got, err)
		}
	}
	inMode(t, c, clickhouse.ExecuteAs)
	if s := c.Stats(); s.Native != 1 || s.Queries != 2 {
		t.Errorf("%+v", s)
	}
	// That somebody may not be acted as is no reason for anything.
	if err := h.Exec(t.Context(), "REVOKE IMPERSONATE ON bob FROM "+gateway); err != nil {
		t.Fatal(err)
	}
	running(t, c)
	_, err := whoAmI(t, c, "bob")
	wantError(t, err, porterhouse.Denied, "grant IMPERSONATE")
	eventually(t, "the way was looked at again", func() bool { return c.Stats().Looks >= 3 })
	inMode(t, c, clickhouse.ExecuteAs)
}

// running runs the client's watch, in a hurry, until the test ends.
func running(t testing.TB, c *clickhouse.Client) {
	t.Helper()
	c.Hurry()
	ctx, cancel := context.WithCancel(t.Context())
	var wg sync.WaitGroup
	wg.Go(func() { c.Run(ctx) })
	t.Cleanup(func() { cancel(); wg.Wait() })
}

// A way that fails the one with whom it was found is left for another that works, and
// comes back when it works for somebody whom the other one fails.
func TestAutoLooksAgain(t *testing.T) {
	t.Parallel()
	w := newTown(t)
	do := func(sql string) {
		t.Helper()
		if err := w.Exec(t.Context(), sql); err != nil {
			t.Fatal(err)
		}
	}
	do("GRANT IMPERSONATE ON alice TO " + gateway)
	c := dial(t, w.HTTP, w.auto)
	running(t, c)
	if who, err := whoAmI(t, c, "alice"); who != "alice" || err != nil {
		t.Fatalf("%q, %v", who, err)
	}
	inMode(t, c, clickhouse.Verify)

	// Somebody else's account is not for tickets: that is theirs alone.
	do("ALTER USER carol IDENTIFIED WITH sha256_password BY 'x'")
	_, err := whoAmI(t, c, "carol")
	wantError(t, err, porterhouse.Unavailable, `"carol"`)
	eventually(t, "the way was looked at again", func() bool { return c.Stats().Looks >= 3 })
	inMode(t, c, clickhouse.Verify)

	// Nor is it left for one that works no better.
	do("REVOKE IMPERSONATE ON alice FROM " + gateway)
	do("ALTER USER alice IDENTIFIED WITH sha256_password BY 'x'")
	looks := c.Stats().Looks
	eventually(t, "the way was looked at again, and again", func() bool { // so that what the first look found is in its place
		_, err := whoAmI(t, c, "alice")
		wantError(t, err, porterhouse.Unavailable, `"alice"`)
		return c.Stats().Looks > looks+2
	})
	inMode(t, c, clickhouse.Verify)

	do("GRANT IMPERSONATE ON alice TO " + gateway)
	eventually(t, "alice is herself in another way", func() bool {
		who, err := whoAmI(t, c, "alice")
		return who == "alice" && err == nil
	})
	inMode(t, c, clickhouse.ExecuteAs)

	eventually(t, "bob is himself by a ticket", func() bool { // nobody granted IMPERSONATE on him
		who, err := whoAmI(t, c, "bob")
		return who == "bob" && err == nil
	})
	inMode(t, c, clickhouse.Verify)
}

// A session that was begun in one way ends in it: what it has is there only.
func TestAutoKeepsSessions(t *testing.T) {
	t.Parallel()
	w := newTown(t)
	for _, sql := range []string{"GRANT IMPERSONATE ON alice TO " + gateway, "ALTER USER alice IDENTIFIED WITH sha256_password BY 'x'"} {
		if err := w.Exec(t.Context(), sql); err != nil {
			t.Fatal(err)
		}
	}
	c := dial(t, w.HTTP, w.auto)
	in := func(sql string, read bool) porterhouse.Query {
		return passing(sql, func(q *porterhouse.Query, p *porterhouse.Passage) {
			q.Class.Read, q.Class.State = read, !read
			p.Session = &porterhouse.Session{ID: "hers", Owner: "somebody", Timeout: 60e9}
		})
	}
	got, err := pass(t.Context(), c, account(t, "alice"), in("CREATE TEMPORARY TABLE mine (a UInt8)", false))
	if err != nil || got.Status != 200 {
		t.Fatalf("%+v, %v", got, err)
	}
	inMode(t, c, clickhouse.ExecuteAs)
	running(t, c)
	eventually(t, "tickets are the way", func() bool {
		_, _ = whoAmI(t, c, "bob") // whom nobody may act as
		mode, _ := c.Mode()
		return mode == clickhouse.Verify
	})
	got, err = pass(t.Context(), c, account(t, "alice"), in("INSERT INTO mine VALUES (1)", false))
	if err != nil || got.Status != 200 {
		t.Errorf("what the session had is gone: %+v, %v", got, err)
	}
}

// A ClickHouse that was replaced by a newer one is looked at again; one that has no way
// in says so, and is looked at again, too.
func TestAutoSeesAnotherServer(t *testing.T) {
	t.Parallel()
	real, issuer := sandbox.ForTest(t, sandbox.Options{}), idp.StartIssuer(t, idp.Options{})
	var target atomic.Pointer[url.URL]
	become := func(name string) {
		u, err := url.Parse(dressed(t, real, name, func(p *fake.Persona) {
			p.Processor = fake.TokenProcessor{KeysURL: issuer.URL + "/jwks", Issuer: issuer.Name, Audience: "clickhouse", UserClaim: "preferred_username", Password: fake.Password}
		}).URL)
		if err != nil {
			t.Fatal(err)
		}
		target.Store(u)
	}
	front := httptest.NewServer(&httputil.ReverseProxy{Rewrite: func(r *httputil.ProxyRequest) { r.SetURL(target.Load()) }})
	t.Cleanup(front.Close)
	become("23.8")
	c := dial(t, front.URL, func(c *clickhouse.Config) {
		c.User, c.Password = fake.Gateway, porterhouse.NewSecret(fake.Password)
		c.Access = clickhouse.Access{Mode: clickhouse.Auto, Tokens: true}
	})
	running(t, c)
	alice := account(t, fake.Alice)
	alice.Token = porterhouse.NewSecret(issuer.Sign(issuer.Claims(idp.Alice, "clickhouse")))
	ask := func() error {
		_, err := read(t.Context(), c, alice, question("SELECT 1"))
		return err
	}
	wantError(t, ask(), porterhouse.Unavailable, "no way in which ClickHouse lets you in")
	if looks := c.Stats().Looks; ask() == nil || c.Stats().Looks != looks {
		t.Errorf("%d looks, then %d: every question looks", looks, c.Stats().Looks)
	}

	become("antalya")
	eventually(t, "a token is the way", func() bool { return ask() == nil })
	inMode(t, c, clickhouse.Forward)

	become("26.7")
	eventually(t, "EXECUTE AS is the way", func() bool { mode, _ := c.Mode(); return mode == clickhouse.ExecuteAs })
	if err := ask(); err != nil {
		t.Error(err)
	}
}

// The cluster's secret is the way where ClickHouse has no EXECUTE AS, and only there: a
// gateway whose password was changed comes in by no other.
func TestAutoFindsInterserver(t *testing.T) {
	t.Parallel()
	real := sandbox.ForTest(t, sandbox.Options{ExtraConfig: fake.SecretConfig})
	with := func(secret string) func(c *clickhouse.Config) {
		return func(c *clickhouse.Config) {
			c.User, c.Password = fake.Gateway, porterhouse.NewSecret(fake.Password)
			c.Access = clickhouse.Access{Mode: clickhouse.Auto, Native: real.Native, Cluster: fake.Cluster, Secret: porterhouse.NewSecret(secret)}
		}
	}
	for _, test := range []struct {
		persona, secret string
		want            clickhouse.Mode
	}{
		{"23.8", fake.Secret, clickhouse.Interserver},
		{"26.2-off", fake.Secret, clickhouse.Interserver},
		{"23.8", "another", ""},
		{"26.7", fake.Secret, clickhouse.ExecuteAs},
		{"ungranted", fake.Secret, clickhouse.ExecuteAs},
		{"stale-password", fake.Secret, ""},
	} {
		c := dial(t, dressed(t, real, test.persona).URL, with(test.secret))
		got, err := read(t.Context(), c, account(t, fake.Alice), question("SELECT currentUser()"))
		if mode, why := c.Mode(); mode != test.want {
			t.Errorf("%s: the mode is %q, because %s; want %q", test.persona, mode, why, test.want)
		}
		if works := test.want != "" && test.persona != "ungranted"; works != (err == nil) || works && got.Text != "alice\n" {
			t.Errorf("%s: %q, %v", test.persona, got.Text, err)
		}
		if _, err := c.Check(t.Context(), "{}"); test.want != "" && err != nil { // in the way that was found
			t.Errorf("%s: the check says %v", test.persona, err)
		}
	}
}

// In a mode that was said, and with a server by itself, there is nothing to watch.
func TestRunOfSaidModes(t *testing.T) {
	t.Parallel()
	c := dial(t, "http://127.0.0.1:1")
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	c.Run(ctx)
	if opened := c.Stats().ConnectionsOpened; opened > 0 || c.Stats().Away {
		t.Errorf("%d connections were opened", opened)
	}
	inMode(t, c, clickhouse.ExecuteAs)
}
