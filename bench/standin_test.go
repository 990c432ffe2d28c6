package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/modelcontextprotocol/go-sdk/mcp"
)

// standIn is a small MCP server in both eras, and a ClickHouse that knows just
// the questions of the generator. It proves that the generator speaks the
// protocols and believes no answer; figures come only from the real ones.
type standIn struct {
	mcp, clickhouse *httptest.Server

	connections atomic.Int64 // that the stand-in for ClickHouse accepted
	calls       [2]atomic.Int64
	sessions    atomic.Int64 // opened, less those ended
	failFrom    int64        // the tool's calls fail from this one on; 0: never
	short       bool         // the tool's answers hold a row too few
}

const standInToken = "stand-in-token"

func newStandIn(t *testing.T) *standIn {
	s := &standIn{}
	s.mcp = httptest.NewServer(s.router())
	s.clickhouse = httptest.NewUnstartedServer(http.HandlerFunc(s.serveClickHouse))
	s.clickhouse.Config.ConnState = func(_ net.Conn, state http.ConnState) {
		if state == http.StateNew {
			s.connections.Add(1)
		}
	}
	s.clickhouse.Start()
	t.Cleanup(s.mcp.Close)
	t.Cleanup(s.clickhouse.Close)
	return s
}

type queryInput struct {
	SQL      string `json:"sql"`
	MaxRows  int    `json:"max_rows,omitempty"`
	MaxBytes int    `json:"max_bytes,omitempty"`
}

// router serves both eras on one URL, as the specification wants it.
func (s *standIn) router() http.Handler {
	server := mcp.NewServer(&mcp.Implementation{Name: "stand-in", Version: "1"}, nil)
	mcp.AddTool(server, &mcp.Tool{Name: "query"}, s.query)
	get := func(*http.Request) *mcp.Server { return server }
	alone := mcp.NewStreamableHTTPHandler(get, &mcp.StreamableHTTPOptions{Stateless: true, JSONResponse: true})
	session := mcp.NewStreamableHTTPHandler(get, nil) // its answers are SSE
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch {
		case r.URL.Path == "/metrics":
			fmt.Fprintf(w, "# HELP x y\n%s{cluster=\"one\"} %d\n%s 0\n", queriesCounter, s.calls[0].Load()+s.calls[1].Load(), connectionsCounter)
		case r.Header.Get("Authorization") != "Bearer "+standInToken:
			http.Error(w, "who is it?", http.StatusUnauthorized)
		case r.Header.Get("MCP-Protocol-Version") >= statelessEra:
			s.calls[1].Add(1)
			alone.ServeHTTP(w, r)
		default:
			s.countSession(r)
			session.ServeHTTP(w, r)
		}
	})
}

func (s *standIn) countSession(r *http.Request) {
	switch {
	case r.Method == http.MethodDelete:
		s.sessions.Add(-1)
	case r.Header.Get("Mcp-Session-Id") == "":
		s.sessions.Add(1)
	default:
		s.calls[0].Add(1)
	}
}

func (s *standIn) query(_ context.Context, _ *mcp.CallToolRequest, in queryInput) (*mcp.CallToolResult, any, error) {
	if s.failFrom > 0 && s.calls[0].Load()+s.calls[1].Load() >= s.failFrom {
		return nil, nil, errors.New("the stand-in fails")
	}
	text := standInAnswer(in.SQL)
	if s.short {
		text = text[:strings.LastIndex(strings.TrimSuffix(text, "\n"), "\n")+1]
	}
	return &mcp.CallToolResult{Content: []mcp.Content{&mcp.TextContent{Text: text}}}, nil, nil
}

// serveClickHouse answers what the generator asks of ClickHouse.
func (s *standIn) serveClickHouse(w http.ResponseWriter, r *http.Request) {
	sql, err := io.ReadAll(r.Body)
	if _, password, _ := r.BasicAuth(); err != nil || password != "secret" {
		http.Error(w, "Code: 516. DB::Exception: Authentication failed", http.StatusForbidden)
		return
	}
	if strings.Contains(string(sql), "HTTPServerConnectionsCreated") {
		fmt.Fprintf(w, "value\nInt64\n%d\n", s.connections.Load())
		return
	}
	_, _ = io.WriteString(w, standInAnswer(string(sql)))
}

func standInAnswer(sql string) string {
	switch {
	case sql == "SELECT version()":
		return "version()\nString\n26.7.2.1\n"
	case strings.Contains(sql, "max_keep_alive_requests"):
		return "value\nInt64\n10000\n"
	case strings.Contains(sql, "query_log"):
		return "outer\tinner\nUInt64\tUInt64\n7\t3\n"
	case sql == selectOne:
		return "1\nUInt8\n1\n"
	case strings.HasPrefix(sql, "SYSTEM"):
		return ""
	}
	var b strings.Builder
	b.WriteString(strings.Repeat("c\t", 9) + "c\n" + strings.Repeat("String\t", 9) + "String\n")
	for i := range fewRows {
		fmt.Fprintf(&b, "%d\t2026-01-01\t2026-01-01 00:00:00\tuser_%d\t%g\t%d\tweb\t%d\t0.33\t%08x\n", i, i, float64(i)*1.25, i%7, i*7919, i*104729)
	}
	return b.String()
}
