package e2e

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2"
	"github.com/ClickHouse/clickhouse-go/v2/ext"
	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"
)

// golangClient uses clickhouse-go over HTTP, where the token is in a header, and over HTTPS,
// where the driver asks a function for it.
func golangClient(t *testing.T, s *site) {
	token := s.tokens["carol"]
	for name, how := range map[string]clickhouse.Options{
		"straight":          {Addr: []string{host(s.straight.url)}, Auth: clickhouse.Auth{Username: s.straight.user, Password: s.straight.secret}},
		"header":            {Addr: []string{host(s.plain)}, HttpHeaders: map[string]string{"Authorization": "Bearer " + token}},
		"user and password": {Addr: []string{host(s.plain)}, Auth: clickhouse.Auth{Username: "carol", Password: token}},
		"GetJWT":            {Addr: []string{host(s.secure)}, TLS: s.trust(), GetJWT: func(context.Context) (string, error) { return token, nil }},
	} {
		how.Protocol, how.MaxOpenConns = clickhouse.HTTP, 4
		t.Run(name, func(t *testing.T) {
			for _, method := range []clickhouse.CompressionMethod{clickhouse.CompressionNone, clickhouse.CompressionLZ4, clickhouse.CompressionZSTD, clickhouse.CompressionGZIP, clickhouse.CompressionDeflate, clickhouse.CompressionBrotli} {
				how := how
				how.Compression = &clickhouse.Compression{Method: method}
				db, err := clickhouse.Open(&how)
				if err != nil {
					t.Fatal(err)
				}
				if err := readAndWrite(t.Context(), db, s.straight.user); err != nil {
					t.Errorf("compression %v: %v", method, err)
				}
				if method == clickhouse.CompressionLZ4 {
					s.inTest(t).goOddities(db)
				}
				if err := db.Close(); err != nil {
					t.Error(err)
				}
			}
		})
	}
}

// host is the authority of a URL.
func host(address string) string {
	u, err := url.Parse(address)
	if err != nil {
		panic(err) // it is the test's own
	}
	return u.Host
}

// readAndWrite asks who it is, sends a batch and reads it back.
func readAndWrite(ctx context.Context, db driver.Conn, user string) error {
	var who string
	if err := db.QueryRow(ctx, "SELECT currentUser()").Scan(&who); err != nil || who != user {
		return fmt.Errorf("it is %q: %w", who, err)
	}
	for _, sql := range []string{"DROP TABLE IF EXISTS scratch.by_go", "CREATE TABLE scratch.by_go (n UInt64, s String, a Array(Nullable(Int32)), d DateTime64(3, 'UTC')) ENGINE = MergeTree ORDER BY n"} {
		if err := db.Exec(ctx, sql); err != nil {
			return fmt.Errorf("%s: %w", sql, err)
		}
	}
	batch, err := db.PrepareBatch(ctx, "INSERT INTO scratch.by_go")
	if err != nil {
		return fmt.Errorf("preparing a batch: %w", err)
	}
	one := int32(1)
	for n := range 5000 {
		if err := batch.Append(uint64(n), fmt.Sprintf("row %d", n), []*int32{&one, nil}, time.UnixMilli(int64(n)).UTC()); err != nil {
			return err
		}
	}
	if err := batch.Send(); err != nil {
		return fmt.Errorf("sending a batch: %w", err)
	}
	if err := db.Exec(clickhouse.Context(ctx, clickhouse.WithAsync(true)), "INSERT INTO scratch.by_go VALUES (5000, 'async', [], 0)"); err != nil {
		return fmt.Errorf("inserting asynchronously: %w", err)
	}
	var rows, sum uint64
	if err := db.QueryRow(ctx, "SELECT count(), sum(n) FROM scratch.by_go WHERE n <= {most:UInt64}", clickhouse.Named("most", "5000")).Scan(&rows, &sum); err != nil || rows != 5001 || sum != 12502500 {
		return fmt.Errorf("there are %d rows, their sum is %d: %w", rows, sum, err)
	}
	return nil
}

// goOddities are what few use: external tables, settings, errors with their numbers and
// a query that is cancelled.
func (s *site) goOddities(db driver.Conn) {
	t, ctx := s.t, s.t.Context()
	table, err := ext.NewTable("outside", ext.Column("n", "UInt8"), ext.Column("s", "String"))
	if err != nil {
		t.Fatal(err)
	}
	for n := range 10 {
		if err := table.Append(uint8(n), "x"); err != nil {
			t.Fatal(err)
		}
	}
	var sum uint64
	err = db.QueryRow(clickhouse.Context(ctx, clickhouse.WithExternalTable(table)), "SELECT sum(n) FROM outside").Scan(&sum)
	if (err != nil || sum != 45) && s.mode != executeAs {
		t.Errorf("an external table: %d, %v", sum, err)
	}
	var block uint64
	err = db.QueryRow(clickhouse.Context(ctx, clickhouse.WithSettings(clickhouse.Settings{"max_block_size": 4321})), "SELECT toUInt64(getSetting('max_block_size'))").Scan(&block)
	if err != nil || block != 4321 {
		t.Errorf("a setting: %d, %v", block, err)
	}
	var exception *clickhouse.Exception
	if err := db.Exec(ctx, "SELECT nonsense"); !errors.As(err, &exception) || exception.Code != 47 {
		t.Errorf("an unknown column: %v", err)
	}
	id := "cancelled-" + strings.ReplaceAll(t.Name(), "/", "-")
	cancelled, cancel := context.WithCancel(clickhouse.Context(ctx, clickhouse.WithQueryID(id)))
	done := make(chan error, 1)
	go func() { done <- db.Exec(cancelled, "SELECT max(cityHash64(number)) FROM numbers(1000000000000)") }()
	there := func() bool { return s.text("SELECT count() FROM system.processes WHERE query_id = '"+id+"'") != "0" }
	s.eventually("the query runs", 20*time.Second, there)
	cancel()
	if err := <-done; !errors.Is(err, context.Canceled) {
		t.Errorf("a cancelled query: %v", err)
	}
	if strings.Contains(t.Name(), "straight") { // nobody told ClickHouse to watch for who is there
		s.exec("KILL QUERY WHERE query_id = '" + id + "'")
	}
	s.eventually("the cancelled query has ended", 20*time.Second, func() bool { return !there() })
}
