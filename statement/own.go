package statement

import "strings"

// Assignment is a setting and its value.
type Assignment struct{ Name, Value string }

// OwnSettings returns what the SETTINGS clause of a SELECT sets for all of it: those of
// the settings whose value is a plain literal, as a URL would carry it, in the order in
// which they are written. It is for whoever runs the SELECT inside another statement,
// as EXECUTE AS does: ClickHouse formats the answer by the outer statement's settings,
// and those of the clause are lost unless they are sent beside the text, too.
//
// Of several SELECTs joined by UNION and its like each has settings of its own, and so
// the whole has none. Neither has a text that is not one statement.
func OwnSettings(sql string) []Assignment {
	var buffer [320]word
	words, doubt := readWords(sql, buffer[:0])
	if doubt != nil {
		return nil
	}
	s, depth := clause{&sentence{sql, words}}, 0
	var own []Assignment
	for i := 0; i < len(words); i++ {
		switch w := words[i]; {
		case opens(w.kind):
			depth++
		case closes(w.kind):
			depth--
		case depth > 0 || s.at(i-1).kind == Dot || s.at(i-1).key == kAs:
		case w.kind == Semicolon && i+1 < len(words):
			return nil
		case w.key == kUnion, w.key == kIntersect, w.key == kExcept && s.at(i+1).kind != OpeningRoundBracket: // and not SELECT * EXCEPT (a)
			return nil
		case w.key == kSettings:
			if set, end := s.assignments(i + 1); s.endsStatement(end) {
				own, i = append(own, set...), end-1
			}
		}
	}
	return own
}

// clause is a sentence in which SETTINGS are read.
type clause struct{ *sentence }

// assignments reads name = literal, … from word i on, and returns the index behind.
// A value of another sort is left out.
func (s clause) assignments(i int) (all []Assignment, end int) {
	for {
		name, ok := s.plain(i)
		if !ok {
			return all, i
		}
		value, next := "1", i+1 // what a name alone means
		if s.at(next).kind == Equals {
			value, next, ok = s.literal(next + 1)
		}
		if ok {
			all = append(all, Assignment{strings.Clone(name), strings.Clone(value)})
		}
		if s.at(next).kind != Comma {
			return all, next
		}
		i = next + 1
	}
}

// literal reads the value of a setting at word i; false: it is not a plain one.
func (s clause) literal(i int) (value string, next int, plain bool) {
	switch w := s.at(i); w.kind {
	case Minus, Plus:
		if s.at(i+1).kind == Number {
			return s.source(i) + s.source(i+1), i + 2, isDecimal(s.source(i + 1))
		}
	case Number:
		return s.source(i), i + 1, isDecimal(s.source(i))
	case BareWord:
		switch {
		case s.isWord(i, "true"):
			return "1", i + 1, true
		case s.isWord(i, "false"):
			return "0", i + 1, true
		}
	case StringLiteral:
		text := s.source(i)
		value = text[1 : len(text)-1]
		return value, i + 1, text[0] == '\'' && !strings.ContainsAny(value, `\'`)
	case OpeningRoundBracket, OpeningSquareBracket, OpeningCurlyBrace:
		return "", s.behindBracket(i), false
	}
	return "", i + 1, false
}

// isDecimal reports whether a number is digits and points: others mean something else in
// a URL, or nothing.
func isDecimal(number string) bool { return strings.Trim(number, "0123456789.") == "" }

// behindBracket returns the index behind the bracket that word i opens.
func (s clause) behindBracket(i int) int {
	depth := 0
	for ; i < len(s.words); i++ {
		switch {
		case opens(s.words[i].kind):
			depth++
		case closes(s.words[i].kind):
			if depth--; depth == 0 {
				return i + 1
			}
		}
	}
	return i
}

// endsStatement reports whether nothing stands at word i that could follow a column
// called settings: the end, FORMAT, INTO OUTFILE or more settings.
func (s clause) endsStatement(i int) bool {
	switch w := s.at(i); w.key {
	case kFormat, kInto, kSettings:
		return true
	default:
		return w.kind == noWord || w.kind == Semicolon
	}
}
