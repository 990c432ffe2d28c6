package clickhouse

import (
	"bytes"
	"errors"
	"io"
	"regexp"
	"strconv"
)

// stream reads the body of a response with status 200 and tells data from an
// exception that ClickHouse wrote behind it, when the status had already left.
//
// ClickHouse ends a failed body with "\r\n__exception__\r\n", since 25.11 the tag
// that the response's header names and "\r\n", then the exception; and it leaves
// out the last, empty chunk. The rule, of which
// doc/decisions/005-exceptions-mid-stream.md tells the reasons:
//
//   - Where the header names a tag, the body has failed if and only if it holds
//     that beginning with that tag, or the connection breaks. Nobody's data can
//     hold a tag that was made up after the question.
//   - Where it names none, the same beginning without a tag means that it has
//     failed, and so does an exception at the very end of the body, which is the
//     form before 24.11. Data that reads like this is taken for a failure: the
//     safe side.
//   - A body is complete only if its transfer encoding ended properly.
type stream struct {
	source io.Reader
	tag    string // "": the server gave none
	mark   []byte // what stands between data and exception

	buffer           []byte
	start, safe, end int   // buffer[start:safe] is data; buffer[safe:end] may turn out to be an exception
	err              error // why nothing comes behind buffer[start:safe]; io.EOF: that was all
}

// The sizes of buffers, in bytes.
const (
	bufferSize = 32 << 10
	// maxException bounds what is kept of an exception. ClickHouse sends 16 KiB at most
	// behind rows, and all of it, however long, where there are none.
	maxException = 64 << 10
	// untaggedTail is how much of an untagged body is held back, for an exception at its very end.
	untaggedTail = 16 << 10
)

const exceptionMark = "\r\n__exception__\r\n"

func newStream(source io.Reader, tag string, buffer []byte) *stream {
	return &stream{source: source, tag: tag, mark: markOf(tag), buffer: buffer}
}

// markOf returns what stands between data and exception.
func markOf(tag string) []byte {
	if tag == "" {
		return []byte(exceptionMark)
	}
	return []byte(exceptionMark + tag + "\r\n")
}

// data returns what is known to be data and was not taken yet.
func (s *stream) data() []byte { return s.buffer[s.start:s.safe] }

// take drops the first n bytes of data.
func (s *stream) take(n int) { s.start += n }

// fill reads once more from the source: afterwards there may be more data, or err is set.
func (s *stream) fill() {
	if s.err != nil {
		return
	}
	s.makeRoom()
	n, err := s.source.Read(s.buffer[s.end:])
	s.end += n
	unsure := s.buffer[s.safe:s.end]
	if at := bytes.Index(unsure, s.mark); at >= 0 {
		s.safe += at
		s.err = s.exception(unsure[at+len(s.mark):], err)
		return
	}
	if err == io.EOF {
		s.complete(unsure)
		return
	}
	s.safe = s.end - s.pending(unsure)
	s.err = err
}

// makeRoom leaves room behind end: by moving what was not taken to the front, and
// when that is everything, by a larger buffer. Who fills bounds how large.
func (s *stream) makeRoom() {
	if s.end < len(s.buffer) {
		return
	}
	kept := s.buffer[s.start:s.end]
	if s.start == 0 {
		s.buffer = make([]byte, 2*len(s.buffer))
	}
	copy(s.buffer, kept)
	s.safe, s.end, s.start = s.safe-s.start, s.end-s.start, 0
}

// pending returns how many of the last bytes may still belong to an exception.
// Rows hold no carriage return, so mostly none.
func (s *stream) pending(unsure []byte) int {
	if s.tag == "" {
		return min(len(unsure), untaggedTail)
	}
	last := unsure[max(0, len(unsure)-len(s.mark)+1):]
	if at := bytes.IndexByte(last, '\r'); at >= 0 {
		return len(last) - at
	}
	return 0
}

// complete ends the stream: the source ended properly, and unsure holds no mark.
func (s *stream) complete(unsure []byte) {
	if s.tag == "" {
		if at, text := plainException(unsure); text != "" {
			s.safe += at
			s.err = text
			return
		}
	}
	s.safe, s.err = s.end, io.EOF
}

// exception reads what follows the mark, of which there is begun already. err is
// what the source said last.
func (s *stream) exception(begun []byte, err error) error {
	text := bytes.Clone(begun)
	if err == nil {
		var more []byte
		more, err = io.ReadAll(io.LimitReader(s.source, maxException))
		text = append(text, more...)
	}
	text = withoutTag(text, s.tag)
	if _, ok := parseException(string(text)); !ok {
		return errors.Join(errors.New("the body ends in a mark of an exception without one"), err)
	}
	return exceptionText(text)
}

// withoutTag removes what stands behind an exception when there is a tag: its length,
// the tag and the mark once more.
func withoutTag(text []byte, tag string) []byte {
	if tag == "" {
		return text
	}
	if at := bytes.LastIndex(text, []byte(" "+tag+"\r\n")); at >= 0 {
		text = text[:bytes.LastIndexByte(text[:at], '\n')+1]
	}
	return text
}

// trailingException finds the exception in the last bytes of a body, by the same rule;
// "" when there is none.
func trailingException(last []byte, tag string) exceptionText {
	mark := markOf(tag)
	at := bytes.LastIndex(last, mark)
	switch {
	case at >= 0:
		last = withoutTag(last[at+len(mark):], tag)
	case tag == "":
		_, text := plainException(last)
		return text
	default:
		return ""
	}
	if _, ok := parseException(string(last)); !ok {
		return ""
	}
	return exceptionText(last)
}

// plainException finds the exception that ends an untagged body with no mark in it, of
// which last is the end, and where it begins there; "" when there is none. Of one that is
// longer than what is held back nothing is known but how it ends.
func plainException(last []byte) (at int, text exceptionText) {
	if at = exceptionAtEnd(last, anyCode); at >= 0 {
		return at, exceptionText(bytes.Clone(last[at:]))
	}
	if len(last) >= untaggedTail && versionAtEnd.Match(last) {
		return 0, withoutWords(unknownException)
	}
	return 0, ""
}

// versionAtEnd is how an exception ends.
var versionAtEnd = regexp.MustCompile(` \(version [0-9]+(\.[0-9]+)+[^()\r\n]{0,40}( \([a-z ]+\))?\)[\r\n]*$`)

// exceptionAtEnd finds an exception with a code that reaches to the end of data, in the
// form in which servers before 24.11 appended it: "Code: 395. DB::Exception: …
// (version 23.8.1.1)". It returns -1 when there is none.
//
// The first that may be it is: an exception has others in it, of other servers and of a
// person's text, and nothing of it is to be taken for rows. Each place costs a look at a few
// bytes, because that text can be made of such places.
func exceptionAtEnd(data []byte, code int) int {
	text := bytes.TrimRight(data, "\r\n")
	end := bytes.LastIndex(text, []byte(" (version "))
	if end < 0 || !bytes.HasSuffix(text, []byte(")")) {
		return -1
	}
	for at := 0; ; at++ {
		next := bytes.Index(text[at:end], []byte("Code: "))
		if next < 0 {
			return -1
		}
		at += next
		if found := beginning.FindSubmatch(text[at:end]); found != nil && (code == anyCode || string(found[1]) == strconv.Itoa(code)) {
			return at
		}
	}
}
