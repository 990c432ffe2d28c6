package encoding

import (
	"bytes"
	"encoding/binary"
	"errors"
	"io"
	"runtime"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/andybalholm/brotli"
	"github.com/go-faster/city"
	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zlib"
	"github.com/klauspost/compress/zstd"
	"github.com/pierrec/lz4/v4"
)

// text is what is packed: a statement and enough data to fill a few buffers.
var text = "INSERT INTO t FORMAT TSV\n" + strings.Repeat("1\tüber alle Berge\n", 6_000)

// packers write the codings, by their name.
var packers = map[string]func(io.Writer) io.WriteCloser{
	"gzip":    func(w io.Writer) io.WriteCloser { return gzip.NewWriter(w) },
	"deflate": func(w io.Writer) io.WriteCloser { return zlib.NewWriter(w) },
	"br":      func(w io.Writer) io.WriteCloser { return brotli.NewWriter(w) },
	"zstd":    func(w io.Writer) io.WriteCloser { return must(zstd.NewWriter(w)) },
	"lz4":     func(w io.Writer) io.WriteCloser { return lz4.NewWriter(w) },
}

func must[T any](value T, err error) T {
	if err != nil {
		panic(err)
	}
	return value
}

func pack(t testing.TB, coding, text string) []byte {
	t.Helper()
	var b bytes.Buffer
	w := packers[coding](&b)
	if _, err := io.WriteString(w, text); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func unpack(t testing.TB, coding string, packed io.Reader) (string, error) {
	t.Helper()
	r, err := Decode(coding, packed)
	if err != nil {
		t.Fatal(err)
	}
	got, err := io.ReadAll(r)
	return string(got), err
}

func TestDecode(t *testing.T) {
	for coding := range packers {
		packed := pack(t, coding, text)
		for name, r := range map[string]io.Reader{
			"at once":      bytes.NewReader(packed),
			"byte by byte": iotest.OneByteReader(bytes.NewReader(packed)),
			"EOF with it":  iotest.DataErrReader(bytes.NewReader(packed)),
		} {
			if got, err := unpack(t, coding, r); err != nil || got != text {
				t.Errorf("%s, %s: %d bytes, %v", coding, name, len(got), err)
			}
		}
		if got, err := unpack(t, strings.ToUpper(coding), bytes.NewReader(packed)); err != nil || got != text {
			t.Errorf("%s in upper case: %d bytes, %v", coding, len(got), err)
		}
	}
	for _, coding := range []string{"", "identity", "None", "auto"} {
		if got, err := unpack(t, coding, strings.NewReader(text)); err != nil || got != text {
			t.Errorf("%q changed the text: %v", coding, err)
		}
	}
}

// Several parts are one text, except in brotli, which knows no parts.
func TestDecodeParts(t *testing.T) {
	for coding := range packers {
		twice := append(pack(t, coding, text), pack(t, coding, "and more")...)
		got, err := unpack(t, coding, bytes.NewReader(twice))
		if whole := err == nil && got == text+"and more"; whole == (coding == "br") {
			t.Errorf("%s: two parts gave %d bytes, %v", coding, len(got), err)
		}
	}
}

// What is cut off is never taken for the whole, wherever the cut is.
func TestDecodeCut(t *testing.T) {
	short := text[:200]
	for coding := range packers {
		packed := pack(t, coding, short)
		for n := range len(packed) {
			if n == 0 && (coding == "zstd" || coding == "lz4") {
				continue // nothing at all is a text without frames
			}
			if got, err := unpack(t, coding, bytes.NewReader(packed[:n])); err == nil {
				t.Errorf("%s: %d of %d bytes gave %q and no error", coding, n, len(packed), got)
			}
		}
	}
}

// Nothing hides behind the end.
func TestDecodeTail(t *testing.T) {
	for coding := range packers {
		packed := pack(t, coding, text)
		for _, tail := range []string{"x", "\x00", "\x00\x00\x00\x00\x00\x00\x00\x00", "; DROP TABLE t", "\x1f\x8b"} {
			r := io.MultiReader(bytes.NewReader(packed), strings.NewReader(tail))
			if got, err := unpack(t, coding, r); err == nil {
				t.Errorf("%s: %q behind the end: %d bytes and no error", coding, tail, len(got))
			}
		}
		if _, err := unpack(t, coding, strings.NewReader("SELECT 1")); err == nil {
			t.Errorf("%s: a plain text was read", coding)
		}
	}
}

// A broken bit is found: every coding but deflate's cousins has a checksum, and br has
// none.
func TestDecodeFlipped(t *testing.T) {
	for _, coding := range []string{"gzip", "deflate", "zstd", "lz4"} {
		packed := pack(t, coding, text[:200])
		at := len(packed) - 1
		packed[at] ^= 1
		if got, err := unpack(t, coding, bytes.NewReader(packed)); err == nil {
			t.Errorf("%s: gave %d bytes although its checksum is wrong", coding, len(got))
		}
	}
}

func TestDecodeUnknown(t *testing.T) {
	for _, coding := range []string{"xz", "bz2", "snappy", "gzip, br", "gzip,gzip", "x-gzip", "compress", " gzip", "zlib"} {
		if _, err := Decode(coding, strings.NewReader("")); !errors.Is(err, ErrUnknown) || Known(coding) {
			t.Errorf("%q: %v, known: %t", coding, err, Known(coding))
		}
	}
	if !Known("GZIP") || !Known("") {
		t.Error("gzip is unknown")
	}
}

// Nobody has to send a byte before somebody reads.
func TestDecodeWaits(t *testing.T) {
	for coding := range packers {
		if _, err := Decode(coding, iotest.ErrReader(errors.New("read too early"))); err != nil {
			t.Errorf("%s: %v", coding, err)
		}
	}
}

// A window that would cost more memory than HTTP allows is refused, as RFC 9659 says.
func TestDecodeWindow(t *testing.T) {
	var b bytes.Buffer
	w := must(zstd.NewWriter(&b, zstd.WithWindowSize(16<<20)))
	for range 20 << 20 / len(text) {
		must(io.WriteString(w, text))
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	if got, err := unpack(t, "zstd", &b); !errors.Is(err, zstd.ErrWindowSizeExceeded) {
		t.Errorf("%d bytes, %v", len(got), err)
	}
}

// block packs one of ClickHouse's blocks; size is what it says it holds.
func block(codec byte, packed []byte, size int) []byte {
	b := make([]byte, checksumSize+headerSize, checksumSize+headerSize+len(packed))
	b = append(b, packed...)
	b[checksumSize] = codec
	binary.LittleEndian.PutUint32(b[checksumSize+1:], uint32(headerSize+len(packed)))
	binary.LittleEndian.PutUint32(b[checksumSize+5:], uint32(size))
	return seal(b)
}

// seal gives a block its checksum.
func seal(b []byte) []byte {
	sum := city.CH128(b[checksumSize:])
	binary.LittleEndian.PutUint64(b, sum.Low)
	binary.LittleEndian.PutUint64(b[8:], sum.High)
	return b
}

func packLZ4(text string) []byte {
	b := make([]byte, lz4.CompressBlockBound(len(text)))
	return b[:must(lz4.CompressBlock([]byte(text), b, nil))]
}

func packZSTD(text string) []byte {
	w := must(zstd.NewWriter(nil))
	return w.EncodeAll([]byte(text), nil)
}

func TestBlocks(t *testing.T) {
	for name, packed := range map[string][]byte{
		"NONE":         block(codecNone, []byte(text), len(text)),
		"LZ4":          block(codecLZ4, packLZ4(text), len(text)),
		"ZSTD":         block(codecZSTD, packZSTD(text), len(text)),
		"LZ4, several": append(block(codecLZ4, packLZ4(text[:9_000]), 9_000), block(codecLZ4, packLZ4(text[9_000:]), len(text)-9_000)...),
	} {
		for _, r := range []io.Reader{bytes.NewReader(packed), iotest.OneByteReader(bytes.NewReader(packed))} {
			if got, err := io.ReadAll(Blocks(r)); err != nil || string(got) != text {
				t.Errorf("%s: %d bytes, %v", name, len(got), err)
			}
		}
		for n := 1; n < len(packed); n += 1 + len(packed)/100 {
			if got, err := io.ReadAll(Blocks(bytes.NewReader(packed[:n]))); err == nil && len(got) != 9_000 {
				t.Errorf("%s: %d of %d bytes gave %d and no error", name, n, len(packed), len(got))
			}
		}
	}
	if got, err := io.ReadAll(Blocks(strings.NewReader(""))); err != nil || len(got) > 0 {
		t.Errorf("no block at all: %q, %v", got, err)
	}
}

func TestBlocksRefused(t *testing.T) {
	none, lz := block(codecNone, []byte("SELECT 1"), 8), block(codecLZ4, packLZ4(text), len(text))
	flipped := bytes.Clone(none)
	flipped[len(flipped)-1] ^= 1
	for want, packed := range map[string][]byte{
		"checksum":                   flipped,
		"codec Delta":                block(0x92, []byte("x"), 1),
		"codec 0x17":                 block(0x17, []byte("x"), 1),
		"LZ4 and NONE":               append(bytes.Clone(lz), none...),
		"is empty":                   block(codecNone, nil, 0),
		"holds 8 bytes and says 7":   block(codecNone, []byte("SELECT 1"), 7),
		"bytes and says 10":          block(codecZSTD, packZSTD(text), 10),
		"is broken":                  block(codecLZ4, packLZ4(text), len(text)-1),
		"is broken: magic":           block(codecZSTD, []byte("SELECT 1"), 8),
		"more than LZ4 can compress": block(codecLZ4, packLZ4(text), MaxBlock),
		"at most 134217728":          block(codecZSTD, []byte("x"), MaxBlock+1),
		"unexpected EOF":             append(bytes.Clone(none), "x"...),
	} {
		if got, err := io.ReadAll(Blocks(bytes.NewReader(packed))); err == nil || !strings.Contains(err.Error(), strings.TrimSuffix(want, ": magic")) {
			t.Errorf("%s: %d bytes, %v", want, len(got), err)
		}
	}
}

// A block of many bytes costs no memory until they come.
func TestBlocksUnsent(t *testing.T) {
	huge := block(codecNone, []byte("x"), 1)
	binary.LittleEndian.PutUint32(huge[checksumSize+1:], MaxBlock)
	b := &blocks{source: bytes.NewReader(huge)}
	if _, err := io.ReadAll(b); !errors.Is(err, io.ErrUnexpectedEOF) {
		t.Errorf("%v", err)
	}
	if cap(b.packed) > 2*step {
		t.Errorf("%d bytes were allocated for a block of %d", cap(b.packed), len(huge))
	}
}

// An error stays.
func TestErrorStays(t *testing.T) {
	r, err := Decode("gzip", strings.NewReader("no gzip at all"))
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range []io.Reader{r, Blocks(strings.NewReader("no block at all, but long enough for a header"))} {
		_, first := r.Read(make([]byte, 10))
		if _, again := r.Read(make([]byte, 10)); first == nil || again == nil || first.Error() != again.Error() {
			t.Errorf("first %v, then %v", first, again)
		}
	}
}

// A body of a few bytes can hold very many; reading them costs no memory.
func TestDecodeBomb(t *testing.T) {
	const size = 48 << 20
	for coding := range packers {
		var b bytes.Buffer
		w := packers[coding](&b)
		if _, err := io.CopyN(w, zeros{}, size); err != nil {
			t.Fatal(err)
		}
		if err := w.Close(); err != nil {
			t.Fatal(err)
		}
		before, r := alive(), must(Decode(coding, &b))
		var read int64
		for read < size {
			n, err := io.CopyN(io.Discard, r, size/4)
			if err != nil {
				t.Fatalf("%s: %v", coding, err)
			}
			read += n
			if used := alive() - before; used > 32<<20 {
				t.Errorf("%s: uses %d bytes of memory behind %d", coding, used, read)
			}
		}
	}
}

// alive is how much memory is in use.
func alive() int64 {
	var m runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc)
}

// zeros holds zeros without end.
type zeros struct{}

func (zeros) Read(p []byte) (int, error) {
	clear(p)
	return len(p), nil
}
