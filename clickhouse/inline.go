package clickhouse

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"

	"porterhouse"
)

// maxStatement is how long a statement may be with its data, in bytes: the native
// protocol carries no longer text.
const maxStatement = 1 << 30

// inlineData is the data of an INSERT, which travels as a part of the statement's
// text: ClickHouse reads any format there, and a text that is not whole it does not
// look at. So how long it is must be known before it is sent.
type inlineData struct {
	reader io.Reader // nil: there is none
	size   int64
	spool  *Spool
	person string   // whose it is
	file   *os.File // what it was kept in; nil: nothing
	kept   int64    // bytes in file
}

// close forgets the data.
func (d *inlineData) close() {
	if d.file != nil {
		d.file.Close() // and with it goes the file, which has no name
		d.spool.add(d.person, -d.kept)
	}
}

// inline returns the data of the statement. What comes without its length is read to
// its end first.
// Where it must be read twice, all of it is.
func (s *Spool) inline(ctx context.Context, q porterhouse.Query, twice bool) (*inlineData, error) {
	p := q.Passage
	room := maxStatement - int64(len(q.SQL)+len("\n"))
	switch {
	case p == nil || p.Data == nil:
		return &inlineData{}, nil
	case !q.Class.Data:
		return &inlineData{}, nothingFollows(p.Data)
	case p.Size > room:
		return nil, tooMuchData()
	case p.Size > 0 && !twice:
		return &inlineData{reader: p.Data, size: p.Size}, nil
	}
	d, err := s.keep(inTime{ctx, p.Data}, p.Person, room)
	if err == nil && p.Size > 0 && d.size != p.Size {
		d.close()
		return nil, &dataError{fmt.Errorf("the data has %d bytes, and %d were announced: %w", d.size, p.Size, io.ErrUnexpectedEOF)}
	}
	return d, err
}

// tooMuchData refuses an INSERT. The door's client is told what it can do.
func tooMuchData() error {
	return porterhouse.Errorf(porterhouse.Limited, "the INSERT is longer than the %d bytes that one statement can have in this access mode; "+
		"send it in parts, or let the operator switch the cluster's access mode to verify, which knows no such limit", maxStatement)
}

// nothingFollows makes sure that there is nothing that would be dropped unseen.
func nothingFollows(data io.Reader) error {
	switch n, err := io.ReadFull(data, make([]byte, 1)); {
	case n > 0:
		return porterhouse.Errorf(porterhouse.Invalid, "something follows the statement, and it is no INSERT that takes data")
	case err != io.EOF:
		return &dataError{err}
	}
	return nil
}

// inTime reads until nobody waits any more.
type inTime struct {
	ctx context.Context
	io.Reader
}

// Read implements io.Reader.
func (r inTime) Read(p []byte) (int, error) {
	if err := r.ctx.Err(); err != nil {
		return 0, err
	}
	return r.Reader.Read(p)
}

// keep reads data to its end, of at most room bytes: a little in memory, more into a
// file without a name.
func (s *Spool) keep(data io.Reader, person string, room int64) (*inlineData, error) {
	head := make([]byte, inMemory)
	n, err := io.ReadFull(data, head)
	switch {
	case err == io.EOF:
		return &inlineData{}, nil
	case err == io.ErrUnexpectedEOF:
		return &inlineData{reader: bytes.NewReader(head[:n]), size: int64(n)}, nil
	case err != nil:
		return nil, &dataError{err}
	}
	d := &inlineData{spool: s, person: person}
	if d.file, err = unnamed(); err != nil {
		return nil, noSpool(err)
	}
	if err := d.fill(io.MultiReader(bytes.NewReader(head), data), room); err != nil {
		d.close()
		return nil, err
	}
	return d, nil
}

// fill writes data into the file, and goes back to its beginning.
func (d *inlineData) fill(data io.Reader, room int64) error {
	from := &source{Reader: data}
	n, err := io.Copy(d, io.LimitReader(from, room+1))
	switch {
	case from.err != nil && from.err != io.EOF:
		return &dataError{from.err}
	case err != nil:
		return noSpool(err)
	case n > room:
		return tooMuchData()
	}
	if _, err := d.file.Seek(0, io.SeekStart); err != nil {
		return noSpool(err)
	}
	d.reader, d.size = d.file, n
	return nil
}

// Write implements io.Writer, within what all files may have, and all of one person.
func (d *inlineData) Write(p []byte) (int, error) {
	d.kept += int64(len(p))
	used, own := d.spool.add(d.person, int64(len(p)))
	switch {
	case own > maxOwnSpooled:
		return 0, porterhouse.Errorf(porterhouse.Limited, "your INSERTs whose length is not known have more than %d bytes together that wait to be sent; "+
			"send a Content-Length, or less at once, or wait until the others have ended", int64(maxOwnSpooled))
	case used > maxSpooled:
		return 0, fmt.Errorf("all files of such INSERTs have %d bytes, more than the %d that they may", used, int64(maxSpooled))
	}
	return d.file.Write(p)
}

// unnamed makes a file in the directory for temporary ones (TMPDIR) that has no name
// any more, so that nothing is left of it when we end, in whatever way.
func unnamed() (*os.File, error) {
	file, err := os.CreateTemp("", "porterhouse-insert-*")
	if err != nil {
		return nil, err
	}
	if err := os.Remove(file.Name()); err != nil {
		file.Close()
		return nil, err
	}
	return file, nil
}

// noSpool says that there is no place for data, unless err tells its owner more.
func noSpool(err error) error {
	if own, ok := errors.AsType[*porterhouse.Error](err); ok {
		return own
	}
	return &porterhouse.Error{
		Kind:   porterhouse.Unavailable,
		Public: "there is no room for an INSERT whose length is not known; send a Content-Length, or try again in a moment, and tell the operator if it lasts",
		Err:    err,
	}
}
