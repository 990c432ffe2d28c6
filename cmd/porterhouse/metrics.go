package main

import (
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"porterhouse/clickhouse"
)

// metrics is everything that /metrics tells. The rooms know nothing of it: they
// keep Stats, and stats reads those when it is asked.
type metrics struct {
	registry *prometheus.Registry
	requests *prometheus.CounterVec
	seconds  *prometheus.HistogramVec
}

func newMetrics(p *process) *metrics {
	m := &metrics{
		registry: prometheus.NewRegistry(),
		requests: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "porterhouse_http_requests_total", Help: "HTTP requests by door, method and status code.",
		}, []string{"door", "method", "code"}),
		seconds: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name: "porterhouse_http_request_seconds", Help: "Time from a request to the end of its answer, in seconds.",
			Buckets: []float64{.001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10, 30, 60},
		}, []string{"door"}),
	}
	m.registry.MustRegister(m.requests, m.seconds, stats{p},
		collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	return m
}

// ServeHTTP answers in Prometheus's text format.
func (m *metrics) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	promhttp.HandlerFor(m.registry, promhttp.HandlerOpts{Registry: m.registry}).ServeHTTP(w, r)
}

// door counts and times what one door answers. It stands inside outer, whose
// answer knows the status already.
func (m *metrics) door(name string, h http.Handler) http.Handler {
	seconds := m.seconds.WithLabelValues(name)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		since := time.Now()
		defer func() {
			seconds.Observe(time.Since(since).Seconds())
			status := http.StatusOK
			if a, ok := w.(*answer); ok {
				status = a.statusOrDefault()
			}
			m.requests.WithLabelValues(name, methodLabel(r.Method), strconv.Itoa(status)).Inc()
		}()
		h.ServeHTTP(w, r)
	})
}

// methodLabel keeps made-up methods from becoming metrics without end.
func methodLabel(method string) string {
	switch method {
	case http.MethodGet, http.MethodHead, http.MethodPost, http.MethodDelete, http.MethodOptions:
		return strings.ToLower(method)
	}
	return "other"
}

const counter, gauge = prometheus.CounterValue, prometheus.GaugeValue

// report tells one number; labels are the cluster, the outcome and the server in it, if
// there are some.
type report func(kind prometheus.ValueType, name, help string, value float64, labels ...string)

// stats is a prometheus.Collector of the rooms' own counts.
type stats struct{ p *process }

// Describe implements prometheus.Collector.
func (s stats) Describe(out chan<- *prometheus.Desc) { prometheus.DescribeByCollect(s, out) }

// Collect implements prometheus.Collector.
func (s stats) Collect(out chan<- prometheus.Metric) {
	t := s.p.counts.tally()
	send := t.add
	s.p.reloads.collect(send)
	out <- prometheus.MustNewConstMetric(prometheus.NewDesc("porterhouse_build_info", "1, labelled with the version.", []string{"version"}, nil), gauge, 1, version)

	people := s.p.people.Stats()
	send(gauge, "people_asking", "People with a question under way.", float64(people.People))
	send(gauge, "questions_running", "Questions under way.", float64(people.Running))
	send(gauge, "questions_waiting", "Questions that wait for a place in their person's queue.", float64(people.Waiting))
	send(counter, "questions_queue_refused_total", "Questions refused because their person has too many.", float64(people.Refused))

	windows := s.p.windows.Stats()
	send(gauge, "limit_windows", "Windows of limits.rules that are counted now.", float64(windows.Windows))
	send(counter, "limit_windows_refused_total", "Questions refused because a window was used up.", float64(windows.Refused))
	send(counter, "limit_windows_cut_total", "Answers and uploads cut off because a window was used up.", float64(windows.Cut))
	send(counter, "limit_windows_failures_total", "Times that the other replicas could not be told of a window, or asked.", float64(windows.Failures))

	record := s.p.audit.Stats()
	send(counter, "audit_questions_total", "Questions recorded as asked.", float64(record.Questions))
	send(counter, "audit_refusals_total", "Questions recorded as refused, folded ones included.", float64(record.Refusals))
	send(counter, "audit_unauthenticated_total", "Requests that no token proved.", float64(record.Unauthenticated))
	send(counter, "audit_failures_total", "Audit lines that could not be written when they were due.", float64(record.Failures))

	accounts := s.p.accounts.Stats()
	send(counter, "accounts_known_total", "Questions whose account was known.", float64(accounts.Hits))
	send(counter, "accounts_looked_for_total", "Questions whose account had to be looked for.", float64(accounts.Misses))
	send(counter, "accounts_refused_total", "Of these, people whom the rules give no account.", float64(accounts.Refused))
	send(gauge, "accounts_remembered", "Accounts of people that are remembered.", float64(accounts.Answers))

	door := s.p.mcp.Stats()
	send(counter, "mcp_tool_calls_total", "Calls of tools.", float64(door.Calls))
	send(counter, "mcp_tool_failures_total", "Calls of tools that ended in an error.", float64(door.Failures))
	send(counter, "mcp_denied_total", "Requests that did not come in at the MCP door.", float64(door.Denied))
	send(gauge, "mcp_sessions", "Sessions of clients before 2026-07-28 that are open.", float64(door.Sessions))

	for _, is := range t.names() {
		n := t[is]
		labels, values := is.labels()
		out <- prometheus.MustNewConstMetric(prometheus.NewDesc("porterhouse_"+is.name, n.help, labels, nil), n.kind, n.value, values...)
	}
}

// clientCounts is the source of the counts of the client of one server of a cluster.
type clientCounts struct {
	cluster string
	client  *clickhouse.Client
}

func (s clientCounts) collect(send report) {
	c := s.client.Stats()
	send(counter, "clickhouse_queries_total", "Statements sent for people.", float64(c.Queries), s.cluster)
	send(gauge, "clickhouse_running", "Statements under way.", float64(c.Running), s.cluster)
	send(counter, "clickhouse_kills_total", "Statements stopped because nobody waited for them, or a limit was reached.", float64(c.Kills), s.cluster)
	send(counter, "clickhouse_kill_failures_total", "Statements that could not be stopped; they end by max_execution_time.", float64(c.KillFailures), s.cluster)
	send(counter, "clickhouse_looks_total", "Times that the access mode auto looked which way works.", float64(c.Looks), s.cluster)
	send(counter, "clickhouse_connections_opened_total", "Connections opened.", float64(c.ConnectionsOpened), s.cluster)
	if shadow, is := s.client.Shadow(); is {
		for _, o := range clickhouse.ShadowOutcomes {
			send(counter, "shadow_total", "Statements that were to be compared in two access modes, by what came of it.", float64(shadow.Counts[o]), s.cluster, string(o))
		}
	}
	if !c.Checked {
		return
	}
	inService := 1.0
	if c.Away {
		inService = 0
	}
	send(gauge, "clickhouse_host_in_service", "1 while the server of a cluster of several can be reached.", inService, s.cluster, "", c.Host)
	send(gauge, "clickhouse_host_running", "Statements under way at the server.", float64(c.Running), s.cluster, "", c.Host)
	send(counter, "clickhouse_host_queries_total", "Statements sent to the server for people.", float64(c.Queries), s.cluster, "", c.Host)
	send(counter, "clickhouse_host_away_total", "Times that the server went out of service.", float64(c.Aways), s.cluster, "", c.Host)
	send(counter, "clickhouse_host_passed_on_total", "Statements that went on to another server, because this one could not be asked.", float64(c.PassedOn), s.cluster, "", c.Host)
}

// collect tells the counts of the rooms that a generation has made.
func (g *generation) collect(send report) {
	for _, door := range g.mcp {
		tokens := door.verifier.Stats()
		send(counter, "tokens_accepted_total", "Tokens that proved somebody.", float64(tokens.Accepted))
		send(counter, "tokens_refused_total", "Tokens that proved nobody.", float64(tokens.Refused))
		send(counter, "tokens_failed_total", "Tokens that could not be checked.", float64(tokens.Failed))
	}

	g.collectHTTPDoor(send)
	g.collectSignIn(send)
	for name, door := range g.authenticators {
		a := door.Stats()
		send(counter, "authenticator_admitted_total", "Logins to ClickHouse that were right.", float64(a.Tokens+a.Tickets), name)
		send(counter, "authenticator_refused_total", "Logins to ClickHouse that were wrong.", float64(a.Refused), name)
		send(counter, "authenticator_failed_total", "Logins to ClickHouse of which nobody could tell.", float64(a.Failed), name)
	}
}

// collectHTTPDoor tells the counts of the door for ClickHouse's clients, where it is open.
func (g *generation) collectHTTPDoor(send report) {
	if g.http == nil {
		return
	}
	tokens := g.httpVerifier.Stats()
	send(counter, "http_tokens_accepted_total", "Tokens that proved somebody at the HTTP door.", float64(tokens.Accepted))
	send(counter, "http_tokens_refused_total", "Tokens that proved nobody there.", float64(tokens.Refused))
	send(counter, "http_tokens_failed_total", "Tokens that could not be checked there.", float64(tokens.Failed))
	for name, server := range g.http {
		door := server.Stats()
		send(counter, "http_requests_refused_total", "Requests that the HTTP door itself refused.", float64(door.Refused), name)
		send(counter, "http_answers_broken_total", "Answers of the HTTP door that could not be completed.", float64(door.Broken), name)
	}
}

// collectSignIn tells the counts of signing in, where people can.
func (g *generation) collectSignIn(send report) {
	if g.signIn == nil {
		return
	}
	people := g.signIn.Stats()
	send(counter, "signin_signed_in_total", "People who signed in.", float64(people.SignedIn))
	send(counter, "signin_signed_out_total", "People who signed out.", float64(people.SignedOut))
	send(counter, "signin_refused_total", "Sign-ins that came to nothing.", float64(people.Refused))
	send(counter, "signin_rechecked_total", "Times that a provider said yes to somebody again.", float64(people.Rechecked))
	send(counter, "signin_denied_total", "Times that it said no, which ended a sign-in.", float64(people.Denied))
	send(counter, "signin_provider_away_total", "Times that it could not be asked.", float64(people.Away))

	tokens := g.tokens.Stats()
	send(counter, "authserver_tokens_total", "Access tokens given.", float64(tokens.Tokens))
	send(counter, "authserver_refused_total", "Requests of clients that were refused.", float64(tokens.Refused))
	send(counter, "authserver_agreed_total", "People who agreed to what a client may do.", float64(tokens.Agreed))
	send(counter, "authserver_canceled_total", "People who did not.", float64(tokens.Canceled))
	send(counter, "authserver_reused_total", "Codes and refresh tokens that came again, of which somebody may have a copy.", float64(tokens.Reused))
}
