package blocks

import (
	"fmt"
	"sync"
)

// Room bounds the memory that the blocks of many answers take together, and what is
// printed of them, in bytes, beyond the first MiB of each. All answers of one owner have a
// quarter of it; one answer alone may take more. It is safe for concurrent use.
type Room struct {
	most int

	mu     sync.Mutex
	taken  int
	owners map[string]int // of taken, by Config.Owner
}

// ownerShare is what part of a room the answers of one owner have together.
const ownerShare = 4

// NewRoom returns a room of so many bytes.
func NewRoom(bytes int) *Room { return &Room{most: bytes, owners: map[string]int{}} }

// Taken returns how many bytes are taken.
func (r *Room) Taken() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.taken
}

// take takes n bytes more for an answer that has some already, if there are so many.
func (r *Room) take(owner string, has, n int) error {
	if r == nil {
		return nil
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	theirs := r.owners[owner]
	switch {
	case r.taken+n > r.most:
		return &TooLarge{Busy: true}
	case owner != "" && theirs > has && theirs+n > r.most/ownerShare:
		return &TooLarge{Busy: true, why: "of the same person"}
	}
	r.taken += n
	r.owners[owner] = theirs + n
	return nil
}

// leave gives n bytes back.
func (r *Room) leave(owner string, n int) {
	if r == nil {
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.taken -= n
	if r.owners[owner] -= n; r.owners[owner] == 0 {
		delete(r.owners, owner)
	}
}

// TooLarge says that a block takes more memory than it may, or than there is room for.
type TooLarge struct {
	Busy bool // other answers have taken the room: it may pass in a moment
	why  string
}

// Error implements error.
func (e *TooLarge) Error() string {
	switch {
	case e.Busy && e.why != "":
		return "too many large answers " + e.why + " are open at once: read them to their end or close them, and try again; a smaller max_block_size makes smaller blocks"
	case e.Busy:
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
	owner   string
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
	before := m.printed
	if n <= before {
		return nil // they are held
	}
	m.printed = n
	err := m.hold()
	if err != nil {
		m.printed = before
	}
	return err
}

// hold takes from the room what is in use. An answer that has once needed so much may
// need it again, because its next blocks are read into the same memory.
func (m *memory) hold() error {
	more := m.most - m.left + m.printed - m.held
	if more <= 0 {
		return nil
	}
	more = max(more, roomStep)
	if err := m.room.take(m.owner, m.held-ownMemory, more); err != nil {
		return err
	}
	m.held += more
	return nil
}

// keep gives everything back but n bytes, if the answer has so many.
func (m *memory) keep(n int) {
	if n = max(n, ownMemory); n < m.held {
		m.room.leave(m.owner, m.held-n)
		m.held = n
	}
}
