package statement

// Head is the beginning of a text that goes on where it cannot be seen yet: the URL
// and the first bytes of a body, say.
type Head struct {
	// End is where the statement ends and the data of an INSERT begins, in bytes; -1:
	// that cannot be told yet, more of the text is needed. Without data it is the
	// length of the text.
	End  int
	Data bool // an INSERT whose data follows, maybe none
}

// ReadHead finds where the data of an INSERT begins, exactly as ClickHouse's parser
// does: behind FORMAT and the name, and the SETTINGS that may still follow it, or
// behind VALUES. whole says that nothing follows text.
//
// The data is never looked at: Check gets text[:End].
func ReadHead(text string, whole bool) Head { panic("not yet") }
