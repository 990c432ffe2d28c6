package clickhouse

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

// patient is a server's health in a bubble, with checks that go as a test says.
type patient struct {
	*health
	checks atomic.Int64
	answer atomic.Pointer[func(context.Context) error]
}

// goes lets checks go like that from now on.
func (p *patient) goes(answer func(context.Context) error) { p.answer.Store(&answer) }

func well(context.Context) error { return nil }

func watchPatient(t *testing.T) *patient {
	p := &patient{health: newHealth("ch:8123", slog.New(slog.DiscardHandler))}
	p.goes(well)
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() {
		defer close(done)
		p.watch(ctx, func(ctx context.Context) error { p.checks.Add(1); return (*p.answer.Load())(ctx) })
	}()
	t.Cleanup(func() { cancel(); <-done })
	return p
}

func (p *patient) during(d time.Duration) (checks int64) {
	before := p.checks.Load()
	time.Sleep(d)
	synctest.Wait()
	return p.checks.Load() - before
}

// A server is checked slowly while it is well, soon when it has gone, and ever more
// slowly while it stays away; and not at all when nobody goes by it.
func TestHealthIsChecked(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := watchPatient(t)
		if n := p.during(time.Hour); n != 0 {
			t.Errorf("nobody asks, and it was checked %d times", n)
		}
		p.miss(errors.New("nobody asks, so nobody says that it is away"))
		if p.absent() != nil {
			t.Error("it is away, without others beside it")
		}
		p.join()
		if n := p.during(time.Second); n != 1 {
			t.Errorf("it was checked %d times when it became one of several", n)
		}
		if n := p.during(10 * time.Minute); n < 35 || n > 46 {
			t.Errorf("it is well, and was checked %d times in ten minutes", n)
		}
		p.goes(func(context.Context) error { return errors.New("refused") })
		p.miss(errors.New("a connection failed"))
		select {
		case <-p.gone():
		default:
			t.Error("nobody is told that it has gone")
		}
		if n := p.during(4 * time.Second); n < 1 || n > 3 {
			t.Errorf("it has just gone, and was checked %d times in four seconds", n)
		}
		p.during(time.Minute)
		if n := p.during(10 * time.Minute); n < 35 || n > 46 {
			t.Errorf("it stays away, and was checked %d times in ten minutes", n)
		}
		for range 1000 { // statements that nobody else could take
			p.doubt()
			p.during(10 * time.Millisecond)
		}
		if n := p.checks.Load(); n > 150 {
			t.Errorf("it was doubted a thousand times in ten seconds, and checked %d times altogether", n)
		}
		p.goes(well)
		if p.during(20 * time.Second); p.absent() != nil || p.aways.Load() != 1 {
			t.Error("it answers, and is not back")
		}
		select {
		case <-p.gone():
			t.Error("it is back, and said to be gone")
		default:
		}
		p.leave()
		if n := p.during(time.Hour); n != 0 {
			t.Errorf("nobody asks any more, and it was checked %d times", n)
		}
	})
}

// One check that takes too long says nothing; two do.
func TestSlowChecks(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := watchPatient(t)
		p.join()
		p.during(time.Second)
		hangs := func(ctx context.Context) error { <-ctx.Done(); return net.ErrClosed }
		p.goes(func(ctx context.Context) error { p.goes(well); return hangs(ctx) })
		if p.during(time.Minute); p.absent() != nil {
			t.Error("it was slow once, and is away")
		}
		p.goes(hangs)
		if p.during(25 * time.Second); p.absent() == nil {
			t.Error("it accepts connections and never answers, and nobody has seen it")
		}
	})
}

// Whoever wanted a connection and went away says nothing of the server.
func TestLostInterestIsNoAbsence(t *testing.T) {
	h := newHealth("ch:8123", slog.New(slog.DiscardHandler))
	h.join()
	connect := h.minding(func(ctx context.Context) (net.Conn, error) { return nil, errors.New("dial") })
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := connect(ctx); err == nil || h.absent() != nil {
		t.Errorf("%v, %v", err, h.absent())
	}
	if _, err := connect(t.Context()); err == nil || h.absent() == nil {
		t.Errorf("%v, %v", err, h.absent())
	}
}

// due is a context whose time is up, and that does not say so yet.
type due struct{ context.Context }

func (due) Deadline() (time.Time, bool) { return time.Now(), true }

// Whoever has no time left while a connection is made says nothing of the server, also in
// the moment when only the dialer has noticed.
func TestCallersDeadlineIsNoAbsence(t *testing.T) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	at := listener.Addr().String()
	client := silentClient(t, at)
	h := client.health
	h.join()
	native := &nativeTarget{address: at, timeout: time.Minute, opened: &client.count.connections, health: h}
	for name, dial := range map[string]func(context.Context) error{
		"HTTP":   func(ctx context.Context) error { _, err := client.questions.connect(ctx); return err },
		"native": func(ctx context.Context) error { _, err := native.dial(ctx); return err },
	} {
		if err := dial(due{t.Context()}); err == nil {
			t.Fatalf("%s: there was no time, and it is connected", name)
		}
		if away := h.absent(); away != nil {
			t.Errorf("%s: a caller without time has taken the server out: %v", name, away.why)
			h.back()
		}
	}
}
