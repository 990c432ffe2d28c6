package authenticator

import (
	"bufio"
	"context"
	"encoding/binary"
	"io"
	"net"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"porterhouse"
	"porterhouse/sandbox"
	"porterhouse/ticket"
)

// engine is a real ClickHouse that asks a door of ours, with the configuration
// that we print.
type engine struct {
	*sandbox.Server
	*hall
	address string       // of the door
	asked   atomic.Int64 // how often ClickHouse asked
	door    *http.Server
	shut    func() error // ends it, and all connections
}

func newEngine(t *testing.T, change ...func(*Config)) *engine {
	t.Helper()
	e := &engine{hall: newHall(t, change...)}
	e.address = "127.0.0.1:0"
	e.open(t)
	config, err := ClickHouseConfig("porterhouse", "http://"+e.address+testPath)
	if err != nil {
		t.Fatal(err)
	}
	// Only the file's inside, and not so patient: the test waits as long.
	_, config, _ = strings.Cut(config, "<clickhouse>")
	config, _, _ = strings.Cut(config, "</clickhouse>")
	config = strings.Replace(config, ">5000<", ">2000<", 1)
	users := []string{}
	for _, name := range []string{"alice", "bob", "alice:x", "élise@corp"} {
		users = append(users, "CREATE USER `"+name+"` IDENTIFIED WITH http SERVER 'porterhouse' SCHEME 'BASIC'")
	}
	e.Server = sandbox.ForTest(t, sandbox.Options{ExtraConfig: config, Init: users})
	return e
}

// open opens the door where it was.
func (e *engine) open(t *testing.T) {
	t.Helper()
	listener, err := net.Listen("tcp", e.address)
	if err != nil {
		t.Fatal(err)
	}
	e.address = listener.Addr().String()
	ctx, end := context.WithCancel(t.Context())
	e.door = &http.Server{BaseContext: func(net.Listener) context.Context { return ctx }, Handler: kept(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		e.asked.Add(1)
		e.ServeHTTP(w, r)
	}))}
	go func() { _ = e.door.Serve(listener) }() // until Close
	e.shut = func() error { end(); return e.door.Close() }
	t.Cleanup(func() { _ = e.shut() })
}

// ask asks ClickHouse something as a driver does.
func (e *engine) ask(t *testing.T, user, secret, sql string, change ...func(*http.Request)) (status int, answer string) {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, e.HTTP, strings.NewReader(sql))
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("X-ClickHouse-User", user)
	r.Header.Set("X-ClickHouse-Key", secret)
	for _, f := range change {
		f(r)
	}
	response, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	return response.StatusCode, strings.TrimSpace(string(text))
}

func (e *engine) letsIn(t *testing.T, user, secret string, change ...func(*http.Request)) {
	t.Helper()
	if code, answer := e.ask(t, user, secret, "SELECT currentUser(), authenticatedUser()", change...); code != http.StatusOK || answer != user+"\t"+user {
		t.Errorf("%s: %d %s", user, code, answer)
	}
}

func (e *engine) refuses(t *testing.T, user, secret string, change ...func(*http.Request)) {
	t.Helper()
	if code, answer := e.ask(t, user, secret, "SELECT currentUser()", change...); code != http.StatusForbidden || !strings.Contains(answer, "Code: 516") {
		t.Errorf("%s: %d %s", user, code, answer)
	}
}

// basic sends the name and the secret in the Authorization header.
func basic(user, secret string) func(*http.Request) {
	return func(r *http.Request) {
		r.Header.Del("X-ClickHouse-User")
		r.Header.Del("X-ClickHouse-Key")
		r.SetBasicAuth(user, secret)
	}
}

// ClickHouse, asked directly with a user and a secret, knows the person.
func TestEngine(t *testing.T) {
	e := newEngine(t)
	t.Run("token", func(t *testing.T) {
		e.letsIn(t, "alice", tokenOf+"alice")
		e.letsIn(t, "alice", tokenOf+"alice", basic("alice", tokenOf+"alice"))
		e.letsIn(t, "élise@corp", tokenOf+"élise@corp")
		e.refuses(t, "alice", "guess")
		e.refuses(t, "alice", "")
	})
	t.Run("long token", func(t *testing.T) {
		e.hall.verify = func(_ context.Context, token string) (porterhouse.Principal, error) {
			if len(token) != 16<<10 {
				t.Errorf("the token has %d bytes", len(token))
			}
			return verify(t.Context(), tokenOf+"alice")
		}
		defer func() { e.hall.verify = verify }()
		e.letsIn(t, "alice", strings.Repeat("x", 16<<10))
	})
	t.Run("right token, wrong user", func(t *testing.T) {
		e.refuses(t, "bob", tokenOf+"alice")
	})
	// ClickHouse asks for alice:x with "token" as for alice with "x:token".
	t.Run("colon in the name", func(t *testing.T) {
		e.hall.verify = func(context.Context, string) (porterhouse.Principal, error) {
			return verify(t.Context(), tokenOf+"alice")
		}
		defer func() { e.hall.verify = verify }()
		e.refuses(t, "alice:x", "token")
	})
	t.Run("ticket", func(t *testing.T) {
		secret := e.mint(t, "alice", "q1")
		e.refuses(t, "bob", secret, query("q1"))                             // stolen
		e.refuses(t, "alice", secret, query("q2"))                           // for another query
		e.refuses(t, "alice", secret)                                        // ClickHouse told us of none
		e.refuses(t, "alice", secret, header("X-ClickHouse-Query-Id", "q1")) // a header that it does not forward
		e.letsIn(t, "alice", secret, query("q1"))
		e.letsIn(t, "alice", secret, query("q1")) // the same redemption
		e.clock.pass(ticket.SameRedemption)
		e.refuses(t, "alice", secret, query("q1")) // second-hand
		late := e.mint(t, "alice", "q3")
		e.clock.pass(ticket.Life)
		e.refuses(t, "alice", late, query("q3"))
	})
	t.Run("native", func(t *testing.T) {
		if packet := hello(t, e.Native, "alice", tokenOf+"alice"); packet != helloPacket {
			t.Errorf("alice: packet %d", packet)
		}
		if packet := hello(t, e.Native, "bob", tokenOf+"alice"); packet != exceptionPacket {
			t.Errorf("bob with the token of alice: packet %d", packet)
		}
		if packet := hello(t, e.Native, "alice", e.mint(t, "alice", "q")); packet != exceptionPacket { // no headers there
			t.Errorf("alice with a ticket: packet %d", packet)
		}
	})
	t.Run("asked once for each request", func(t *testing.T) {
		for name, secret := range map[string]string{"let in": tokenOf + "alice", "refused": "guess"} {
			before := e.asked.Load()
			e.ask(t, "alice", secret, "SELECT 1")
			if n := e.asked.Load() - before; n != 1 {
				t.Errorf("%s: asked %d times", name, n)
			}
		}
	})
	t.Run("down", func(t *testing.T) { down(t, e) })
}

// down is the door that is away, comes back, cannot tell, and is slow: ClickHouse
// lets nobody in, and goes on by itself.
func down(t *testing.T, e *engine) {
	if err := e.shut(); err != nil {
		t.Fatal(err)
	}
	e.refuses(t, "alice", tokenOf+"alice")
	e.open(t)
	e.letsIn(t, "alice", tokenOf+"alice")

	e.hall.verify = func(context.Context, string) (porterhouse.Principal, error) {
		return porterhouse.Principal{}, porterhouse.Errorf(porterhouse.Unavailable, "the provider is away")
	}
	e.refuses(t, "alice", tokenOf+"alice")

	before := e.asked.Load()
	e.hall.verify = func(ctx context.Context, token string) (porterhouse.Principal, error) {
		if token == tokenOf+"bob" {
			return verify(ctx, token)
		}
		<-ctx.Done()
		return porterhouse.Principal{}, ctx.Err()
	}
	slow := make(chan struct{})
	go func() {
		defer close(slow)
		e.refuses(t, "alice", tokenOf+"alice")
	}()
	for e.asked.Load() == before {
		time.Sleep(time.Millisecond)
	}
	e.letsIn(t, "bob", tokenOf+"bob") // who does not wait for her
	<-slow
	if n := e.asked.Load() - before; n < 3 { // twice for alice, as max_tries says, and for bob
		t.Errorf("asked %d times", n)
	}
}

// The settings of the answer are those of the session; when ClickHouse does not
// know one of them, it drops all and lets in, and a session with a name has none of
// them: as doc/authenticator.md warns.
func TestEngineSettings(t *testing.T) {
	settings := func() string {
		return "SELECT getSetting('readonly'), getSetting('max_result_rows'), getSetting('log_comment')"
	}
	e := newEngine(t, func(c *Config) {
		c.Settings = map[string]string{"readonly": "2", "max_result_rows": "7", "log_comment": "it's \"us\""}
	})
	if code, answer := e.ask(t, "alice", tokenOf+"alice", settings()); code != http.StatusOK || answer != "2\t7\tit\\'s \"us\"" {
		t.Errorf("%d %s", code, answer)
	}
	if code, answer := e.ask(t, "alice", tokenOf+"alice", "CREATE TABLE t (n Int8) ENGINE = Memory"); code == http.StatusOK {
		t.Errorf("%d %s", code, answer)
	}
	named := func(r *http.Request) { r.URL.RawQuery = "session_id=s" }
	if code, answer := e.ask(t, "alice", tokenOf+"alice", "SELECT getSetting('readonly')", named); code != http.StatusOK || answer != "0" {
		t.Errorf("a session with a name has the settings now: %d %s: mend doc/authenticator.md", code, answer)
	}
	e.answer = []byte(`{"settings":{"readonly":"2","no_such_setting":"1"}}`)
	if code, answer := e.ask(t, "alice", tokenOf+"alice", settings()); code != http.StatusOK || answer != "0\t0" {
		t.Errorf("with an unknown setting: %d %q", code, answer)
	}
}

// The packets that a native server answers a hello with.
const (
	helloPacket     = 0
	exceptionPacket = 2
)

// hello logs in over the native protocol, and returns the kind of the answer.
func hello(t *testing.T, address, user, secret string) byte {
	t.Helper()
	connection, err := net.Dial("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	defer connection.Close()
	packet := []byte{0} // hello
	text := func(s string) { packet = append(binary.AppendUvarint(packet, uint64(len(s))), s...) }
	text("test")
	for _, version := range []uint64{1, 0, 54400} { // major, minor, revision of the protocol
		packet = binary.AppendUvarint(packet, version)
	}
	text("") // database
	text(user)
	text(secret)
	if _, err := connection.Write(packet); err != nil {
		t.Fatal(err)
	}
	kind, err := bufio.NewReader(connection).ReadByte()
	if err != nil {
		t.Fatal(err)
	}
	return kind
}
