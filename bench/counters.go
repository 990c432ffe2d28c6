package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"
)

// counters are what Porterhouse itself counts, by its /metrics page. It is held
// against ClickHouse's own account.
type counters struct {
	known       bool // the target has such a page
	queries     int
	connections int
}

// The names on the page; their labels name the cluster.
const (
	queriesCounter     = "porterhouse_clickhouse_queries_total"
	connectionsCounter = "porterhouse_clickhouse_connections_opened_total"
)

// since returns what was counted after before.
func (c counters) since(before counters) counters {
	return counters{c.known, c.queries - before.queries, c.connections - before.connections}
}

// plus sums up.
func (c counters) plus(more counters) counters {
	return counters{c.known || more.known, c.queries + more.queries, c.connections + more.connections}
}

// readCounters reads t's page, if t is ours and has one.
func readCounters(ctx context.Context, t *target) (counters, error) {
	if !t.ours {
		return counters{}, nil
	}
	page := url.URL{Scheme: t.url.Scheme, Host: t.url.Host, Path: "/metrics"}
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, page.String(), nil)
	if err != nil {
		return counters{}, err
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return counters{}, err
	}
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	if err != nil || response.StatusCode == http.StatusNotFound {
		return counters{}, err
	}
	if response.StatusCode != http.StatusOK {
		return counters{}, fmt.Errorf("/metrics: %s", response.Status)
	}
	return parseCounters(string(text))
}

// parseCounters reads Prometheus's text format, and sums over all labels.
func parseCounters(text string) (counters, error) {
	c := counters{known: true}
	var errs []error
	for line := range strings.Lines(text) {
		name, value, _ := strings.Cut(strings.TrimSpace(line), " ") // no label of ours holds a space
		name, _, _ = strings.Cut(name, "{")
		if name != queriesCounter && name != connectionsCounter {
			continue
		}
		count, err := strconv.ParseFloat(value, 64)
		errs = append(errs, err)
		if name == queriesCounter {
			c.queries += int(count)
		} else {
			c.connections += int(count)
		}
	}
	if len(errs) == 0 {
		return counters{}, fmt.Errorf("/metrics has no %s", queriesCounter)
	}
	return c, errors.Join(errs...)
}
