package clickhouse

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"

	"porterhouse"
)

// nativeQuery is a statement as the native protocol carries it.
type nativeQuery struct {
	id       string // "": the server makes one up
	sql      string
	insert   bool      // the server may ask for rows, of which there are none
	data     io.Reader // follows sql in the text; nil: nothing does
	size     int64     // bytes of data
	settings []porterhouse.Setting
	params   map[string]string
	initial  *initialUser // who asks, on a connection that is nobody's; nil: whose it is

	values   columnReader   // reads the rows of the answer; nil: there may be none
	progress func(progress) // is told what was done since it was told last; nil: nobody
	sent     int64          // bytes of data that have left
}

// send writes the statement to c. When data has not exactly size bytes, the server
// never gets a whole packet, and runs nothing.
func (q *nativeQuery) send(c *nativeConn) error {
	if _, err := c.Write(q.head(c.quotaKey)); err != nil {
		return err
	}
	if err := q.sendData(c.Conn); err != nil {
		return err
	}
	_, err := c.Write(q.appendTail(nil))
	return err
}

// whole returns everything of a statement without data.
func (q *nativeQuery) whole(quotaKey string) []byte { return q.appendTail(q.head(quotaKey)) }

// sendData copies data, of which there must be exactly as much as was announced.
func (q *nativeQuery) sendData(to io.Writer) error {
	if q.data == nil {
		return nil
	}
	from := &source{Reader: q.data}
	n, err := io.CopyN(to, from, q.size)
	q.sent = n
	switch {
	case from.err != nil && from.err != io.EOF:
		return &dataError{from.err}
	case n < q.size && from.err == io.EOF:
		return &dataError{fmt.Errorf("the data ends after %d of %d bytes: %w", n, q.size, io.ErrUnexpectedEOF)}
	case err != nil:
		return err
	}
	if n, err := io.ReadFull(q.data, make([]byte, 1)); n > 0 || err != io.EOF {
		return &dataError{errors.Join(fmt.Errorf("the data has not ended after %d bytes", q.size), err)}
	}
	return nil
}

// source remembers how reading has failed, to tell that from a failure to write.
type source struct {
	io.Reader
	err error
}

// Read implements io.Reader.
func (s *source) Read(p []byte) (int, error) {
	n, err := s.Reader.Read(p)
	if err != nil {
		s.err = err
	}
	return n, err
}

// head returns the packet as far as data.
func (q *nativeQuery) head(quotaKey string) []byte {
	b := make([]byte, 0, 512+len(q.sql))
	b = binary.AppendUvarint(b, clientQuery)
	b = appendText(b, q.id)
	b = appendClientInfo(b, quotaKey, q.initial)
	b = appendSettings(b, q.settings)
	b = appendText(b, q.initial.proven())
	b = binary.AppendUvarint(b, 2) // to the end, not to a state that another server would go on from
	b = binary.AppendUvarint(b, 0) // not compressed
	b = binary.AppendUvarint(b, uint64(len(q.sql))+uint64(q.size))
	return append(b, q.sql...)
}

// appendTail appends what follows data: the parameters, and no external tables.
func (q *nativeQuery) appendTail(b []byte) []byte {
	params := make([]porterhouse.Setting, 0, len(q.params))
	for _, name := range slices.Sorted(maps.Keys(q.params)) {
		params = append(params, porterhouse.Setting{Name: name, Value: q.params[name]})
	}
	return appendNoRows(appendSettings(b, params))
}

// appendClientInfo appends who asks. What a server must not believe is left empty,
// and so it takes it from the session.
func appendClientInfo(b []byte, quotaKey string, initial *initialUser) []byte {
	name, address := "", "0.0.0.0:0"
	if initial != nil {
		name, address = initial.name, initial.address
	}
	b = append(b, 1)                  // this is the first server to see the statement
	b = appendText(b, name)           // the user who asks
	b = appendText(b, "")             // the id of their query
	b = appendText(b, address)        // their address
	b = append(b, make([]byte, 8)...) // when they asked
	b = append(b, 1)                  // over the native protocol
	b = appendText(b, "")             // the user of their operating system
	b = appendText(b, "")             // their host
	b = appendClient(b, revision)
	b = appendText(b, quotaKey)
	b = binary.AppendUvarint(b, 0) // not from another server
	b = binary.AppendUvarint(b, 0) // the last part of our version
	b = append(b, 0)               // no trace
	return append(b, 0, 0, 0)      // no parallel replicas
}

// literal says that a setting's value is a literal of ClickHouse's. So written,
// one of the operator's own gets through, and an unknown one is an error; without
// it an unknown one is ignored.
const literal = 2

// appendSettings appends settings, or the parameters of a statement, and their end.
func appendSettings(b []byte, settings []porterhouse.Setting) []byte {
	for _, s := range settings {
		b = appendText(b, s.Name)
		b = binary.AppendUvarint(b, literal)
		b = appendText(b, string(quote(nil, s.Value)))
	}
	return appendText(b, "")
}

// appendNoRows appends a block of no columns, which ends what a client sends.
func appendNoRows(b []byte) []byte {
	b = binary.AppendUvarint(b, clientData)
	b = appendText(b, "")                    // of no table
	b = append(b, 1, 0)                      // it does not overflow
	b = append(b, 2, 0xff, 0xff, 0xff, 0xff) // and is in no bucket
	b = append(b, 0)
	return append(b, 0, 0)
}
