package main

import (
	"fmt"
	"math"
	"net"
	"net/url"
	"os"
	"strings"
	"testing"
	"time"
)

func TestPercentile(t *testing.T) {
	var l []time.Duration
	for i := range 100 {
		l = append(l, time.Duration(i+1)*time.Millisecond)
	}
	for p, want := range map[int]time.Duration{0: 1, 1: 1, 50: 50, 99: 99, 100: 100} {
		if got := percentile(l, p); got != want*time.Millisecond {
			t.Errorf("p%d = %v, want %d ms", p, got, want)
		}
	}
	if got := percentile(nil, 50); got != 0 {
		t.Errorf("of nothing: %v", got)
	}
	if got := percentile(l[:1], 99); got != time.Millisecond {
		t.Errorf("of one: %v", got)
	}
}

func TestMedian(t *testing.T) {
	for want, of := range map[float64][]float64{0: {}, 3: {3}, 2: {3, 1, 2}, 2.5: {4, 1, 3, 2}} {
		if got := median(of); got != want {
			t.Errorf("median(%v) = %v, want %v", of, got, want)
		}
	}
}

// A share is taken round by round: a round in which the machine was slow for
// everybody does not change it.
func TestRowComparesWithinARound(t *testing.T) {
	at := func(calls, ms int) turn {
		from := time.Unix(1, 0)
		return turn{from: from, to: from.Add(time.Second), latencies: make([]time.Duration, calls), bytes: 9,
			used:    usage{server: time.Duration(ms) * time.Millisecond, database: 20 * time.Millisecond},
			counted: counts{connections: 1, told: counters{known: true, queries: calls}}}
	}
	reference := &cell{target: &target{}, workload: &workload{}, turns: []turn{at(1000, 0), at(100, 0), at(10, 0)}}
	c := &cell{target: &target{name: "x", ours: true}, workload: &workload{name: "w"}, concurrency: 8, calls: 700,
		turns: []turn{at(600, 30), at(50, 2), at(6, 1)}}
	r := c.row(reference)
	if r.Ratio != 0.6 || r.PerSecond != 50 || r.Calls != 656 || r.all != 700 || r.Connections != 3 || r.known.queries != 656 {
		t.Errorf("%+v", r)
	}
	if want := 33.0 / 656; math.Abs(r.ServerCPU-want) > 1e-9 {
		t.Errorf("CPU %v ms per call, want %v", r.ServerCPU, want)
	}
}

func TestParseCounters(t *testing.T) {
	page := "# HELP porterhouse_clickhouse_queries_total Statements sent for people.\n" +
		"# TYPE porterhouse_clickhouse_queries_total counter\n" +
		"porterhouse_clickhouse_queries_total{cluster=\"a\"} 1.5e+06\nporterhouse_clickhouse_queries_total{cluster=\"b\"} 2\n" +
		"porterhouse_clickhouse_connections_opened_total 8\nporterhouse_clickhouse_queries_total_other 5\n"
	got, err := parseCounters(page)
	if want := (counters{true, 1_500_002, 8}); err != nil || got != want {
		t.Errorf("%+v, error %v, want %+v", got, err, want)
	}
	if _, err := parseCounters("go_goroutines 7\n"); err == nil {
		t.Error("a page without the counters passes")
	}
}

func TestFigures(t *testing.T) {
	rows := []row{
		{Target: "ClickHouse, plain", Workload: "select1", Concurrency: 1, Calls: 99, Queries: 99},
		{Target: "P", Workload: "select1", Concurrency: 1, Ratio: 0.61, ServerCPU: 0.4, Calls: 10, all: 20_000, Queries: 10, Connections: 2, ours: true},
		{Target: "P", Workload: "select1", Concurrency: 8, Ratio: 0.61, ServerCPU: 0.6, Calls: 10, all: 10, Queries: 11, ours: true},
		{Target: "P", Workload: "select1", Concurrency: 32, Ratio: 0.1, ServerCPU: 0.3, Calls: 10, all: 10, Queries: 10, ours: true},
	}
	var got []string
	for _, f := range theGoals().loadFigures(rows, 10_000) {
		got = append(got, fmt.Sprintf("%s: %g, %g, %v", f.Name, f.Measured, f.Goal, f.met()))
	}
	want := []string{
		"P, select1, concurrency 1: throughput: 0.61, 0.6, true",
		"P, select1, concurrency 8: throughput: 0.61, 0.65, false",
		"P, select1: CPU per call: 0.6, 0.5, false",
		"ClickHouse queries beyond one for each answer: 1, 0, false",
		"new connections to ClickHouse while answering: 2, 2, true",
	}
	if strings.Join(got, "\n") != strings.Join(want, "\n") {
		t.Errorf("got\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}

// The process behind a port is found, and its figures are those of a process.
func TestProcess(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	pid, err := listener(&url.URL{Scheme: "http", Host: l.Addr().String()})
	if err != nil || pid != os.Getpid() {
		t.Fatalf("process %d, error %v; this one is %d", pid, err, os.Getpid())
	}
	now, err1 := memory(pid, residentNow)
	peak, err2 := memory(pid, residentPeak)
	if err1 != nil || err2 != nil || now < 1<<20 || peak < now {
		t.Errorf("%d bytes now, %d at the peak, errors %v %v", now, peak, err1, err2)
	}
	for end := time.Now().Add(50 * time.Millisecond); time.Now().Before(end); {
	}
	told, err1 := cpuTime(pid)
	own, err2 := ownCPUTime()
	if err1 != nil || err2 != nil || told <= 0 || (own-told).Abs() > time.Second {
		t.Errorf("CPU time %v by /proc, %v by itself, errors %v %v", told, own, err1, err2)
	}
	elsewhere, err := listener(&url.URL{Scheme: "http", Host: "192.0.2.1:80"})
	if err != nil || elsewhere != 0 {
		t.Errorf("process %d of another machine, error %v", elsewhere, err)
	}
}
