package statement

// brackets are the brackets that are open, the statement itself first.
type brackets struct {
	frames []frame // room for them, which grows by need
	depth  int     // how many of the frames are in use
}

// frame is what is known between two brackets.
type frame struct {
	opened   int  // the bracket's index in words; -1 for the statement itself
	higher   bool // the arguments of a function that may take a function, its f()(…), or (f) inside them
	query    bool // a query stands here, so FROM is its clause and not EXTRACT's
	tables   bool // a table may follow a comma
	settings bool // a setting's name follows a comma
}

// maxDepth is how deep brackets may nest; ClickHouse's own parser goes no deeper
// unless it is told to.
const maxDepth = 1000

// top is the innermost frame.
func (b *brackets) top() *frame { return &b.frames[b.depth-1] }

// push opens a bracket. Not with append, which would move the first frames to the
// heap: see TestAllocatesNothing.
func (b *brackets) push(f frame) {
	if b.depth == len(b.frames) {
		frames := make([]frame, 2*len(b.frames))
		copy(frames, b.frames)
		b.frames = frames
	}
	b.frames[b.depth] = f
	b.depth++
}

// pop closes the innermost bracket.
func (b *brackets) pop() { b.depth-- }

// closed is the frame of the bracket that the word before closes.
func (b *brackets) closed() *frame { return &b.frames[b.depth] }
