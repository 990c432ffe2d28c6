package mcpserver

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"sync/atomic"

	"github.com/modelcontextprotocol/go-sdk/auth"
	"github.com/modelcontextprotocol/go-sdk/mcp"
)

// newestEra is the first revision without sessions; single is the first one
// without batches.
const (
	newestEra = "2026-07-28"
	single    = "2025-06-18"
)

// door is the HTTP side: one URL for both eras of the protocol.
type door struct {
	Config
	unproved func(door, remote string, err error) // records an attempt
	web      web
	newer    http.Handler // 2026-07-28 and later: every request on its own
	older    http.Handler // up to 2025-11-25: sessions
	sessions *sessions
	buffers  *buffers
	denied   atomic.Uint64 // requests that did not come in
}

// newDoor serves server, which has our middleware already.
func newDoor(c Config, server *mcp.Server, b *buffers, unproved func(door, remote string, err error)) (*door, error) {
	public, err := url.Parse(c.ResourceMetadata)
	if err != nil || public.Host == "" || strings.ContainsAny(c.ResourceMetadata, "\"\\\r\n ") {
		return nil, fmt.Errorf("mcpserver: ResourceMetadata %q is not an absolute URL", c.ResourceMetadata)
	}
	web, err := newWeb(public, c.Origins)
	if err != nil {
		return nil, err
	}
	handler := func(stateless bool) http.Handler {
		return authenticated(mcp.NewStreamableHTTPHandler(
			func(*http.Request) *mcp.Server { return server },
			&mcp.StreamableHTTPOptions{
				Stateless:                    stateless,
				SessionTimeout:               c.Sessions.Idle,
				MaxRequestBodyBytes:          c.MaxBody,
				PropagateRequestCancellation: true,
				DisableLocalhostProtection:   true, // ours knows the public host as well
			}))
	}
	return &door{
		Config: c, unproved: unproved, web: web, buffers: b,
		newer: handler(true), older: handler(false),
		sessions: newSessions(c.Sessions, server, c.Now),
	}, nil
}

// visitContext is the key of the visit in the context of an HTTP request, on its
// way from our authentication to the SDK's. No handler looks there.
type visitContext struct{}

// authenticated hands the visit to the SDK, which keeps TokenInfo under a key of
// its own and lets only its own middleware set it.
func authenticated(next http.Handler) http.Handler {
	verified := func(ctx context.Context, _ string, _ *http.Request) (*auth.TokenInfo, error) {
		v, ok := ctx.Value(visitContext{}).(*visit)
		if !ok {
			return nil, errors.New("mcpserver: a request passed without authentication")
		}
		return v.tokenInfo(), nil
	}
	return auth.RequireBearerToken(verified, &auth.RequireBearerTokenOptions{AllowMissingExpiration: true})(next)
}

// ServeHTTP lets a request in, or says why not. It logs what no handler logs.
func (d *door) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	since := d.Now()
	w.Header().Set("X-Accel-Buffering", "no") // or a proxy would keep notes on progress back
	id := requestID(w.Header())
	out := &reply{ResponseWriter: w, recycle: d.buffers.give, single: r.Header.Get("MCP-Protocol-Version") >= single}

	v, no := d.enter(out, r, id)
	if no != nil {
		d.denied.Add(1)
		d.deny(out, id, no)
	} else if v != nil {
		no = d.serve(out, r, v)
	}
	if lost := out.close(); lost > 0 && r.Context().Err() == nil {
		d.Log.Error("an answer was not put where the SDK wrote its placeholder", "request", id, "texts", lost)
	}
	if v == nil || !v.attended.Load() && (out.status >= http.StatusBadRequest || r.Method != http.MethodPost) {
		d.logRequest(r, id, out.status, v, no, d.Now().Sub(since))
	}
}

// enter decides whether r may come in at all. Neither a visit nor a refusal:
// it is answered.
func (d *door) enter(w http.ResponseWriter, r *http.Request, id string) (*visit, *refusal) {
	if no := d.web.check(r); no != nil {
		return nil, no
	}
	d.web.allow(w.Header(), r)
	if r.Method == http.MethodOptions {
		w.Header().Set("Allow", "GET, POST, DELETE, OPTIONS")
		w.WriteHeader(http.StatusNoContent)
		return nil, nil
	}
	who, no := d.admit(r)
	if no != nil {
		if no.unproved() {
			d.unproved(Door, remote(r), no.recorded())
		}
		return nil, no
	}
	return &visit{who: who, door: Door, remote: remote(r), request: id, gone: r.Context()}, nil
}

// serve hands the request to the SDK's handler of its era.
func (d *door) serve(w *reply, r *http.Request, v *visit) *refusal {
	v.reply = w
	r = r.WithContext(context.WithValue(r.Context(), visitContext{}, v))
	if r.Header.Get("MCP-Protocol-Version") >= newestEra {
		d.newer.ServeHTTP(w, r)
		return nil
	}
	leave, no := d.sessions.enter(r, v.who.Key())
	if no != nil {
		d.deny(w, v.request, no)
		return no
	}
	d.older.ServeHTTP(w, r)
	leave(w.Header().Get(sessionHeader))
	return nil
}

// deny answers a refusal.
func (d *door) deny(w http.ResponseWriter, id string, no *refusal) {
	h := w.Header()
	h.Set("Content-Type", "application/json")
	h.Set("Cache-Control", "no-store")
	switch {
	case no.status == http.StatusUnauthorized, no.status == http.StatusBadRequest, no.code == insufficientScope:
		h.Set("WWW-Authenticate", d.challenge(no))
	case no.status == http.StatusServiceUnavailable, no.status == http.StatusTooManyRequests:
		h.Set("Retry-After", "5")
	}
	body, err := json.Marshal(map[string]string{
		"error": cmp.Or(no.code, "unauthorized"), "error_description": no.text, "request_id": id,
	})
	if err != nil {
		d.Log.Error("encoding a refusal", "request", id, "cause", err)
	}
	w.WriteHeader(no.status)
	if _, err := w.Write(append(body, '\n')); err != nil {
		d.Log.Debug("writing a refusal", "request", id, "cause", err)
	}
}
