package identity

import (
	"context"
	"errors"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
)

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
