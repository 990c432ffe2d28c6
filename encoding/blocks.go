package encoding

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"slices"

	"github.com/go-faster/city"
	"github.com/klauspost/compress/zstd"
	"github.com/pierrec/lz4/v4"
)

// MaxBlock is the size of the largest of ClickHouse's blocks that is read, compressed
// and decompressed, in bytes. Clients write blocks of about 1 MiB, and some of them
// a column of an INSERT as one block.
const MaxBlock = 128 << 20

// A block is: a checksum of all that follows, one byte for the codec, the length of
// the compressed data with this header but without the checksum, the length of the
// data, the compressed data. All numbers are little-endian.
const (
	checksumSize = 16
	headerSize   = 9 // codec and both lengths
)

// The codecs of blocks that clients write.
const (
	codecNone = 0x02
	codecLZ4  = 0x82
	codecZSTD = 0x90
)

// Blocks returns what r holds in ClickHouse's own compressed blocks, each with its
// checksum. Reading fails at a block that is not whole or not what its checksum says,
// and at one that is larger than MaxBlock.
func Blocks(r io.Reader) io.Reader { return &blocks{source: r} }

// BlocksWithin is Blocks for somebody who has little memory. Before it reads a block for
// which it needs more than FreeBlock bytes, and more than ever before, it asks take for
// the difference. Reading fails with the error of take.
func BlocksWithin(r io.Reader, take func(bytes int64) error) io.Reader {
	return &blocks{source: r, take: take, taken: FreeBlock}
}

// FreeBlock is how much memory a reader may have for a block without asking, in bytes:
// what clients write mostly takes less, compressed and decompressed.
const FreeBlock = 4 << 20

type blocks struct {
	source io.Reader
	take   func(int64) error // nil: nobody is asked
	taken  int64
	packed []byte // the block with its checksum
	data   []byte // what it holds
	read   int    // bytes of data that were read
	codec  byte   // of the first block, and so of all: ClickHouse does not mix them
	zstd   *zstd.Decoder
	err    error
}

// Read implements io.Reader.
func (b *blocks) Read(p []byte) (int, error) {
	if b.read == len(b.data) && b.err == nil {
		b.read, b.data = 0, b.data[:0]
		b.err = b.next()
	}
	if b.err != nil {
		return 0, b.err
	}
	n := copy(p, b.data[b.read:])
	b.read += n
	return n, nil
}

// next reads and decodes the next block; io.EOF: there is none.
func (b *blocks) next() error {
	b.packed = slices.Grow(b.packed[:0], checksumSize+headerSize)[:checksumSize+headerSize]
	if _, err := io.ReadFull(b.source, b.packed); err != nil {
		return err // io.EOF only between two blocks
	}
	codec := b.packed[checksumSize]
	packed := int64(binary.LittleEndian.Uint32(b.packed[checksumSize+1:]))
	size := int64(binary.LittleEndian.Uint32(b.packed[checksumSize+5:]))
	if err := b.check(codec, packed, size); err != nil {
		return err
	}
	if err := b.ask(packed + size); err != nil {
		return err
	}
	if err := b.fill(int(packed) + checksumSize); err != nil {
		return err
	}
	sum := city.CH128(b.packed[checksumSize:])
	if sum.Low != binary.LittleEndian.Uint64(b.packed) || sum.High != binary.LittleEndian.Uint64(b.packed[8:]) {
		return errors.New("encoding: the checksum of a compressed block does not match: the data was changed on its way")
	}
	return b.decode(codec, b.packed[checksumSize+headerSize:], int(size))
}

// check looks at the header of a block.
func (b *blocks) check(codec byte, packed, size int64) error {
	if codec != codecNone && codec != codecLZ4 && codec != codecZSTD {
		return fmt.Errorf("encoding: a compressed block has the codec %s: send LZ4, ZSTD or NONE", name(codec))
	}
	switch {
	case b.codec != 0 && codec != b.codec:
		return fmt.Errorf("encoding: compressed blocks have the codecs %s and %s: use one for all", name(b.codec), name(codec))
	case packed > MaxBlock || size > MaxBlock:
		return fmt.Errorf("encoding: a compressed block has %d bytes, %d decompressed: send blocks of at most %d", packed, size, MaxBlock)
	case packed <= headerSize || size == 0:
		return errors.New("encoding: a compressed block is empty")
	case codec == codecLZ4 && size > (packed-headerSize)*maxRatio:
		return errors.New("encoding: a compressed block says it holds more than LZ4 can compress")
	}
	b.codec = codec
	return nil
}

// ask asks for the memory of a block.
func (b *blocks) ask(need int64) error {
	if b.take == nil || need <= b.taken {
		return nil
	}
	if err := b.take(need - b.taken); err != nil {
		return err
	}
	b.taken = need
	return nil
}

// maxRatio is how many bytes LZ4 can make of one.
const maxRatio = 255

// step is how much memory a block gets before its bytes have come.
const step = 1 << 20

// fill reads the rest of a block, until packed has size bytes.
func (b *blocks) fill(size int) error {
	for have := len(b.packed); have < size; {
		end := min(size, have+step)
		b.packed = slices.Grow(b.packed, end-have)[:end]
		n, err := io.ReadFull(b.source, b.packed[have:])
		if err != nil {
			return early(err)
		}
		have += n
	}
	return nil
}

// decode fills data from a block whose checksum is right.
func (b *blocks) decode(codec byte, packed []byte, size int) error {
	var n int
	var err error
	switch codec {
	case codecNone:
		b.data = append(b.data[:0], packed...)
		n = len(b.data)
	case codecLZ4:
		b.data = slices.Grow(b.data[:0], size)[:size]
		n, err = lz4.UncompressBlock(packed, b.data)
	case codecZSTD:
		n, err = b.decodeZSTD(packed)
	}
	switch {
	case err != nil:
		return fmt.Errorf("encoding: a compressed block is broken: %w", err)
	case n != size:
		return fmt.Errorf("encoding: a compressed block holds %d bytes and says %d", n, size)
	}
	return nil
}

func (b *blocks) decodeZSTD(packed []byte) (int, error) {
	if b.zstd == nil {
		var err error
		if b.zstd, err = zstd.NewReader(nil, zstd.WithDecoderConcurrency(1), zstd.WithDecoderLowmem(true), zstd.WithDecoderMaxMemory(MaxBlock)); err != nil {
			return 0, err
		}
	}
	data, err := b.zstd.DecodeAll(packed, b.data[:0])
	if err == nil {
		b.data = data
	}
	return len(data), err
}

// codecs are the names of ClickHouse's codecs. Those after the first three are for
// columns on disk.
var codecs = map[byte]string{
	codecNone: "NONE", codecLZ4: "LZ4", codecZSTD: "ZSTD",
	0x91: "Multiple", 0x92: "Delta", 0x93: "T64", 0x94: "DoubleDelta", 0x95: "Gorilla",
	0x96: "AES_128_GCM_SIV", 0x97: "AES_256_GCM_SIV", 0x98: "FPC", 0x99: "DEFLATE_QPL", 0x9a: "GCD",
}

func name(codec byte) string {
	if known, ok := codecs[codec]; ok {
		return known
	}
	return fmt.Sprintf("0x%02x", codec)
}
