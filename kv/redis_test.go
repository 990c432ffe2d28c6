package kv

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"math/big"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/gomodule/redigo/redis"

	"porterhouse"
)

// server is a real Redis of one test, reached over a socket in its directory.
type server struct {
	socket  string
	options []string
	stop    func()
}

const testPassword = "the password of the test"

// startRedis starts a server that ends with the test. It is part of what the
// tests need (make deps): without it they fail.
func startRedis(t testing.TB, options ...string) *server {
	t.Helper()
	s := &server{socket: filepath.Join(t.TempDir(), "redis.sock"), options: options}
	s.start(t)
	t.Cleanup(func() { s.stop() })
	return s
}

func (s *server) start(t testing.TB) {
	t.Helper()
	program, err := exec.LookPath("redis-server")
	if err != nil {
		t.Fatalf("redis-server is missing: run `make deps` (%v)", err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	options := append([]string{"--port", "0", "--unixsocket", s.socket, "--dir", filepath.Dir(s.socket),
		"--save", "", "--maxmemory-policy", "noeviction", "--requirepass", testPassword}, s.options...)
	command := exec.CommandContext(ctx, program, options...)
	var log strings.Builder
	command.Stdout, command.Stderr = &log, &log
	if err := command.Start(); err != nil {
		t.Fatal(err)
	}
	s.stop = func() {
		cancel()
		_ = command.Wait() // "signal: killed"
	}
	client, err := OpenRedis(s.config())
	if err != nil {
		t.Fatal(err)
	}
	defer closed(t, client)
	for deadline := time.Now().Add(30 * time.Second); ; time.Sleep(5 * time.Millisecond) {
		if _, err := client.Get(t.Context(), "up?"); errors.Is(err, ErrNotFound) {
			return
		} else if time.Now().After(deadline) {
			s.stop()
			t.Fatalf("redis-server does not answer: %v\n%s", err, &log)
		}
	}
}

func (s *server) config() RedisConfig {
	return RedisConfig{URL: "unix://" + s.socket + "?db=0", Password: porterhouse.NewSecret(testPassword), Timeout: 20 * time.Second}
}

func openRedis(t testing.TB, s *server) *Redis {
	t.Helper()
	r, err := OpenRedis(s.config())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = r.Close() }) // may be closed already
	return r
}

// Two gateways see the same entries, and others on the same server do not.
func TestRedisShared(t *testing.T) {
	s := startRedis(t)
	a, b := openRedis(t, s), openRedis(t, s)
	c := s.config()
	c.Prefix = "others:"
	others, err := OpenRedis(c)
	if err != nil {
		t.Fatal(err)
	}
	defer closed(t, others)
	put(t, a, "k", []byte("v"), 0)
	holds(t, b, "k", []byte("v"))
	missing(t, others, "k")
	keysAre(t, others, "")
}

// While the server is away, everything says so in good time; when it is back,
// everything goes on by itself.
func TestRedisAway(t *testing.T) {
	s := startRedis(t, "--appendonly", "yes", "--appendfsync", "always")
	r := openRedis(t, s)
	put(t, r, "k", []byte("v"), 0)
	s.stop()
	for name, err := range map[string]error{
		"put":     r.Put(t.Context(), "k", nil, 0),
		"get":     second(r.Get(t.Context(), "k")),
		"consume": second(r.Consume(t.Context(), "k")),
		"swap":    second(r.Swap(t.Context(), "k", nil, nil, 0)),
		"keys":    second(r.Keys(t.Context(), "")),
	} {
		isKind(t, name, err, porterhouse.Unavailable)
		if _, public := porterhouse.Explain(err); strings.Contains(public, s.socket) || !strings.Contains(public, "try again later") {
			t.Errorf("%s: the caller is told %q", name, public)
		}
	}
	s.start(t)
	holds(t, r, "k", []byte("v"))
	if done, err := r.Swap(t.Context(), "k", []byte("v"), nil, 0); err != nil || !done { // the server has forgotten the script
		t.Errorf("swap after the restart: %v, %v", done, err)
	}
}

// A server that accepts and says nothing is given up in time.
func TestRedisSilent(t *testing.T) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	r, err := OpenRedis(RedisConfig{URL: "redis://" + listener.Addr().String(), Timeout: 50 * time.Millisecond})
	if err != nil {
		t.Fatal(err)
	}
	defer closed(t, r)
	_, err = r.Get(t.Context(), "k")
	isKind(t, "get", err, porterhouse.Unavailable)
	if !strings.Contains(fmt.Sprint(err), "did not answer in 50ms") {
		t.Errorf("the log is told: %v", err)
	}
}

// A caller that has gone is no failure of the server.
func TestRedisCallerGoes(t *testing.T) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	r, err := OpenRedis(RedisConfig{URL: "redis://" + listener.Addr().String(), Timeout: time.Minute})
	if err != nil {
		t.Fatal(err)
	}
	defer closed(t, r)
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Millisecond)
	defer cancel()
	if _, err := r.Get(ctx, "k"); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("get: %v", err)
	}
}

// What the server refuses is said: the password, memory, a command.
func TestRedisRefuses(t *testing.T) {
	s := startRedis(t, "--rename-command", "GETDEL", "")
	c := s.config()
	c.Password = porterhouse.NewSecret("wrong")
	stranger, err := OpenRedis(c)
	if err != nil {
		t.Fatal(err)
	}
	defer closed(t, stranger)
	err = stranger.Put(t.Context(), "k", nil, 0)
	isKind(t, "wrong password", err, porterhouse.Unavailable)
	if !strings.Contains(fmt.Sprint(err), "WRONGPASS") || strings.Contains(fmt.Sprint(err), "wrong\"") {
		t.Errorf("the log is told: %v", err)
	}

	r := openRedis(t, s)
	put(t, r, "k", nil, 0)
	_, err = r.Consume(t.Context(), "k")
	isKind(t, "no GETDEL", err, porterhouse.Unavailable)
	if !strings.Contains(fmt.Sprint(err), "Redis 6.2") {
		t.Errorf("the log is told: %v", err)
	}

	if err := r.run(t.Context(), func(ctx context.Context, link redis.Conn) error {
		_, err := redis.DoContext(link, ctx, "CONFIG", "SET", "maxmemory", "1mb")
		return err
	}); err != nil {
		t.Fatal(err)
	}
	isKind(t, "full", fill(t, r, 10), porterhouse.Limited)
	isKind(t, "full, swap", second(r.Swap(t.Context(), "other", nil, []byte{1}, 0)), porterhouse.Limited)
	holds(t, r, "k", []byte{})
}

// fill writes large values until there is an error, at most n of them.
func fill(t testing.TB, s Store, n int) error {
	t.Helper()
	for i := range n {
		if err := s.Put(t.Context(), fmt.Sprint("fill ", i), make([]byte, MaxValue), 0); err != nil {
			return err
		}
	}
	return nil
}

func TestRedisConfig(t *testing.T) {
	secret := "hunter2"
	for name, test := range map[string]struct {
		config RedisConfig
		want   string
	}{
		"empty":               {RedisConfig{}, "the scheme"},
		"unreadable":          {RedisConfig{URL: "redis://" + secret + "@host\x7f"}, "cannot be read"},
		"other scheme":        {RedisConfig{URL: "http://localhost"}, "scheme"},
		"password in the URL": {RedisConfig{URL: "redis://u:" + secret + "@localhost"}, "give it apart"},
		"option":              {RedisConfig{URL: "rediss://redis.example.com?skip_verify=true"}, "skip_verify"},
		"option of a socket":  {RedisConfig{URL: "unix:///s?pool_size=1"}, "pool_size"},
		"plain text":          {RedisConfig{URL: "redis://redis.example.com"}, "unencrypted"},
		"plain text, 0.0.0.0": {RedisConfig{URL: "redis://0.0.0.0"}, "unencrypted"},
		"TLS without TLS":     {RedisConfig{URL: "redis://localhost", TLS: &tls.Config{}}, "not rediss://"},
		"timeout":             {RedisConfig{URL: "redis://localhost", Timeout: -1}, "timeout"},
	} {
		_, err := OpenRedis(test.config)
		if err == nil || !strings.Contains(err.Error(), test.want) || strings.Contains(err.Error(), secret) {
			t.Errorf("%s: %v", name, err)
		}
	}
	for _, c := range []RedisConfig{
		{URL: "redis://localhost"}, {URL: "redis://[::1]:6379/3"}, {URL: "redis://user@127.0.0.1"}, {URL: "unix:///s"},
		{URL: "rediss://redis.example.com"}, {URL: "redis://redis.example.com", InsecurePlaintext: true},
		{URL: "rediss://redis.example.com", TLS: &tls.Config{ServerName: "other"}},
	} {
		r, err := OpenRedis(c)
		if err != nil {
			t.Errorf("%s: %v", c.URL, err)
			continue
		}
		closed(t, r)
	}
}

// Over TLS the server must prove who it is.
func TestRedisTLS(t *testing.T) {
	dir, port := t.TempDir(), freePort(t)
	authority := certificate(t, dir)
	startRedis(t, "--tls-port", port, "--bind", "127.0.0.1", "--tls-cert-file", dir+"/cert.pem", "--tls-key-file", dir+"/key.pem",
		"--tls-ca-cert-file", dir+"/cert.pem", "--tls-auth-clients", "no")
	for name, trusted := range map[string]*tls.Config{"trusted": {RootCAs: authority}, "stranger": nil} {
		r, err := OpenRedis(RedisConfig{URL: "rediss://127.0.0.1:" + port, Password: porterhouse.NewSecret(testPassword), TLS: trusted, Timeout: 20 * time.Second})
		if err != nil {
			t.Fatal(err)
		}
		defer closed(t, r)
		err = r.Put(t.Context(), "k", []byte("v"), 0)
		if trusted == nil {
			isKind(t, name, err, porterhouse.Unavailable)
			if !strings.Contains(fmt.Sprint(err), "x509") {
				t.Errorf("%s: %v", name, err)
			}
		} else if err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func freePort(t *testing.T) string {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	_, port, err := net.SplitHostPort(listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	return port
}

// certificate writes one of 127.0.0.1 and its key into dir, and returns who vouches for it.
func certificate(t *testing.T, dir string) *x509.CertPool {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), NotAfter: time.Now().Add(time.Hour), IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
		IsCA: true, BasicConstraintsValid: true}
	signed, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	private, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	public := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: signed})
	if err := errors.Join(os.WriteFile(dir+"/cert.pem", public, 0o600),
		os.WriteFile(dir+"/key.pem", pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: private}), 0o600)); err != nil {
		t.Fatal(err)
	}
	pool := x509.NewCertPool()
	pool.AppendCertsFromPEM(public)
	return pool
}
