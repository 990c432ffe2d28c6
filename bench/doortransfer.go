package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"strings"
	"time"
)

// transfer is one large answer or one large INSERT, to one target. It has a turn in
// each round, next to that of its reference.
type transfer struct {
	kind      string // "download", "INSERT", or "INSERT, not kept"
	target    *target
	reference *transfer // the same straight to ClickHouse; nil: it is one
	goals     transferGoals
	request   []byte   // all but the data
	data      *stretch // of an INSERT; nil: it is a download
	size      int64    // bytes
	table     string   // to be emptied before; "": none
	turns     []moved
}

// moved is what one turn gave.
type moved struct {
	seconds float64
	cpu     float64 // seconds of the target's process
	peak    int64   // bytes that its process had in memory at most
}

// stretch is a piece of data, again and again.
type stretch struct {
	piece []byte
	times int
}

func (s *stretch) size() int64 { return int64(len(s.piece)) * int64(s.times) }

// The table of numbers as it travels: 8 bytes for each.
const (
	numberSize   = 8
	pieceNumbers = 65_536
	formatNative = "Native"
)

// transfers are a download and an INSERT in each access mode, the references among them.
// groups are targets, the reference of each first, then ours.
func (d *doorSite) transfers(ctx context.Context, groups [][]*target) ([]*transfer, error) {
	piece, err := d.database.text(ctx, fmt.Sprintf("SELECT number FROM numbers(%d) FORMAT %s", pieceNumbers, formatNative))
	if err != nil {
		return nil, err
	}
	data := &stretch{[]byte(piece), max(1, int(d.size)/len(piece))}
	down := fmt.Sprintf("SELECT number FROM numbers(%d) FORMAT RowBinary", d.size/numberSize)
	g := theDoorGoals()
	var all []*transfer
	var kept, unkept *transfer // EXECUTE AS takes no data: its reference is that of the first group
	for _, group := range groups {
		reference := newDownload(group[0], down, d.size)
		all = append(all, reference, newDownload(group[1], down, d.size).against(reference, g.download))
		goals := g.insert
		if strings.Contains(group[0].url.RawQuery, "EXECUTE") {
			goals = transferGoals{}
		} else {
			kept, unkept = newInsert(group[0], doorTable, data), newInsert(group[0], doorSink, data)
			all = append(all, kept, unkept)
		}
		all = append(all, newInsert(group[1], doorTable, data).against(kept, goals), newInsert(group[1], doorSink, data).against(unkept, transferGoals{}))
		for _, other := range group[1:] {
			if other.shares == nil && len(other.auth) > 0 {
				all = append(all, newDownload(other, down, d.size).against(reference, transferGoals{}),
					newInsert(other, doorTable, data).against(kept, transferGoals{}), newInsert(other, doorSink, data).against(unkept, transferGoals{}))
			}
		}
	}
	return all, nil
}

func newDownload(t *target, sql string, size int64) *transfer {
	return &transfer{kind: "download", target: t, request: t.request(http.MethodPost, []byte(sql), "Authorization", t.auth[0]), size: size / numberSize * numberSize}
}

// newInsert is an INSERT into a table: a real one, or one where nothing is kept and
// nothing but the way of the bytes counts.
func newInsert(t *target, table string, data *stretch) *transfer {
	at := *t.url
	at.RawQuery = url.Values{"query": {"INSERT INTO " + table + " FORMAT " + formatNative}}.Encode()
	head := fmt.Appendf(nil, "POST %s HTTP/1.1\r\nHost: %s\r\nAuthorization: %s\r\nContent-Length: %d\r\n\r\n", at.RequestURI(), at.Host, t.auth[0], data.size())
	i := &transfer{kind: "INSERT", target: t, request: head, data: data, size: data.size()}
	if table == doorSink {
		i.kind = "INSERT, not kept"
	} else {
		i.table = table
	}
	return i
}

// against names what a transfer is held against.
func (t *transfer) against(reference *transfer, g transferGoals) *transfer {
	t.reference, t.goals = reference, g
	return t
}

// moveAll gives each transfer its turns.
func (d *doorSite) moveAll(ctx context.Context, all []*transfer) error {
	for round := range d.rounds {
		fmt.Fprintf(d.log, "HTTP door: downloads and INSERTs of %d bytes, round %d of %d\n", d.size, round+1, d.rounds)
		for i := range all {
			t := all[(i+round)%len(all)] // each comes after another's disk writes
			if err := d.database.empty(ctx, t.table); err != nil {
				return err
			}
			if err := t.move(ctx); err != nil {
				return fmt.Errorf("%s, %s of %d bytes: %w", t.target.name, t.kind, t.size, err)
			}
		}
	}
	return nil
}

// empty empties a table, and lets ClickHouse put away what was in it.
func (d *database) empty(ctx context.Context, table string) error {
	if table == "" {
		return nil
	}
	_, err := d.text(ctx, "TRUNCATE TABLE "+table+" SYNC")
	return err
}

// move does it once.
func (t *transfer) move(ctx context.Context) error {
	pid := t.target.pid
	if err := resetPeak(pid); err != nil {
		return err
	}
	before, err := cpuTime(pid)
	if err != nil {
		return err
	}
	w := &wire{address: t.target.url.Host}
	defer w.close()
	begun := time.Now()
	if err := t.pass(ctx, w); err != nil {
		return err
	}
	m := moved{seconds: time.Since(begun).Seconds()}
	after, err := cpuTime(pid)
	m.cpu = (after - before).Seconds()
	if err == nil && pid != 0 {
		m.peak, err = memory(pid, residentPeak)
	}
	t.turns = append(t.turns, m)
	return err
}

// pass sends the request and takes the answer, which has to be whole.
func (t *transfer) pass(ctx context.Context, w *wire) error {
	h, err := w.send(ctx, t.request, t.data)
	if err != nil {
		return err
	}
	if h.status != http.StatusOK {
		text, err := readBody(w.in, h, nil)
		return errors.Join(fmt.Errorf("HTTP %d: %.300s", h.status, text), err)
	}
	n, err := skipBody(w.in, h)
	if err == nil && t.data == nil && n != t.size {
		err = fmt.Errorf("%d bytes came", n)
	}
	return err
}

// transferTimeout bounds one transfer.
const transferTimeout = 10 * time.Minute

// send sends a request and its data, and reads the head of the answer.
func (w *wire) send(ctx context.Context, request []byte, data *stretch) (head, error) {
	if err := w.connect(ctx); err != nil {
		return head{}, err
	}
	if err := w.conn.SetDeadline(time.Now().Add(transferTimeout)); err != nil {
		return head{}, err
	}
	_, sent := w.conn.Write(request)
	for i := 0; data != nil && i < data.times && sent == nil; i++ {
		_, sent = w.conn.Write(data.piece)
	}
	h, err := readHead(w.in) // who refuses data may have said why before it hung up
	if err != nil {
		err = errors.Join(sent, fmt.Errorf("no HTTP answer: %w", err))
	}
	return h, err
}

// resetPeak lets the peak of a process's memory begin anew (proc(5), clear_refs).
func resetPeak(pid int) error {
	if pid == 0 {
		return nil
	}
	return os.WriteFile(fmt.Sprintf("/proc/%d/clear_refs", pid), []byte("5"), 0)
}

// moveRow is what the turns of a transfer come to: one line of the table. A figure that
// could not be had is 0.
type moveRow struct {
	Kind      string  `json:"kind"`
	Target    string  `json:"target"`
	Bytes     int64   `json:"bytes"`
	PerSecond float64 `json:"bytes_per_second"` // median of the rounds
	Ratio     float64 `json:"ratio"`            // median of the rounds' own ratios to the reference; 1 of a reference
	CPU       float64 `json:"cpu_seconds_per_gb"`
	Peak      float64 `json:"peak_mb"`

	goals transferGoals
}

func (t *transfer) row() moveRow {
	var speeds, ratios, cpus []float64
	r := moveRow{Kind: t.kind, Target: t.target.name, Bytes: t.size, goals: t.goals, Ratio: 1}
	for i, m := range t.turns {
		speeds = append(speeds, float64(t.size)/m.seconds)
		cpus = append(cpus, m.cpu*1e9/float64(t.size))
		r.Peak = max(r.Peak, float64(m.peak)/megabyte)
		if t.reference != nil {
			ratios = append(ratios, t.reference.turns[i].seconds/m.seconds)
		}
	}
	r.PerSecond, r.CPU = median(speeds), median(cpus)
	if t.reference != nil {
		r.Ratio = median(ratios)
	}
	return r
}
