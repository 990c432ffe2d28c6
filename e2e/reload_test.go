package e2e

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"
)

// A hundred reloads while fifty people ask at both doors: no request fails, nobody is ever
// somebody else, sessions go on, counts go on, and afterwards nothing is left over.
func TestReloadUnderLoad(t *testing.T) {
	t.Parallel()
	for mode, times := range map[string]int{verify: 100, executeAs: 20} {
		t.Run(mode, func(t *testing.T) {
			t.Parallel()
			openSite(t, mode, "").reloadUnderLoad(times)
		})
	}
}

// reloads is a site whose configuration is replaced again and again.
type reloads struct {
	*site
	tokens []string
	text   string // of the configuration, in which all else is
	asked  atomic.Int64
	failed atomic.Int64
}

func (s *site) reloadUnderLoad(times int) {
	r := &reloads{site: s, tokens: s.gatherCrowd()}
	s.reconfigure("\ntokens:", "\nhttp: {idle_timeout: 3s}\ntokens:")
	text, err := os.ReadFile(s.config)
	if err != nil {
		s.t.Fatal(err)
	}
	r.text = string(text)
	goroutines, files := s.metric("go_goroutines"), s.metric("process_open_fds")
	before := s.metric("porterhouse_clickhouse_queries_total")

	ctx, end := context.WithCancel(s.t.Context())
	defer end()
	var work sync.WaitGroup
	agents := r.crowd(ctx, &work)
	work.Go(r.longAnswer)
	work.Go(r.longUpload)
	since := time.Now()
	for i := range times {
		r.reload(i)
	}
	took := time.Since(since)
	if s.mode == executeAs {
		r.sessionIsToldOf()
	}
	end()
	work.Wait()
	s.t.Logf("%d reloads in %v, %d requests", times, took.Round(time.Millisecond), r.asked.Load())
	if n := r.failed.Load(); n > 0 {
		s.t.Errorf("%d of %d requests failed", n, r.asked.Load())
	}
	if got := int64(s.metric("porterhouse_clickhouse_queries_total") - before); got != r.asked.Load() {
		s.t.Errorf("%d statements were counted, and %d were asked", got, r.asked.Load())
	}
	r.newRulesHold(agents[0])
	for _, a := range agents {
		if err := a.end(s.t.Context()); err != nil {
			s.t.Errorf("a session: %v", err)
		}
	}
	r.nothingIsLeft(goroutines, files)
}

// crowd lets everybody ask until ctx ends, half of them at each door.
func (r *reloads) crowd(ctx context.Context, work *sync.WaitGroup) (agents []*agent) {
	for i, token := range r.tokens {
		ask := r.byHTTP(i, token)
		if i%2 == 0 {
			a, err := r.agent(token, []string{sessions, stateless}[i/2%2])
			if err != nil {
				r.t.Fatal(err)
			}
			agents, ask = append(agents, a), r.byMCP(a)
		}
		work.Go(func() {
			for ctx.Err() == nil {
				r.asked.Add(1)
				if who, err := ask(); err != nil || who != personOf(i) {
					if r.failed.Add(1) < 10 {
						r.t.Errorf("%s was %q: %v", personOf(i), who, err)
					}
				}
				pause(ctx, 200*time.Millisecond)
			}
		})
	}
	return agents
}

// byHTTP tells who ClickHouse says that somebody is who comes to the HTTP door.
func (r *reloads) byHTTP(i int, token string) func() (string, error) {
	client, through := r.client(), way{r.plain, personOf(i), token}
	return func() (string, error) {
		got, err := through.send(r.t.Context(), client, post("SELECT currentUser()"))
		if err == nil && got.status != http.StatusOK {
			err = fmt.Errorf("HTTP %d: %.300s", got.status, got.body)
		}
		return strings.TrimSpace(got.body), err
	}
}

// byMCP is the same for an agent.
func (r *reloads) byMCP(a *agent) func() (string, error) {
	return func() (string, error) {
		rows, err := a.rows(r.t.Context(), "SELECT currentUser()")
		if err != nil {
			return "", err
		}
		return fmt.Sprint(rows[0][0]), nil
	}
}

// longAnswer is one that begins before many reloads and ends after them.
func (r *reloads) longAnswer() {
	const rows = 200
	r.asked.Add(1)
	through := way{r.plain, personOf(1), r.tokens[1]}
	got, err := through.send(r.t.Context(), r.client(), post(fmt.Sprintf("SELECT sleepEachRow(0.02), number FROM numbers(%d)", rows), "max_block_size=1"))
	if err != nil || got.status != http.StatusOK || got.broken || strings.Count(got.body, "\n") != rows {
		r.t.Errorf("the long answer: %v, status %d, broken %t, %d lines", err, got.status, got.broken, strings.Count(got.body, "\n"))
	}
}

// longUpload is an INSERT whose data comes while the configuration is replaced.
func (r *reloads) longUpload() {
	const rows, nonce = 200, 4711
	r.asked.Add(1)
	data, sender := io.Pipe()
	go func() {
		for i := range rows {
			fmt.Fprintf(sender, "%d\t%d\n", nonce, i)
			pause(r.t.Context(), 20*time.Millisecond)
		}
		sender.Close()
	}()
	out, err := http.NewRequestWithContext(r.t.Context(), http.MethodPost, r.plain+"/?query="+url.QueryEscape("INSERT INTO own.rows (nonce, n) FORMAT TSV"), data)
	if err != nil {
		r.t.Error(err)
		return
	}
	out.SetBasicAuth(personOf(3), r.tokens[3])
	response, err := r.client().Do(out)
	if err != nil {
		r.t.Errorf("the long upload: %v", err)
		return
	}
	defer response.Body.Close()
	want := fmt.Sprintf("%s\t%d", personOf(3), rows)
	if got := r.site.text(fmt.Sprintf("SELECT any(who), count() FROM own.rows WHERE nonce = %d", nonce)); response.StatusCode != http.StatusOK || strings.TrimSpace(got) != want {
		r.t.Errorf("the long upload: status %d, rows %q, want %q", response.StatusCode, got, want)
	}
}

// reload puts the next configuration in place, and waits until it was read: others change
// the limits, the connections to ClickHouse and who may prove people; each fourth is broken.
func (r *reloads) reload(i int) {
	r.t.Helper()
	text := r.text
	counter := "porterhouse_config_reloads_total"
	switch i % 4 {
	case 0:
		text = strings.Replace(text, "limits: {", fmt.Sprintf("limits: {rows: %d, ", 100+i), 1)
	case 1:
		text = strings.Replace(text, "    user: ", fmt.Sprintf("    max_connections: %d\n    user: ", 100+i), 1)
	case 2:
		text += fmt.Sprintf("token_processors: {other: {type: jwt_static_key, algo: HS256, static_key: %q, expected_issuer: other, allow_any_audience: true}}\n", strings.Repeat("k", 32+i))
	case 3:
		text, counter = text[:len(text)/2], "porterhouse_config_reload_failures_total"
	}
	r.replace(text, counter)
}

// replace puts a configuration in place of the one that is there, and waits until
// something was counted.
func (r *reloads) replace(text, counter string) {
	r.t.Helper()
	was := r.metric(counter)
	r.write("porterhouse.new", text)
	if err := os.Rename(filepath.Join(r.dir, "porterhouse.new"), r.config); err != nil {
		r.t.Fatal(err)
	}
	if err := r.process.Process.Signal(syscall.SIGHUP); err != nil {
		r.t.Fatal(err)
	}
	r.eventually("the configuration is read", 20*time.Second, func() bool { return r.metric(counter) > was })
}

// newRulesHold changes a limit, and then who is let in: for the very next request.
func (r *reloads) newRulesHold(a *agent) {
	r.t.Helper()
	r.replace(strings.Replace(r.text, "limits: {", "limits: {rows: 3, ", 1), "porterhouse_config_reloads_total")
	if rows, err := a.rows(r.t.Context(), "SELECT number FROM numbers(10)"); err != nil || len(rows) != 3 {
		r.t.Errorf("%d rows where 3 may be: %v", len(rows), err)
	}
	r.replace(strings.Replace(r.text, `"person*"`, `"person1*"`, 1), "porterhouse_config_reloads_total")
	var told *toolError
	if who, err := r.byMCP(a)(); !errors.As(err, &told) || !strings.Contains(told.text, "account") {
		r.t.Errorf("whom no rule lets in is %q: %v", who, err)
	}
	if who, err := r.byHTTP(11, r.tokens[11])(); err != nil || who != personOf(11) {
		r.t.Errorf("who is still let in is %q: %v", who, err)
	}
	if status, text := r.get("/readyz"); status != http.StatusOK {
		r.t.Errorf("not ready: %s", text)
	}
}

// sessionIsToldOf sets something in a session, and replaces the connections: whoever goes on
// in the session is told, once, that it has ended.
func (r *reloads) sessionIsToldOf() {
	r.t.Helper()
	client, through := r.client(), way{r.plain, personOf(1), r.tokens[1]}
	set := func() string {
		got, err := through.send(r.t.Context(), client, post("SET max_threads = 3", "session_id=mine"))
		if err != nil {
			r.t.Fatal(err)
		}
		return got.body
	}
	if said := set() + set(); said != "" {
		r.t.Errorf("setting says %s", said)
	}
	r.replace(strings.Replace(r.text, "    user: ", "    max_connections: 99\n    user: ", 1), "porterhouse_config_reloads_total")
	if said := set(); !strings.Contains(said, "the operator changed how Porterhouse reaches ClickHouse") {
		r.t.Errorf("after the connections were replaced, setting says %q", said)
	}
	if said := set(); said != "" {
		r.t.Errorf("once told, setting says %s", said)
	}
	r.asked.Add(4)
}

// nothingIsLeft waits until only what is in force is there.
func (r *reloads) nothingIsLeft(goroutines, files float64) {
	r.t.Helper()
	nothingLeft(r.house, r.db, goroutines)
	for what, is := range map[string]func() bool{
		"one configuration is in force":  func() bool { return r.metric("porterhouse_config_generations") == 1 },
		"no session is left":             func() bool { return r.metric("porterhouse_mcp_sessions") == 0 },
		"no file is left":                func() bool { return r.metric("process_open_fds") < files+20 },
		"no connection to ClickHouse is": func() bool { return r.connections() == "0" },
	} {
		r.eventually(what, 20*time.Second, is)
	}
}

// connections are those that ClickHouse has with us, and not with this test.
func (r *reloads) connections() string {
	return r.site.text("SELECT sum(value) > 6 FROM system.metrics WHERE metric IN ('HTTPConnection', 'TCPConnection')")
}
