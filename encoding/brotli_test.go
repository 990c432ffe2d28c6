package encoding

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"testing"
	"testing/iotest"

	"github.com/andybalholm/brotli"
)

// columns is a text as a driver sends it: numbers, words, numbers, and arrays, whose
// end is so even that few bits are left for the last bytes of the stream.
func columns(rows int) []byte {
	var b []byte
	for n := range rows {
		b = binary.LittleEndian.AppendUint64(b, uint64(n))
	}
	for n := range rows {
		word := fmt.Sprintf("row %d", n)
		b = append(append(b, byte(len(word))), word...)
	}
	for n := range rows {
		b = binary.LittleEndian.AppendUint64(b, uint64(2*n+2))
	}
	return append(b, bytes.Repeat([]byte{0, 1}, rows)...)
}

func packBrotli(t *testing.T, text []byte) []byte {
	t.Helper()
	var packed bytes.Buffer
	w := brotli.NewWriterLevel(&packed, 0)
	_, err := w.Write(text)
	if err := errors.Join(err, w.Close()); err != nil {
		t.Fatal(err)
	}
	return packed.Bytes()
}

func decodeBrotli(t *testing.T, r io.Reader) (string, error) {
	t.Helper()
	d, err := Decode("br", r)
	if err != nil {
		t.Fatal(err)
	}
	got, err := io.ReadAll(d)
	return string(got), err
}

// A stream of brotli is whole however its bytes come: the last one alone, say, as from a
// driver that writes it when it closes.
func TestBrotliInPieces(t *testing.T) {
	for rows := 5000; rows < 5010; rows++ {
		text := columns(rows)
		body := packBrotli(t, text)
		for _, last := range []int{1, 2, 7, 8, 9, 17} {
			at := len(body) - last
			got, err := decodeBrotli(t, io.MultiReader(bytes.NewReader(body[:at]), bytes.NewReader(body[at:])))
			if err != nil || got != string(text) {
				t.Errorf("%d rows, the last %d bytes come alone: %d bytes, %v", rows, last, len(got), err)
			}
		}
	}
	text := columns(100)
	if got, err := decodeBrotli(t, iotest.OneByteReader(bytes.NewReader(packBrotli(t, text)))); err != nil || got != string(text) {
		t.Errorf("one byte after the other: %d bytes, %v", len(got), err)
	}
}

// What is behind the end of a stream, and an end that does not come, are told.
func TestBrotliBroken(t *testing.T) {
	body := packBrotli(t, columns(1000))
	if _, err := decodeBrotli(t, bytes.NewReader(body[:len(body)-1])); !errors.Is(err, io.ErrUnexpectedEOF) {
		t.Errorf("without its last byte: %v", err)
	}
	if _, err := decodeBrotli(t, io.MultiReader(bytes.NewReader(body), bytes.NewReader([]byte("more than that")))); err == nil {
		t.Error("what is behind the end is taken for nothing")
	}
	broken := errors.New("broken")
	if _, err := decodeBrotli(t, io.MultiReader(bytes.NewReader(body[:100]), iotest.ErrReader(broken))); !errors.Is(err, broken) {
		t.Errorf("a body that breaks: %v", err)
	}
}
