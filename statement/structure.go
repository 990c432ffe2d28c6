package statement

import "strings"

// The structure of a table function's rows is SQL within a string, and that of a column
// may be an expression: values('a UInt8, b String ALIAS file(''x'')', 1). Nobody else
// looks into it, so nothing but columns and their types may stand there.

// structured are the table functions that stay inside ClickHouse and are told the
// structure of their rows: by which argument.
var structured = newLexicon(map[string]int{"values": 1, "null": 1, "generaterandom": 1, "input": 1, "format": 2})

// maxStructure is how many words a structure may have, or the first row of values.
const maxStructure = 10_000

// tableArguments looks into the arguments of table functions.
type tableArguments struct{ *checker }

// structure checks the strings that the table function at word i, before the bracket of
// its arguments, reads as more than data.
func (c tableArguments) structure(i int) {
	name, _ := c.plain(i) // call refuses a name that is not plain
	switch structured.find(name) {
	case 1:
		begin, end, _ := c.argument(i + 2)
		if sameWord(name, "values") {
			c.firstRow(i, begin, end)
		} else {
			c.structureOnly(i, begin, end)
		}
	case 2:
		format, behind, _ := c.argument(i + 2)
		if !c.readsNoSQL(format, behind) {
			c.computes(i, "the format is to be written as one plain word, and Values is SQL")
		}
		if begin, end, more := c.argument(behind + 1); more { // of two, the second is data
			c.structureOnly(i, begin, end)
		}
	}
}

// argument returns the words of the argument that begins at word i, and whether another
// follows.
func (c tableArguments) argument(i int) (begin, end int, more bool) {
	for depth, at := 0, i; at < min(len(c.words), i+maxStructure); at++ {
		switch w := c.words[at]; {
		case opens(w.kind):
			depth++
		case closes(w.kind) && depth == 0, w.kind == Comma && depth == 0:
			return i, at, w.kind == Comma
		case closes(w.kind):
			depth--
		}
	}
	return i, len(c.words), true
}

// structureOnly wants an argument to be a structure in one plain string, or a number.
func (c tableArguments) structureOnly(i, begin, end int) {
	switch {
	case end == begin, end == begin+1 && c.at(begin).kind == Number: // generateRandom(1) has no structure
	case end != begin+1 || !c.namesColumns(begin):
		c.computes(i, namesOnly)
	}
}

// firstRow wants the first argument of values to have no string that could be a
// structure with more in it than columns. It may be a row as well.
func (c tableArguments) firstRow(i, begin, end int) {
	switch {
	case end-begin >= maxStructure:
		c.computes(i, "its first row is too long")
		return
	case c.at(begin).kind == OpeningRoundBracket: // ('a', 1) is a row, and ('a') is 'a'
		if _, inner, more := c.argument(begin + 1); more && inner < end {
			return
		}
	}
	for at := begin; at < end; at++ {
		w := c.at(at)
		constant := c.isWord(at, "null") || c.isWord(at, "true") || c.isWord(at, "false")
		switch {
		case w.kind == StringLiteral && !c.namesColumns(at),
			w.kind == HereDoc,
			w.isName() && !constant && c.at(at+1).kind != OpeningRoundBracket: // of a string, or a parameter's
			c.computes(i, namesOnly)
			return
		}
	}
}

const namesOnly = "its structure is to be written as one plain string of columns and types, without DEFAULT, ALIAS or the like"

// computes notes that the table function at word i may be told to compute something
// that nobody has looked at.
func (c tableArguments) computes(i int, why string) {
	name, _ := c.plain(i)
	c.found.note(TableFunction, c.words[i], name, "the table function "+short(name)+" may compute what nobody can see here: "+why)
}

// readsNoSQL reports whether the argument of these words is a format whose data is no SQL.
func (c tableArguments) readsNoSQL(begin, end int) bool {
	if end != begin+1 {
		return false
	}
	name, plain := c.plain(begin)
	if c.at(begin).kind == StringLiteral {
		name, plain = unescaped(c.source(begin))
	}
	return plain && !sameWord(name, "values")
}

// computing are the words by which a column is computed.
var computing = newLexicon(map[string]bool{"alias": true, "default": true, "materialized": true, "ephemeral": true, "ttl": true})

// namesColumns reports whether the string at word i is sure to have, as a structure,
// nothing but columns and types in it.
func (c tableArguments) namesColumns(i int) bool {
	if c.at(i).kind != StringLiteral {
		return false
	}
	text, plain := unescaped(c.source(i))
	if !plain {
		return false
	}
	for lexer := NewLexer(strings.Clone(text)); ; { // a copy, as in note
		switch t := lexer.Next(); {
		case t.Type == EndOfStream:
			return true
		case t.Type == Comment, t.Type.IsError(), t.Type == BareWord && computing.find(text[t.Begin:t.End]):
			return false
		}
	}
}

// unescaped returns what a string literal stands for, and false when only ClickHouse can
// tell for sure.
func unescaped(literal string) (string, bool) {
	if literal[0] != '\'' {
		return "", false
	}
	literal = literal[1 : len(literal)-1]
	var text []byte
	for at := 0; at < len(literal); at++ {
		if b := literal[at]; b == '\\' || b == '\'' { // the quote is doubled, or it would end the string
			if at++; at == len(literal) || literal[at] != '\'' {
				return "", false
			}
			if text == nil {
				text = make([]byte, 0, len(literal))
				text = append(text, literal[:at-1]...)
			}
		}
		if text != nil {
			text = append(text, literal[at])
		}
	}
	if text == nil {
		return literal, true
	}
	return string(text), true
}
