package identity

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"porterhouse"
)

// hanging is a provider, in a bubble of synctest, that never answers at /token, and
// everywhere else at once.
type hanging struct {
	*Outbound
	exchanger *Exchanger
	asked     atomic.Int32 // at /token
}

func newHanging(t *testing.T) *hanging {
	h := &hanging{Outbound: outbound(t, nil, OutboundConfig{})}
	h.plain.DialContext = func(context.Context, string, string) (net.Conn, error) {
		ours, theirs := net.Pipe()
		go h.serve(theirs)
		return ours, nil
	}
	providers, err := NewProviders(ProvidersConfig{Outbound: h.Outbound})
	if err != nil {
		t.Fatal(err)
	}
	h.exchanger, err = NewExchanger(ExchangerConfig{
		Settings:  Settings{Name: "corp", Type: "jwt_static_key", Algo: "HS256", StaticKey: porterhouse.NewSecret("0123456789abcdef0123456789abcdef"), ExpectedIssuer: "https://idp.example.com"},
		Client:    ClientSettings{ClientID: "us", ClientSecret: porterhouse.NewSecret("secret"), TokenEndpoint: "http://127.0.0.1/token"},
		Target:    Target{Audience: "clickhouse"},
		Providers: providers,
		Record:    func(context.Context, porterhouse.Principal, error) error { return nil },
	})
	if err != nil {
		t.Fatal(err)
	}
	return h
}

// serve answers on one connection until whoever asks leaves.
func (h *hanging) serve(connection net.Conn) {
	defer func() { _ = connection.Close() }() // the other end may be gone
	reading := bufio.NewReader(connection)
	for {
		r, err := http.ReadRequest(reading)
		if err != nil {
			return
		}
		if r.URL.Path == "/token" {
			h.asked.Add(1)
			_, _ = reading.Peek(1 << 10) // its form, and then its end
			return
		}
		if _, err := io.Copy(io.Discard, r.Body); err != nil {
			return
		}
		if _, err := fmt.Fprint(connection, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}"); err != nil {
			return
		}
	}
}

// takes is how long a token of a new person is waited for, in vain.
func (h *hanging) takes(t *testing.T, subject string) time.Duration {
	began := time.Now()
	who := porterhouse.Principal{Issuer: "https://idp.example.com", Subject: subject, Proof: "corp", Token: porterhouse.NewSecret("token of " + subject)}
	if _, err := h.exchanger.Token(t.Context(), who); err == nil {
		t.Error("a token of a provider that does not answer")
	}
	return time.Since(began)
}

// A token endpoint that hangs is found dead, although an exchange has less time than a
// request: whoever comes then is told at once, until it is time to try again.
func TestHangingTokenEndpointIsFoundDead(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHanging(t)
		for i := range deadAfter + 3 {
			want := exchangeTime
			if i >= deadAfter {
				want = 0
			}
			if took := h.takes(t, fmt.Sprint(i)); took != want {
				t.Errorf("exchange %d took %v, not %v", i+1, took, want)
			}
		}
		time.Sleep(deadInterval)
		if took := h.takes(t, "later"); took != exchangeTime || h.asked.Load() != deadAfter+1 {
			t.Errorf("when it is tried again it takes %v; it was asked %d times", took, h.asked.Load())
		}
	})
}

// While many wait for a token endpoint that hangs, the provider's other endpoints are asked
// as ever; nor does what they answer keep it alive, or their silence end it.
func TestHangingTokenEndpointKeepsNobodyOut(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHanging(t)
		var all sync.WaitGroup
		for i := range 40 {
			all.Go(func() { h.takes(t, fmt.Sprint(i)) })
		}
		synctest.Wait()
		if n := int(h.asked.Load()); n != defaultPerHost/2 {
			t.Errorf("the token endpoint was asked %d times at once, not %d", n, defaultPerHost/2)
		}
		for range 3 * deadAfter {
			began := time.Now()
			if _, err := h.Post(t.Context(), "http://127.0.0.1/introspect", nil, formType, "token=x"); err != nil || time.Since(began) != 0 {
				t.Errorf("the introspection took %v: %v", time.Since(began), err)
			}
			time.Sleep(time.Second)
		}
		all.Wait()
		if took := h.takes(t, "one more"); took != 0 {
			t.Errorf("the next one waited for %v", took)
		}
	})
}

// A deadline of somebody else than us tells of a host as ours does, if there was time.
func TestDeadlineOfWhoAsks(t *testing.T) {
	for given, dies := range map[time.Duration]bool{leastLook: true, leastLook - time.Millisecond: false} {
		synctest.Test(t, func(t *testing.T) {
			h := newHanging(t)
			for range deadAfter {
				ctx, cancel := context.WithTimeout(t.Context(), given)
				if _, err := h.postToken(ctx, "http://127.0.0.1/token", nil, nil); err == nil {
					t.Error("it answers")
				}
				cancel()
			}
			if dead := h.hosts["http://127.0.0.1"+string(tokenLane)].dead(time.Now()); dead != dies {
				t.Errorf("after %d times %v it is dead: %t", deadAfter, given, dead)
			}
		})
	}
}
