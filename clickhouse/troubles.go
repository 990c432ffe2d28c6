package clickhouse

import (
	"errors"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"porterhouse"
)

// troubles is how a server has failed people of late, for whoever chooses among several: one
// that refuses everything has nothing under way, and would be given all there is.
//
//	a statement fails by the server's fault ─▶ that person's debt  ─▶ weighs in their choice
//	     └ whom it had not failed of late ───▶ everybody's debt    ─▶ weighs in everybody's
//	a check fails so ────────────────────────▶ as much of it as there can be
//
// A debt is the time until it is forgotten, and each second of it doubles its weight: a few
// failures outweigh any number of statements elsewhere, and where all servers fail alike
// none is avoided.
//
// What one person makes fail, as often as they like, weighs no more for others than one
// statement under way: ClickHouse has functions that fail with whatever code one wants, and
// nobody is to turn others away from a server by them.
type troubles struct {
	begun time.Time               // debts are counted from here
	all   atomic.Int64            // when everybody's debt ends, a time.Duration
	own   [ownDebts]atomic.Uint64 // people's, by their hashes: see ownDebt
}

const (
	ownDebts = 64

	ownTrouble    = 5 * time.Second  // what one failure adds to the debt of a person
	commonTrouble = time.Second      // and to everybody's
	maxTrouble    = 10 * time.Second // the most that a debt can be
)

// ownDebt is when the debt of a person ends, in milliseconds, and behind it the first bits
// of the person's hash: another person's is none.
type ownDebt uint64

const tagBits = 24

func newOwnDebt(person uint64, end time.Duration) ownDebt {
	return ownDebt(end.Milliseconds())<<tagBits | ownDebt(person>>(64-tagBits))
}

// left is what is left of it for a person.
func (d ownDebt) left(person uint64, now time.Duration) time.Duration {
	if uint64(d)&(1<<tagBits-1) != person>>(64-tagBits) {
		return 0
	}
	return max(0, time.Duration(d>>tagBits)*time.Millisecond-now)
}

// note notes that the server has failed a person, by their hash.
func (t *troubles) note(person uint64) {
	now := time.Since(t.begun)
	own := &t.own[person%ownDebts]
	before := own.Load()
	left := ownDebt(before).left(person, now)
	noted := own.CompareAndSwap(before, uint64(newOwnDebt(person, now+min(left+ownTrouble, maxTrouble))))
	if noted && left == 0 { // of several at once one counts
		all := t.all.Load()
		t.all.CompareAndSwap(all, int64(now+min(max(0, time.Duration(all)-now)+commonTrouble, maxTrouble)))
	}
}

// found notes that a check has met what people meet.
func (t *troubles) found() { t.all.Store(int64(time.Since(t.begun) + maxTrouble)) }

// weight is as how many statements under way the troubles count for a person.
func (t *troubles) weight(person uint64) int64 {
	all, own := t.all.Load(), ownDebt(t.own[person%ownDebts].Load())
	if all == 0 && own == 0 {
		return 0
	}
	now := time.Since(t.begun)
	left := max(time.Duration(all)-now, own.left(person, now), 0)
	return 1<<((left+time.Second-1)/time.Second) - 1
}

// isServers reports whether a statement's error is the fault of its server, and not of the
// statement or of whoever sent it.
func isServers(err error) bool {
	kind, public := porterhouse.Explain(err)
	if e, ok := errors.AsType[*porterhouse.Exception](err); ok {
		return public == gatewayRefused || saysOfServer(*e)
	}
	return kind == porterhouse.Unavailable || kind == porterhouse.Timeout
}

// saysOfServer reports whether an exception is about how its server is.
func saysOfServer(e porterhouse.Exception) bool {
	t, ok := serversOwn[e.Code]
	begins := func(words string) bool { return strings.HasPrefix(e.Message, words) }
	return ok && (t.begins == nil || slices.ContainsFunc(t.begins, begins))
}
