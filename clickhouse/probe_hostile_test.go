package clickhouse_test

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"strings"
	"testing"
	"time"

	"porterhouse"
	"porterhouse/clickhouse"
)

// saying is a server that says the same to every question.
func saying(t testing.TB, text string) clickhouse.Config {
	t.Helper()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/ping" {
			fmt.Fprintln(w, "Ok.")
			return
		}
		_, _ = io.Copy(io.Discard, r.Body)
		fmt.Fprint(w, text)
	}))
	t.Cleanup(server.Close)
	return clickhouse.Config{URL: server.URL, User: gateway, Password: porterhouse.NewSecret("x"),
		Access: clickhouse.Access{Mint: func(context.Context, porterhouse.UserName, string) (porterhouse.Secret, error) {
			return porterhouse.NewSecret("a ticket"), nil
		}},
		Trial: clickhouse.Trial{Person: account(t, "alice").User, Within: 30 * time.Second},
	}
}

// That a question was answered is no proof of who was asked as whom.
func TestProbeBelievesNoAnswer(t *testing.T) {
	t.Parallel()
	f := probe(t, saying(t, "default\t26.7.2.1\n"))
	works(t, "reached", f.Reached)
	for what, finding := range map[string]clickhouse.Finding{"login": f.Gateway.Login, "ticket": f.Ticket, "token": f.Bearer} {
		fails(t, what, finding, clickhouse.NotClickHouse, "")
	}
	f = probe(t, saying(t, "26.7.2.1\t5\tUTC\t1\n"))
	works(t, "login", f.Gateway.Login)
	fails(t, "as alice", f.ExecuteAs.Person, clickhouse.NotClickHouse, "26.7.2.1")
	fails(t, "ticket", f.Ticket, clickhouse.NotClickHouse, "26.7.2.1")
	if f.Gateway.Complete || len(f.Gateway.Grants) > 0 || !strings.Contains(f.Gateway.GrantsOf.Said, "not understood") {
		t.Errorf("grants of %+v", f.Gateway)
	}
}

// What a server says without end, or in a form that is none, is no reason to hang, to
// grow or to fall.
func TestProbeOfHostileAnswers(t *testing.T) {
	t.Parallel()
	for what, text := range map[string]string{
		"nothing":       "",
		"a long line":   strings.Repeat("x", 20<<20),
		"many lines":    strings.Repeat("GRANT SELECT ON *.* TO x\n", 1<<16),
		"no columns":    strings.Repeat("\n", 1000),
		"backslashes":   strings.Repeat("\\", 1001),
		"open brackets": "GRANT " + strings.Repeat("(`", 1000) + " ON x TO y\n",
	} {
		f := probe(t, saying(t, text))
		if f.Gateway.Login.Works() || f.Took > time.Minute {
			t.Errorf("%s: %+v in %s", what, f.Gateway.Login, f.Took)
		}
	}
}

// Of a server with TLS the certificate is told, also when the gateway is refused.
func TestProbeTellsTheCertificate(t *testing.T) {
	t.Parallel()
	w := newTown(t)
	target, err := url.Parse(w.HTTP)
	if err != nil {
		t.Fatal(err)
	}
	front := httptest.NewTLSServer(&httputil.ReverseProxy{Rewrite: func(r *httputil.ProxyRequest) { r.SetURL(target) }})
	t.Cleanup(front.Close)
	roots := x509.NewCertPool()
	roots.AddCert(front.Certificate())
	f := w.probe(t, func(c *clickhouse.Config) {
		c.URL, c.TLS, c.Password = front.URL, &tls.Config{RootCAs: roots}, porterhouse.NewSecret("old")
	})
	works(t, "reached", f.Reached)
	fails(t, "login", f.Gateway.Login, clickhouse.LoginRefused, "")
	if f.TLS == nil || !f.TLS.Until.Equal(front.Certificate().NotAfter) || !strings.HasPrefix(f.TLS.Version, "TLS 1.") || len(f.TLS.Names) == 0 {
		t.Errorf("%+v", f.TLS)
	}
	f = probe(t, clickhouse.Config{URL: strings.Replace(front.URL, "127.0.0.1", "localhost", 1), User: gateway, TLS: &tls.Config{RootCAs: roots, ServerName: "elsewhere.example.org"}})
	fails(t, "for another host", f.Reached, clickhouse.WrongName, "elsewhere.example.org")
}

// A ClickHouse whose configuration has handlers of its own, and so no /ping, is reached
// all the same.
func TestProbeWithoutPing(t *testing.T) {
	t.Parallel()
	w := newTown(t)
	target, err := url.Parse(w.HTTP)
	if err != nil {
		t.Fatal(err)
	}
	mux := http.NewServeMux()
	mux.Handle("/", &httputil.ReverseProxy{Rewrite: func(r *httputil.ProxyRequest) { r.SetURL(target) }})
	mux.Handle("/ping", http.NotFoundHandler())
	front := httptest.NewServer(mux)
	t.Cleanup(front.Close)
	f := w.probe(t, trying(t, "alice"), func(c *clickhouse.Config) { c.URL = front.URL })
	works(t, "reached", f.Reached)
	works(t, "ticket", f.Ticket)
}
