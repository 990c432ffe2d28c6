package authserver

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
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
		Issuer: "https://porterhouse.example.com", SignIn: "/signin", Store: store, Key: key, Audit: record, Who: signedIn, DeviceCodes: true,
		Resources: []Resource{{URI: "https://porterhouse.example.com/mcp", Name: "ClickHouse", Scopes: []string{ScopeRead, ScopeWrite}}},
		Keys:      must(OpenKeys(b.Context(), KeysConfig{Store: store, Key: key})),
	}
	flowConfig(&c, &upstream{})
	return must(New(c))
}

// asking asks /token once, and returns the refresh token in the answer; "": there is
// none, and the benchmark has failed.
type asking func(form url.Values) string

// inProcess asks the handler itself, without a socket.
func inProcess(b *testing.B, s *Server, _ int) asking {
	return func(form url.Values) string {
		r := httptest.NewRequest(http.MethodPost, "/token", strings.NewReader(form.Encode()))
		r.Header.Set("Content-Type", formType)
		w := httptest.NewRecorder()
		s.ServeHTTP(w, r)
		return refreshIn(b, w.Code, w.Body.Bytes())
	}
}

// overHTTP asks on loopback, by connections that are kept alive, one for each client. The
// clients run on the server's processors.
func overHTTP(b *testing.B, s *Server, clients int) asking {
	server := httptest.NewServer(s)
	transport := &http.Transport{MaxIdleConnsPerHost: clients}
	b.Cleanup(func() {
		transport.CloseIdleConnections()
		server.Close()
	})
	client := http.Client{Transport: transport}
	return func(form url.Values) string {
		response, err := client.Post(server.URL+"/token", formType, strings.NewReader(form.Encode()))
		if err != nil {
			b.Error(err)
			return ""
		}
		defer response.Body.Close()
		text, err := io.ReadAll(response.Body)
		if err != nil {
			b.Error(err)
			return ""
		}
		return refreshIn(b, response.StatusCode, text)
	}
}

const formType = "application/x-www-form-urlencoded"

// refreshIn is the refresh token in an answer.
func refreshIn(b *testing.B, status int, body []byte) string {
	var answer tokenAnswer
	if err := json.Unmarshal(body, &answer); err != nil || status != http.StatusOK || answer.AccessToken == "" {
		b.Errorf("no tokens: %d %s", status, body)
		return ""
	}
	return answer.RefreshToken
}

// Tokens a second, with as many clients asking at once: each pays for one sync
// (refresh) or two (code), and shares them with the others.
func BenchmarkToken(b *testing.B) { benchmarkToken(b, inProcess) }

// The same from end to end, as clients meet it.
func BenchmarkTokenHTTP(b *testing.B) { benchmarkToken(b, overHTTP) }

func benchmarkToken(b *testing.B, by func(b *testing.B, s *Server, clients int) asking) {
	for _, clients := range []int{1, 16, 64} {
		b.Run(fmt.Sprintf("code/clients=%d", clients), func(b *testing.B) {
			s := openBench(b)
			codes, ask := addCodes(b, s, b.N), by(b, s, clients)
			var next atomic.Int64
			b.ResetTimer()
			crowd(clients, func() bool {
				i := next.Add(1) - 1
				return i < int64(b.N) && ask(redeem(codes[i])) != ""
			})
			b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "tokens/s")
		})
		b.Run(fmt.Sprintf("refresh/clients=%d", clients), func(b *testing.B) {
			s := openBench(b)
			ask := by(b, s, clients)
			tokens := make(chan string, clients)
			for _, code := range addCodes(b, s, clients) {
				tokens <- ask(redeem(code))
			}
			var next atomic.Int64
			b.ResetTimer()
			crowd(clients, func() bool {
				if next.Add(1) > int64(b.N) {
					return false
				}
				token := ask(refreshing(<-tokens))
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
