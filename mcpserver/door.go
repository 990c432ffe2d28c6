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

	"github.com/modelcontextprotocol/go-sdk/auth"
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
	server   *Server
	unproved func(door, remote string, err error) // records an attempt
	web      web
}

// newDoor is the door of s.
func newDoor(s *Server, unproved func(door, remote string, err error)) (*door, error) {
	c := s.config
	public, err := url.Parse(c.ResourceMetadata)
	if err != nil || public.Host == "" || strings.ContainsAny(c.ResourceMetadata, "\"\\\r\n ") {
		return nil, fmt.Errorf("mcpserver: ResourceMetadata %q is not an absolute URL", c.ResourceMetadata)
	}
	web, err := newWeb(public, c.Origins)
	if err != nil {
		return nil, err
	}
	return &door{Config: c, server: s, unproved: unproved, web: web}, nil
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
	out := &reply{ResponseWriter: w, recycle: d.State.buffers.give, single: r.Header.Get("MCP-Protocol-Version") >= single}

	v, no := d.enter(out, r, id)
	if no != nil {
		d.State.counts.denied.Add(1)
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
	return &visit{server: d.server, who: who, door: Door, path: r.URL.Path, remote: remote(r), request: id, gone: r.Context()}, nil
}

// serve hands the request to the SDK's handler of its era.
func (d *door) serve(w *reply, r *http.Request, v *visit) *refusal {
	v.reply = w
	if r.Body != nil {
		r.Body = http.MaxBytesReader(w, r.Body, d.MaxBody)
	}
	r = r.WithContext(context.WithValue(r.Context(), visitContext{}, v))
	if r.Header.Get("MCP-Protocol-Version") >= newestEra {
		d.State.newer.ServeHTTP(w, r)
		return nil
	}
	leave, no := d.State.sessions.enter(r, v.who.Key())
	if no != nil {
		d.deny(w, v.request, no)
		return no
	}
	d.State.older.ServeHTTP(w, r)
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
