package audit

import (
	"context"
	"os"
	"path/filepath"
	"strconv"
	"sync/atomic"
	"testing"
	"time"
)

const benchSQL = `SELECT origin, count() AS flights, avg(delay) FROM flights.flights WHERE date >= '2001-01-01' GROUP BY origin ORDER BY flights DESC LIMIT 20`

// One question: its opening and its closing line, synced within a second.
func BenchmarkBegin(b *testing.B) { benchmarkQuestions(b, false, 0) }

// The same, 8 at once.
func BenchmarkBeginParallel(b *testing.B) { benchmarkQuestions(b, false, 8) }

// One question, its opening line synced before Begin returns.
func BenchmarkBeginSyncEach(b *testing.B) { benchmarkQuestions(b, true, 0) }

// The same, 64 at once: they share syncs.
func BenchmarkBeginSyncEachParallel(b *testing.B) { benchmarkQuestions(b, true, 64) }

func benchmarkQuestions(b *testing.B, syncEach bool, parallel int) {
	c := config(b)
	c.SyncEach = syncEach
	l := mustOpen(b, c)
	ctx, stop := context.WithCancel(b.Context())
	ran := make(chan error, 1)
	go func() { ran <- l.Run(ctx) }()
	b.Cleanup(func() { stop(); <-ran })

	var next atomic.Int64
	one := func() {
		q := question("q-"+strconv.FormatInt(next.Add(1), 10), benchSQL)
		e, err := l.Begin(q)
		if err != nil {
			b.Error(err)
			return
		}
		if err := e.End(Outcome{Rows: 20, Bytes: 700, Duration: 3 * time.Millisecond}); err != nil {
			b.Error(err)
		}
	}
	b.ReportAllocs()
	if parallel == 0 {
		for b.Loop() {
			one()
		}
		return
	}
	b.SetParallelism(parallel)
	b.RunParallel(func(p *testing.PB) {
		for p.Next() {
			one()
		}
	})
}

// Reading a record again, as Verify and Open do.
func BenchmarkVerify(b *testing.B) {
	c := config(b)
	l := mustOpen(b, c)
	for i := range 20_000 {
		ask(b, l, numbered(i))
	}
	mustClose(b, l)
	info, err := os.Stat(filepath.Clean(c.Path))
	if err != nil {
		b.Fatal(err)
	}
	b.SetBytes(info.Size())
	for b.Loop() {
		intact(b, c.Path)
	}
}

func BenchmarkMask(b *testing.B) {
	text := ""
	for len(text) < 1000 {
		text += benchSQL + " "
	}
	b.SetBytes(int64(len(text)))
	b.ReportAllocs()
	for b.Loop() {
		if _, found := mask(text); found {
			b.Fatal("nothing is secret here")
		}
	}
}
