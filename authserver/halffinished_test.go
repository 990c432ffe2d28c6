package authserver

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"runtime"
	"strings"
	"testing"

	"porterhouse"
	"porterhouse/signin"
)

// Sign-ins that nobody finishes leave nothing behind but what is bounded.
func TestHalfFinishedSignIns(t *testing.T) { halfFinished(t, 200) }

// TestSoakHalfFinishedSignIns is the long form, for `make soak`: the first 10,000
// fill every bounded table, and the second 10,000 take no more memory.
func TestSoakHalfFinishedSignIns(t *testing.T) {
	if os.Getenv("PORTERHOUSE_SOAK") == "" {
		t.Skip("takes a minute: run `make soak`")
	}
	halfFinished(t, 10_000)
}

// halfFinished begins sign-ins twice as many times, of as many networks: with a
// browser as far as the provider's door, and with a program without a browser.
func halfFinished(t *testing.T, many int) {
	d, front := openHall(t)
	before := len(must(d.store.Keys(t.Context(), "")))
	memory := heap()
	var grown [2]int64
	for round := range grown {
		for i := range many {
			d.from(fmt.Sprintf("[2001:db8:%x:%x::1]:1", round, i))
			d.beginInBrowser(front)
			a := d.do(http.MethodPost, "/device_authorization", "", url.Values{"client_id": {"clickhouse-client"}})
			if a.status != http.StatusOK && a.status != http.StatusServiceUnavailable {
				t.Fatalf("a device: %d %s", a.status, a.text)
			}
		}
		grown[round] = heap() - memory
		devices := len(must(d.store.Keys(t.Context(), ""))) - before
		if want := 2 * min((round+1)*many, maxDevices); devices != want {
			t.Errorf("the store has %d keys more, want those of devices alone: %d", devices, want)
		}
	}
	if more := grown[1] - grown[0]; more > 4<<20 {
		t.Errorf("the second %d took %d KiB more than the first, which took %d", many, more>>10, grown[0]>>10)
	}
	t.Logf("%d half-finished sign-ins: the heap grew by %d KiB, and by %d with as many again", many, grown[0]>>10, grown[1]>>10)
	d.pass(d.Lifetimes.Device + deviceAfterwards)
	if after := len(must(d.store.Keys(t.Context(), ""))); after != before {
		t.Errorf("afterwards the store has %d keys, and had %d", after, before)
	}
}

// heap is how many bytes are in use.
func heap() int64 {
	runtime.GC()
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc)
}

// openHall is a desk whose people sign in at a real SignIn, and the URL of both.
func openHall(t *testing.T) (d *desk, front string) {
	t.Helper()
	mux := http.NewServeMux()
	web := httptest.NewServer(mux)
	t.Cleanup(web.Close)
	provider := signin.Provider{
		Name: "corp", Label: "Acme", Host: "idp.example.com",
		Start: func(_ context.Context, trip signin.Trip) (string, error) {
			return "https://idp.example.com/authorize?state=" + trip.State, nil
		},
		Finish: func(context.Context, signin.Trip, string, string) (porterhouse.Principal, signin.Kept, error) {
			return porterhouse.Principal{}, signin.Kept{}, porterhouse.Errorf(porterhouse.Refused, "nobody comes back")
		}}
	d, _ = openFlow(t, func(c *Config) {
		c.Clients = append(c.Clients, ClientConfig{ID: "clickhouse-client", Grants: []string{GrantDevice}})
		room := must(signin.New(signin.Config{
			PublicURL: web.URL, Providers: []signin.Provider{provider}, Store: c.Store, Key: c.Key, Audit: c.Audit, Now: c.Now,
			Asking: func(ctx context.Context, returnTo, remote string) (*signin.Asking, error) {
				asking, err := d.Asking(ctx, returnTo, remote)
				return (*signin.Asking)(asking), err
			},
		}))
		c.Who, c.Recheck = room.Who, room.Recheck
		serve := func(w http.ResponseWriter, r *http.Request) { room.ServeHTTP(w, d.received(r)) }
		mux.HandleFunc(signin.Path, serve)
		mux.HandleFunc(signin.CallbackPath, serve)
	})
	mux.HandleFunc("/", d.serve)
	return d, web.URL
}

// beginInBrowser asks for a code, chooses a provider, is sent there, comes back with
// what is nothing, and never comes again.
func (d *desk) beginInBrowser(front string) {
	d.t.Helper()
	at := d.do(http.MethodGet, front+authorizePath(wish()), "", nil)
	chooser := d.do(http.MethodGet, front+at.header.Get("Location"), "", nil)
	if chooser.status != http.StatusOK || !strings.Contains(chooser.text, "A web page") || !strings.Contains(chooser.text, "app.example.com") {
		d.t.Fatalf("the chooser does not name who asks: %d %s", chooser.status, chooser.text)
	}
	form := formOf(chooser.text)
	form.Set("provider", "corp")
	left := d.do(http.MethodPost, front+signin.Path, "", form, "Sec-Fetch-Site", "same-origin")
	if left.status != http.StatusSeeOther || !strings.HasPrefix(left.header.Get("Location"), "https://idp.example.com/") {
		d.t.Fatalf("the browser is not sent to the provider: %d %s", left.status, left.text)
	}
	d.do(http.MethodGet, front+signin.CallbackPath+"corp?state=made-up&code=made-up", "", nil, "Cookie", strings.Split(left.header.Get("Set-Cookie"), ";")[0])
}
