package kv

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"github.com/gomodule/redigo/redis"
)

// Redis keeps entries in a Redis (6.2 or later) or Valkey server, for several
// processes; not in a Redis Cluster of shards. The server's clock decides what has
// ended. It must not evict (maxmemory-policy noeviction), and is as durable as it
// is told to be (appendonly yes). While it is away everything is Unavailable; when
// it is back, or its address leads to another after a failover, everything goes on by itself.
type Redis struct {
	pool    *redis.Pool
	swap    *redis.Script
	prefix  string
	timeout time.Duration
	closed  atomic.Bool
}

const (
	defaultPrefix  = "porterhouse:"
	defaultTimeout = 2 * time.Second
	scanEach       = 1000 // keys that the server looks at in one step of Keys
)

// swapScript runs as one step in the server. KEYS[1]: the key. ARGV: whether
// there must be an old value, which; whether there is a new one, which, and its
// life in milliseconds (0: it stays).
const swapScript = `
local found = redis.call('GET', KEYS[1])
if ARGV[1] == '0' then
	if found then return 0 end
elseif found ~= ARGV[2] then
	return 0
end
if ARGV[3] == '0' then
	redis.call('DEL', KEYS[1])
elseif ARGV[5] == '0' then
	redis.call('SET', KEYS[1], ARGV[4])
else
	redis.call('SET', KEYS[1], ARGV[4], 'PX', ARGV[5])
end
return 1`

// OpenRedis checks c. It does not wait for the server, which may come later.
func OpenRedis(c RedisConfig) (*Redis, error) {
	a, err := c.address()
	if err != nil {
		return nil, fmt.Errorf("kv: redis: %w", err)
	}
	return &Redis{
		pool:    newPool(a),
		swap:    redis.NewScript(1, swapScript),
		prefix:  cmp.Or(c.Prefix, defaultPrefix),
		timeout: cmp.Or(c.Timeout, defaultTimeout),
	}, nil
}

// Put implements Store.
func (r *Redis) Put(ctx context.Context, key string, value []byte, life time.Duration) error {
	if err := check(key, value, life); err != nil {
		return err
	}
	arguments := []any{r.prefix + key, value}
	if life != 0 {
		arguments = append(arguments, "PX", milliseconds(life))
	}
	return r.run(ctx, func(ctx context.Context, link redis.Conn) error {
		_, err := redis.DoContext(link, ctx, "SET", arguments...)
		return err
	})
}

// milliseconds is a life as Redis counts it: 0 for good, and never cut to that.
func milliseconds(life time.Duration) int64 {
	return int64((life + time.Millisecond - 1) / time.Millisecond)
}

// Get implements Store.
func (r *Redis) Get(ctx context.Context, key string) ([]byte, error) {
	return r.value(ctx, "GET", key)
}

// Consume implements Store.
func (r *Redis) Consume(ctx context.Context, key string) ([]byte, error) {
	return r.value(ctx, "GETDEL", key)
}

// value runs a command that answers with the value under a key.
func (r *Redis) value(ctx context.Context, command, key string) (value []byte, err error) {
	if err := checkKey(key); err != nil {
		return nil, err
	}
	err = r.run(ctx, func(ctx context.Context, link redis.Conn) (err error) {
		value, err = redis.Bytes(redis.DoContext(link, ctx, command, r.prefix+key))
		return err
	})
	return value, err
}

// Swap implements Store.
func (r *Redis) Swap(ctx context.Context, key string, old, new []byte, life time.Duration) (swapped bool, err error) {
	if err := check(key, new, life); err != nil {
		return false, err
	}
	err = r.run(ctx, func(ctx context.Context, link redis.Conn) (err error) {
		swapped, err = redis.Bool(r.swap.DoContext(ctx, link, r.prefix+key, old != nil, old, new != nil, new, milliseconds(life)))
		return err
	})
	return swapped, err
}

// Keys implements Store. Timeout is that of each step of the way through all keys
// of the server.
func (r *Redis) Keys(ctx context.Context, prefix string) ([]string, error) {
	keys := []string{}
	pattern := escapePattern(r.prefix+prefix) + "*"
	for cursor := "0"; ; {
		err := r.run(ctx, func(ctx context.Context, link redis.Conn) (err error) {
			var page []string
			cursor, page, err = scanned(redis.DoContext(link, ctx, "SCAN", cursor, "MATCH", pattern, "COUNT", scanEach))
			for _, key := range page {
				keys = append(keys, strings.TrimPrefix(key, r.prefix))
			}
			return err
		})
		if err != nil {
			return nil, err
		}
		if cursor == "0" {
			slices.Sort(keys)
			return slices.Compact(keys), nil // the server may tell a key twice
		}
	}
}

// scanned reads what SCAN answers: where to go on, "0" for nowhere, and keys.
func scanned(answer any, err error) (cursor string, keys []string, _ error) {
	parts, err := redis.Values(answer, err)
	if err != nil {
		return "", nil, err
	}
	if len(parts) != 2 {
		return "", nil, fmt.Errorf("SCAN answers with %d parts instead of 2", len(parts))
	}
	if cursor, err = redis.String(parts[0], nil); err != nil {
		return "", nil, err
	}
	keys, err = redis.Strings(parts[1], nil)
	return cursor, keys, err
}

// escapePattern makes a pattern that matches exactly text.
func escapePattern(text string) string {
	return strings.NewReplacer(`\`, `\\`, `*`, `\*`, `?`, `\?`, `[`, `\[`, `]`, `\]`, `^`, `\^`, `-`, `\-`).Replace(text)
}

// Close implements Store.
func (r *Redis) Close() error {
	r.closed.Store(true)
	return r.pool.Close()
}

// run runs one operation on a link of its own, in its time, and says what its error means.
func (r *Redis) run(ctx context.Context, operation func(context.Context, redis.Conn) error) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	bounded, cancel := context.WithTimeout(ctx, r.timeout)
	defer cancel()
	err := r.linked(bounded, operation)
	switch {
	case err == nil:
		return nil
	case errors.Is(err, redis.ErrNil):
		return ErrNotFound
	case gone(ctx) != nil:
		return gone(ctx)
	case r.closed.Load():
		return away(errClosed)
	case gone(bounded) != nil:
		return away(fmt.Errorf("kv: redis did not answer in %v: %w", r.timeout, err))
	}
	return refused(err)
}

// linked runs an operation on a link that nobody else has meanwhile.
func (r *Redis) linked(ctx context.Context, operation func(context.Context, redis.Conn) error) error {
	link, err := r.pool.GetContext(ctx)
	if err != nil {
		return err
	}
	return errors.Join(operation(ctx, link), link.Close())
}

// refused says what an error of the server means.
func refused(err error) error {
	var says redis.Error
	if !errors.As(err, &says) {
		return away(fmt.Errorf("kv: redis: %w", err))
	}
	// The server quotes the arguments of a command that it does not know, and those of
	// AUTH hold the password.
	text, _, unknown := strings.Cut(string(says), ", with args beginning with")
	switch {
	case strings.HasPrefix(text, "OOM"):
		return full(fmt.Errorf("kv: redis: %s", text))
	case unknown || strings.Contains(text, "unknown command"):
		return away(fmt.Errorf("kv: redis: the server is too old, or it was told to forbid a command: it must be Redis 6.2 or later, or Valkey: %s", text))
	}
	return away(fmt.Errorf("kv: redis: %s", text))
}

// gone reports a caller who does not wait any more; a socket may notice the
// caller's deadline a little before ctx does.
func gone(ctx context.Context) error {
	if deadline, has := ctx.Deadline(); has && !time.Now().Before(deadline) {
		return context.DeadlineExceeded
	}
	return ctx.Err()
}
