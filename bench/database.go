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

// database is the ClickHouse under test, asked as its admin: for the right
// answers, and for its own account of what the targets made it do.
type database struct {
	url      *url.URL // without the login
	user     string
	password string
	pid      int // 0: not on this machine
	http     http.Client
}

// newDatabase reads http://user:password@host:port.
func newDatabase(address string) (*database, error) {
	u, err := parseURL(address)
	if err != nil {
		return nil, fmt.Errorf("ClickHouse %q: %w", address, err)
	}
	d := &database{url: u, user: u.User.Username(), http: http.Client{Timeout: askTimeout}}
	d.password, _ = u.User.Password()
	u.User = nil
	if d.user == "" {
		d.user = "default"
	}
	return d, nil
}

// text runs one statement and returns its answer, in the format of the reference.
func (d *database) text(ctx context.Context, sql string) (string, error) {
	u := *d.url
	u.RawQuery = url.Values{"default_format": {answerFormat}}.Encode()
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, u.String(), strings.NewReader(sql))
	if err != nil {
		return "", err
	}
	request.SetBasicAuth(d.user, d.password)
	response, err := d.http.Do(request)
	if err != nil {
		return "", err
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	if err == nil && response.StatusCode != http.StatusOK {
		err = errors.New(response.Status)
	}
	if err != nil {
		return "", fmt.Errorf("ClickHouse, asked %.80q: %w: %.300s", sql, err, body)
	}
	return string(body), nil
}

// rows returns the values of an answer, without its names and types.
func (d *database) rows(ctx context.Context, sql string) ([][]string, error) {
	text, err := d.text(ctx, sql)
	if err != nil {
		return nil, err
	}
	var rows [][]string
	for line := range strings.Lines(text) {
		rows = append(rows, strings.Split(strings.TrimSuffix(line, "\n"), "\t"))
	}
	if len(rows) < 2 {
		return nil, fmt.Errorf("ClickHouse, asked %.80q: no names and types in the answer %.100q", sql, text)
	}
	return rows[2:], nil
}

// numbers returns the one row of numbers that sql answers.
func (d *database) numbers(ctx context.Context, sql string) ([]int, error) {
	rows, err := d.rows(ctx, sql)
	if err != nil {
		return nil, err
	}
	if len(rows) != 1 {
		return nil, fmt.Errorf("ClickHouse, asked %.80q: %d rows instead of one", sql, len(rows))
	}
	numbers := make([]int, len(rows[0]))
	for i, value := range rows[0] {
		if numbers[i], err = strconv.Atoi(value); err != nil {
			return nil, fmt.Errorf("ClickHouse, asked %.80q: %w", sql, err)
		}
	}
	return numbers, nil
}

// connections counts the HTTP connections that ClickHouse ever accepted.
func (d *database) connections(ctx context.Context) (int, error) {
	n, err := d.numbers(ctx, "SELECT toInt64(sum(value)) FROM system.events WHERE event = 'HTTPServerConnectionsCreated'")
	if err != nil {
		return 0, err
	}
	return n[0], nil
}

// connectionLife is how many requests ClickHouse answers on one connection
// before it ends it: nobody can ask more without a new one.
func (d *database) connectionLife(ctx context.Context) (int, error) {
	n, err := d.numbers(ctx, "SELECT toInt64(any(value)) FROM system.server_settings WHERE name = 'max_keep_alive_requests'")
	if err != nil {
		return 0, err
	}
	return n[0], nil
}

// queries counts what the query log holds of the turns, during which one target
// alone was at work: the queries that came in, whoever sent them and however
// they ended, and those that ClickHouse started itself on their behalf, which
// EXECUTE AS does.
func (d *database) queries(ctx context.Context, turns []turn) (outer, inner int, err error) {
	if _, err := d.text(ctx, "SYSTEM FLUSH LOGS"); err != nil {
		return 0, 0, err
	}
	var when []string
	for _, t := range turns {
		when = append(when, fmt.Sprintf(
			"query_start_time_microseconds >= fromUnixTimestamp64Micro(%d) AND query_start_time_microseconds < fromUnixTimestamp64Micro(%d)",
			t.from.UnixMicro(), t.to.UnixMicro()))
	}
	n, err := d.numbers(ctx, "SELECT countIf(is_internal = 0), countIf(is_internal = 1) FROM system.query_log "+
		"WHERE type != 'QueryStart' AND ("+strings.Join(when, " OR ")+")")
	if err != nil {
		return 0, 0, err
	}
	return n[0], n[1], nil
}
