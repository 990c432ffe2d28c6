package kv

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"runtime"
	"slices"
	"strings"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/gomodule/redigo/redis"
)

// link is one connection to the server:
//
//	pool ─▶ alive? ─▶ commands of one operation ─▶ pool
//	          └ no: another          └ failed, or nobody waits: closed
//	                                 └ no master any more: closed, and all as old as it
//
// A command is never sent again on another connection: of two attempts to swap, the
// second would not find what the first has changed.
type link struct {
	redis.ConnWithContext
	beneath   net.Conn      // without TLS
	failovers *atomic.Int64 // of all links of the pool: how many were seen
	opened    int64         // after so many of them
}

const (
	linksPerProcessor = 10
	idleTime          = 30 * time.Minute // after which a link that nobody needs is closed

	// linkLife bounds how long we only read from a server to which the address does not
	// lead any more.
	linkLife = 5 * time.Minute
)

// newPool keeps links to the server at a, opened when somebody needs one.
func newPool(a address) *redis.Pool {
	most := linksPerProcessor * runtime.GOMAXPROCS(0)
	failovers := new(atomic.Int64)
	return &redis.Pool{
		DialContext:     func(ctx context.Context) (redis.Conn, error) { return a.link(ctx, failovers) },
		TestOnBorrow:    func(c redis.Conn, _ time.Time) error { return c.(*link).alive() },
		MaxIdle:         most,
		MaxActive:       most,
		Wait:            true,
		IdleTimeout:     idleTime,
		MaxConnLifetime: linkLife,
	}
}

// link connects, and logs in.
func (a address) link(ctx context.Context, failovers *atomic.Int64) (redis.Conn, error) {
	opened := failovers.Load()
	var beneath net.Conn
	dial := func(ctx context.Context, network, at string) (conn net.Conn, err error) {
		if beneath, err = new(net.Dialer).DialContext(ctx, network, at); err != nil || a.tls == nil {
			return beneath, err
		}
		over := tls.Client(beneath, a.tls)
		if err := over.HandshakeContext(ctx); err != nil {
			return nil, errors.Join(err, beneath.Close())
		}
		return over, nil
	}
	c, err := redis.DialContext(ctx, a.network, a.at, redis.DialContextFunc(dial),
		redis.DialUsername(a.user), redis.DialPassword(a.password.Reveal()), redis.DialDatabase(a.database))
	if err != nil {
		return nil, err
	}
	return &link{c.(redis.ConnWithContext), beneath, failovers, opened}, nil
}

// DoContext runs a command. When ctx ends first, so does the link.
func (l *link) DoContext(ctx context.Context, command string, arguments ...any) (any, error) {
	defer context.AfterFunc(ctx, func() { _ = l.beneath.Close() })()
	answer, err := l.Do(command, arguments...)
	if isElsewhere(err) {
		l.failovers.CompareAndSwap(l.opened, l.opened+1) // one failover, however many links see it
		return nil, errors.Join(err, l.Close())
	}
	return answer, err
}

// elsewhere are the codes of errors after which the server at the other end is not, or not
// yet, the one to ask, or does not know us any more. After a failover the former master
// stays connected, so only a new link leads to where the address leads now.
var elsewhere = []string{"READONLY", "NOREPLICAS", "MASTERDOWN", "LOADING", "NOAUTH"}

// isElsewhere reports whether an error says so: at its beginning or, before Redis 7, behind
// the place in a script.
func isElsewhere(err error) bool {
	says, ok := errors.AsType[redis.Error](err)
	return ok && slices.ContainsFunc(elsewhere, func(code string) bool {
		return strings.HasPrefix(string(says), code+" ") || strings.Contains(string(says), ": -"+code+" ")
	})
}

// alive looks at a link that has waited, without asking the server: was there a failover
// since it was opened, has its end come, as when the server was restarted, or a word that
// nobody waits for?
func (l *link) alive() error {
	if l.opened != l.failovers.Load() {
		return errors.New("the server was the master when it was connected to, and may not be any more")
	}
	socket, is := l.beneath.(syscall.Conn)
	if !is {
		return fmt.Errorf("a %T is no socket", l.beneath)
	}
	raw, err := socket.SyscallConn()
	if err != nil {
		return err
	}
	var found error
	if err := raw.Read(func(fd uintptr) bool {
		_, _, found = syscall.Recvfrom(int(fd), make([]byte, 1), syscall.MSG_PEEK|syscall.MSG_DONTWAIT)
		return true
	}); err != nil {
		return err
	}
	if found == nil || !errors.Is(found, syscall.EAGAIN) {
		return fmt.Errorf("the server has closed it, or says something that nobody has asked: %w", found)
	}
	return nil
}
