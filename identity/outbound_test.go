package identity

import (
	"context"
	"crypto/tls"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"porterhouse"
)

// provider is an HTTPS server on loopback.
func provider(t testing.TB, handler http.HandlerFunc) *httptest.Server {
	t.Helper()
	server := httptest.NewUnstartedServer(handler)
	server.Config.ErrorLog = log.New(io.Discard, "", 0) // refused handshakes are expected
	server.StartTLS()
	t.Cleanup(server.Close)
	return server
}

// caFile is a file with the certificate of such a server.
func caFile(t testing.TB, server *httptest.Server) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), "ca.pem")
	text := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: server.Certificate().Raw})
	if err := os.WriteFile(file, text, 0o600); err != nil {
		t.Fatal(err)
	}
	return file
}

// outbound may ask the server, and what else c says.
func outbound(t testing.TB, server *httptest.Server, c OutboundConfig) *Outbound {
	t.Helper()
	if c.AllowHosts == nil {
		c.AllowHosts = []string{"127.0.0.1"}
	}
	if server != nil && server.TLS != nil {
		c.CAFile = caFile(t, server)
	}
	o, err := NewOutbound(c)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { o.secure.CloseIdleConnections(); o.plain.CloseIdleConnections() })
	return o
}

// wantAway checks that err says in public that the provider cannot be asked, and
// in private why.
func wantAway(t testing.TB, err error, why string) {
	t.Helper()
	kind, public := porterhouse.Explain(err)
	if kind != porterhouse.Unavailable || !strings.Contains(public, "identity provider cannot be asked right now") {
		t.Fatalf("error is %q, %q; want unavailable", kind, public)
	}
	if !strings.Contains(err.Error(), why) {
		t.Fatalf("error %q does not say %q", err, why)
	}
}

func TestGetAndPost(t *testing.T) {
	server := provider(t, func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		w.Header().Set("X-Seen", r.Header.Get("User-Agent")+" "+r.Header.Get("Content-Type"))
		w.WriteHeader(http.StatusTeapot)
		_, _ = io.WriteString(w, r.Method+string(body))
	})
	o := outbound(t, server, OutboundConfig{})
	reply, err := o.Get(t.Context(), server.URL+"/a#b", nil)
	if err != nil || reply.Status != http.StatusTeapot || string(reply.Body) != "GET" || reply.Header.Get("X-Seen") != "porterhouse" {
		t.Errorf("Get: %+v, %v", reply, err)
	}
	reply, err = o.Post(t.Context(), server.URL, nil, "text/plain", "x")
	if err != nil || string(reply.Body) != "POSTx" || reply.Header.Get("X-Seen") != "porterhouse text/plain" {
		t.Errorf("Post: %+v, %v", reply, err)
	}
}

func TestOutboundConfigRefused(t *testing.T) {
	empty := filepath.Join(t.TempDir(), "empty.pem")
	if err := os.WriteFile(empty, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]OutboundConfig{
		"negative timeout": {Timeout: -1},
		"negative size":    {MaxBytes: -1},
		"negative turns":   {PerHost: -1},
		"empty host":       {AllowHosts: []string{""}},
		"URL as host":      {AllowHosts: []string{"https://idp"}},
		"pattern as host":  {AllowHosts: []string{"*.corp"}},
		"no CA file":       {CAFile: empty + "x"},
		"empty CA file":    {CAFile: empty},
		"proxy of SOCKS":   {Proxy: "socks5://127.0.0.1:1"},
		"proxy, no URL":    {Proxy: "proxy:3128"},
		"proxy, no host":   {Proxy: "http://"},
	} {
		if _, err := NewOutbound(c); err == nil {
			t.Errorf("%s: accepted", name)
		}
	}
	if _, err := NewOutbound(OutboundConfig{Proxy: "http://me:hunter2@[::1"}); err == nil || strings.Contains(err.Error(), "hunter2") {
		t.Errorf("a proxy that cannot be read: %v; want an error without its password", err)
	}
}

// One address, at least, of each network that a provider cannot be in.
func TestSpecialUse(t *testing.T) {
	special := []string{
		"0.0.0.0", "0.1.2.3", "10.0.0.1", "100.64.0.1", "100.100.100.200", "127.0.0.1", "127.255.0.3",
		"168.63.129.16", "169.254.169.254", "172.16.0.1", "172.31.255.255", "192.0.0.192", "192.0.2.1",
		"192.88.99.1", "192.168.1.1", "198.18.0.1", "198.19.255.255", "198.51.100.1", "203.0.113.1",
		"224.0.0.1", "239.255.255.255", "240.0.0.1", "255.255.255.255",
		"::", "::1", "::7f00:1", "::ffff:127.0.0.1", "::ffff:10.0.0.1", "::ffff:0:127.0.0.1", "64:ff9b::7f00:1",
		"64:ff9b::8.8.8.8", "64:ff9b:1::1", "100::1", "2001::1", "2001:1::1", "2001:db8::1", "2002:7f00:1::", "3fff::1",
		"5f00::1", "fc00::1", "fd00:ec2::254", "fe80::1", "fe80::1%eth0", "fec0::1", "ff02::1",
	}
	for _, text := range special {
		if !specialUse(netip.MustParseAddr(text)) {
			t.Errorf("%s passes", text)
		}
	}
	for _, text := range []string{"8.8.8.8", "172.32.0.1", "100.128.0.1", "192.0.1.1", "223.255.255.255", "2001:4860:4860::8888", "2600::1", "2a00:1450::1", "::ffff:8.8.8.8"} {
		if specialUse(netip.MustParseAddr(text)) {
			t.Errorf("%s is refused", text)
		}
	}
}

// Every way to write an address of ours is refused before a byte is sent.
func TestSpecialAddressesAreNotDialled(t *testing.T) {
	var asked atomic.Int32
	server := provider(t, func(http.ResponseWriter, *http.Request) { asked.Add(1) })
	server.Config.ConnState = func(net.Conn, http.ConnState) { asked.Add(1) }
	_, port, _ := net.SplitHostPort(server.Listener.Addr().String())
	for _, host := range []string{"127.0.0.1", "localhost", "LOCALHOST", "[::ffff:127.0.0.1]", "[::1]", "[::]", "0.0.0.0", "[fe80::1%25lo]"} {
		o := outbound(t, server, OutboundConfig{AllowHosts: []string{"elsewhere", "127.0.0.1:1"}})
		_, err := o.Get(t.Context(), "https://"+host+":"+port, nil)
		if wantAway(t, err, "special-use address"); !errors.Is(err, ErrForbidden) {
			t.Errorf("%s: %v could be another time", host, err)
		}
	}
	if asked.Load() != 0 {
		t.Errorf("%d connections were made", asked.Load())
	}
}

// What a name says in DNS does not count: the address dialled does.
func TestNamesAreJudgedWhenDialled(t *testing.T) {
	server := provider(t, func(http.ResponseWriter, *http.Request) {})
	_, port, _ := net.SplitHostPort(server.Listener.Addr().String())
	asked := "rebound.example.com:" + port
	resolver := loopbackDNS(t)
	_, err := guard{resolver: resolver}.dial(t.Context(), "tcp", asked)
	if err == nil || !strings.Contains(err.Error(), "special-use address") {
		t.Errorf("a public name at a loopback address: %v", err)
	}
	conn, err := guard{resolver: resolver, allowed: names{"rebound.example.com": true}}.dial(t.Context(), "tcp", asked)
	if err != nil {
		t.Fatalf("the same name, allowed: %v", err)
	}
	_ = conn.Close()
}

// loopbackDNS resolves every name to 127.0.0.1.
func loopbackDNS(t *testing.T) *net.Resolver {
	conn, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var serving sync.WaitGroup
	t.Cleanup(func() { _ = conn.Close(); serving.Wait() })
	serving.Go(func() {
		query := make([]byte, 512)
		for {
			n, from, err := conn.ReadFrom(query)
			if err != nil {
				return
			}
			end := 12 + strings.IndexByte(string(query[12:n]), 0) + 5 // of the question
			answer := append([]byte{query[0], query[1], 0x81, 0x80, 0, 1, 0, 0, 0, 0, 0, 0}, query[12:end]...)
			if query[end-3] == 1 { // an A record
				answer[7] = 1
				answer = append(answer, 0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 0, 0, 4, 127, 0, 0, 1)
			}
			_, _ = conn.WriteTo(answer, from)
		}
	})
	return &net.Resolver{PreferGo: true, Dial: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, "udp", conn.LocalAddr().String())
	}}
}

func TestPlainHTTPOnlyOnLoopbackByName(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
	t.Cleanup(server.Close)
	if _, err := outbound(t, nil, OutboundConfig{}).Get(t.Context(), server.URL, nil); err != nil {
		t.Errorf("loopback, allowed by name: %v", err)
	}
	_, err := outbound(t, nil, OutboundConfig{AllowHosts: []string{"localhost"}}).Get(t.Context(), server.URL, nil)
	wantAway(t, err, "not https")
	err = guard{allowed: names{"192.0.2.1": true}, onlyLoopback: true}.judge("192.0.2.1:80", "192.0.2.1:80")
	if err == nil {
		t.Error("plain HTTP beyond loopback passes")
	}
}

func TestURLsThatAreNotAsked(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
	t.Cleanup(server.Close)
	o := outbound(t, nil, OutboundConfig{})
	withPassword := strings.Replace(server.URL, "//", "//user:hunter2@", 1)
	for _, address := range []string{"", withPassword, "/path", "https://", "https:opaque", "https://user:pass@127.0.0.1/", "ftp://127.0.0.1/", "file:///etc/passwd", "https://a b/", "https://[::1"} {
		_, err := o.Get(t.Context(), address, nil)
		if wantAway(t, err, ""); strings.Contains(err.Error(), "hunter2") || !errors.Is(err, ErrForbidden) {
			t.Errorf("the password is in %q, or it is not for good", err)
		}
	}
	server.Close()
	if _, err := o.Get(t.Context(), server.URL, nil); err == nil || errors.Is(err, ErrForbidden) {
		t.Errorf("a server that is away: %v", err)
	}
}

func TestRedirects(t *testing.T) {
	var leaked atomic.Bool
	other := provider(t, func(http.ResponseWriter, *http.Request) { leaked.Store(true) })
	var server *httptest.Server
	server = provider(t, func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/here":
			http.Redirect(w, r, "/end", http.StatusFound)
		case "/there":
			http.Redirect(w, r, other.URL, http.StatusFound)
		case "/plain":
			http.Redirect(w, r, "http"+strings.TrimPrefix(server.URL, "https"), http.StatusFound)
		case "/round":
			http.Redirect(w, r, "/round", http.StatusTemporaryRedirect)
		case "/end":
			leaked.Store(leaked.Load() || r.Header.Get("Authorization") != "" || r.Method == http.MethodPost)
		}
	})
	o := outbound(t, server, OutboundConfig{})
	if reply, err := o.Get(t.Context(), server.URL+"/here", nil); err != nil || reply.Status != http.StatusOK {
		t.Errorf("to the same host: %d, %v", reply.Status, err)
	}
	for path, why := range map[string]string{"/there": "another host", "/plain": "another host", "/round": "more than 3 redirects"} {
		_, err := o.Get(t.Context(), server.URL+path, nil)
		wantAway(t, err, why)
	}
	reply, err := o.Get(t.Context(), server.URL+"/here", bearer("secret"))
	if err != nil || reply.Status != http.StatusFound {
		t.Errorf("with a token: %d, %v; want the redirect itself", reply.Status, err)
	}
	reply, err = o.Post(t.Context(), server.URL+"/here", nil, "text/plain", "secret")
	if err != nil || reply.Status != http.StatusFound {
		t.Errorf("posted: %d, %v; want the redirect itself", reply.Status, err)
	}
	reply, err = outbound(t, server, OutboundConfig{NoRedirects: true}).Get(t.Context(), server.URL+"/here", nil)
	if err != nil || reply.Status != http.StatusFound {
		t.Errorf("without redirects: %d, %v; want the redirect itself", reply.Status, err)
	}
	if leaked.Load() {
		t.Error("a secret, or a request to another host, went along with a redirect")
	}
}

// Strangers may name hosts (a client's own document is at any): they are not
// remembered without end, but one that is dead, or is asked, is.
func TestHostsAreForgotten(t *testing.T) {
	now := time.Now()
	o := outbound(t, nil, OutboundConfig{Now: func() time.Time { return now }})
	at := func(name string) *host { return o.host(&url.URL{Scheme: "https", Host: name}) }
	dead, asked := at("dead.example.com"), at("asked.example.com")
	for range deadAfter {
		if err := dead.enter(t.Context(), time.Second, o.now); err != nil {
			t.Fatal(err)
		}
		dead.leave(now, true, true)
	}
	if err := asked.enter(t.Context(), time.Second, o.now); err != nil {
		t.Fatal(err)
	}
	for i := range 10 * maxHosts {
		at(fmt.Sprintf("%d.example.com", i))
	}
	if n := len(o.hosts); n > maxHosts {
		t.Errorf("%d hosts are remembered, more than %d", n, maxHosts)
	}
	if at("dead.example.com") != dead || at("asked.example.com") != asked {
		t.Error("a host that is dead, or is being asked, was forgotten")
	}
}

func TestLimitsOfAnAnswer(t *testing.T) {
	end := make(chan struct{}) // a handler that ended with its caller could still answer
	server := provider(t, func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/body":
			_, _ = w.Write(make([]byte, 1001))
		case "/headers":
			w.Header().Set("X-Long", strings.Repeat("x", 2*maxResponseHeaders))
		case "/silent":
			<-end
		case "/endless":
			for {
				_, _ = io.WriteString(w, "x")
				_ = http.NewResponseController(w).Flush()
				select {
				case <-end:
					return
				case <-time.After(10 * time.Millisecond):
				}
			}
		}
	})
	t.Cleanup(func() { close(end) })
	o := outbound(t, server, OutboundConfig{MaxBytes: 1000})
	for path, why := range map[string]string{
		"/body": "longer than allowed", "/headers": "not one that HTTP allows",
	} {
		_, err := o.Get(t.Context(), server.URL+path, nil)
		wantAway(t, err, why)
	}
	o = outbound(t, server, OutboundConfig{Timeout: 200 * time.Millisecond})
	for _, path := range []string{"/silent", "/endless"} {
		_, err := o.Get(t.Context(), server.URL+path, nil)
		if wantAway(t, err, ""); !isTimeout(err) {
			t.Errorf("%s: %v; want a timeout", path, err)
		}
	}
}

func TestTLS(t *testing.T) {
	server := provider(t, func(http.ResponseWriter, *http.Request) {})
	o, err := NewOutbound(OutboundConfig{AllowHosts: []string{"127.0.0.1"}})
	if err != nil {
		t.Fatal(err)
	}
	_, err = o.Get(t.Context(), server.URL, nil)
	wantAway(t, err, "certificate")

	old := httptest.NewUnstartedServer(http.NotFoundHandler())
	old.Config.ErrorLog = log.New(io.Discard, "", 0)
	old.TLS = &tls.Config{MinVersion: tls.VersionTLS10, MaxVersion: tls.VersionTLS11}
	old.StartTLS()
	t.Cleanup(old.Close)
	_, err = outbound(t, old, OutboundConfig{}).Get(t.Context(), old.URL, nil)
	wantAway(t, err, "protocol version")
}

// Names go through the proxy, special-use addresses nowhere, allowed hosts directly.
func TestProxy(t *testing.T) {
	server := provider(t, func(w http.ResponseWriter, r *http.Request) { _, _ = io.WriteString(w, r.Host) })
	var tunnels atomic.Int32
	proxy := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method != http.MethodConnect || r.Header.Get("Proxy-Authorization") == "" || r.Host != "example.com:443" {
			w.WriteHeader(http.StatusForbidden)
			return
		}
		tunnels.Add(1)
		tunnel(w, server.Listener.Addr().String())
	}))
	t.Cleanup(proxy.Close)
	at := strings.Replace(proxy.URL, "//", "//me:hunter2@", 1)
	o := outbound(t, server, OutboundConfig{Proxy: at})
	reply, err := o.Get(t.Context(), "https://example.com/", nil)
	if err != nil || string(reply.Body) != "example.com" || tunnels.Load() != 1 {
		t.Errorf("a name: %q, %v, %d tunnels", reply.Body, err, tunnels.Load())
	}
	if _, err := o.Get(t.Context(), server.URL, nil); err != nil || tunnels.Load() != 1 {
		t.Errorf("an allowed host: %v, %d tunnels", err, tunnels.Load())
	}
	_, err = o.Get(t.Context(), "https://169.254.169.254/", nil)
	wantAway(t, err, "special-use address")
	_, err = o.Get(t.Context(), "https://example.org/", nil)
	wantAway(t, err, "proxy refuses the connection with status 403")
	if strings.Contains(err.Error(), "hunter2") {
		t.Errorf("the proxy's password is in %q", err)
	}
}

// tunnel connects the client of w with an address.
func tunnel(w http.ResponseWriter, address string) {
	there, err := net.Dial("tcp", address)
	if err != nil {
		w.WriteHeader(http.StatusBadGateway)
		return
	}
	here, _, err := http.NewResponseController(w).Hijack()
	if err != nil {
		return
	}
	_, _ = io.WriteString(here, "HTTP/1.1 200 OK\r\n\r\n")
	go func() { _, _ = io.Copy(there, here); _ = there.Close() }()
	go func() { _, _ = io.Copy(here, there); _ = here.Close() }()
}

func TestSlowProviderStallsNobodyElse(t *testing.T) {
	var under atomic.Int32
	end := make(chan struct{})
	slow := provider(t, func(http.ResponseWriter, *http.Request) {
		under.Add(1)
		<-end
	})
	t.Cleanup(func() { close(end) })
	quick := provider(t, func(http.ResponseWriter, *http.Request) {})
	o := outbound(t, quick, OutboundConfig{PerHost: 4})
	slower := outbound(t, slow, OutboundConfig{})
	o.secure.TLSClientConfig.RootCAs.AddCert(slow.Certificate())
	slower.secure.CloseIdleConnections()

	ctx, cancel := context.WithCancel(t.Context())
	var callers sync.WaitGroup
	for range 20 {
		callers.Go(func() {
			if _, err := o.Get(ctx, slow.URL, nil); err == nil {
				t.Error("the slow provider answers")
			} else if kind, _ := porterhouse.Explain(err); kind != porterhouse.Canceled {
				t.Errorf("a caller that left: %v", err)
			}
		})
	}
	for under.Load() < 4 {
		time.Sleep(time.Millisecond)
	}
	if _, err := o.Get(t.Context(), quick.URL, nil); err != nil {
		t.Errorf("the quick provider: %v", err)
	}
	if n := under.Load(); n != 4 {
		t.Errorf("%d requests are under way at the slow provider, want 4", n)
	}
	cancel()
	callers.Wait()
}

// A host that timed out often is asked once every few seconds, until it answers.
func TestDeadHost(t *testing.T) {
	h := newHost(2)
	start := time.Now()
	clock := start
	now := func() time.Time { return clock }
	ask := func(timedOut bool) error {
		err := h.enter(t.Context(), time.Second, now)
		if err == nil {
			h.leave(clock, timedOut, true)
		}
		return err
	}
	for i := range deadAfter {
		if err := ask(true); err != nil {
			t.Fatalf("request %d: %v", i+1, err)
		}
	}
	if ask(false) == nil {
		t.Error("a dead host is asked")
	}
	clock = start.Add(deadInterval)
	if err := ask(true); err != nil {
		t.Errorf("when it is time to try again: %v", err)
	}
	if ask(false) == nil {
		t.Error("a dead host is asked again at once")
	}
	clock = clock.Add(deadInterval)
	if err := h.enter(t.Context(), time.Second, now); err != nil {
		t.Fatal(err)
	}
	if h.enter(t.Context(), time.Second, now) == nil {
		t.Error("two requests try a dead host at once")
	}
	h.leave(clock, false, true)
	for range 3 {
		if err := ask(false); err != nil {
			t.Errorf("after it came back: %v", err)
		}
	}
}

// Nobody waits for a turn at a dead host.
func TestDeadHostIsNotWaitedFor(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHost(1)
		for range deadAfter {
			if err := h.enter(t.Context(), time.Second, time.Now); err != nil {
				t.Fatal(err)
			}
			h.leave(time.Now(), true, true)
		}
		h.turns <- struct{}{}
		start := time.Now()
		if err := h.enter(t.Context(), time.Second, time.Now); err == nil || time.Since(start) != 0 {
			t.Errorf("%v, after %s", err, time.Since(start))
		}
	})
}

// Who has no patience cannot make a host look dead.
func TestLeavingTeachesNothing(t *testing.T) {
	end := make(chan struct{})
	server := provider(t, func(http.ResponseWriter, *http.Request) { <-end })
	t.Cleanup(func() { close(end) })
	o := outbound(t, server, OutboundConfig{})
	for range deadAfter + 1 {
		ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
		_, err := o.Get(ctx, server.URL, nil)
		cancel()
		if kind, _ := porterhouse.Explain(err); kind != porterhouse.Timeout {
			t.Fatalf("a caller that left: %v", err)
		}
	}
	to, _ := url.Parse(server.URL)
	if o.host(to).dead(time.Now()) {
		t.Error("the host counts as dead")
	}
}

func TestWaitingIsBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHost(1)
		if err := h.enter(t.Context(), time.Second, time.Now); err != nil {
			t.Fatal(err)
		}
		if err := h.enter(t.Context(), time.Second, time.Now); err == nil || !strings.Contains(err.Error(), "no turn in time") {
			t.Errorf("beyond the patience: %v", err)
		}
		var waiting sync.WaitGroup
		var refused atomic.Int32
		for range maxWaiting + 10 {
			waiting.Go(func() {
				if err := h.enter(t.Context(), time.Second, time.Now); errors.Is(err, reason("too many requests wait for it")) {
					refused.Add(1)
				}
			})
		}
		waiting.Wait()
		if refused.Load() != 10 {
			t.Errorf("%d requests are refused at once, want 10", refused.Load())
		}
	})
}

// Whatever a provider sends back, the token stays out of the error.
func TestTokenIsInNoError(t *testing.T) {
	const token = "ya29.secret-token"
	raw := []string{
		token, "HTTP/1.1 " + token + "\r\n\r\n", "HTTP/1.1 200 OK\r\n" + token + "\r\n\r\n",
		"HTTP/1.1 302 Found\r\nLocation: http://" + token + ":x\r\n\r\n", "HTTP/1.1 302 Found\r\nLocation: //" + token + "\r\n\r\n",
		"HTTP/1.1 200 OK\r\nTransfer-Encoding: " + token + "\r\n\r\n", "HTTP/1.1 200 OK\r\nContent-Length: " + token + "\r\n\r\n",
		"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + token, "HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\n\r\n" + token,
	}
	for _, answer := range raw {
		server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			conn, _, err := http.NewResponseController(w).Hijack()
			if err != nil {
				return
			}
			_, _ = io.WriteString(conn, answer)
			_ = conn.Close()
		}))
		_, err := outbound(t, nil, OutboundConfig{}).Get(t.Context(), server.URL, bearer(token))
		if err != nil && strings.Contains(err.Error(), token) {
			t.Errorf("answer %q: the error is %q", answer, err)
		}
		server.Close()
	}
}
