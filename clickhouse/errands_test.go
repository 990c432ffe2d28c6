package clickhouse_test

import (
	"context"
	"net"
	"net/http"
	"testing"
	"time"

	"porterhouse"
	"porterhouse/clickhouse"
)

// hangs answers pings, and no statement.
func hangs(c net.Conn, r *http.Request, end <-chan struct{}) bool {
	if r.URL.Path == "/ping" {
		return answersPing(c)
	}
	<-end
	return false
}

// What the provisioner has sent to one server, and has no answer to, is sent to no other:
// nobody knows whether it was carried out. What comes next begins at another.
func TestAdminSendsOnce(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		speak  manner
		public string
	}{
		"hangs up": {hangsUp, "broke before an answer came"},
		"hangs":    {hangs, "did not answer in time"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			first, second := serve(t, test.speak), serve(t, well)
			admin := provisioner(t, first, second)
			up := make(chan struct{})
			if name == "hangs" {
				go func() {
					eventually(t, "the first server has it", func() bool { return first.requests.Load() > 0 })
					close(up)
				}()
			}
			err := admin.Exec(outOfTime{t.Context(), up}, "CREATE USER alice", "")
			wantError(t, err, porterhouse.Unavailable, test.public)
			if one, other := first.requests.Load(), second.requests.Load(); one != 1 || other != 0 {
				t.Errorf("the first server had it %d times, the second %d times", one, other)
			}
			if _ = admin.Exec(t.Context(), "CREATE USER bob", ""); second.requests.Load() != 1 {
				t.Error("what came next did not begin elsewhere")
			}
		})
	}
	t.Run("nobody is there", func(t *testing.T) {
		second := serve(t, well)
		admin := provisioner(t, serve(t, well, func(c *clickhouse.Config) { c.URL = "http://" + nobody(t) }), second)
		if _ = admin.Exec(t.Context(), "CREATE USER alice", ""); second.requests.Load() != 1 {
			t.Error("nothing was sent, and no other server was asked")
		}
	})
}

// outOfTime is a context whose time is up when up is closed: not by the clock, which goes
// on while the machine does something else.
type outOfTime struct {
	context.Context
	up <-chan struct{}
}

func (o outOfTime) Done() <-chan struct{} { return o.up }

func (o outOfTime) Err() error {
	select {
	case <-o.up:
		return context.DeadlineExceeded
	default:
		return nil
	}
}

// provisioner is one at some servers.
func provisioner(t *testing.T, at ...*wire) *clickhouse.Admin {
	t.Helper()
	var all []clickhouse.Config
	for _, w := range at {
		all = append(all, clickhouse.Config{URL: "http://" + w.Stats().Host, User: "prov", Password: porterhouse.NewSecret("x")})
	}
	admin, err := clickhouse.NewAdmin(all...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := admin.Close(context.Background()); err != nil {
			t.Error(err)
		}
	})
	return admin
}

// A password is tried at one server: where people are locked out after some failures, two
// servers would count each twice.
func TestPasswordIsTriedOnce(t *testing.T) {
	t.Parallel()
	r := newRow(t, hangsUp, hangsUp, hangsUp)
	err := r.Login(t.Context(), account(t, "alice").User, porterhouse.NewSecret("guess"))
	wantError(t, err, porterhouse.Unavailable, "broke before an answer came")
	if n := r.total(); n != 1 {
		t.Errorf("the password was sent %d times", n)
	}
}

// However many logins wait for an answer, a check has its place.
func TestSlowLoginsHoldUpNothingElse(t *testing.T) {
	t.Parallel()
	w := serve(t, hangs)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	const many = 40
	over := make(chan error, many)
	for range many {
		go func() { over <- w.Login(ctx, account(t, "alice").User, porterhouse.NewSecret("x")) }()
	}
	eventually(t, "logins are waiting", func() bool { return w.requests.Load() >= 16 })
	soon, end := context.WithTimeout(t.Context(), 2*time.Second) // a login takes longer
	defer end()
	if err := w.Ping(soon); err != nil {
		t.Errorf("a ping: %v", err)
	}
	cancel()
	for range many {
		<-over
	}
}
