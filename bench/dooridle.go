package main

import (
	"bufio"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/http"
	"sync"
	"sync/atomic"
	"time"
)

// openers is how many clients come at the same time.
const openers = 32

// idleMemory is the memory of a process of ours while many clients keep a connection,
// each after one answer.
func (d *doorSite) idleMemory(ctx context.Context, overTLS bool) (f figure, err error) {
	g := theDoorGoals()
	f = figure{Name: fmt.Sprintf("HTTP door: memory (RSS) with %d idle clients, plain", d.idle), Goal: g.idlePlain, Unit: "MB"}
	if overTLS {
		f.Name, f.Goal = fmt.Sprintf("HTTP door: memory (RSS) with %d idle clients, TLS", d.idle), g.idleTLS
	}
	fmt.Fprintln(d.log, f.Name)
	return f, d.once(ctx, static, func(ours *gateway) error {
		conns, err := d.openIdle(ctx, ours, overTLS)
		defer func() {
			for _, c := range conns {
				c.Close()
			}
		}()
		if err != nil {
			return err
		}
		if err := wait(ctx, freshRest); err != nil {
			return err
		}
		rest, err := memory(ours.pid(), residentNow)
		f.Measured = float64(rest) / megabyte
		return err
	})
}

// openIdle opens the connections and asks on each once.
func (d *doorSite) openIdle(ctx context.Context, ours *gateway, overTLS bool) ([]net.Conn, error) {
	request := httpTarget("", ours.plain).request(http.MethodPost, []byte(selectOne), "Authorization", "Bearer "+d.gateways.token)
	open := func() (net.Conn, error) { return dialIdle(ctx, ours, overTLS, request) }
	var mu sync.Mutex
	var conns []net.Conn
	var errs []error
	var next atomic.Int64
	var wait sync.WaitGroup
	for range openers {
		wait.Go(func() {
			for next.Add(1) <= int64(d.idle) {
				conn, err := open()
				mu.Lock()
				if conn != nil {
					conns = append(conns, conn)
				}
				if err != nil {
					errs = append(errs, err)
				}
				mu.Unlock()
				if err != nil {
					return
				}
			}
		})
	}
	wait.Wait()
	return conns, errors.Join(errs...)
}

func dialIdle(ctx context.Context, ours *gateway, overTLS bool, request []byte) (net.Conn, error) {
	var conn net.Conn
	var err error
	if overTLS {
		// The certificate was made a moment ago, for nothing else.
		dialer := tls.Dialer{Config: &tls.Config{InsecureSkipVerify: true}}
		conn, err = dialer.DialContext(ctx, "tcp", ours.tls)
	} else {
		dialer := net.Dialer{Timeout: dialTimeout}
		conn, err = dialer.DialContext(ctx, "tcp", ours.plain.Host)
	}
	if err != nil {
		return nil, err
	}
	if err := conn.SetDeadline(time.Now().Add(askTimeout)); err != nil {
		return conn, err
	}
	if _, err := conn.Write(request); err != nil {
		return conn, err
	}
	in := bufio.NewReaderSize(conn, 1<<10)
	h, err := readHead(in)
	if err == nil && h.status != http.StatusOK {
		err = fmt.Errorf("an idle client was answered HTTP %d", h.status)
	}
	if err == nil {
		_, err = skipBody(in, h)
	}
	return conn, err
}

// broken asks again and again, at all doors alike, and counts the answers that did not
// come or were not what they should have been. first is what was wrong with the first.
func broken(ctx context.Context, requests int, targets []*target) (f figure, err error) {
	var next, wrong atomic.Int64
	var first atomic.Pointer[error]
	var wait sync.WaitGroup
	for n := range doorLevels[len(doorLevels)-1] {
		wait.Go(func() {
			t := targets[n%len(targets)]
			c := newClient(t, n)
			defer func() { c.wire.close() }()
			c.request = t.request(http.MethodPost, []byte(selectOne), c.fields()...)
			for next.Add(1) <= int64(requests) && ctx.Err() == nil {
				if err := c.one(ctx); err != nil {
					wrong.Add(1)
					err = fmt.Errorf("%s: %w", t.name, err)
					first.CompareAndSwap(nil, &err)
					c.wire.close()
				}
			}
		})
	}
	wait.Wait()
	f = figure{Name: "HTTP door: broken answers", Measured: float64(wrong.Load()), Unit: fmt.Sprintf("of %d", requests)}
	if e := first.Load(); e != nil {
		f.Note = fmt.Sprintf("the first: %v", *e)
	}
	return f, ctx.Err()
}

// one asks once; the answer has to be that to SELECT 1.
func (c *client) one(ctx context.Context) error {
	a, err := c.ask(ctx, c.request)
	if err == nil && string(a.body) != "1\n" {
		err = fmt.Errorf("an answer of %d bytes: %.100q", len(a.body), a.body)
	}
	return err
}
