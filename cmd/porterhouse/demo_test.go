package main

import (
	"path/filepath"
	"strings"
	"testing"

	"porterhouse/clickhouse"
)

// Where there is no ClickHouse to start, the demo says so.
func TestDemoWithoutClickHouse(t *testing.T) {
	missing := filepath.Join(t.TempDir(), "missing")
	t.Setenv("PORTERHOUSE_CLICKHOUSE", missing)
	_, err := startDemo(t.Context(), clickhouse.ExecuteAs, t.TempDir(), func(string, ...any) {})
	if err == nil || !strings.Contains(err.Error(), missing) {
		t.Errorf("it ended with %v", err)
	}
}
