package clickhouse

import (
	"fmt"
	"strings"
)

// revision is the version of the native protocol that is spoken here, whatever
// newer one the server knows: the first one in which progress tells the time. It
// has the parameters of a query (54459); what came later is not needed. No server
// that knows EXECUTE AS is so old that it does not know it.
const revision = 54460

// What the client sends.
const (
	clientHello  = 0
	clientQuery  = 1
	clientData   = 2
	clientCancel = 3
)

// What the server sends.
const (
	serverHello         = 0
	serverData          = 1
	serverException     = 2
	serverProgress      = 3
	serverPong          = 4
	serverEndOfStream   = 5
	serverProfileInfo   = 6
	serverTotals        = 7
	serverExtremes      = 8
	serverLog           = 10
	serverTableColumns  = 11
	serverProfileEvents = 14
)

// packet is what the server said. Its kind tells which of the fields have a meaning.
type packet struct {
	kind      uint64
	exception *nativeException
	progress  progress // since the last packet of this kind
	columns   uint64   // of a block
	limit     shortage // of the answer
}

// shortage is what a LIMIT left out.
type shortage struct {
	applied bool
	before  uint64 // rows that there would be without it
}

// columnReader reads the values of a column of a block; when it cannot, it fails
// the reader.
type columnReader func(r *wireReader, kind string, rows uint64)

// packet reads the next packet. data reads the blocks of the answer; nil: there may
// be no rows in them.
func (r *wireReader) packet(data columnReader) packet {
	return r.rest(r.number("the kind of a packet", maxNumber), data)
}

// rest reads a packet behind its kind.
func (r *wireReader) rest(kind uint64, data columnReader) packet {
	p := packet{kind: kind}
	switch p.kind {
	case serverData, serverTotals, serverExtremes:
		p.columns = r.block(data)
	case serverLog, serverProfileEvents:
		r.block(skipColumn)
	case serverException:
		p.exception = r.exception()
	case serverProgress:
		p.progress = r.progress()
	case serverProfileInfo:
		p.limit = r.profileInfo()
	case serverTableColumns:
		r.text("the name of a table", maxNativeText)
		r.text("the description of columns", maxNativeText)
	case serverPong, serverEndOfStream:
	default:
		r.fail(fmt.Errorf("a packet of the kind %d, which nobody asked for", p.kind))
	}
	return p
}

// nativeException is an exception as the native protocol tells it.
type nativeException struct {
	code    int32
	message string // with the class before it and the name behind it, as text has it
}

// maxNested bounds exceptions inside an exception.
const maxNested = 32

// exception reads an exception, and drops those inside of it: ClickHouse's message
// has all of them.
func (r *wireReader) exception() *nativeException {
	var outer *nativeException
	for range maxNested {
		e := &nativeException{code: r.int32()}
		r.text("the class of an exception", maxNativeText)
		e.message = r.text("the message of an exception", maxNativeText)
		r.text("the stack trace of an exception", maxNativeText)
		if outer == nil {
			outer = e
		}
		if r.byte() == 0 {
			return outer
		}
	}
	r.fail(fmt.Errorf("an exception with more than %d inside of it", maxNested))
	return outer
}

// progress is how far the server has come.
type progress struct {
	readRows, readBytes, totalRows, writtenRows, writtenBytes, elapsed uint64 // elapsed in nanoseconds
}

func (r *wireReader) progress() progress {
	const what = "progress"
	return progress{
		readRows:     r.number(what, maxNumber),
		readBytes:    r.number(what, maxNumber),
		totalRows:    r.number(what, maxNumber),
		writtenRows:  r.number(what, maxNumber),
		writtenBytes: r.number(what, maxNumber),
		elapsed:      r.number(what, maxNumber),
	}
}

// add adds what has come since.
func (p *progress) add(more progress) {
	p.readRows += more.readRows
	p.readBytes += more.readBytes
	p.totalRows += more.totalRows
	p.writtenRows += more.writtenRows
	p.writtenBytes += more.writtenBytes
	p.elapsed += more.elapsed
}

// profileInfo reads rows, blocks, bytes, whether there was a LIMIT, the rows before it,
// and whether those were counted.
func (r *wireReader) profileInfo() (l shortage) {
	const what = "a profile"
	for range 3 {
		r.number(what, maxNumber)
	}
	l.applied = r.byte() != 0
	l.before = r.number(what, maxNumber)
	r.byte()
	return l
}

// maxBlockColumns bounds the columns of a block.
const maxBlockColumns = 100_000

// block reads a block and returns how many columns it has.
func (r *wireReader) block(values columnReader) uint64 {
	r.text("the name of a table", maxNativeText)
	r.blockInfo()
	columns := r.number("the columns of a block", maxBlockColumns)
	rows := r.number("the rows of a block", maxNumber)
	if rows > 0 && columns > 0 && values == nil {
		r.fail(errRows)
	}
	for range columns {
		r.text("the name of a column", maxNativeText)
		kind := r.text("the type of a column", maxNativeText)
		if custom := r.byte(); custom != 0 && rows > 0 {
			r.fail(fmt.Errorf("a column of the type %s that is not written as one", kind))
		}
		if r.err != nil {
			break
		}
		if rows > 0 {
			values(r, kind, rows)
		}
	}
	return columns
}

// blockInfo reads the numbered fields before a block.
func (r *wireReader) blockInfo() {
	for r.err == nil {
		switch field := r.number("a field of a block", maxNumber); field {
		case 0:
			return
		case 1:
			r.byte() // whether it overflows
		case 2:
			r.int32() // its bucket
		default:
			r.fail(fmt.Errorf("the field %d of a block, which is not known", field))
		}
	}
}

// widths are the bytes of a value of the types in what the server tells about its
// own work, in the blocks of logs and counters.
var widths = map[string]uint64{
	"Int8": 1, "UInt8": 1, "Enum8": 1, "UInt32": 4, "DateTime": 4, "Int64": 8, "UInt64": 8,
}

// skipColumn reads past the values of a column of logs or counters.
func skipColumn(r *wireReader, kind string, rows uint64) {
	name, _, _ := strings.Cut(kind, "(")
	width, ok := widths[name]
	switch {
	case ok && rows <= maxNumber/width:
		r.skip(rows * width)
	case name == "String":
		for range rows {
			if r.skip(r.number("a text", maxNativeText)); r.err != nil {
				return
			}
		}
	default:
		r.fail(fmt.Errorf("%d values of the type %s, which cannot be skipped", rows, kind))
	}
}

// Error implements error.
func (e *nativeException) Error() string { return shorten(e.message) }
