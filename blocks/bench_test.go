package blocks_test

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"math"
	"strconv"
	"testing"
	"time"

	"porterhouse/blocks"
)

// largeBlock is a block as ClickHouse sends it, of a number, its text and a fraction.
func largeBlock(rows int) []byte {
	b := binary.AppendUvarint([]byte{0, 3}, uint64(rows))
	column := func(name, kind string, value func(b []byte, row int) []byte) {
		for _, text := range []string{name, kind} {
			b = append(binary.AppendUvarint(b, uint64(len(text))), text...)
		}
		b = append(b, 0)
		for row := range rows {
			b = value(b, row)
		}
	}
	column("number", "UInt64", func(b []byte, row int) []byte { return binary.LittleEndian.AppendUint64(b, uint64(row)) })
	column("text", "String", func(b []byte, row int) []byte {
		text := strconv.Itoa(row)
		return append(binary.AppendUvarint(b, uint64(len(text))), text...)
	})
	column("fraction", "Float64", func(b []byte, row int) []byte {
		return binary.LittleEndian.AppendUint64(b, math.Float64bits(float64(row)/7))
	})
	return b
}

// BenchmarkLargeBlock measures what reading and printing of a block costs.
func BenchmarkLargeBlock(b *testing.B) {
	const rows = 60_000
	sent := largeBlock(rows)
	for _, format := range []string{"TabSeparated", "JSONCompactEachRow", "JSONCompact"} {
		b.Run(format, func(b *testing.B) {
			r, err := blocks.NewReader(blocks.Config{Zone: time.UTC})
			if err != nil {
				b.Fatal(err)
			}
			defer r.Close()
			p, err := blocks.NewPrinter(format, r)
			if err != nil {
				b.Fatal(err)
			}
			in, piece := bufio.NewReaderSize(nil, 4<<10), make([]byte, 0, 128<<10)
			b.ReportAllocs()
			for b.Loop() {
				in.Reset(bytes.NewReader(sent))
				block, err := r.Read(in)
				if err != nil {
					b.Fatal(err)
				}
				for row := range block.Rows {
					if piece, err = p.Row(piece, block, row); err != nil {
						b.Fatal(err)
					}
					if len(piece) > 64<<10 {
						piece = piece[:0]
					}
				}
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/rows, "ns/row")
		})
	}
}
