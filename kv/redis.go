package kv

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/redis/go-redis/v9"

	"porterhouse"
)

// RedisConfig is what a Redis is made of.
type RedisConfig struct {
	// URL is redis://host:6379/0, rediss:// for TLS, or unix:///path/to/socket?db=0;
	// a user of Redis may stand before the host (user@), never a password.
	URL      string
	Password porterhouse.Secret // of the user; none: the server asks for none
	Prefix   string             // of every key, so that others may use the server too; "": "porterhouse:"
	TLS      *tls.Config        // for rediss://; nil: TLS 1.2 or later, certificates by the system's authorities
	Timeout  time.Duration      // of one operation, connecting included; 0: 2 s
	// InsecurePlaintext accepts redis:// to a host that is not this machine:
	// whoever can read the network reads what is stored, and the password.
	InsecurePlaintext bool
}

// Redis keeps entries in a Redis (6.2 or later) or Valkey server, for several
// processes; not in a Redis Cluster of shards. The server's clock decides what has
// ended. It must not evict (maxmemory-policy noeviction), and is as durable as it
// is told to be (appendonly yes). While it is away everything is Unavailable; when
// it is back, everything goes on by itself.
type Redis struct {
	client  *redis.Client
	swap    *redis.Script
	prefix  string
	timeout time.Duration
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
	options, err := c.options()
	if err != nil {
		return nil, fmt.Errorf("kv: redis: %w", err)
	}
	if c.Prefix == "" {
		c.Prefix = defaultPrefix
	}
	// The library would print failures to standard error; we return each of them.
	redis.SetLogger(quiet{})
	return &Redis{
		client:  redis.NewClient(options),
		swap:    redis.NewScript(swapScript),
		prefix:  c.Prefix,
		timeout: options.ReadTimeout,
	}, nil
}

// quiet drops what the library logs.
type quiet struct{}

// Printf implements the library's interface.
func (quiet) Printf(context.Context, string, ...any) {}

// options checks c and turns it into the library's words.
func (c RedisConfig) options() (*redis.Options, error) {
	address, err := url.Parse(c.URL)
	if err != nil {
		return nil, errors.New("the URL cannot be read: it is redis://host:port/0, rediss://host:port/0 or unix:///path?db=0") // err would quote a password
	}
	if _, has := address.User.Password(); has {
		return nil, errors.New("the URL holds a password, which would be shown wherever the URL is: give it apart")
	}
	for name := range address.Query() {
		if address.Scheme != "unix" || name != "db" {
			return nil, fmt.Errorf("the URL has the option %q, and none is allowed but db of unix://", name)
		}
	}
	if c.Timeout < 0 {
		return nil, fmt.Errorf("a timeout of %v cannot be: 0 is the default", c.Timeout)
	}
	options, err := redis.ParseURL(c.URL)
	if err != nil {
		return nil, err
	}
	if options.TLSConfig == nil && c.TLS != nil {
		return nil, errors.New("there are options for TLS, and the URL is not rediss://")
	}
	if options.TLSConfig == nil && address.Scheme == "redis" && !c.InsecurePlaintext && !thisMachine(address.Hostname()) {
		return nil, fmt.Errorf("redis:// to %s goes over the network unencrypted: use rediss://, or allow plain text", address.Hostname())
	}
	return c.complete(options), nil
}

// complete fills in what the URL does not say.
func (c RedisConfig) complete(o *redis.Options) *redis.Options {
	if o.TLSConfig != nil {
		name := o.TLSConfig.ServerName
		if c.TLS != nil {
			o.TLSConfig = c.TLS.Clone()
		}
		if o.TLSConfig.ServerName == "" {
			o.TLSConfig.ServerName = name
		}
		o.TLSConfig.MinVersion = max(o.TLSConfig.MinVersion, tls.VersionTLS12)
	}
	timeout := c.Timeout
	if timeout == 0 {
		timeout = defaultTimeout
	}
	o.Password = c.Password.Reveal()
	o.DialTimeout, o.ReadTimeout, o.WriteTimeout, o.PoolTimeout = timeout, timeout, timeout, timeout
	o.ContextTimeoutEnabled = true
	o.MaxRetries = -1 // of two attempts to swap, the second would not find what the first has changed
	o.DialerRetries = 1
	o.Protocol = 2 // nothing is pushed to us
	o.DisableIdentity = true
	return o
}

// thisMachine reports whether a host can only be this machine.
func thisMachine(host string) bool {
	address, err := netip.ParseAddr(host)
	return host == "localhost" || err == nil && address.Unmap().IsLoopback()
}

// Put implements Store.
func (r *Redis) Put(ctx context.Context, key string, value []byte, life time.Duration) error {
	if err := check(key, value, life); err != nil {
		return err
	}
	return r.run(ctx, func(ctx context.Context) error {
		return r.client.Do(ctx, setCommand(r.prefix+key, value, life)...).Err()
	})
}

// setCommand is SET with a life in milliseconds, if there is one. The library's
// own Set would round a life to seconds in some cases.
func setCommand(key string, value []byte, life time.Duration) []any {
	if life == 0 {
		return []any{"SET", key, value}
	}
	return []any{"SET", key, value, "PX", milliseconds(life)}
}

// milliseconds is a life as Redis counts it: 0 for good, and never cut to that.
func milliseconds(life time.Duration) int64 {
	return int64((life + time.Millisecond - 1) / time.Millisecond)
}

// Get implements Store.
func (r *Redis) Get(ctx context.Context, key string) ([]byte, error) {
	return r.value(ctx, key, r.client.Get)
}

// Consume implements Store.
func (r *Redis) Consume(ctx context.Context, key string) ([]byte, error) {
	return r.value(ctx, key, r.client.GetDel)
}

// value runs a command that answers with the value under a key.
func (r *Redis) value(ctx context.Context, key string, command func(context.Context, string) *redis.StringCmd) (value []byte, err error) {
	if err := checkKey(key); err != nil {
		return nil, err
	}
	err = r.run(ctx, func(ctx context.Context) (err error) {
		text, err := command(ctx, r.prefix+key).Result()
		value = []byte(text)
		return err
	})
	if err != nil {
		return nil, err
	}
	return value, nil
}

// Swap implements Store.
func (r *Redis) Swap(ctx context.Context, key string, old, new []byte, life time.Duration) (swapped bool, err error) {
	if err := check(key, new, life); err != nil {
		return false, err
	}
	given := func(value []byte) int {
		if value == nil {
			return 0
		}
		return 1
	}
	err = r.run(ctx, func(ctx context.Context) error {
		done, err := r.swap.Run(ctx, r.client, []string{r.prefix + key}, given(old), old, given(new), new, milliseconds(life)).Int()
		swapped = done == 1
		return err
	})
	return swapped && err == nil, err
}

// Keys implements Store. Timeout is that of each step of the way through all keys
// of the server.
func (r *Redis) Keys(ctx context.Context, prefix string) ([]string, error) {
	keys := []string{}
	pattern := escapePattern(r.prefix+prefix) + "*"
	for cursor := uint64(0); ; {
		err := r.run(ctx, func(ctx context.Context) error {
			page, next, err := r.client.Scan(ctx, cursor, pattern, scanEach).Result()
			for _, key := range page {
				keys = append(keys, strings.TrimPrefix(key, r.prefix))
			}
			cursor = next
			return err
		})
		if err != nil {
			return nil, err
		}
		if cursor == 0 {
			slices.Sort(keys)
			return slices.Compact(keys), nil // the server may tell a key twice
		}
	}
}

// escapePattern makes a pattern that matches exactly text.
func escapePattern(text string) string {
	return strings.NewReplacer(`\`, `\\`, `*`, `\*`, `?`, `\?`, `[`, `\[`, `]`, `\]`, `^`, `\^`, `-`, `\-`).Replace(text)
}

// Close implements Store.
func (r *Redis) Close() error { return r.client.Close() }

// run runs one operation in its time and says what its error means.
func (r *Redis) run(ctx context.Context, operation func(context.Context) error) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	bounded, cancel := context.WithTimeout(ctx, r.timeout)
	defer cancel()
	err := operation(bounded)
	switch {
	case err == nil:
		return nil
	case errors.Is(err, redis.Nil):
		return ErrNotFound
	case gone(ctx) != nil:
		return gone(ctx)
	case errors.Is(err, redis.ErrClosed):
		return away(errClosed)
	case redis.HasErrorPrefix(err, "OOM"):
		return full(fmt.Errorf("kv: redis: %w", err))
	case strings.Contains(err.Error(), "unknown command"):
		return away(fmt.Errorf("kv: redis: the server is too old, or it was told to forbid a command: it must be Redis 6.2 or later, or Valkey: %w", err))
	}
	var network net.Error
	if errors.As(err, &network) && network.Timeout() || errors.Is(err, context.DeadlineExceeded) {
		return away(fmt.Errorf("kv: redis did not answer in %v: %w", r.timeout, err))
	}
	return away(fmt.Errorf("kv: redis: %w", err))
}

// gone reports a caller who does not wait any more; a socket may notice the
// caller's deadline a little before ctx does.
func gone(ctx context.Context) error {
	if deadline, has := ctx.Deadline(); has && !time.Now().Before(deadline) {
		return context.DeadlineExceeded
	}
	return ctx.Err()
}
