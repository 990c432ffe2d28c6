package clickhouse_test

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
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
)

// Somebody without an account at ClickHouse does not keep others out, however often they
// ask first: what fails with one person is not what fails with another.
func TestAutoBeginsInSpiteOfSomebody(t *testing.T) {
	w := newTown(t)
	c := dial(t, w.HTTP, func(c *clickhouse.Config) {
		c.User, c.Password = "", porterhouse.Secret{}
		c.Access = clickhouse.Access{Mode: clickhouse.Auto, Mint: w.mint}
	})
	for i := range 3 {
		_, err := whoAmI(t, c, "nobody")
		wantError(t, err, porterhouse.Unavailable, "no way in which ClickHouse lets you in")
		if looks := c.Stats().Looks; looks != 1 {
			t.Errorf("%d looks after %d questions of one person", looks, i+1)
		}
	}
	var strangers sync.WaitGroup
	for i := range 8 {
		strangers.Go(func() { _, _ = whoAmI(t, c, fmt.Sprintf("nobody%d", i)) })
	}
	if who, err := whoAmI(t, c, "alice"); who != "alice" || err != nil {
		t.Errorf("%q, %v", who, err)
	}
	strangers.Wait()
	inMode(t, c, clickhouse.Verify)
}

// That ClickHouse is not there is so for everybody who waits, and found out a few times at
// most; after that by one look for all, for which nobody waits longer than their time.
func TestAutoTellsEverybodyThatNobodyIsThere(t *testing.T) {
	t.Parallel()
	mint := func(context.Context, porterhouse.UserName, string) (porterhouse.Secret, error) {
		return porterhouse.NewSecret("a ticket"), nil
	}
	silent, err := net.Listen("tcp", "127.0.0.1:0") // it takes connections, and nobody is there
	if err != nil {
		t.Fatal(err)
	}
	defer silent.Close()
	c := dial(t, "http://"+silent.Addr().String(), func(c *clickhouse.Config) { c.Access = clickhouse.Access{Mode: clickhouse.Auto, Mint: mint} })
	looks := uint64(0)
	for _, most := range []uint64{4, 1} {
		var all sync.WaitGroup
		for i := range 40 {
			all.Go(func() {
				_, err := whoAmI(t, c, fmt.Sprintf("person%d", i))
				wantError(t, err, porterhouse.Unavailable, "no way in which ClickHouse lets you in")
			})
		}
		all.Wait()
		if made := c.Stats().Looks - looks; made < 1 || made > most {
			t.Errorf("%d looks at nobody", made)
		}
		looks = c.Stats().Looks
	}
	q := question("SELECT 1")
	q.Limits.Time = time.Millisecond
	_, err = read(t.Context(), c, account(t, "alice"), q)
	wantError(t, err, porterhouse.Timeout, "")
	_, err = whoAmI(t, c, "alice") // the same look goes on
	wantError(t, err, porterhouse.Unavailable, "no way in which ClickHouse lets you in")
}

// A server that comes back is looked at by the first who asks, and not only after a while.
func TestAutoServerComesBack(t *testing.T) {
	t.Parallel()
	for _, servers := range []int{1, 2} {
		r := newTerrace(t, servers, by(clickhouse.Auto))
		ask := func() error {
			_, err := pass(t.Context(), r.Cluster, account(t, "alice"), passing("SELECT 1", nil))
			return err
		}
		for i := range servers {
			r.stop(i)
		}
		for range 2 {
			wantError(t, ask(), porterhouse.Unavailable, "")
		}
		r.resume(t, 0)
		if err := ask(); err != nil {
			t.Errorf("of %d servers one has come back: %v", servers, err)
		}
	}
}

// An EXECUTE AS that is switched off under way is not left for the token: the account
// that the rules gave an agent is not its person's.
func TestAutoIsNotLeftForForward(t *testing.T) {
	w := newTown(t)
	for _, sql := range []string{"CREATE USER alice_agent IDENTIFIED WITH no_authentication", "GRANT IMPERSONATE ON alice_agent TO " + gateway} {
		if err := w.Exec(t.Context(), sql); err != nil {
			t.Fatal(err)
		}
	}
	var off atomic.Bool
	var tokens atomic.Int64
	front := switchedOff(t, w, &off, &tokens)
	c := dial(t, front, func(c *clickhouse.Config) { c.Access = clickhouse.Access{Mode: clickhouse.Auto, Tokens: true} })
	running(t, c)
	agent := account(t, "alice_agent")
	agent.Token = porterhouse.NewSecret(tokenOf + "alice")
	ask := func() (passed, error) {
		return pass(t.Context(), c, agent, passing("SELECT currentUser()", nil))
	}
	if got, err := ask(); err != nil || got.Text != "alice_agent\n" {
		t.Fatalf("%+v, %v", got, err)
	}
	off.Store(true)
	looks := c.Stats().Looks
	eventually(t, "the way was looked at again, and again", func() bool {
		_, err := ask()
		wantError(t, err, porterhouse.Unavailable, "EXECUTE AS")
		return c.Stats().Looks > looks+2
	})
	inMode(t, c, clickhouse.ExecuteAs)
	off.Store(false)
	if got, err := ask(); err != nil || got.Text != "alice_agent\n" || tokens.Load() != 0 {
		t.Errorf("%+v, %v; %d tokens went on", got, err, tokens.Load())
	}
}

// switchedOff makes a ClickHouse that takes tokens and whose EXECUTE AS is off while off
// says so. It counts the tokens that came, and returns the URL.
func switchedOff(t *testing.T, w *town, off *atomic.Bool, tokens *atomic.Int64) string {
	target, err := url.Parse(w.tokens)
	if err != nil {
		t.Fatal(err)
	}
	proxy := httputil.NewSingleHostReverseProxy(target)
	refuse := func(rw http.ResponseWriter, code, text string) {
		rw.Header().Set("X-ClickHouse-Exception-Code", code)
		rw.WriteHeader(http.StatusForbidden)
		io.WriteString(rw, "Code: "+code+". DB::Exception: "+text)
	}
	front := httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		r.Body = io.NopCloser(bytes.NewReader(body))
		login := r.Header.Get("Authorization")
		switch {
		case off.Load() && strings.Contains(r.URL.RawQuery+string(body), "EXECUTE"):
			refuse(rw, "344", "IMPERSONATE feature is disabled, set allow_impersonate_user to enable it. (SUPPORT_IS_DISABLED)")
			return
		case strings.HasPrefix(login, "Bearer porterhouse.probe"):
			refuse(rw, "516", "token is not valid: Authentication failed. (AUTHENTICATION_FAILED)")
			return
		case strings.HasPrefix(login, "Bearer "):
			tokens.Add(1)
		}
		proxy.ServeHTTP(rw, r)
	}))
	t.Cleanup(front.Close)
	return front.URL
}
