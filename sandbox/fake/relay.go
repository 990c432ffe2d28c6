package fake

import (
	"errors"
	"fmt"
	"io"
	"net"
	"sync"
	"sync/atomic"
	"time"
)

// Relay passes connections on, byte for byte, until it is told to fail: it is a server of
// a cluster that goes away in one of the ways in which servers do.
//
//	client ─▶ Relay ─▶ upstream
//	            └ Stop: nobody listens · Hang: nothing passes · Cut: what is open is reset
type Relay struct {
	Address string // host:port on loopback, also after a Resume

	upstream atomic.Pointer[string]
	hangs    atomic.Bool
	work     sync.WaitGroup

	mu       sync.Mutex
	listener net.Listener // nil: stopped
	open     map[net.Conn]bool
}

// StartRelay listens at a free port of loopback for upstream, host:port.
func StartRelay(upstream string) (*Relay, error) {
	r := &Relay{Address: "127.0.0.1:0", open: make(map[net.Conn]bool)}
	r.Lead(upstream)
	return r, r.Resume()
}

// Lead passes connections that come from now on to another upstream, host:port: so a
// server is set up anew, at the same address.
func (r *Relay) Lead(upstream string) { r.upstream.Store(&upstream) }

// resumeTime is how long a port may be held by what was there before.
const resumeTime = 5 * time.Second

// Resume listens again after a Stop, and lets everything pass.
func (r *Relay) Resume() error {
	r.hangs.Store(false)
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.listener != nil {
		return nil
	}
	listener, err := net.Listen("tcp", r.Address)
	for since := time.Now(); err != nil && time.Since(since) < resumeTime; listener, err = net.Listen("tcp", r.Address) {
		time.Sleep(10 * time.Millisecond)
	}
	if err != nil {
		return fmt.Errorf("fake: a relay cannot listen at %s again: %w", r.Address, err)
	}
	r.listener, r.Address = listener, listener.Addr().String()
	r.work.Go(func() { r.accept(listener) })
	return nil
}

// Stop resets all connections, and refuses others.
func (r *Relay) Stop() {
	r.mu.Lock()
	if r.listener != nil {
		r.listener.Close()
		r.listener = nil
	}
	r.mu.Unlock()
	r.Cut()
}

// Hang lets nothing pass any more until a Resume. Connections are accepted.
func (r *Relay) Hang() { r.hangs.Store(true) }

// Cut resets all connections that are open.
func (r *Relay) Cut() {
	r.mu.Lock()
	defer r.mu.Unlock()
	for c := range r.open {
		if tcp, ok := c.(*net.TCPConn); ok {
			_ = tcp.SetLinger(0) // a reset, not an end
		}
		c.Close()
	}
}

// Close ends the relay and all that passes through it.
func (r *Relay) Close() error {
	r.Stop()
	r.work.Wait()
	return nil
}

func (r *Relay) accept(listener net.Listener) {
	for {
		client, err := listener.Accept()
		if err != nil {
			return // stopped
		}
		r.work.Go(func() { r.pass(client) })
	}
}

// pass is one connection, to its end.
func (r *Relay) pass(client net.Conn) {
	server, err := net.Dial("tcp", *r.upstream.Load())
	if err != nil {
		client.Close()
		return
	}
	if !r.hold(client, server) {
		return
	}
	defer r.drop(client, server)
	var ways sync.WaitGroup
	for from, to := range map[net.Conn]net.Conn{client: server, server: client} {
		ways.Go(func() {
			// An end is passed on as an end of both ways, as if the server had gone.
			_, _ = io.Copy(halting{r, to}, from)
			client.Close()
			server.Close()
		})
	}
	ways.Wait()
}

// hold notes what is open, unless the relay was stopped meanwhile.
func (r *Relay) hold(both ...net.Conn) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, c := range both {
		if r.listener == nil {
			c.Close()
			continue
		}
		r.open[c] = true
	}
	return r.listener != nil
}

func (r *Relay) drop(both ...net.Conn) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, c := range both {
		c.Close()
		delete(r.open, c)
	}
}

// halting is a connection to which nothing passes while the relay hangs.
type halting struct {
	relay *Relay
	net.Conn
}

// errStopped ends a connection on which something waited to pass.
var errStopped = errors.New("the relay was stopped")

// Write implements io.Writer.
func (s halting) Write(p []byte) (int, error) {
	for s.relay.hangs.Load() {
		time.Sleep(5 * time.Millisecond)
		s.relay.mu.Lock()
		gone := !s.relay.open[s.Conn] || s.relay.listener == nil
		s.relay.mu.Unlock()
		if gone {
			return 0, errStopped
		}
	}
	return s.Conn.Write(p)
}
