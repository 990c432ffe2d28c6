package proxy

import (
	"io"
	"net/http"
	"strings"
)

// The texts that ClickHouse answers without asking who is there.
const (
	okText = "Ok.\n"
	// Its own advice is longer, and names a path that is not here.
	nowhere = "There is no handle %s\n\nUse / or /ping for health checks.\nOr /replicas_status for more sophisticated health checks.\n\n" +
		"Send queries from your program with POST method or GET /?query=...\n"
)

// ServeHTTP implements http.Handler. It answers at the paths that ClickHouse has for
// programs; there are no pages here, and no metrics:
//
//	GET, HEAD        /  /ping  /replicas_status    "Ok.", without asking who is there
//	GET, HEAD, POST  /?…  /query?…                 a query
//	POST             /                             a query
//	OPTIONS          /  /?…                        may a web page call?
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	s.count.requests.Add(1)
	keepAlive(w.Header(), r)
	path, _, hasQuery := strings.Cut(r.RequestURI, "?")
	atRoot := path == "/" || path == "/query" && hasQuery
	switch r.Method {
	case http.MethodGet, http.MethodHead:
		switch {
		case path == "/" && !hasQuery:
			writeText(w, http.StatusOK, htmlText, okText)
		case path == "/ping" && !hasQuery:
			s.serveHealth(w, r, &s.ping)
		case strings.HasPrefix(path, "/replicas_status"):
			s.serveHealth(w, r, &s.replicas)
		case atRoot:
			s.serveQuery(w, r)
		default:
			s.serveNowhere(w, path)
		}
	case http.MethodPost:
		if !atRoot {
			s.serveNowhere(w, path)
			return
		}
		s.serveQuery(w, r)
	case http.MethodOptions:
		s.serveOptions(w, r, atRoot)
	default:
		s.count.refused.Add(1)
		w.WriteHeader(http.StatusNotImplemented)
	}
}

// serveNowhere answers as ClickHouse does, but leaves out the URL's query string: there
// may be a token in it.
func (s *Server) serveNowhere(w http.ResponseWriter, path string) {
	s.count.refused.Add(1)
	writeText(w, http.StatusNotFound, plainText, strings.Replace(nowhere, "%s", path, 1))
}

// serveOptions answers a browser's question whether a page may call, and otherwise as
// ClickHouse does.
func (s *Server) serveOptions(w http.ResponseWriter, r *http.Request, atRoot bool) {
	if !atRoot {
		w.WriteHeader(http.StatusNotImplemented)
		return
	}
	s.web.allow(w.Header(), r)
	w.WriteHeader(http.StatusNoContent)
}

// The types of texts: ClickHouse calls its "Ok." a page.
const (
	plainText = "text/plain; charset=UTF-8"
	htmlText  = "text/html; charset=UTF-8"
)

func writeText(w http.ResponseWriter, status int, contentType, text string) {
	setField(w.Header(), "Content-Type", contentType)
	w.WriteHeader(status)
	_, _ = io.WriteString(w, text) // or nobody reads it
}

// setField sets a field in exactly this spelling: ClickHouse's own, and not Go's.
func setField(h http.Header, name, value string) { h[name] = []string{value} }

// keepAlive tells the client how long the connection may be idle, as ClickHouse does:
// some drivers believe it, and then are never the ones to find it closed.
func keepAlive(h http.Header, r *http.Request) {
	server, ok := r.Context().Value(http.ServerContextKey).(*http.Server)
	if !ok || r.ProtoMajor != 1 || r.Close {
		return
	}
	if seconds := int(server.IdleTimeout.Seconds()) - 1; seconds > 0 {
		h["Keep-Alive"] = keepAliveFor(seconds)
	}
}
