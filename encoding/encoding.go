// Package encoding decodes what a client of ClickHouse's HTTP interface has
// compressed: the codings of HTTP (Content-Encoding: gzip, deflate, br, zstd, lz4)
// and ClickHouse's own blocks (decompress=1), as ClickHouse itself reads them.
//
// The rule of the package: what two readers could read differently is refused. The
// statement in a body is judged by what we read, and run by what ClickHouse reads;
// so bodies go on decoded.
package encoding

import (
	"errors"
	"io"
)

// ErrUnknown says that a coding is none that we decode.
var ErrUnknown = errors.New("encoding: unknown coding")

// Decode returns what r holds, decoded. coding is the value of Content-Encoding, one
// coding and not a list; "" and "identity" change nothing. The error wraps ErrUnknown
// for every other one. Reading fails at bytes that are not of the coding, and behind
// its end; memory is bounded, whatever r holds.
func Decode(coding string, r io.Reader) (io.Reader, error) { panic("not yet") }

// Blocks returns what r holds in ClickHouse's own compressed blocks, each with its
// checksum. Reading fails at a block that is not whole or not what its checksum says.
func Blocks(r io.Reader) io.Reader { panic("not yet") }
