package mcpserver

// byteClass is what a byte means to a tokenizer of the kind that models use:
// they cut text at changes of class first.
type byteClass uint8

const (
	mark    byteClass = iota // punctuation
	control                  // tabs and line ends, which stay alone
	blank                    // joins the word behind it
	figure
	lower
	upper
	lead2 // first byte of a character beyond ASCII, by its length
	lead3
	lead4
	inner // further bytes of such a character
)

var byteClasses = func() (table [256]byteClass) {
	for b := range table {
		switch {
		case b < ' ':
			table[b] = control
		case b == ' ':
			table[b] = blank
		case b >= '0' && b <= '9':
			table[b] = figure
		case b >= 'a' && b <= 'z':
			table[b] = lower
		case b >= 'A' && b <= 'Z':
			table[b] = upper
		case b >= 0xF0:
			table[b] = lead4
		case b >= 0xE0:
			table[b] = lead3
		case b >= 0xC0:
			table[b] = lead2
		case b >= 0x80:
			table[b] = inner
		}
	}
	return table
}()

// tokens estimates how many tokens of a model's context the text takes, within
// about a tenth of what o200k counts for tables of numbers, times, ids and
// hashes, and on the safe side for words. A test holds it against o200k itself.
func tokens(text []byte) (n int) {
	for i := 0; i < len(text); {
		class := byteClasses[text[i]]
		end := i + 1
		switch class {
		case lower, upper:
			end = endOfLetters(text, i)
			n += letterTokens(text, i, end)
		case lead2, lead3, lead4, inner:
			var halves int
			end, halves = foreign(text, i)
			n += (halves + 1) / 2
		default:
			for end < len(text) && byteClasses[text[end]] == class {
				end++
			}
			n += runTokens(class, text[end:], end-i)
		}
		i = end
	}
	return n
}

// runTokens is the cost of a run of one class; rest is what follows.
func runTokens(class byteClass, rest []byte, length int) int {
	switch class {
	case figure: // up to three digits each
		return (length + 2) / 3
	case blank: // one that a word follows costs nothing
		if length == 1 && (len(rest) == 0 || byteClasses[rest[0]] >= lower) {
			return 0
		}
		return 1
	case control:
		return length
	}
	return (length + 1) / 2 // marks go in pairs
}

func endOfLetters(text []byte, i int) int {
	for i < len(text) && (byteClasses[text[i]] == lower || byteClasses[text[i]] == upper) {
		i++
	}
	return i
}

// letterTokens is the cost of the letters text[from:to]: a word is a token or
// two, what looks like a part of an id or a hash many.
func letterTokens(text []byte, from, to int) int {
	length, capitals := to-from, 0
	for _, b := range text[from:to] {
		if byteClasses[b] == upper {
			capitals++
		}
	}
	digits := from > 0 && byteClasses[text[from-1]] == figure || to < len(text) && byteClasses[text[to]] == figure
	switch {
	case digits || capitals > 1:
		return (2*length + 2) / 3
	case length <= 6:
		return 1
	}
	return (length + 3) / 4
}

// foreign is the end of the characters beyond ASCII that begin at i, and twice
// their cost.
func foreign(text []byte, i int) (end, halves int) {
	for ; i < len(text) && byteClasses[text[i]] >= lead2; i++ {
		switch byteClasses[text[i]] {
		case lead2:
			halves++
		case lead3:
			halves += 2
		case lead4:
			halves += 4
		}
	}
	return i, halves
}
