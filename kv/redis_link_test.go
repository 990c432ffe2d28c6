package kv

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/gomodule/redigo/redis"

	"porterhouse"
)

// What a URL says is where we go, and TLS is never less than 1.2 nor without a name.
func TestRedisAddress(t *testing.T) {
	for _, test := range []struct {
		config      RedisConfig
		network, at string
		user        string
		database    int
		name        string // that the certificate must have; "": no TLS
	}{
		{RedisConfig{URL: "redis://localhost"}, "tcp", "localhost:6379", "", 0, ""},
		{RedisConfig{URL: "redis://[::1]:7000/3"}, "tcp", "[::1]:7000", "", 3, ""},
		{RedisConfig{URL: "redis://porter@127.0.0.1/"}, "tcp", "127.0.0.1:6379", "porter", 0, ""},
		{RedisConfig{URL: "unix:///run/redis.sock"}, "unix", "/run/redis.sock", "", 0, ""},
		{RedisConfig{URL: "unix://porter@/run/redis.sock?db=7"}, "unix", "/run/redis.sock", "porter", 7, ""},
		{RedisConfig{URL: "rediss://porter@redis.example.com:6380/12"}, "tcp", "redis.example.com:6380", "porter", 12, "redis.example.com"},
		{RedisConfig{URL: "rediss:///1"}, "tcp", "localhost:6379", "", 1, "localhost"},
		{RedisConfig{URL: "rediss://[2001:db8::1]", TLS: &tls.Config{MinVersion: tls.VersionTLS10}}, "tcp", "[2001:db8::1]:6379", "", 0, "2001:db8::1"},
		{RedisConfig{URL: "rediss://10.0.0.1", TLS: &tls.Config{ServerName: "redis.example.com"}}, "tcp", "10.0.0.1:6379", "", 0, "redis.example.com"},
	} {
		a, err := test.config.address()
		if err != nil || a.network != test.network || a.at != test.at || a.user != test.user || a.database != test.database {
			t.Errorf("%s: %+v, %v", test.config.URL, a, err)
		}
		if (a.tls != nil) != (test.name != "") || a.tls != nil && (a.tls.ServerName != test.name || a.tls.MinVersion != tls.VersionTLS12 || a.tls.InsecureSkipVerify) {
			t.Errorf("%s: TLS is %+v", test.config.URL, a.tls)
		}
	}
}

// A user with fewer rights than the default one is enough, and a database is a world of its own.
func TestRedisUserAndDatabase(t *testing.T) {
	s := startRedis(t)
	rights := []any{"+get", "+set", "+getdel", "+eval", "+evalsha", "+del", "+scan", "+select"}
	if err := command(t, openRedis(t, s), append([]any{"ACL", "SETUSER", "porter", "on", ">opensesame", "~porterhouse:*"}, rights...)...); err != nil {
		t.Fatal(err)
	}
	open := func(url string) *Redis {
		r, err := OpenRedis(RedisConfig{URL: url, Password: porterhouse.NewSecret("opensesame"), Timeout: 20 * time.Second})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { closed(t, r) })
		return r
	}
	first, third := open("unix://porter@"+s.socket), open("unix://porter@"+s.socket+"?db=3")
	put(t, first, "k", []byte("first"), 0)
	missing(t, third, "k")
	put(t, third, "k", []byte("third"), time.Hour)
	if done, err := third.Swap(t.Context(), "k", []byte("third"), []byte("3"), 0); err != nil || !done {
		t.Errorf("swap: %v, %v", done, err)
	}
	holds(t, first, "k", []byte("first"))
	keysAre(t, third, "", "k")
	if err := command(t, first, "CONFIG", "GET", "requirepass"); err == nil || !strings.Contains(err.Error(), "NOPERM") {
		t.Errorf("as porter, CONFIG GET: %v", err)
	}
}

// command runs any command, on a link of r.
func command(t testing.TB, r *Redis, words ...any) error {
	t.Helper()
	return r.run(t.Context(), func(ctx context.Context, link redis.Conn) error {
		_, err := redis.DoContext(link, ctx, words[0].(string), words[1:]...)
		return err
	})
}

// Links that waited while the server went away and came back are not used: nobody gets an
// error for what was over before they asked.
func TestRedisAfterRestart(t *testing.T) {
	s := startRedis(t)
	r := openRedis(t, s)
	const links = 5
	wait(t, r, links)
	s.stop()
	s.start(t)
	for range links {
		missing(t, r, "k")
	}
}

// A server that does not know AUTH would have the password in the log, as it quotes the
// arguments of what it does not know.
func TestRedisQuotesNoPassword(t *testing.T) {
	at := answering(t, "-ERR unknown command 'AUTH', with args beginning with: 'hunter2' \r\n")
	r, err := OpenRedis(RedisConfig{URL: "redis://" + at, Password: porterhouse.NewSecret("hunter2"), Timeout: 20 * time.Second})
	if err != nil {
		t.Fatal(err)
	}
	defer closed(t, r)
	err = r.Put(t.Context(), "k", nil, 0)
	isKind(t, "no AUTH", err, porterhouse.Unavailable)
	if text := fmt.Sprintf("%v %+v", err, err); strings.Contains(text, "hunter2") || !strings.Contains(text, "unknown command 'AUTH'") {
		t.Errorf("the log is told: %s", text)
	}
}

// answering is a server that says the same to whatever it is told, and its address.
func answering(t *testing.T, answer string) string {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var serving sync.WaitGroup
	t.Cleanup(func() {
		_ = listener.Close()
		serving.Wait()
	})
	serving.Go(func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			serving.Go(func() {
				defer conn.Close()
				for {
					if _, err := conn.Read(make([]byte, 4096)); err != nil {
						return
					}
					if _, err := conn.Write([]byte(answer)); err != nil {
						return
					}
				}
			})
		}
	})
	return listener.Addr().String()
}

// What is no answer of a Redis is Unavailable, not a value.
func TestRedisNonsense(t *testing.T) {
	for _, answer := range []string{"HTTP/1.1 400 Bad Request\r\n\r\n", ":1\r\n", "*1\r\n$1\r\n0\r\n", "*2\r\n:1\r\n:2\r\n", "$x\r\n"} {
		r, err := OpenRedis(RedisConfig{URL: "redis://" + answering(t, answer), Timeout: 20 * time.Second})
		if err != nil {
			t.Fatal(err)
		}
		isKind(t, answer, second(r.Get(t.Context(), "k")), porterhouse.Unavailable)
		isKind(t, answer, second(r.Keys(t.Context(), "")), porterhouse.Unavailable)
		closed(t, r)
	}
}

// Whoever waits for a link, or for a handshake, waits no longer than for an answer; and who
// goes away is not kept.
func TestRedisWaitsInTime(t *testing.T) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	for _, scheme := range []string{"redis", "rediss"} {
		c := RedisConfig{URL: scheme + "://" + listener.Addr().String(), Timeout: 50 * time.Millisecond}
		r, err := OpenRedis(c)
		if err != nil {
			t.Fatal(err)
		}
		defer closed(t, r)
		var all sync.WaitGroup
		for range 2 * r.pool.MaxActive {
			all.Go(func() {
				_, err := r.Get(t.Context(), "k")
				isKind(t, scheme, err, porterhouse.Unavailable)
				if !strings.Contains(fmt.Sprint(err), "did not answer in 50ms") {
					t.Errorf("%s: the log is told: %v", scheme, err)
				}
			})
		}
		all.Wait()
		if n := r.pool.ActiveCount(); n != 0 {
			t.Errorf("%s: %d links are left", scheme, n)
		}
		c.Timeout = time.Hour
		patient, err := OpenRedis(c)
		if err != nil {
			t.Fatal(err)
		}
		defer closed(t, patient)
		ctx, leave := context.WithCancel(t.Context())
		time.AfterFunc(10*time.Millisecond, leave)
		if err := patient.Put(ctx, "k", nil, 0); !errors.Is(err, context.Canceled) {
			t.Errorf("%s: who has gone is told %v", scheme, err)
		}
	}
}
