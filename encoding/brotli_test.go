package encoding

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"testing"
	"testing/iotest"

	"github.com/andybalholm/brotli"
)

// A stream of brotli is whole however its bytes come: the last one alone, say, as from a
// driver that writes it when it closes. What is behind the end, and an end that does
// not come, are still told.
func TestBrotliInPieces(t *testing.T) {
	var text, packed bytes.Buffer
	for n := range 5000 {
		fmt.Fprintf(&text, "row %d\n", n)
	}
	w := brotli.NewWriter(&packed)
	if _, err := w.Write(text.Bytes()); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	body := packed.Bytes()
	decode := func(r io.Reader) (string, error) {
		t.Helper()
		d, err := Decode("br", r)
		if err != nil {
			t.Fatal(err)
		}
		got, err := io.ReadAll(d)
		return string(got), err
	}
	for last := range 40 {
		at := len(body) - last
		if got, err := decode(io.MultiReader(bytes.NewReader(body[:at]), bytes.NewReader(body[at:]))); err != nil || got != text.String() {
			t.Errorf("the last %d bytes come alone: %d bytes, %v", last, len(got), err)
		}
	}
	if got, err := decode(iotest.OneByteReader(bytes.NewReader(body))); err != nil || got != text.String() {
		t.Errorf("one byte after the other: %d bytes, %v", len(got), err)
	}
	if _, err := decode(bytes.NewReader(body[:len(body)-1])); !errors.Is(err, io.ErrUnexpectedEOF) {
		t.Errorf("without its last byte: %v", err)
	}
	if _, err := decode(bytes.NewReader(append(body[:len(body):len(body)], "more than that"...))); err == nil {
		t.Error("what is behind the end is taken for nothing")
	}
	broken := errors.New("broken")
	if _, err := decode(io.MultiReader(bytes.NewReader(body[:100]), iotest.ErrReader(broken))); !errors.Is(err, broken) {
		t.Errorf("a body that breaks: %v", err)
	}
}
