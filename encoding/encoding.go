// Package encoding decodes what a client of ClickHouse's HTTP interface has
// compressed: the codings of HTTP (Content-Encoding: gzip, deflate, br, zstd, lz4)
// and ClickHouse's own blocks (decompress=1), as ClickHouse itself reads them.
//
//	body ─▶ Decode (Content-Encoding) ─▶ Blocks (decompress=1) ─▶ what is judged, and sent on
//
// The rule of the package: what two readers could read differently is refused. The
// statement in a body is judged by what we read, and run by what ClickHouse reads;
// so bodies go on decoded.
//
// Where ClickHouse 26.7 reads a body and we refuse it:
//
//	lz4 or zstd that is cut off     ClickHouse takes what came for the whole
//	lz4 with a few bytes behind it  ClickHouse leaves them
//	zstd, windows over 8 MiB        up to 128 MiB there; RFC 9659 allows HTTP 8 MiB
//	xz, bz2, snappy                 nobody sends them to an HTTP server
//	blocks larger than MaxBlock     up to 1 GiB there, for each request
//	blocks of codecs for columns    Delta, T64, Gorilla …: clients do not write them
//	blocks that are empty, or NONE with two lengths
package encoding

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zlib"
	"github.com/klauspost/compress/zstd"
	"github.com/pierrec/lz4/v4"
)

// ErrUnknown says that a coding is none that we decode.
var ErrUnknown = errors.New("encoding: unknown coding")

// Decode returns what r holds, decoded. coding is the value of Content-Encoding, one
// coding and not a list; "", "auto", "none" and "identity" change nothing. The error
// wraps ErrUnknown for every one that is not decoded here. Reading fails at bytes
// that are not of the coding, at an end that comes too early, and behind the end;
// memory is bounded, whatever r holds.
func Decode(coding string, r io.Reader) (io.Reader, error) {
	if plain(coding) {
		return r, nil
	}
	open, ok := codings[strings.ToLower(coding)]
	if !ok {
		return nil, fmt.Errorf("%w %q: send gzip, deflate, br, zstd or lz4", ErrUnknown, coding)
	}
	return &decoder{source: r, open: open}, nil
}

// Known reports whether Decode knows the coding.
func Known(coding string) bool {
	return plain(coding) || codings[strings.ToLower(coding)] != nil
}

// plain reports whether a body of the coding is the text itself.
func plain(coding string) bool {
	switch strings.ToLower(coding) {
	case "", "auto", "none", "identity":
		return true
	}
	return false
}

// codings are the codings by the names that ClickHouse knows, whatever their case.
var codings = map[string]func(io.Reader) (io.Reader, error){
	"gzip":    openGzip,
	"gz":      openGzip,
	"deflate": openZlib,
	"br":      openBrotli,
	"brotli":  openBrotli,
	"zstd":    openZstd,
	"zst":     openZstd,
	"lz4":     openLZ4,
}

// decoder opens its coding with the first Read: a gzip reader reads the header when
// it is made, and nobody may wait for a body before somebody wants it.
type decoder struct {
	source io.Reader
	open   func(io.Reader) (io.Reader, error)
	reader io.Reader
	err    error
}

// Read implements io.Reader. After an error it fails with the same error for ever.
func (d *decoder) Read(p []byte) (int, error) {
	if d.err != nil {
		return 0, d.err
	}
	if d.reader == nil {
		if d.reader, d.err = d.open(d.source); d.err != nil {
			d.err = early(d.err)
			return 0, d.err
		}
	}
	n, err := d.reader.Read(p)
	d.err = err
	return n, err
}

// early is err, but not a good end: nothing was decoded yet.
func early(err error) error {
	if errors.Is(err, io.EOF) {
		return io.ErrUnexpectedEOF
	}
	return err
}

// openGzip reads one member after the other (RFC 1952, 2.2).
func openGzip(r io.Reader) (io.Reader, error) { return gzip.NewReader(bufio.NewReader(r)) }

// maxWindow is how far a body may refer back (RFC 9659, 3).
const maxWindow = 8 << 20

// openZstd reads one frame after the other, each as a stream: the package's own way
// with short buffers would decode them whole, whatever they hold.
func openZstd(r io.Reader) (io.Reader, error) {
	return zstd.NewReader(r, zstd.WithDecoderConcurrency(1), zstd.WithDecoderLowmem(true),
		zstd.WithDecoderMaxWindow(maxWindow), zstd.WithDecodeBuffersBelow(0))
}

// openLZ4 reads one frame after the other, of blocks up to 8 MiB.
func openLZ4(r io.Reader) (io.Reader, error) { return lz4.NewReader(bufio.NewReader(r)), nil }

// openZlib reads one zlib stream (RFC 1950) after the other, as ClickHouse does.
func openZlib(r io.Reader) (io.Reader, error) {
	source := bufio.NewReader(r)
	stream, err := zlib.NewReader(source)
	if err != nil {
		return nil, err
	}
	return &streams{source: source, stream: stream}, nil
}

// streams are the zlib streams of one body.
type streams struct {
	source *bufio.Reader // a ByteReader: nothing behind a stream is taken from it
	stream io.ReadCloser
}

func (s *streams) Read(p []byte) (int, error) {
	n, err := s.stream.Read(p)
	if !errors.Is(err, io.EOF) {
		return n, err
	}
	if _, err := s.source.Peek(1); err != nil {
		return n, err
	}
	return n, early(s.stream.(zlib.Resetter).Reset(s.source, nil))
}
