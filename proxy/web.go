package proxy

import (
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"

	"porterhouse"
)

// web keeps pages of somebody else out: a browser sends what it remembers of a person
// (a password, say) with whatever request a page leads it into.
type web struct {
	protection *http.CrossOriginProtection
	origins    []string
}

func newWeb(origins []string) (web, error) {
	w := web{http.NewCrossOriginProtection(), origins}
	for _, origin := range origins {
		if err := w.protection.AddTrustedOrigin(origin); err != nil {
			return web{}, fmt.Errorf("proxy: origin %q: %w", origin, err)
		}
	}
	return w, nil
}

// check refuses a request that a browser was led into.
func (w web) check(r *http.Request) error {
	if r.Header["Sec-Fetch-Site"] == nil && r.Header["Origin"] == nil {
		return nil // no browser
	}
	// The standard library lets every GET pass; here a GET asks a question.
	asked := *r
	asked.Method = http.MethodPost
	if err := w.protection.Check(&asked); err != nil {
		return &porterhouse.Error{Kind: porterhouse.Refused, Code: codeAccessDenied, Err: err,
			Public: "pages of this origin may not call this server: the operator can add the origin to its configuration"}
	}
	return nil
}

// allow lets the pages of a trusted origin call, and read the answer (CORS).
func (w web) allow(h http.Header, r *http.Request) {
	if len(w.origins) == 0 {
		return
	}
	h.Add("Vary", "Origin")
	origin := r.Header.Get("Origin")
	if !slices.Contains(w.origins, origin) {
		return
	}
	h.Set("Access-Control-Allow-Origin", origin)
	h.Set("Access-Control-Expose-Headers", exposed)
	if r.Method == http.MethodOptions {
		h.Set("Access-Control-Allow-Methods", "GET, HEAD, POST")
		h.Set("Access-Control-Allow-Headers", admitted)
		h.Set("Access-Control-Max-Age", "600")
	}
}

// exposed are the fields that a page may read, and admitted those that it may send.
var (
	exposed = strings.Join([]string{"X-ClickHouse-Query-Id", "X-ClickHouse-Summary", "X-ClickHouse-Server-Display-Name", "X-ClickHouse-Format",
		"X-ClickHouse-Timezone", "X-ClickHouse-Exception-Code", "X-ClickHouse-Exception-Tag", "WWW-Authenticate", "Retry-After", "X-Request-Id"}, ",")
	admitted = strings.Join([]string{"Authorization", "Content-Type", "Content-Encoding", headerUser, headerKey, headerQuota,
		headerDatabase, headerFormat, headerQueryID}, ",")
)

// keepAliveFor is the value of Keep-Alive.
func keepAliveFor(seconds int) []string { return []string{"timeout=" + strconv.Itoa(seconds)} }
