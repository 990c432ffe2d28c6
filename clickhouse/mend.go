package clickhouse

import (
	"fmt"
	"io"
	"slices"
	"strings"

	"porterhouse"
)

// mend reads the exception of a response that has nothing else, and puts right what
// in it is ours and not the client's: a session's name, where in the text a syntax
// error is, and the gateway's account. All other bytes stay as ClickHouse sent them.
// An exception that says how we came to ClickHouse, and nothing about the statement,
// is the error. It is for fail.
func (k *call) mend(r *response) error {
	if !r.refuses() {
		return nil
	}
	raw, err := r.peek()
	if err != nil {
		return err
	}
	if len(raw) == maxException { // one so long has a person's text in it, and goes on as it is
		return nil
	}
	text := decodedException(r.field("Content-Encoding"), raw, r.exceptionCode())
	if text == "" {
		return nil
	}
	exception, _ := parseException(string(text))
	if s, found := unknownSent(text); found && s.without == "" {
		k.client.lacks.learn(k.ctx, s.name, k.client.control.refuses) // for special
	}
	if _, public := special(k.client, text, exception, &k.statement); public != "" {
		return text
	}
	if mended := k.mended(string(text), exception); mended != string(text) && !k.inBlocks() {
		r.body.peeked = []byte(mended)
		r.fields = slices.DeleteFunc(r.fields, func(f porterhouse.Setting) bool { return strings.EqualFold(f.Name, "Content-Encoding") })
	}
	return nil
}

// peek returns how the body begins: all of it, or maxException bytes. It is still there to
// be read, though all of it needs no connection any more.
func (r *response) peek() ([]byte, error) {
	raw, err := io.ReadAll(io.LimitReader(r.body, maxException))
	r.body.peeked = raw
	return raw, err
}

// inBlocks reports whether the client wants ClickHouse's own blocks, in which an
// exception stays as it is.
func (k *call) inBlocks() bool {
	return slices.ContainsFunc(k.Passage.Options, func(o porterhouse.Setting) bool {
		return o.Name == "compress" && o.Value != "0" && o.Value != "false"
	})
}

// mended returns the text of an exception as a client sees it that asked ClickHouse
// itself.
func (k *call) mended(text string, e porterhouse.Exception) string {
	if s := k.Passage.Session; s != nil {
		text = strings.ReplaceAll(text, sessionName(s), s.ID)
	}
	if k.prefix == "" {
		return text
	}
	message := e.Message
	if at := k.locate(&e); at > 0 {
		if line := strings.IndexByte(k.SQL, '\n'); line < 0 || line == len(k.SQL)-1 { // then ClickHouse names no line
			_, column := lineAndColumn(k.SQL[:at-1])
			e.Message = strings.Replace(e.Message, fmt.Sprintf(" (line 1, col %d)", column), "", 1)
		}
		text = strings.Replace(text, message, e.Message, 1)
	}
	return replaceWord(text, k.client.cleaner.gateway, k.as.String())
}
