package e2e

import (
	"context"
	"math/rand/v2"
	"net"
	"os"
	"os/exec"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// relay is a stretch of the network between Porterhouse and ClickHouse.
type relay struct {
	listener net.Listener
	target   string
	open     atomic.Int64 // connections
	cuts     atomic.Bool  // cut some of them, anywhere
}

func newRelay(t *testing.T, target string) *relay {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	r := &relay{listener: listener, target: target}
	var work sync.WaitGroup
	t.Cleanup(func() { _ = listener.Close(); work.Wait() })
	work.Go(func() {
		for {
			c, err := listener.Accept()
			if err != nil {
				return // it is closed
			}
			r.open.Add(1)
			work.Go(func() { defer r.open.Add(-1); r.carry(c.(*net.TCPConn)) })
		}
	})
	return r
}

func (r *relay) address() string { return r.listener.Addr().String() }

// carry carries bytes both ways until both ends have ended, or the connection is cut.
func (r *relay) carry(near *net.TCPConn) {
	defer near.Close()
	c, err := net.Dial("tcp", r.target)
	if err != nil {
		return // ClickHouse is not there: neither are we
	}
	far := c.(*net.TCPConn)
	defer far.Close()
	var both sync.WaitGroup
	both.Go(func() { r.copy(far, near) })
	r.copy(near, far)
	both.Wait()
}

// copy carries bytes one way; one piece in fifty is the last one, and not whole, while
// connections are cut.
func (r *relay) copy(to, from *net.TCPConn) {
	buffer := make([]byte, 16<<10)
	for {
		n, err := from.Read(buffer)
		if r.cuts.Load() && rand.IntN(50) == 0 {
			_, _ = to.Write(buffer[:rand.IntN(n+1)])
			_, _ = to.SetLinger(0), from.SetLinger(0)
			_, _ = to.Close(), from.Close()
			return
		}
		if _, failed := to.Write(buffer[:n]); failed != nil || err != nil {
			_, _ = to.CloseWrite(), from.CloseRead() // an end of one is the end of the other
			return
		}
	}
}

// injectFaults lets one thing fail after the other, all of them once and then for so
// long, and returns how often.
func (s *site) injectFaults(long time.Duration, stretches ...*relay) (rounds int) {
	s.t.Helper()
	faults := []func(){
		func() { // connections are cut
			for _, r := range stretches {
				r.cuts.Store(true)
				defer r.cuts.Store(false)
			}
			pause(s.t.Context(), time.Second)
		},
		func() { s.must(s.db.Pause()); pause(s.t.Context(), time.Second); s.must(s.db.Resume()) },
		func() { // ClickHouse dies
			s.must(s.db.Kill())
			pause(s.t.Context(), 300*time.Millisecond)
			s.must(s.db.Restart(s.t.Context()))
		},
		func() { // there is no room for the record
			file, err := os.Stat(s.audit)
			s.must(err)
			s.limitFiles(strconv.FormatInt(file.Size(), 10))
			pause(s.t.Context(), 300*time.Millisecond)
			s.limitFiles("unlimited")
		},
	}
	for end := time.Now().Add(long); rounds == 0 || time.Now().Before(end); rounds++ {
		for _, fail := range faults {
			pause(s.t.Context(), time.Second+rand.N(time.Second))
			fail()
		}
	}
	return rounds
}

// limitFiles is how long a file may be that Porterhouse writes.
func (s *site) limitFiles(size string) {
	s.t.Helper()
	limit := exec.Command("prlimit", "--fsize="+size+":unlimited", "--pid", strconv.Itoa(s.process.Process.Pid))
	if out, err := limit.CombinedOutput(); err != nil {
		s.t.Fatalf("%v: %s", err, out)
	}
}

func (s *site) must(err error) {
	s.t.Helper()
	if err != nil {
		s.t.Fatal(err)
	}
}

// pause waits, and no longer than ctx lasts.
func pause(ctx context.Context, long time.Duration) {
	select {
	case <-ctx.Done():
	case <-time.After(long):
	}
}
