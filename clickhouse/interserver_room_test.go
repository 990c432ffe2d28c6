package clickhouse_test

import (
	"fmt"
	"io"
	"runtime"
	"testing"

	"porterhouse"
	"porterhouse/blocks"
	"porterhouse/clickhouse"
)

// What a client leaves unread is counted as long as it is in memory, whether ClickHouse has
// sent all of it or not, and what failed takes nothing. So nobody takes more than a part of
// the room, and there is some left for others.
func TestInterserverCountsWhatIsNotRead(t *testing.T) {
	room := blocks.NewRoom(160 << 20)
	h := openCluster(t, func(c *clickhouse.Config) { c.Room = room })
	for _, rows := range []int{1, 3} {
		t.Run(fmt.Sprint(rows, " rows"), func(t *testing.T) { testUnread(t, h, room, rows) })
		if n := room.Taken(); n != 0 {
			t.Errorf("when all are closed %d bytes are taken", n)
		}
	}
}

func testUnread(t *testing.T, h *house, room *blocks.Room, rows int) {
	large := fmt.Sprintf("SELECT repeat(repeat('x', 100000), 100) FROM numbers(%d) SETTINGS max_block_size = 1", rows)
	before := inUse()
	begun := 0
	for range 11 {
		taken := room.Taken()
		answer, err := h.Query(t.Context(), account(t, "alice"), ofPerson(large, "Alice"))
		if err == nil {
			t.Cleanup(func() { answer.Body.Close() })
			_, err = io.ReadFull(answer.Body, make([]byte, 200))
		}
		if err == nil {
			begun++
		} else if kind, _ := porterhouse.Explain(err); kind != porterhouse.Limited || room.Taken() != taken {
			t.Errorf("%v, and it takes %d bytes", err, room.Taken()-taken)
		}
	}
	taken := room.Taken()
	if begun == 0 || taken > 40<<20 {
		t.Errorf("%d of 11 answers could be begun, and %d MiB of 160 are taken", begun, taken>>20)
	}
	if more := inUse() - before; more > taken+12<<20 { // of which each answer has one that is not counted
		t.Errorf("%d MiB are in use, and %d are counted", more>>20, taken>>20)
	}
	if r, err := pass(t.Context(), h.Client, account(t, "bob"), ofPerson(large, "Bob")); err != nil || len(r.Text) != rows*10_000_001 {
		t.Errorf("bob: %d bytes, %v", len(r.Text), err)
	}
	if n := h.Stats().Running; rows == 1 && n != 0 {
		t.Errorf("%d statements are counted as running that ClickHouse is done with", n)
	}
}

// What stands before a row that is not there any more takes as much as it is long.
func TestInterserverKeepsNoSpareMemory(t *testing.T) {
	room := blocks.NewRoom(160 << 20)
	h := openCluster(t, func(c *clickhouse.Config) { c.Room = room })
	q := question("SELECT if(number = 0, 'short', repeat(repeat('x', 100000), 100)) FROM numbers(2)")
	q.Limits.Bytes = 1000
	answer, err := h.Query(t.Context(), account(t, "alice"), q)
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	if _, err := io.ReadFull(answer.Body, make([]byte, 3)); err != nil || room.Taken() != 0 {
		t.Errorf("%v, %d bytes are taken", err, room.Taken())
	}
}

// ofPerson is ofClient for somebody whom the gate names.
func ofPerson(sql, person string) porterhouse.Query {
	q := ofClient(sql)
	q.Passage.Person, q.Limits.Bytes = person, 1<<30
	return q
}

// inUse is how much memory is in use, in bytes.
func inUse() int {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int(m.HeapAlloc)
}
