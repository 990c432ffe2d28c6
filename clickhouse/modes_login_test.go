package clickhouse_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"porterhouse"
	"porterhouse/clickhouse"
	"porterhouse/encoding"
)

// unpack decodes an answer.
func unpack(t testing.TB, coding, text string) string {
	t.Helper()
	r, err := encoding.Decode(coding, bytes.NewReader([]byte(text)))
	if err != nil {
		t.Fatal(err)
	}
	plain, err := io.ReadAll(r)
	if err != nil {
		t.Fatal(err)
	}
	return string(plain)
}

// A login with a ticket that does not work says what the operator has to look at.
func TestTicketsThatFail(t *testing.T) {
	w := newTown(t)
	const remedy = "has X-Porterhouse-Query-Id in forward_headers"
	for what, mint := range map[string]func(context.Context, porterhouse.UserName, string) (porterhouse.Secret, error){
		"for another query": func(ctx context.Context, u porterhouse.UserName, id string) (porterhouse.Secret, error) {
			return w.mint(ctx, u, id+"x")
		},
		"for another user": func(ctx context.Context, _ porterhouse.UserName, id string) (porterhouse.Secret, error) {
			return w.mint(ctx, account(t, "bob").User, id)
		},
		"made up": func(context.Context, porterhouse.UserName, string) (porterhouse.Secret, error) {
			return porterhouse.NewSecret("pht_" + strings.Repeat("x", 43)), nil
		},
	} {
		c := dial(t, w.HTTP, w.verify, func(c *clickhouse.Config) { c.Access.Mint = mint })
		_, err := pass(t.Context(), c, account(t, "alice"), passing("SELECT 1", nil))
		wantError(t, err, porterhouse.Unavailable, remedy)
		_, err = read(t.Context(), c, account(t, "alice"), question("SELECT 1"))
		wantError(t, err, porterhouse.Unavailable, remedy)
		if err == nil {
			t.Error(what)
		}
	}
	_, err := w.ask(t, "verify", "nobody", passing("SELECT 1", nil))
	wantError(t, err, porterhouse.Unavailable, `"nobody"`)
	_, err = w.ask(t, "verify", "a:b", passing("SELECT 1", nil))
	wantError(t, err, porterhouse.Refused, "colon")
	_, err = w.ask(t, "verify", gateway, passing("SELECT 1", nil))
	wantError(t, err, porterhouse.Refused, "Porterhouse's own")

	broken := dial(t, w.HTTP, w.verify, func(c *clickhouse.Config) {
		c.Access.Mint = func(context.Context, porterhouse.UserName, string) (porterhouse.Secret, error) {
			return porterhouse.Secret{}, porterhouse.Errorf(porterhouse.Unavailable, "the store is away")
		}
	})
	_, err = pass(t.Context(), broken, account(t, "alice"), passing("SELECT 1", nil))
	wantError(t, err, porterhouse.Unavailable, "the store is away")
}

// A client may call its query whatever it likes: its ticket is bound to it all the same.
func TestTicketsOfOddQueryIDs(t *testing.T) {
	w := newTown(t)
	for _, id := range []string{"a b", "é", "x'); --", strings.Repeat("x", 129), strings.Repeat("é", 128), "a%0d%0aX-Porterhouse-Query-Id: b"} {
		w.says(t, "verify", "alice", passing("SELECT 1", func(q *porterhouse.Query, _ *porterhouse.Passage) { q.ID = id }), 200, "1\n")
	}
	for _, id := range []string{" a", "a ", "a\r\nX-Evil: 1", "a\x00", strings.Repeat("x", 257), "\xff"} {
		_, err := w.ask(t, "verify", "alice", passing("SELECT 1", func(q *porterhouse.Query, _ *porterhouse.Passage) { q.ID = id }))
		wantError(t, err, porterhouse.Invalid, "query_id")
	}
}

// A ticket is made when there is a connection to use it on, and again for each attempt.
func TestTicketsAreFresh(t *testing.T) {
	w := newTown(t)
	var made []time.Time
	c := dial(t, w.HTTP, w.verify, func(c *clickhouse.Config) {
		c.MaxConnections = 1
		mint := c.Access.Mint
		c.Access.Mint = func(ctx context.Context, u porterhouse.UserName, id string) (porterhouse.Secret, error) {
			made = append(made, time.Now())
			return mint(ctx, u, id)
		}
	})
	answer, err := c.Query(t.Context(), account(t, "alice"), passing("SELECT 1", nil))
	if err != nil {
		t.Fatal(err)
	}
	waiting := make(chan error)
	go func() {
		_, err := pass(t.Context(), c, account(t, "alice"), passing("SELECT 1", nil))
		waiting <- err
	}()
	eventually(t, "somebody waits", func() bool { return c.Stats().Running == 2 })
	freed := time.Now()
	if _, err := io.Copy(io.Discard, answer.Body); err != nil {
		t.Error(err)
	}
	if err := <-waiting; err != nil {
		t.Error(err)
	}
	if len(made) != 2 || made[1].Before(freed) {
		t.Errorf("tickets were made at %v, the connection was free at %v", made, freed)
	}
}

// The token of the person goes on, and no other; what is none goes nowhere.
func TestForwardedTokens(t *testing.T) {
	t.Parallel()
	got := make(chan string, 3)
	w := serve(t, alices(func(c net.Conn, r *http.Request, _ <-chan struct{}) bool {
		got <- r.Header.Get("Authorization")
		io.WriteString(c, head(r, "")+chunk("1\n")+lastChunk)
		return true
	}), func(c *clickhouse.Config) { c.Access.Mode = clickhouse.Forward })
	alice := account(t, "alice")
	_, err := pass(t.Context(), w.Client, alice, passing("SELECT 1", nil))
	wantError(t, err, porterhouse.Refused, "not one that it could verify")
	alice.Token = porterhouse.NewSecret("a\r\nX-ClickHouse-User: default")
	_, err = pass(t.Context(), w.Client, alice, passing("SELECT 1", nil))
	wantError(t, err, porterhouse.Refused, "no header can carry")
	alice.Token = porterhouse.NewSecret("eyJ.x.y")
	if _, err := pass(t.Context(), w.Client, alice, passing("SELECT 1", nil)); err != nil || <-got != "Bearer eyJ.x.y" {
		t.Error(err)
	}
}

// A ClickHouse that takes no tokens is the operator's affair; a token that it does not
// take is the client's.
func TestForwardRefused(t *testing.T) {
	w := newTown(t)
	c := dial(t, w.HTTP, func(c *clickhouse.Config) { c.Access.Mode = clickhouse.Forward })
	_, err := pass(t.Context(), c, w.as(t, "forward", "alice"), passing("SELECT 1", nil))
	wantError(t, err, porterhouse.Unavailable, "does not take tokens")

	said := "Code: 516. DB::Exception: alice: Authentication failed: the token is over. (AUTHENTICATION_FAILED)\n"
	taking := serve(t, func(c net.Conn, _ *http.Request, _ <-chan struct{}) bool {
		io.WriteString(c, strings.Replace(refusal(said), "500 Oh", "403 Forbidden", 1))
		return true
	}, func(c *clickhouse.Config) { c.Access.Mode = clickhouse.Forward })
	_, err = pass(t.Context(), taking.Client, w.as(t, "forward", "alice"), passing("SELECT 1", nil))
	wantError(t, err, porterhouse.Unauthenticated, "does not take your token")
	if told, _ := errors.AsType[*porterhouse.Error](err); told == nil || told.Code != 516 {
		t.Errorf("%#v, want ClickHouse's own code for it", told)
	}
}

// Somebody with a password of their own logs in with it, in every mode; Login proves it.
func TestPasswords(t *testing.T) {
	w := newTown(t)
	for _, mode := range []clickhouse.Access{{}, {Mode: clickhouse.Verify, Mint: w.mint}, {Mode: clickhouse.Forward}, {Mode: clickhouse.Static}} {
		c := dial(t, w.HTTP, func(c *clickhouse.Config) { c.Access = mode })
		got, err := pass(t.Context(), c, w.as(t, "password", "alice"), passing("SELECT currentUser()", nil))
		if err != nil || got.Text != "alice\n" || c.Stats().Passwords != 1 {
			t.Errorf("%s: %+v, %v", mode.Mode, got, err)
		}
	}
	wrong := account(t, "alice")
	wrong.Password = porterhouse.NewSecret("wrong")
	got, err := pass(t.Context(), w.ways["password"], wrong, passing("SELECT 1", nil))
	if err != nil || got.Status != http.StatusForbidden || !strings.Contains(got.Text, "alice: Authentication failed") {
		t.Errorf("%+v, %v", got, err)
	}
	if err := w.Exec(t.Context(), "CREATE USER held IDENTIFIED BY 'held' SETTINGS readonly = 1"); err != nil {
		t.Fatal(err)
	}
	c := w.ways["verify"]
	for name, test := range map[string]struct {
		user, password string
		kind           porterhouse.Kind
	}{
		"right":         {"alice", passwordOf + "alice", ""},
		"held to reads": {"held", "held", ""},
		"wrong":         {"alice", "wrong", porterhouse.Unauthenticated},
		"none":          {"alice", "", porterhouse.Unauthenticated},
		"nobody":        {"nobody", "x", porterhouse.Unauthenticated},
		"the gateway":   {gateway, gatewayPassword, porterhouse.Unauthenticated},
		"the admin":     {w.User, w.Password, porterhouse.Unauthenticated},
		"a colon":       {"alice:x", "x", porterhouse.Unauthenticated},
	} {
		err := c.Login(t.Context(), account(t, test.user).User, porterhouse.NewSecret(test.password))
		if kind, _ := porterhouse.Explain(err); err == nil != (test.kind == "") || err != nil && kind != test.kind {
			t.Errorf("%s: %v", name, err)
		}
	}
	admin := account(t, w.User)
	admin.Password = porterhouse.NewSecret(w.Password)
	_, err = pass(t.Context(), c, admin, passing("SELECT 1", nil))
	wantError(t, err, porterhouse.Refused, "default")
	away := dial(t, "http://127.0.0.1:1", w.verify)
	wantError(t, away.Login(t.Context(), account(t, "alice").User, porterhouse.NewSecret("x")), porterhouse.Unavailable, "cannot be reached")
}

// A quota that is KEYED BY client_key goes by the client's own word where the login is
// the person's, and by who asks where it is the gateway's.
func TestQuotaKeys(t *testing.T) {
	t.Parallel()
	mint := func(context.Context, porterhouse.UserName, string) (porterhouse.Secret, error) {
		return porterhouse.NewSecret("a ticket"), nil
	}
	alice := account(t, "alice")
	alice.Token = porterhouse.NewSecret("a.b.c")
	for _, test := range []struct {
		access   clickhouse.Access
		password string
		want     string
	}{
		{clickhouse.Access{Mode: clickhouse.Verify, Mint: mint}, "", "mine"},
		{clickhouse.Access{Mode: clickhouse.Forward}, "", "mine"},
		{clickhouse.Access{Mode: clickhouse.Static}, "", "alice@corp"},
		{clickhouse.Access{}, "", "alice@corp"},
		{clickhouse.Access{}, "her own", "mine"},
		{clickhouse.Access{Mode: clickhouse.Static}, "her own", "mine"},
	} {
		got := make(chan string, 1)
		w := serve(t, alices(func(c net.Conn, r *http.Request, _ <-chan struct{}) bool {
			got <- strings.Join(r.URL.Query()["quota_key"], ",")
			io.WriteString(c, head(r, "")+lastChunk)
			return true
		}), func(c *clickhouse.Config) { c.Access = test.access })
		as := alice
		as.Password = porterhouse.NewSecret(test.password)
		q := passing("SELECT 1", func(_ *porterhouse.Query, p *porterhouse.Passage) { p.Owner, p.QuotaKey = "alice@corp", "mine" })
		if _, err := pass(t.Context(), w.Client, as, q); err != nil || <-got != test.want {
			t.Errorf("%+v: %v", test, err)
		}
	}
}

// Whether the replicas follow is asked without a login.
func TestReplicasStatus(t *testing.T) {
	w := newTown(t)
	status, text, err := w.ways["verify"].ReplicasStatus(t.Context())
	if err != nil || status != http.StatusOK || text != "Ok.\n" {
		t.Errorf("%d %q, %v", status, text, err)
	}
	_, _, err = dial(t, "http://127.0.0.1:1").ReplicasStatus(t.Context())
	wantError(t, err, porterhouse.Unavailable, "cannot be reached")
}
