package main

import (
	"bytes"
	"encoding/json"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// options are those of a run against the stand-in, short enough for a test.
func (s *standIn) options(t *testing.T, more ...string) options {
	t.Helper()
	clickhouse := strings.Replace(s.clickhouse.URL, "http://", "http://default:secret@", 1)
	o, err := parseOptions(append([]string{"-url", s.mcp.URL, "-token", standInToken, "-clickhouse", clickhouse,
		"-only", "mcp", "-rounds", "1", "-slice", "200ms", "-warm", "20ms", "-c", "2"}, more...), io.Discard)
	if err != nil {
		t.Fatal(err)
	}
	return o
}

// One whole run: every target in the table, in both eras, with its figures.
func TestRun(t *testing.T) {
	s := newStandIn(t)
	file := filepath.Join(t.TempDir(), "report.json")
	var out bytes.Buffer
	o := s.options(t, "-json", file, "-target", "rival|mcp|"+s.mcp.URL+"|"+standInToken)
	if err := run(t.Context(), o, &out, io.Discard); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"| select1 | 2 | ClickHouse, plain |", "| rows500 | 2 | ClickHouse, EXECUTE AS |",
		"| Porterhouse, MCP 2025-11-25 |", "| Porterhouse, MCP 2026-07-28 |", "| rival |", "ClickHouse 26.7.2.1"} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("%q is not in the report:\n%s", want, out.String())
		}
	}
	if s.calls[0].Load() == 0 || s.calls[1].Load() == 0 {
		t.Errorf("%d requests in a session, %d alone: one era was not spoken", s.calls[0].Load(), s.calls[1].Load())
	}
	if n := s.sessions.Load(); n != 0 {
		t.Errorf("%d sessions are left open", n)
	}
	var r report
	if text, err := os.ReadFile(file); err != nil || json.Unmarshal(text, &r) != nil {
		t.Fatalf("the JSON file cannot be read: %v", err)
	}
	for _, row := range r.Rows {
		if row.Calls == 0 || row.PerSecond <= 0 || row.Ratio <= 0 || row.P50 <= 0 || row.P99 < row.P50 || row.Bytes == 0 {
			t.Errorf("a row without figures: %+v", row)
		}
	}
	if len(r.Rows) != 2*5 {
		t.Errorf("%d rows in the report, want 10", len(r.Rows))
	}
}

// The access modes are held against one another where both servers are ours.
func TestRunOfModesNeedsServersOfOurOwn(t *testing.T) {
	s := newStandIn(t)
	var out bytes.Buffer
	if err := run(t.Context(), s.options(t, "-only", "modes"), &out, io.Discard); err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(out.String(), "Not measured: MCP in verify beside execute_as") {
		t.Errorf("the report does not say what is missing:\n%s", out.String())
	}
}

// A mode is held against the other round by round.
func TestBeside(t *testing.T) {
	made := func(name string, calls ...int) *cell {
		c := &cell{target: &target{name: name}, workload: &workload{name: "w"}, concurrency: 1}
		for _, n := range calls {
			c.turns = append(c.turns, turn{to: time.Time{}.Add(time.Second), latencies: make([]time.Duration, n)})
		}
		return c
	}
	got := beside(made("verify", 10, 200, 30), made("execute_as", 20, 100, 20))
	if got.Measured != 1.5 || !got.met() || got.Name != "verify, w, concurrency 1: throughput" {
		t.Errorf("%+v", got)
	}
}

// An error of the tool, in the first call or a later one, ends the run.
func TestRunStopsAtAnErrorAnswer(t *testing.T) {
	for _, from := range []int64{1, 8} { // before it is measured, and while it is
		s := newStandIn(t)
		s.failFrom = from
		err := run(t.Context(), s.options(t), io.Discard, io.Discard)
		if err == nil || !strings.Contains(err.Error(), "the stand-in fails") || !strings.Contains(err.Error(), "Porterhouse") {
			t.Errorf("failing from call %d: error %v, want one that says who failed and how", from, err)
		}
	}
}

// An answer that lacks a row is not a fast answer.
func TestRunStopsAtAWrongAnswer(t *testing.T) {
	s := newStandIn(t)
	s.short = true
	err := run(t.Context(), s.options(t), io.Discard, io.Discard)
	if err == nil || !strings.Contains(err.Error(), "missing or out of its place") {
		t.Errorf("error %v, want one about a missing value", err)
	}
}

func TestRunStopsAtARefusedToken(t *testing.T) {
	s := newStandIn(t)
	o := s.options(t)
	o.tokens = []string{"another"}
	err := run(t.Context(), o, io.Discard, io.Discard)
	if err == nil || !strings.Contains(err.Error(), "HTTP 401") {
		t.Errorf("error %v, want one about HTTP 401", err)
	}
}

func TestOptionsThatDoNotFit(t *testing.T) {
	for _, args := range []string{"extra", "-rounds 0", "-slice 0", "-c 0", "-c one", "-c 1,,2", "-url http://127.0.0.1:1/mcp", "-target a|b", "-nonsense"} {
		if _, err := parseOptions(strings.Fields(args), io.Discard); err == nil {
			t.Errorf("%s: accepted", args)
		}
	}
	o, err := parseOptions([]string{"-c", "1, 8,32"}, io.Discard)
	if err != nil || len(o.levels) != 3 || o.levels[2] != 32 {
		t.Errorf("levels %v, error %v", o.levels, err)
	}
}
