package clickhouse

import (
	"errors"
	"fmt"
	"io"
	"regexp"
	"strconv"
	"strings"

	"porterhouse"
)

// exceptionText is an exception as ClickHouse wrote it.
type exceptionText string

// Error implements error.
func (e exceptionText) Error() string { return shorten(string(e)) }

// beginning is how an exception begins, up to its message: as ClickHouse writes it over
// HTTP, as it did before 21.9 (#26172), and when what failed is a library of its.
//
//	Code: 60. DB::Exception: Unknown table … (UNKNOWN_TABLE) (version 26.7.2.1)
//	Code: 60, e.displayText() = DB::Exception: Table … doesn't exist (version 21.8.15.7)
//	std::exception. Code: 1001, type: std::length_error, e.what() = … (version 23.8.1.1)
var beginning = regexp.MustCompile(`^Code: (-?[0-9]{1,9})((\. |, e\.displayText\(\) = )(DB|Coordination)::[A-Za-z]*Exception: |, type: |, e\.code\(\) = )`)

// parseException reads an exception, of which the name and the version may be missing.
func parseException(text string) (e porterhouse.Exception, ok bool) {
	begins := beginning.FindStringSubmatch(text)
	if begins == nil {
		return e, false
	}
	message := strings.TrimRight(text[len(begins[0]):], "\r\n")
	if at := strings.LastIndex(message, " (version "); at >= 0 {
		message = message[:at]
	}
	code, err := strconv.Atoi(begins[1])
	e = porterhouse.Exception{Code: code, Message: message}
	if at := strings.LastIndex(message, " ("); at >= 0 && isErrorName(message[at+2:]) {
		e.Name, e.Message = message[at+2:len(message)-1], message[:at]
	}
	return e, err == nil
}

// isErrorName reports whether text is something like UNKNOWN_TABLE and a closing parenthesis.
func isErrorName(text string) bool {
	name, ok := strings.CutSuffix(text, ")")
	return ok && name != "" && strings.Trim(name, "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_") == ""
}

// refused reads the exception of a response that is one, as its header says. Rows may stand
// before it, which ClickHouse had not sent when it failed. The error is for call.fail.
//
// The code is the header's: rows and message are a person's to choose. So the message is
// what has that code, too: the body from its beginning, or else what its end has of that.
func refused(response *response) error {
	code := response.exceptionCode()
	if code == noCode {
		return notClickHouse(response)
	}
	first, last, err := ends(io.LimitReader(response.body, maxRefusal))
	if err != nil {
		return err
	}
	response.body.Close()
	switch at := exceptionAtEnd(last, code); {
	case isException(first, code) && len(first) < maxException:
		return exceptionText(first)
	case isException(first, code):
		return exceptionText(string(first) + " … " + string(last))
	case at >= 0:
		return exceptionText(last[at:])
	}
	return withoutWords(code)
}

// unreadable stands for the words of an exception that cannot be read.
const unreadable = "ClickHouse's own words could not be read"

// withoutWords is an exception of which nothing but the code is known.
func withoutWords(code int) exceptionText {
	unknown := nativeException{code: int32(code), message: "DB::Exception: " + unreadable}
	return exceptionText(unknown.text(""))
}

// isException reports whether a text begins as an exception with that code.
func isException(text []byte, code int) bool {
	e, ok := parseException(string(text))
	return ok && e.Code == code
}

// maxRefusal bounds what is read of a refusal with rows before it, in bytes: ClickHouse
// keeps a megabyte of them, unless it is told to keep more.
const maxRefusal = 16 << 20

// ends reads all and returns the beginning of it, maxException bytes at most, and the end,
// maxException bytes at least if there are so many.
func ends(r io.Reader) (first, last []byte, err error) {
	piece := make([]byte, bufferSize)
	for {
		n, err := r.Read(piece)
		first = append(first, piece[:min(n, maxException-len(first))]...)
		last = append(last[max(0, len(last)-maxException):], piece[:n]...)
		switch {
		case err == io.EOF:
			return first, last, nil
		case err != nil:
			return nil, nil, err
		}
	}
}

// explain makes the caller's error of the exception that ended s.
func (c *Client) explain(raw exceptionText, s *statement) error {
	exception, _ := parseException(string(raw))
	at := 0
	kind, public := special(c, raw, exception, s) // first, because locate changes positions
	if public == "" {
		at = s.locate(&exception)
		kind, public = judge(exception)
	}
	if public == "" {
		exception.Message = c.cleaner.clean(exception.Message)
		public = exception.Error()
	} else {
		exception.Message = public
	}
	return &porterhouse.Error{Kind: kind, Public: public, At: at, Err: &cause{exception, raw}}
}

// cause is the private half of an exception: what may be shown of it, for
// errors.As, and the text itself, for the log.
type cause struct {
	exception porterhouse.Exception
	raw       exceptionText
}

// Error implements error.
func (c *cause) Error() string { return c.raw.Error() }

// Unwrap returns the *porterhouse.Exception.
func (c *cause) Unwrap() error { return &c.exception }

// gatewayRefused is what a person is told when ClickHouse does not let the gateway in.
const gatewayRefused = "ClickHouse refuses Porterhouse's own account, by its password, its grants or its settings; tell the operator, whom porterhouse check tells which of them and what to run"

// judge says what kind of failure an exception of the statement is, and what the
// person is told instead of its message; "" is the message.
func judge(e porterhouse.Exception) (kind porterhouse.Kind, public string) {
	r, ok := rules[e.Code]
	if !ok {
		return porterhouse.Failed, ""
	}
	return r.kind, r.public
}

// special says what an exception means that is about how the statement came to
// ClickHouse, and not about the statement; public is "" for any other, such as each that
// comes behind rows.
func special(c *Client, raw exceptionText, e porterhouse.Exception, s *statement) (kind porterhouse.Kind, public string) {
	if s.answered {
		return "", ""
	}
	if kind, public = tooOldFor(c, raw); public != "" {
		return kind, public
	}
	switch {
	case s.way != nil:
		if kind, public = s.way.explain(e, s.as); public != "" && kind != porterhouse.Unauthenticated { // a token is its bearer's affair
			c.auto.doubt(s.as)
		}
		return kind, public
	case c.cleaner.aboutGateway(e):
		return porterhouse.Unavailable, gatewayRefused
	}
	return "", ""
}

// isFailedLogin reports whether an exception says that the user may not come in.
// One with the same code that a remote server gave to the statement begins otherwise.
func isFailedLogin(e porterhouse.Exception, user string) bool {
	return failedLogin[e.Code] && strings.HasPrefix(e.Message, user+": Authentication failed")
}

// locate corrects the position that a syntax error names, because ClickHouse
// counts from the beginning of the prefix, and returns it: 1-based, in bytes of
// the person's SQL. It returns 0 and changes nothing when the exception names no
// position in this text: formatQuery('SELECT +') fails with one in its argument.
//
//	Syntax error: failed at position 31 (end of query) (line 2, col 11): …
func (s *statement) locate(e *porterhouse.Exception) int {
	if s.prefix == "" {
		return 0
	}
	before, rest, ok := strings.Cut(e.Message, "failed at position ")
	digits, rest, more := strings.Cut(rest, " ")
	position, err := strconv.Atoi(digits)
	at := position - len(s.prefix) - len("\n")
	if !ok || !more || err != nil || at < 1 || at > len(s.SQL)+1 {
		return 0
	}
	line, column := lineAndColumn(s.SQL[:at-1])
	// ClickHouse counts the line of the prefix as well, and names this one after
	// the token at the position.
	theirs, ours := fmt.Sprintf("(line %d, col %d)", line+1, column), fmt.Sprintf("(line %d, col %d)", line, column)
	token, tail, ok := strings.Cut(rest, theirs)
	if !ok {
		return 0
	}
	e.Message = fmt.Sprintf("%sfailed at position %d %s%s%s", before, at, token, ours, tail)
	return at
}

// lineAndColumn returns where the text after before begins, both 1-based and the
// column in bytes.
func lineAndColumn(before string) (line, column int) {
	return strings.Count(before, "\n") + 1, len(before) - strings.LastIndexByte(before, '\n')
}

// notClickHouse says that something else than ClickHouse answered.
func notClickHouse(response *response) error {
	return &porterhouse.Error{
		Kind:   porterhouse.Unavailable,
		Public: "something answered that is not ClickHouse; tell the operator",
		Err: fmt.Errorf("HTTP status %d and content type %q, and no exception of ClickHouse",
			response.status, response.field("Content-Type")),
	}
}

// strange says that an errand has an answer that ClickHouse would not give.
func strange(answer string) error {
	return &porterhouse.Error{
		Kind:   porterhouse.Unavailable,
		Public: "something answered that is not ClickHouse; tell the operator",
		Err:    fmt.Errorf("an answer of %d bytes to a question that has another", len(answer)),
	}
}

// endless says that a response does not tell where it ends, so that nobody could
// tell a complete one from a broken one.
func endless() error {
	return &porterhouse.Error{
		Kind:   porterhouse.Unavailable,
		Public: "the answer would not have told whether it is complete; tell the operator",
		Err:    errors.New("a response with neither a length nor chunks: is there a proxy that speaks HTTP/1.0?"),
	}
}

// notOurs says that a response belongs to another question, whose id is got.
func notOurs(response *response, got string) error {
	if got == "" {
		return notClickHouse(response)
	}
	return &porterhouse.Error{
		Kind:   porterhouse.Internal,
		Public: "the answer to another question arrived, and was thrown away; tell the operator",
		Err:    fmt.Errorf("the response names the query id %q", got),
	}
}

// notRows says that a body is not in the row format that was asked for.
func notRows(err error) error {
	return &porterhouse.Error{Kind: porterhouse.Unavailable, Public: "ClickHouse's answer is broken; ask again, and tell the operator if it lasts", Err: err}
}
