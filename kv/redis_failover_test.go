package kv

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/gomodule/redigo/redis"

	"porterhouse"
)

// After a failover the address leads to another server, and the former master stays there
// and stays connected. One operation fails of it, and no other: not on the links either
// that waited meanwhile.
func TestRedisFailover(t *testing.T) {
	replica := []any{"REPLICAOF", "127.0.0.1", "1"}
	write := func(r *Redis) error { return r.Put(t.Context(), "k", []byte("v"), 0) }
	swap := func(r *Redis) error { return second(r.Swap(t.Context(), "new", nil, []byte("v"), 0)) }
	read := func(r *Redis) error { return second(r.Get(t.Context(), "k")) }
	for name, test := range map[string]struct {
		code      string
		happens   [][]any // at the former master
		operation func(*Redis) error
	}{
		"a write":           {"READONLY", [][]any{replica}, write},
		"a script":          {"READONLY", [][]any{replica}, swap},
		"a read":            {"MASTERDOWN", [][]any{{"CONFIG", "SET", "replica-serve-stale-data", "no"}, replica}, read},
		"without replicas":  {"NOREPLICAS", [][]any{{"CONFIG", "SET", "min-replicas-to-write", "1"}}, write},
		"who are we to it?": {"NOAUTH", [][]any{{"RESET"}}, write},
	} {
		t.Run(name, func(t *testing.T) {
			former, next := startRedis(t), startRedis(t)
			r := openRedis(t, former)
			wait(t, r, 5)
			for _, words := range test.happens {
				if err := command(t, r, words...); err != nil {
					t.Fatal(err)
				}
			}
			if err := os.Rename(next.socket, former.socket); err != nil {
				t.Fatal(err)
			}
			err := test.operation(r)
			isKind(t, name, err, porterhouse.Unavailable)
			if !strings.Contains(fmt.Sprint(err), test.code) {
				t.Errorf("the log is told: %v", err)
			}
			for range 10 {
				if err := test.operation(r); err != nil && !errors.Is(err, ErrNotFound) {
					t.Errorf("after the first: %v", err)
				}
			}
		})
	}
}

// wait opens links to the server, and lets them wait for whoever needs one.
func wait(t *testing.T, r *Redis, links int) {
	t.Helper()
	held := make([]redis.Conn, links)
	for i := range held {
		var err error
		if held[i], err = r.pool.GetContext(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	for _, link := range held {
		if err := link.Close(); err != nil {
			t.Fatal(err)
		}
	}
}

// A link on which nothing fails, because it only reads, is not kept for good.
func TestRedisLinkLife(t *testing.T) {
	r := openRedis(t, startRedis(t))
	if life := r.pool.MaxConnLifetime; life != linkLife {
		t.Errorf("links live for %v", life)
	}
	r.pool.MaxConnLifetime = 1
	ids := map[int]bool{}
	for range 3 {
		if err := r.run(t.Context(), func(ctx context.Context, link redis.Conn) error {
			id, err := redis.Int(redis.DoContext(link, ctx, "CLIENT", "ID"))
			ids[id] = true
			return err
		}); err != nil {
			t.Fatal(err)
		}
	}
	if len(ids) != 3 {
		t.Errorf("links that are too old were used again: %v", ids)
	}
}

// What says that the server is not the one to ask is told from what says so of a command.
func TestRedisElsewhere(t *testing.T) {
	for text, want := range map[string]bool{
		"READONLY You can't write against a read only replica.": true,
		"LOADING Redis is loading the dataset in memory":        true,
		"NOAUTH Authentication required.":                       true,
		"ERR Error running script (call to f_1): @user_script:12: @user_script: 12: -READONLY You can't write against a read": true, // 6.2

		"OOM command not allowed when used memory > 'maxmemory'.":           false,
		"NOPERM this user has no permissions to run the 'get' command":      false,
		"NOSCRIPT No matching script. Please use EVAL.":                     false,
		"ERR unknown command 'READONLY', with args beginning with: 'NOAUTH": false,
		"READONLYISH": false,
	} {
		if got := isElsewhere(fmt.Errorf("on the way: %w", redis.Error(text))); got != want {
			t.Errorf("%s: %v", text, got)
		}
	}
	if isElsewhere(nil) || isElsewhere(redis.ErrNil) || isElsewhere(errors.New("READONLY of nobody's")) {
		t.Error("what no server says counts")
	}
}
