package kv

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"runtime"
	"syscall"
	"time"

	"github.com/gomodule/redigo/redis"
)

// link is one connection to the server:
//
//	pool ─▶ alive? ─▶ commands of one operation ─▶ pool
//	          └ no: another          └ failed, or nobody waits: closed
//
// A command is never sent again on another connection: of two attempts to swap, the
// second would not find what the first has changed.
type link struct {
	redis.ConnWithContext
	beneath net.Conn // without TLS
}

const (
	linksPerProcessor = 10
	idleTime          = 30 * time.Minute // after which a link that nobody needs is closed
)

// newPool keeps links to the server at a, opened when somebody needs one.
func newPool(a address) *redis.Pool {
	most := linksPerProcessor * runtime.GOMAXPROCS(0)
	return &redis.Pool{
		DialContext:  a.link,
		TestOnBorrow: func(c redis.Conn, _ time.Time) error { return c.(*link).alive() },
		MaxIdle:      most,
		MaxActive:    most,
		Wait:         true,
		IdleTimeout:  idleTime,
	}
}

// link connects, and logs in.
func (a address) link(ctx context.Context) (redis.Conn, error) {
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
	return &link{c.(redis.ConnWithContext), beneath}, nil
}

// DoContext runs a command. When ctx ends first, so does the link.
func (l *link) DoContext(ctx context.Context, command string, arguments ...any) (any, error) {
	defer context.AfterFunc(ctx, func() { _ = l.beneath.Close() })()
	return l.Do(command, arguments...)
}

// alive looks at a link that has waited, without asking the server: has its end come,
// as when the server was restarted, or a word that nobody waits for?
func (l *link) alive() error {
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
