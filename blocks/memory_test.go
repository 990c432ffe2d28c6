package blocks_test

import (
	"bufio"
	"bytes"
	"errors"
	"strings"
	"testing"
	"time"

	"porterhouse/blocks"
)

// reads opens an answer of an owner with a block of one text of so many bytes.
func reads(t *testing.T, room *blocks.Room, owner string, size int) (*blocks.Reader, *blocks.Block, error) {
	t.Helper()
	r, err := blocks.NewReader(blocks.Config{Zone: time.UTC, Room: room, Owner: owner})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(r.Close)
	sent := forged("String", 1, many(uint64(size)), bytes.Repeat([]byte("x"), size))
	block, err := r.Read(bufio.NewReader(bytes.NewReader(sent)))
	return r, block, err
}

// One owner's answers have a part of the room together, unless there is only one; and the
// others have the rest.
func TestRoomOfOneOwner(t *testing.T) {
	room := blocks.NewRoom(32 << 20)
	busy := func(owner string, size int, with string) {
		t.Helper()
		r, _, err := reads(t, room, owner, size)
		large, ok := errors.AsType[*blocks.TooLarge](err)
		if (with != "") != (ok && large.Busy) || ok && !strings.Contains(large.Error(), with) {
			t.Errorf("%d MiB of %s: %v", size>>20, owner, err)
		}
		r.Close()
	}
	alone, _, err := reads(t, room, "alice", 12<<20)
	if err != nil {
		t.Fatalf("one answer alone: %v", err)
	}
	busy("alice", 2<<20, "same person")
	busy("alice", 1<<10, "")
	busy("bob", 12<<20, "")
	busy("bob", 30<<20, "too many large answers are")
	alone.Close()
	for range 2 {
		if _, _, err := reads(t, room, "alice", 3<<20); err != nil {
			t.Fatalf("within a quarter: %v", err)
		}
	}
	busy("alice", 7<<20, "same person")
	busy("bob", 20<<20, "")
	for range 4 { // who names nobody is bounded by nobody
		if _, _, err := reads(t, room, "", 5<<20); err != nil {
			t.Fatal(err)
		}
	}
}

// What was printed and is not read yet stays counted, and the block behind it does not.
func TestKeepsWhatWasPrinted(t *testing.T) {
	room := blocks.NewRoom(32 << 20)
	r, block, err := reads(t, room, "alice", 5<<20)
	if err != nil {
		t.Fatal(err)
	}
	p, err := blocks.NewPrinter("TSV", r)
	if err != nil {
		t.Fatal(err)
	}
	row, err := p.Row(nil, block, 0)
	if err != nil {
		t.Fatal(err)
	}
	if n := room.Taken(); n < 19<<20 {
		t.Errorf("while it is printed %d bytes are taken", n)
	}
	for _, step := range []struct{ keep, taken int }{{cap(row), cap(row) - 1<<20}, {64 << 20, cap(row) - 1<<20}, {100, 0}, {cap(row), 0}} {
		if r.Keep(step.keep); room.Taken() != step.taken {
			t.Errorf("%d bytes are kept, and %d taken; want %d", step.keep, room.Taken(), step.taken)
		}
	}
}

// Names of columns and of paths can be data, as those of a pivot are: errors are for logs,
// and have none of them, however a block is broken.
func TestErrorsTellNoNames(t *testing.T) {
	const name = "ssn of Bob Jones"
	column := func(name, kind string, values ...byte) []byte {
		b := append([]byte{0, 1, 1, byte(len(name))}, name...)
		b = append(append(append(b, byte(len(kind))), kind...), 0)
		return append(b, values...)
	}
	for what, sent := range map[string][]byte{
		"it ends":           column(name, "String", 5, 'h'),
		"it changes":        append(column(name, "String", 1, 'h'), column(name+" and others", "String", 1, 'h')...),
		"its type changes":  append(column(name, "String", 1, 'h'), column(name, "Enum8('"+name+"' = 1)", 1)...),
		"it is too large":   column(name, "String", 0xff, 0xff, 0xff, 0xff, 0x7f),
		"a broken Dynamic":  column(name, "Tuple(`"+name+"` Dynamic)", 1, 0, 0, 0, 0, 0, 0, 0, 0, 99),
		"a broken Variant":  column(name, "Variant(String, UInt8)", 9, 0, 0, 0, 0, 0, 0, 0),
		"a path that comes": column(name, "Array(JSON(`"+name+"` String))", 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff),
	} {
		r, err := blocks.NewReader(blocks.Config{Zone: time.UTC})
		if err != nil {
			t.Fatal(err)
		}
		in := bufio.NewReader(bytes.NewReader(sent))
		for err == nil {
			_, err = r.Read(in)
		}
		if strings.Contains(err.Error(), "Bob") || !strings.Contains(err.Error(), "at 0") {
			t.Errorf("%s: %v", what, err)
		}
		r.Close()
	}
}
