package identity

import (
	"crypto/tls"
	"encoding/pem"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
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
