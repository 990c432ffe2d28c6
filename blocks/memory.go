package blocks

import (
	"fmt"
	"sync/atomic"
)

// Room bounds the memory that the blocks of many answers take together, in bytes, beyond
// the first MiB of each. It is safe for concurrent use.
type Room struct {
	most  int64
	taken atomic.Int64
}

// NewRoom returns a room of so many bytes.
func NewRoom(bytes int64) *Room { return &Room{most: bytes} }

// take takes n bytes more, if there are so many.
func (r *Room) take(n int) bool {
	if r == nil || r.taken.Add(int64(n)) <= r.most {
		return true
	}
	r.taken.Add(-int64(n))
	return false
}

func (r *Room) leave(n int) {
	if r != nil {
		r.taken.Add(-int64(n))
	}
}

// TooLarge says that a block takes more memory than it may, or than there is room for.
type TooLarge struct {
	Busy bool // others have taken the room: it may pass in a moment
	why  string
}

// Error implements error.
func (e *TooLarge) Error() string {
	if e.Busy {
		return "too many large answers are being read at once: try again in a moment, or ask for less at once; a smaller max_block_size makes smaller blocks"
	}
	return "a block of the answer takes more memory than it may (" + e.why + "); a smaller max_block_size makes smaller blocks"
}

// memory is what an answer may take: for a block, for the types of its columns, and for
// a row that is printed.
type memory struct {
	most    int // bytes for a block with its types
	left    int // of these
	printed int // bytes for a row
	held    int // bytes that nobody else can take any more
	room    *Room
}

// What an answer has for itself, and by how much more it takes from the room, in bytes.
const (
	ownMemory = 1 << 20
	roomStep  = 256 << 10
)

// take takes n bytes for the block.
func (m *memory) take(n int) error {
	if n < 0 || n > m.left {
		return m.tooLarge("another %d bytes, and %d are left", n, m.left)
	}
	m.left -= n
	return m.hold()
}

func (m *memory) tooLarge(format string, args ...any) error {
	return &TooLarge{why: fmt.Sprintf(format, args...)}
}

// print notes that a row is printed in n bytes.
func (m *memory) print(n int) error {
	m.printed = max(m.printed, n)
	return m.hold()
}

// hold takes from the room what is in use. An answer that has once needed so much may
// need it again, because its next blocks are read into the same memory.
func (m *memory) hold() error {
	more := m.most - m.left + m.printed - m.held
	if more <= 0 {
		return nil
	}
	more = max(more, roomStep)
	if !m.room.take(more) {
		return &TooLarge{Busy: true}
	}
	m.held += more
	return nil
}

// release gives everything back.
func (m *memory) release() {
	m.room.leave(m.held - ownMemory)
	m.held = ownMemory
}
