package main

import (
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

// script makes a program that stands in for porterhouse.
func script(t *testing.T, text string) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), "porterhouse")
	if err := os.WriteFile(file, []byte("#!/bin/sh\n"+text+"\n"), 0o700); err != nil {
		t.Fatal(err)
	}
	return file
}

const readyLine = `{"mcp":"http://127.0.0.1:1/mcp","people":{"alice":"t"},"clickhouse":{"http":"http://127.0.0.1:2","user":"default","password":"p"},"pid":7}`

// What the demo says of itself is read, and the demo ends when it is told to,
// whether it takes the hint or not.
func TestStartDemo(t *testing.T) {
	program := script(t, `trap 'touch "$4/stopped"; exit 0' TERM; test "$1 $2 $3" = "demo --json --dir" && echo '`+readyLine+`'; while :; do sleep 0.01; done`)
	dir := t.TempDir()
	child, d, err := startDemo(t.Context(), program, dir, executeAs)
	if err != nil {
		t.Fatal(err)
	}
	if d.MCP != "http://127.0.0.1:1/mcp" || d.People["alice"] != "t" || d.ClickHouse.Password != "p" || d.PID != 7 {
		t.Errorf("read %+v", d)
	}
	if err := child.stop(); err != nil {
		t.Error(err)
	}
	if _, err := os.Stat(filepath.Join(dir, "stopped")); err != nil {
		t.Errorf("it was not told to end: %v", err)
	}
}

func TestStartDemoThatFails(t *testing.T) {
	for text, want := range map[string]string{
		"exit 3":                        "exit status 3",
		"echo Starting; exec sleep 100": "no line of JSON",
		"echo '{\"mcp\":\"http://127.0.0.1:1/mcp\"}'; exec sleep 100": "is missing",
	} {
		if _, _, err := startDemo(t.Context(), script(t, text), t.TempDir(), verify); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: error %v, want one with %q", text, err, want)
		}
	}
	if _, _, err := startDemo(t.Context(), filepath.Join(t.TempDir(), "none"), "d", verify); err == nil || !strings.Contains(err.Error(), "make build") {
		t.Errorf("without a program: error %v, want one that says how to get it", err)
	}
}

// Ready is the first 200, not the first answer; and somebody who gives up waits no longer.
func TestWaitReady(t *testing.T) {
	var asked atomic.Int64
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		if asked.Add(1) < 4 {
			w.WriteHeader(http.StatusServiceUnavailable)
		}
	}))
	defer server.Close()
	if err := waitReady(t.Context(), server.URL); err != nil || asked.Load() != 4 {
		t.Errorf("asked %d times, error %v", asked.Load(), err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer cancel()
	if err := waitReady(ctx, "http://127.0.0.1:1/readyz"); err == nil {
		t.Error("a server that is not there is ready")
	}
}

// Counting runs on the Node and the package that the other tests use too.
func TestCountTokens(t *testing.T) {
	const clients = "../e2e/npm"
	if _, err := os.Stat(filepath.Join(clients, "node_modules", "gpt-tokenizer")); err != nil {
		t.Fatal("gpt-tokenizer is not installed: run make deps")
	}
	// Seven of them are the text that looks like a special token.
	if n, err := countTokens(t.Context(), clients, "hello world <|endoftext|>"); err != nil || n != 9 {
		t.Errorf("%d tokens, error %v, want 9", n, err)
	}
	if _, err := countTokens(t.Context(), t.TempDir(), "x"); err == nil || !strings.Contains(err.Error(), "make deps") {
		t.Errorf("without the package: error %v, want one that says how to get it", err)
	}
}

// Without a server of our own, what needs one is named as not measured.
func TestReportSaysWhatIsMissing(t *testing.T) {
	s, r := &site{}, &report{}
	if err := s.addFresh(t.Context(), options{}, r, io.Discard); err != nil {
		t.Fatal(err)
	}
	var b strings.Builder
	if err := r.markdown(&b); err != nil || !strings.Contains(b.String(), "Not measured: memory") {
		t.Errorf("error %v, report %s", err, b.String())
	}
}
