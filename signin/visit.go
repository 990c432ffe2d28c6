package signin

import (
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"slices"

	"porterhouse"
)

// visit is one request of a browser.
type visit struct {
	*SignIn
	w http.ResponseWriter
	r *http.Request
}

// step answers a request, or says why not.
type step func(*visit) error

// routes says what answers which request.
func (s *SignIn) routes() *http.ServeMux {
	mux := http.NewServeMux()
	for pattern, answer := range map[string]step{
		"GET " + Path:                        limited((*visit).choose), // who asks may have to be looked up
		"POST " + Path:                       limited(sameOrigin((*visit).depart)),
		"GET " + CallbackPath + "{provider}": limited((*visit).arrive),
		"GET " + OutPath:                     (*visit).showOut,
		"POST " + OutPath:                    sameOrigin((*visit).out),
	} {
		mux.HandleFunc(pattern, func(w http.ResponseWriter, r *http.Request) {
			v := &visit{s, w, r}
			if err := answer(v); err != nil {
				v.refuse(err)
			}
		})
	}
	return mux
}

// maxForm is how large a form of ours can be, in bytes.
const maxForm = 16 << 10

// sameOrigin lets a form through that a page of ours has sent.
func sameOrigin(next step) step {
	return func(v *visit) error {
		if err := v.origin.Check(v.r); err != nil {
			return elsewhere(err)
		}
		v.r.Body = http.MaxBytesReader(v.w, v.r.Body, maxForm)
		if err := v.r.ParseForm(); err != nil {
			return unreadable(err)
		}
		return next(v)
	}
}

// limited lets a network through that has not been here too often.
func limited(next step) step {
	return func(v *visit) error {
		if !v.Limits.allow(remote(v.r), v.Now()) {
			v.w.Header().Set("Retry-After", "10")
			return tooOften()
		}
		return next(v)
	}
}

// id is that of the request.
func (v *visit) id() string { return v.r.Header.Get("X-Request-Id") }

// refuse shows and logs why somebody does not get further.
func (v *visit) refuse(err error) {
	why := refusalOf(err)
	why.Request = v.id()
	level := slog.LevelInfo
	if why.Status >= http.StatusInternalServerError {
		level = slog.LevelWarn
	}
	v.counts.refused.Add(1)
	v.Log.LogAttrs(v.r.Context(), level, "sign-in refused",
		slog.String("request", why.Request),
		slog.String("path", v.r.URL.Path),
		slog.Int("status", why.Status),
		slog.String("title", why.Title),
		slog.Any("cause", why.err),
		slog.String("remote", v.r.RemoteAddr))
	v.pages.WriteProblem(v.w, why.Problem)
}

// seeOther sends the browser on, with GET.
func (v *visit) seeOther(location string) {
	v.w.Header().Set("Location", location)
	v.w.Header().Set("Cache-Control", "no-store")
	v.w.Header().Set("Referrer-Policy", "no-referrer")
	v.w.WriteHeader(http.StatusSeeOther)
}

// remote is the address that a request came from, without its port.
func remote(r *http.Request) netip.Addr {
	host, _, err := net.SplitHostPort(r.RemoteAddr)
	if err != nil {
		host = r.RemoteAddr
	}
	address, _ := netip.ParseAddr(host) // what is none is counted with all others that are none
	return address.Unmap().WithZone("")
}

// is reports whether err is of one of these kinds.
func is(err error, kinds ...porterhouse.Kind) bool {
	if err == nil {
		return false
	}
	kind, _ := porterhouse.Explain(err)
	return slices.Contains(kinds, kind)
}
