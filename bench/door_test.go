package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"

	"porterhouse/sandbox"
)

// The stub and the thin proxy are processes of this program, and so of this test.
func TestMain(m *testing.M) {
	ctx, stop := signalContext()
	if helps, err := serveHelper(ctx, os.Args[1:], os.Stdout); helps {
		exit(err)
	}
	stop()
	os.Exit(m.Run())
}

// One whole run at the HTTP door, with the real program and a real ClickHouse: every
// access mode is in the tables, each goal has its figure, and nothing breaks.
func TestDoor(t *testing.T) {
	file := filepath.Join(t.TempDir(), "report.json")
	o, err := parseOptions([]string{"-porterhouse", buildProgram(t), "-only", "door", "-quick", "-idle", "5", "-requests", "100", "-json", file}, io.Discard)
	if err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	if err := run(t.Context(), o, &out, t.Output()); err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(file)
	var r report
	if err != nil || json.Unmarshal(text, &r) != nil || r.Door == nil {
		t.Fatalf("the JSON file cannot be read: %v", err)
	}
	for _, row := range r.Door.Rows {
		if row.PerSecond <= 0 || row.Ratio <= 0 || row.P99 < row.P50 {
			t.Errorf("a row without figures: %+v", row)
		}
	}
	for _, m := range r.Door.Moves {
		if m.PerSecond <= 0 || m.Ratio <= 0 || m.Bytes == 0 {
			t.Errorf("a transfer without figures: %+v", m)
		}
	}
	if rows, moves := len(r.Door.Rows), len(r.Door.Moves); rows != 3*8+4 || moves != 19 || len(r.Figures) != 3*4+2+3*2+2+3*3+2+3 {
		t.Errorf("%d rows, %d transfers, %d figures", rows, moves, len(r.Figures))
	}
	for _, want := range []string{"| static, JWT | 32 |", "| execute_as | 8 |", "| verify | 1 |", "| stub, httputil.ReverseProxy |",
		"| execute_as | INSERT |", "| verify | download |", "| httputil.ReverseProxy | INSERT, not kept |", "5 idle clients, TLS", "broken answers | 0 of 100"} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("%q is not in the report:\n%s", want, out.String())
		}
	}
}

// buildProgram makes the program and the engine that its demo starts.
func buildProgram(t *testing.T) string {
	t.Helper()
	s := sandbox.ForTest(t, sandbox.Options{}) // sees to it that there is an engine
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	program := filepath.Join(t.TempDir(), "porterhouse")
	if out, err := exec.Command("go", "build", "-o", program, "../cmd/porterhouse").CombinedOutput(); err != nil {
		t.Fatalf("go build: %v\n%s", err, out)
	}
	return program
}

// The stub is a ClickHouse as far as SELECT 1 goes: with the id that it was asked with,
// again and again on one connection.
func TestStub(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	served := make(chan error, 1)
	go func() { served <- serveStub(l) }()
	for range 3 {
		response, err := http.Post("http://"+l.Addr().String()+"/?query_id=one&x=2", "text/plain", strings.NewReader(selectOne))
		if err != nil {
			t.Fatal(err)
		}
		text, err := io.ReadAll(response.Body)
		response.Body.Close()
		if err != nil || string(text) != "1\n" || response.Header.Get("X-ClickHouse-Query-Id") != "one" {
			t.Errorf("answered %q, %v, %v", text, response.Header, err)
		}
	}
	l.Close()
	if err := <-served; err == nil {
		t.Error("a closed listener ends without an error")
	}
}

// A broken answer is counted, whatever is wrong with it, and does not end the count.
func TestBrokenAnswersAreCounted(t *testing.T) {
	for name, spoil := range map[string]http.HandlerFunc{
		"hangs up": func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) },
		"cut short": func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Length", "2")
			fmt.Fprint(w, "1")
		},
		"wrong":   func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, "2\n") },
		"refused": func(w http.ResponseWriter, _ *http.Request) { http.Error(w, "no", http.StatusForbidden) },
	} {
		t.Run(name, func(t *testing.T) {
			var n atomic.Int64
			s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				if n.Add(1)%10 == 0 {
					spoil(w, r)
					return
				}
				fmt.Fprint(w, "1\n")
			}))
			defer s.Close()
			at, err := url.Parse(s.URL)
			if err != nil {
				t.Fatal(err)
			}
			f, err := broken(t.Context(), 100, []*target{httpTarget("spoiled", at, "Bearer x")})
			if err != nil || f.Measured != 10 || f.met() || !strings.Contains(f.Note, "spoiled") {
				t.Errorf("%+v, %v; want 10 broken ones and why", f, err)
			}
		})
	}
}

// An answer that lacks something is not a fast download, and a refused INSERT not a
// fast INSERT.
func TestTransfersHaveToBeWhole(t *testing.T) {
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		n, _ := io.Copy(io.Discard, r.Body)
		if strings.Contains(r.URL.RawQuery, "INSERT") && n != 30 {
			http.Error(w, "no such table", http.StatusNotFound)
			return
		}
		fmt.Fprint(w, strings.Repeat("12345678", 2))
	}))
	defer s.Close()
	at, err := url.Parse(s.URL)
	if err != nil {
		t.Fatal(err)
	}
	at.Path = "/"
	to := httpTarget("short", at, "Bearer x")
	for _, test := range []struct {
		transfer *transfer
		want     string // "": it is whole
	}{
		{newDownload(to, "SELECT", 16), ""},
		{newDownload(to, "SELECT", 24), "16 bytes came"},
		{newInsert(to, doorTable, &stretch{[]byte("0123456789"), 3}), ""},
		{newInsert(to, doorTable, &stretch{[]byte("0123456789"), 2}), "no such table"},
	} {
		err := test.transfer.move(t.Context())
		if test.want == "" && err != nil || test.want != "" && (err == nil || !strings.Contains(err.Error(), test.want)) {
			t.Errorf("%s of %d: error %v, want one with %q", test.transfer.kind, test.transfer.size, err, test.want)
		}
	}
}

// A transfer's figures are medians, and its share is taken round by round.
func TestTransferRow(t *testing.T) {
	reference := &transfer{target: &target{}, size: 1e9, turns: []moved{{seconds: 1}, {seconds: 10}, {seconds: 2}}}
	ours := &transfer{target: &target{}, size: 1e9, turns: []moved{{2, 0.5, 30e6}, {10, 0.7, 50e6}, {2.5, 0.6, 40e6}}}
	r := ours.against(reference, transferGoals{share: 0.85, cpu: 0.6, peak: 64}).row()
	if r.Ratio != 0.8 || r.CPU != 0.6 || r.Peak != 50 || r.PerSecond != 4e8 {
		t.Errorf("%+v", r)
	}
	figures := r.figures()
	if len(figures) != 3 || figures[0].met() || !figures[1].met() || !figures[2].met() {
		t.Errorf("%+v", figures)
	}
	if r := reference.row(); r.Ratio != 1 || len(r.figures()) != 0 {
		t.Errorf("the reference: %+v", r)
	}
}

func TestPeers(t *testing.T) {
	p, err := parsePeer("chproxy=http://reader:se:cret@127.0.0.1:9090")
	if err != nil || p.name != "chproxy" || p.url.String() != "http://127.0.0.1:9090/" || p.auth[0] != basic("reader", "se:cret") {
		t.Errorf("%+v, %v", p, err)
	}
	for _, wrong := range []string{"http://127.0.0.1:9090", "=http://127.0.0.1:9090", "x=127.0.0.1:9090", "x=https://127.0.0.1:9090"} {
		if _, err := parsePeer(wrong); err == nil {
			t.Errorf("%s: accepted", wrong)
		}
	}
}

// The helpers end when they are told to, and well.
func TestHelpersEnd(t *testing.T) {
	stub, at, err := startHelper(t.Context(), t.Output(), stubWord)
	if err != nil {
		t.Fatal(err)
	}
	thin, front, err := startHelper(context.WithoutCancel(t.Context()), t.Output(), thinWord, at.String())
	if err != nil {
		t.Fatal(err)
	}
	response, err := http.Post(front.String(), "text/plain", strings.NewReader(selectOne))
	if err != nil {
		t.Fatal(err)
	}
	text, err := io.ReadAll(response.Body)
	response.Body.Close()
	if err != nil || string(text) != "1\n" {
		t.Errorf("answered %q, %v", text, err)
	}
	for _, c := range []*child{thin, stub} {
		if err := c.stop(); err != nil {
			t.Error(err)
		}
	}
}
