package authserver

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"porterhouse"
	"porterhouse/audit"
	"porterhouse/kv"
	"porterhouse/seal"
)

// openBench is a server with the file store and a record on disk, as `serve` has them.
func openBench(b *testing.B) *Server {
	b.Helper()
	directory := b.TempDir()
	if err := os.Chmod(directory, 0o700); err != nil {
		b.Fatal(err)
	}
	store := must(kv.OpenFile(directory+"/kv", kv.FileConfig{}))
	record := must(audit.Open(audit.Config{Path: directory + "/audit.jsonl", Key: porterhouse.NewSecret(strings.Repeat("a", 32)), Replica: "bench"}))
	b.Cleanup(func() { _, _ = record.Close(), store.Close() })
	key := must(seal.NewKey(porterhouse.NewSecret(strings.Repeat("k", seal.MinKey))))
	c := Config{
		Issuer: "https://porterhouse.example.com", SignIn: "/signin", Store: store, Key: key, Audit: record, Who: signedIn,
		Resources: []Resource{{URI: "https://porterhouse.example.com/mcp", Name: "ClickHouse", Scopes: []string{ScopeRead, ScopeWrite}}},
		Keys:      must(OpenKeys(b.Context(), KeysConfig{Store: store, Key: key})),
	}
	flowConfig(&c, &upstream{})
	return must(New(c))
}

// askInProcess is one request to /token through the handler, without a socket.
func askInProcess(b *testing.B, s *Server, form url.Values) string {
	r := httptest.NewRequest(http.MethodPost, "/token", strings.NewReader(form.Encode()))
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	w := httptest.NewRecorder()
	s.ServeHTTP(w, r)
	_, rest, ok := strings.Cut(w.Body.String(), `"refresh_token":"`)
	if w.Code != http.StatusOK || !ok {
		b.Errorf("no tokens: %d %s", w.Code, w.Body)
		return ""
	}
	token, _, _ := strings.Cut(rest, `"`)
	return token
}

// Tokens a second, with as many clients asking at once: each pays for one sync
// (refresh) or two (code), and shares them with the others.
func BenchmarkToken(b *testing.B) {
	for _, clients := range []int{1, 16, 64} {
		b.Run(fmt.Sprintf("code/clients=%d", clients), func(b *testing.B) {
			s := openBench(b)
			codes := addCodes(b, s, b.N)
			var next atomic.Int64
			b.ResetTimer()
			crowd(clients, func() bool {
				i := next.Add(1) - 1
				return i < int64(b.N) && askInProcess(b, s, redeem(codes[i])) != ""
			})
			b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "tokens/s")
		})
		b.Run(fmt.Sprintf("refresh/clients=%d", clients), func(b *testing.B) {
			s := openBench(b)
			tokens := make(chan string, clients)
			for _, code := range addCodes(b, s, clients) {
				tokens <- askInProcess(b, s, redeem(code))
			}
			var next atomic.Int64
			b.ResetTimer()
			crowd(clients, func() bool {
				if next.Add(1) > int64(b.N) {
					return false
				}
				token := askInProcess(b, s, refreshing(<-tokens))
				tokens <- token
				return token != ""
			})
			b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "tokens/s")
		})
	}
}

// crowd runs step in n goroutines until it says false.
func crowd(n int, step func() bool) {
	var wg sync.WaitGroup
	for range n {
		wg.Go(func() {
			for step() {
			}
		})
	}
	wg.Wait()
}

// addCodes makes n codes as the consent page does.
func addCodes(b *testing.B, s *Server, n int) []string {
	b.Helper()
	made := make([]string, n)
	var next atomic.Int64
	crowd(64, func() bool {
		i := next.Add(1) - 1
		if i >= int64(n) {
			return false
		}
		made[i] = must(s.codes.add(context.Background(), authorization{
			Client: webClient, Redirect: webRedirect, Challenge: wish().Get("code_challenge"),
			Scopes: []string{ScopeRead, ScopeOffline}, Resource: s.Resources[0].URI, Who: newPerson(personCalled("alice")), Family: newID(),
		}))
		return true
	})
	return made
}
