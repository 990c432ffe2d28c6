package authserver

import (
	"net/http"
	"strings"
)

// crossOrigin lets programs in browsers read the answer, from wherever they were
// loaded, and reports whether that was all: r was a browser's question before the
// request itself. No cookie counts on these paths, so no page can do with them what
// it could not do without a browser.
func crossOrigin(w http.ResponseWriter, r *http.Request, methods []string) bool {
	h := w.Header()
	h.Set("Access-Control-Allow-Origin", "*")
	h.Set("Access-Control-Expose-Headers", "WWW-Authenticate, Retry-After, X-Request-Id")
	if r.Method != http.MethodOptions {
		return false
	}
	h.Set("Access-Control-Allow-Methods", strings.Join(methods, ", "))
	h.Set("Access-Control-Allow-Headers", "Authorization, Content-Type, Accept, MCP-Protocol-Version")
	h.Set("Access-Control-Max-Age", "7200") // more no browser remembers
	w.WriteHeader(http.StatusNoContent)
	return true
}
