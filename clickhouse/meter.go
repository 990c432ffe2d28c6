package clickhouse

import (
	"bytes"
	"math"

	"porterhouse"
)

// meter says how much of the data that has arrived may go on to the caller.
type meter interface {
	// next is shown all data that has not gone on yet. When nothing of it may go
	// on and cut is "", it wants to see more.
	next(data []byte) portion
}

// portion is the beginning of some data that may go on.
type portion struct {
	size int             // in bytes
	rows bool            // every line of it is a row
	cut  porterhouse.Cut // nothing may follow it, for this reason
}

// limit returns a limit of 0 as none.
func limit(n int64) int64 {
	if n <= 0 {
		return math.MaxInt64
	}
	return n
}

// byteMeter lets everything pass, up to a number of bytes.
type byteMeter struct{ left int64 }

func (m *byteMeter) next(data []byte) portion {
	p := portion{size: len(data)}
	if int64(p.size) > m.left {
		p = portion{size: int(m.left), cut: porterhouse.CutBytes}
	}
	m.left -= int64(p.size)
	return p
}

// maxRow bounds a single row, which is held in memory until it is whole.
const maxRow = 64 << 20

// rowMeter lets whole lines pass, up to a number of rows and of bytes.
//
// Behind the rows of WITH TOTALS and of extremes ClickHouse prints an empty line,
// and then lines that are not rows: they pass, and do not count as rows. Where a
// row may be an empty line itself (one column of text in TSVRows), nobody can
// tell: there every line is a row. In JSONRows ClickHouse prints no totals.
type rowMeter struct {
	rows, bytes int64 // left
	blankIsRow  bool
	behind      bool // behind the rows
	searched    int  // so many bytes at the beginning of data hold no line break
}

func (m *rowMeter) next(data []byte) portion {
	if !m.behind && !m.blankIsRow && len(data) > 0 && data[0] == '\n' {
		m.behind = true
	}
	if len(data) > 0 && !m.behind && m.rows == 0 {
		return portion{cut: porterhouse.CutRows}
	}
	lines, cut := m.whole(data)
	if !m.behind {
		lines, cut = m.beforeBlank(lines, cut)
		lines, cut = m.countRows(lines, cut)
	}
	m.bytes -= int64(len(lines))
	return portion{size: len(lines), rows: !m.behind, cut: cut}
}

// whole returns the whole lines at the beginning of data that the bytes allow.
func (m *rowMeter) whole(data []byte) ([]byte, porterhouse.Cut) {
	if at := bytes.LastIndexByte(data[m.searched:], '\n'); at >= 0 {
		at += m.searched + 1
		m.searched = 0
		if int64(at) <= m.bytes {
			return data[:at], ""
		}
		return data[:bytes.LastIndexByte(data[:m.bytes], '\n')+1], porterhouse.CutBytes
	}
	m.searched = len(data)
	// With its line break the line is longer than this.
	if len(data) > 0 && int64(len(data)) >= min(m.bytes, maxRow) {
		return nil, porterhouse.CutBytes
	}
	return nil, ""
}

// beforeBlank returns the lines before the first empty one; when there is one,
// the cut is not reached yet.
func (m *rowMeter) beforeBlank(lines []byte, cut porterhouse.Cut) ([]byte, porterhouse.Cut) {
	if m.blankIsRow {
		return lines, cut
	}
	if at := bytes.Index(lines, []byte("\n\n")); at >= 0 {
		return lines[:at+1], ""
	}
	return lines, cut
}

// countRows returns as many lines as the rows allow; when it must leave out
// some, that is the cut.
func (m *rowMeter) countRows(lines []byte, cut porterhouse.Cut) ([]byte, porterhouse.Cut) {
	count := int64(bytes.Count(lines, []byte{'\n'}))
	if count <= m.rows {
		m.rows -= count
		return lines, cut
	}
	end := 0
	for ; m.rows > 0; m.rows-- {
		end += bytes.IndexByte(lines[end:], '\n') + 1
	}
	return lines[:end], porterhouse.CutRows
}
