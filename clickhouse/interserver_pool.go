package clickhouse

import (
	"context"
	"sync"
)

// interserverPool keeps connections that are nobody's, for whoever asks next: what one
// statement sets is gone with it, on the side of ClickHouse.
type interserverPool struct {
	connect func(ctx context.Context, database string) (*nativeConn, error)
	places  chan struct{} // a token for each connection in use

	mu     sync.Mutex
	idle   []keptConn
	closed bool
}

// keptConn is a connection and the database in which its statements are.
type keptConn struct {
	*nativeConn
	database string
	kept     bool // it has served before
}

// maxIdle bounds the connections that are kept.
const maxIdle = 64

// take returns a connection in a database: one that was kept, or a fresh one.
func (p *interserverPool) take(ctx context.Context, database string) (*keptConn, error) {
	select {
	case p.places <- struct{}{}:
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	for c := p.pop(database); c != nil; c = p.pop(database) {
		if c.quiet() {
			return c, nil
		}
		c.cut()
	}
	conn, err := p.connect(ctx, database)
	if err != nil {
		<-p.places
		return nil, err
	}
	return &keptConn{nativeConn: conn, database: database}, nil
}

// pop returns the connection that was kept last; nil when there is none.
func (p *interserverPool) pop(database string) *keptConn {
	p.mu.Lock()
	defer p.mu.Unlock()
	for i := len(p.idle) - 1; i >= 0; i-- {
		if c := p.idle[i]; c.database == database {
			p.idle = append(p.idle[:i], p.idle[i+1:]...)
			return &c
		}
	}
	return nil
}

// give takes a connection back. One that is not as a statement must find it is cut.
func (p *interserverPool) give(c *keptConn) {
	defer func() { <-p.places }()
	if !c.sound {
		c.cut()
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.closed {
		c.cut()
		return
	}
	c.kept = true
	p.idle = append(p.idle, *c)
	if len(p.idle) > maxIdle { // the one that was kept for longest
		p.idle[0].cut()
		p.idle = p.idle[1:]
	}
}

// close lets go of all connections that nobody uses.
func (p *interserverPool) close() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.closed = true
	for _, c := range p.idle {
		c.cut()
	}
	p.idle = nil
}
