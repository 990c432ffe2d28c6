package statement

// Head is the beginning of a text that goes on where it cannot be seen yet: the URL
// and the first bytes of a body, say.
//
// Of an INSERT with data, text[:End] is the statement and text[From:] the beginning
// of its data. What is between them is white space that ClickHouse skips: the two mean
// the same with one line break between them instead, and so they must be sent. A
// statement that ended in a line break of its own would give that one to the data.
type Head struct {
	End  int // where the statement ends, in bytes; -1: that cannot be told yet, more of the text is needed. Without data it is the length of the text
	From int // where the data begins; without data the length of the text

	Data   bool   // an INSERT whose data follows, maybe none
	Format string // of the data, as written: "CSV"; "Values" for VALUES; "" without data
}

// ReadHead finds where the data of an INSERT begins, as ClickHouse's parser does:
// behind FORMAT and a name, or behind VALUES. whole says that nothing follows text.
//
// It says Data only where ClickHouse is sure to read data and not SQL, because what is
// behind From is never checked. Of a few INSERTs it does not say so although they have
// data (with PARTITION BY; with SELECT … FROM input(…), when FORMAT does not follow a
// bracket or a literal): they are text to the end, and pass if that text passes Check.
//
// ClickHouse must read the statement with allow_settings_after_format_in_insert = 0,
// which is its default: else SETTINGS behind FORMAT are not data but settings, which
// nobody has checked. Who sends a statement with Data sends that setting too.
//
// The data is never looked at: Check gets text[:End]. A text with whole = false has
// the same Head as with more behind it, or -1.
func ReadHead(text string, whole bool) Head {
	r := headReader{wordReader{lexer: NewLexer(text), whole: whole}}
	r.next()
	head, found := r.insert()
	switch {
	case r.short || !found && !whole:
		return Head{End: -1}
	case !found:
		return Head{End: len(text), From: len(text)}
	}
	return head
}

// headReader reads an INSERT as ClickHouse's parser does. Its methods follow the
// grammar: each begins at word, and is behind what it has read when it says true.
// False: it is no INSERT with data that can be told.
type headReader struct{ wordReader }

// insert reads [WITH …] INSERT INTO … up to its data.
func (r *headReader) insert() (Head, bool) {
	if r.is("with") && !r.with() {
		return Head{}, false
	}
	if !r.take("insert") || !r.take("into") || !r.target() {
		return Head{}, false
	}
	if r.word.Type == OpeningRoundBracket && (r.selects() || !r.group()) { // columns
		return r.query()
	}
	if r.take("settings") && !r.settings() {
		return Head{}, false
	}
	switch {
	case r.is("values"):
		return r.values()
	case r.take("format"):
		return r.format()
	}
	return r.query()
}

// with reads the list of WITH, to INSERT INTO in the same brackets.
func (r *headReader) with() bool {
	as := false // an alias follows
	for r.next(); r.word.Type != EndOfStream; {
		switch {
		case opens(r.word.Type):
			if !r.group() {
				return false
			}
			as = false
			continue
		case r.is("insert") && !as:
			return true
		case (r.is("select") || r.is("from")) && !as, closes(r.word.Type), r.word.Type == Semicolon, r.word.Type.IsError():
			return false
		}
		as = r.is("as")
		r.next()
	}
	return false
}

// target reads [TABLE] [db.]table or [TABLE] FUNCTION f(…).
func (r *headReader) target() bool {
	r.take("table") // which so is never a table's name
	if r.take("function") {
		return r.name() && r.word.Type == OpeningRoundBracket && r.group()
	}
	return r.name() && (!r.takeType(Dot) || r.name())
}

// settings reads name = value, … up to what follows them.
func (r *headReader) settings() bool {
	for {
		if !r.takeType(BareWord) && !r.takeType(QuotedIdentifier) {
			return false
		}
		for r.takeType(Dot) {
			if !r.takeType(BareWord) && !r.takeType(QuotedIdentifier) {
				return false
			}
		}
		if r.takeType(Equals) && !r.value() { // without a value it is 1
			return false
		}
		if !r.takeType(Comma) {
			return true
		}
	}
}

// value reads the value of a setting: a literal, a list of some, or a parameter.
func (r *headReader) value() bool {
	switch {
	case opens(r.word.Type):
		return r.group()
	case r.takeType(StringLiteral), r.takeType(HereDoc), r.take("default"), r.take("true"), r.take("false"), r.take("null"):
		return true
	}
	if !r.takeType(Minus) {
		r.takeType(Plus)
	}
	return r.takeType(Number)
}

// format reads the name of a format. The data begins behind it, behind spaces and one
// line break.
func (r *headReader) format() (Head, bool) {
	name, ok := r.source(), r.word.Type == BareWord
	if r.word.Type == QuotedIdentifier {
		name, ok = unquoted(name)
	}
	if !ok {
		return Head{}, false
	}
	sql, from := r.lexer.sql, r.word.End
	if from < len(sql) && sql[from] == ';' {
		return Head{}, false // an error, so that nobody loses the first byte of the data
	}
	for from < len(sql) && (sql[from] == ' ' || sql[from] == '\t' || sql[from] == '\f') {
		from++
	}
	for _, end := range []byte("\r\n") {
		if from < len(sql) && sql[from] == end {
			from++
		}
	}
	r.blank()
	return Head{End: r.word.End, From: from, Data: true, Format: name}, !r.parallelFollows()
}

// values finds the first value. It may be behind comments, which belong to the
// statement.
func (r *headReader) values() (Head, bool) {
	end := max(r.word.End, r.blank())
	from, none := r.lexer.pos, r.lexer.at(0) == ';' // no data, and an error if any follows
	return Head{End: end, From: from, Data: true, Format: "Values"}, !none && !r.parallelFollows()
}

// parallelFollows reports whether the data begins with PARALLEL WITH, or may, as some
// versions read comments. ClickHouse 26.7 takes that for SQL, whatever the format, and
// runs the statement behind it.
func (r *headReader) parallelFollows() bool {
	if r.odd || !r.wordFollows("parallel") {
		return r.odd
	}
	r.lexer.Next()
	r.blank()
	return r.odd || r.wordFollows("with")
}

// selects reports whether the bracket at word is around a SELECT, and not around names
// of columns.
func (r *headReader) selects() bool {
	ahead := *r
	ahead.next()
	r.short = ahead.short
	return ahead.is("select") || ahead.is("with") || ahead.is("from") || ahead.word.Type == OpeningRoundBracket
}

// query reads a SELECT, to the FORMAT of the data that it reads from input('…').
func (r *headReader) query() (Head, bool) {
	if !r.is("select") && !r.is("with") && r.word.Type != OpeningRoundBracket {
		return Head{}, false
	}
	input, from, depth, before := false, false, 0, r.word
	for ; ; r.next() {
		switch t := r.word.Type; {
		case opens(t):
			depth++
		case closes(t):
			depth--
		case t == EndOfStream, t == Semicolon, t.IsError():
			return Head{}, false
		case from && r.inputFollows():
			input = true
		case depth > 0:
		case r.is("on"), r.is("top"): // DISTINCT ON (a) format: here it is a column
			return Head{}, false
		case r.is("format"):
			if !input || !before.endsOperand() {
				return Head{}, false
			}
			r.next()
			return r.format()
		}
		if depth < 0 {
			return Head{}, false
		}
		from, before = r.is("from"), r.word
	}
}

// inputFollows reports whether the words are input('…'), which with FROM before it is
// nothing but the table function.
func (r *headReader) inputFollows() bool {
	if r.word.Type != BareWord || r.source() != "input" {
		return false
	}
	ahead := *r
	ahead.next()
	return ahead.takeType(OpeningRoundBracket) && ahead.word.Type == StringLiteral
}
