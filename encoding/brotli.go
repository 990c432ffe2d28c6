package encoding

import (
	"bufio"
	"errors"
	"io"

	"github.com/andybalholm/brotli"
)

// openBrotli reads one stream (RFC 7932).
func openBrotli(r io.Reader) (io.Reader, error) {
	return brotli.NewReader(&tailKept{bufio.NewReader(r)}), nil
}

// tail is more than the decoder may have left over of the bytes it was given before.
const tail = 16

// tailKept gives the last bytes of a body together, however they come. To the decoder of
// package brotli (1.2.8) a stream whose very last bytes come alone looks as if there
// were something behind its end.
type tailKept struct{ source *bufio.Reader }

// Read implements io.Reader. While more may come it keeps tail bytes back.
func (t *tailKept) Read(p []byte) (int, error) {
	if len(p) == 0 {
		return 0, nil
	}
	_, err := t.source.Peek(tail + 1)
	switch {
	case err == nil:
		return t.source.Read(p[:min(len(p), t.source.Buffered()-tail)])
	case errors.Is(err, io.EOF) && t.source.Buffered() > 0:
		return t.source.Read(p)
	}
	return 0, err
}
