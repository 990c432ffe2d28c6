package blocks_test

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"errors"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"porterhouse/blocks"
)

// forged makes a block of one column that says what it likes.
func forged(kind string, rows uint64, data ...[]byte) []byte {
	b := []byte{0, 1}
	b = binary.AppendUvarint(b, rows)
	for _, text := range []string{"x", kind} {
		b = binary.AppendUvarint(b, uint64(len(text)))
		b = append(b, text...)
	}
	b = append(b, 0)
	return append(b, bytes.Join(data, nil)...)
}

func eight(n uint64) []byte { return binary.LittleEndian.AppendUint64(nil, n) }
func many(n uint64) []byte  { return binary.AppendUvarint(nil, n) }

// A server that announces more than it sends, or more than there may be, gets an error,
// and no memory for what it did not send.
func TestHostileSizes(t *testing.T) {
	const huge = 1 << 62
	for _, c := range []struct {
		name  string
		block []byte
	}{
		{"columns", append([]byte{0}, append(many(huge), 1)...)},
		{"columns within the memory", append([]byte{0}, append(many(1<<20), 1)...)},
		{"rows without columns", []byte{0, 0, 5}},
		{"rows", forged("UInt8", huge)},
		{"rows within the memory", forged("UInt256", 1<<24)},
		{"rows of nothing", forged("Tuple()", 1<<27)},
		{"width", forged("FixedString(16777215)", 1<<27)},
		{"text", forged("String", 1, many(huge))},
		{"text within the memory", forged("String", 1, many(1<<27))},
		{"array", forged("Array(UInt8)", 1, eight(huge))},
		{"array that shrinks", forged("Array(UInt8)", 2, eight(5), eight(4), make([]byte, 100))},
		{"array of arrays", forged("Array(Array(UInt64))", 1, eight(1<<27))},
		{"map", forged("Map(String, UInt8)", 1, eight(huge))},
		{"low cardinality, form", forged("LowCardinality(String)", 1, eight(2))},
		{"low cardinality, keys", forged("LowCardinality(String)", 1, eight(1), eight(0x600), eight(huge))},
		{"low cardinality, flags", forged("LowCardinality(String)", 1, eight(1), eight(0x700), eight(1), many(0), eight(1), []byte{0})},
		{"low cardinality, width", forged("LowCardinality(String)", 1, eight(1), eight(0x6ff), eight(1), many(0), eight(1), []byte{0})},
		{"low cardinality, index", forged("LowCardinality(String)", 1, eight(1), eight(0x600), eight(1), many(0), eight(1), []byte{1})},
		{"low cardinality, rows", forged("LowCardinality(String)", 1, eight(1), eight(0x600), eight(1), many(0), eight(2), []byte{0, 0})},
		{"variant, form", forged("Variant(String, UInt8)", 1, eight(1))},
		{"variant, type", forged("Variant(String, UInt8)", 1, eight(0), []byte{2})},
		{"dynamic, form", forged("Dynamic", 1, eight(3))},
		{"dynamic, types", forged("Dynamic", 1, eight(1), many(0), many(huge))},
		{"dynamic, 255 types", forged("Dynamic", 1, eight(1), many(0), many(255), bytes.Repeat([]byte("\x05UInt8"), 255), eight(0), []byte{0, 0})},
		{"dynamic, no such type", forged("Dynamic", 1, eight(1), many(0), many(1), []byte("\x04Ufo8"), eight(0), []byte{0, 0})},
		{"dynamic, shared and too long", forged("Dynamic", 1, eight(1), many(0), many(0), eight(0), []byte{0}, []byte("\x03\x01\x05\x06"))},
		{"dynamic, shared and too short", forged("Dynamic", 1, eight(1), many(0), many(0), eight(0), []byte{0}, []byte("\x02\x02\x05"))},
		{"dynamic, deep", forged("Dynamic", 1, eight(1), many(0), many(0), eight(0), []byte{0}, many(1000), bytes.Repeat([]byte{0x1e}, 1000))},
		{"json, form", forged("JSON", 1, eight(1))},
		{"json, paths", forged("JSON", 1, eight(0), many(0), many(huge))},
		{"json, shared", forged("JSON", 1, eight(0), many(0), many(0), eight(huge))},
		{"info", []byte{7}},
		{"custom", []byte{0, 1, 1, 1, 'x', 5, 'U', 'I', 'n', 't', '8', 1, 0}},
		{"deep", forged(strings.Repeat("Array(", 2000)+"UInt8"+strings.Repeat(")", 2000), 0)},
		{"open", forged("Array(UInt8", 1)},
		{"quotes", forged("Enum8('a", 1)},
		{"element", forged("Tuple(`a Int8)", 1)},
		{"enum", forged("Enum8(a = 1)", 1)},
		{"decimal", forged("Decimal(5, 6)", 1, make([]byte, 4))},
		{"zone", forged("DateTime('Nowhere/Land')", 1, make([]byte, 4))},
		{"precision", forged("DateTime64(10)", 1, make([]byte, 8))},
		{"vector", forged("QBit(Float32, 99999999999)", 1)},
		{"vector of texts", forged("QBit(String, 1)", 1)},
		{"no arguments", forged("Array()", 1)},
		{"nothing in brackets", forged("QBit()", 1)},
		{"a name", forged("", 1)},
	} {
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		_, err := prints(c.block, "TSV", blocks.Config{})
		runtime.ReadMemStats(&after)
		if err == nil {
			t.Errorf("%s: no error", c.name)
		}
		if taken := after.TotalAlloc - before.TotalAlloc; taken > 8<<20 {
			t.Errorf("%s: %d bytes of memory were taken for a block of %d", c.name, taken, len(c.block))
		}
	}
}

// A block takes no more memory than it may, also when all of it comes.
func TestBlockIsBounded(t *testing.T) {
	whole := forged("String", 1, many(1<<20), bytes.Repeat([]byte("x"), 1<<20))
	if _, err := prints(whole, "TSV", blocks.Config{}); err != nil {
		t.Error(err)
	}
	if _, err := prints(whole, "TSV", blocks.Config{MaxBlock: 1 << 20}); err == nil || !strings.Contains(err.Error(), "max_block_size") {
		t.Error(err)
	}
}

// Texts are counted, also those that are read as they lie in the buffer: what they say,
// and where each ends.
func TestTextsAreBounded(t *testing.T) {
	for name, texts := range map[string][]byte{
		"empty ones":     make([]byte, 50_000),
		"of a byte each": bytes.Repeat([]byte{1, 'x'}, 30_000),
		"long ones":      bytes.Repeat(append([]byte{100}, make([]byte, 100)...), 2_000),
	} {
		rows := map[string]uint64{"empty ones": 50_000, "of a byte each": 30_000, "long ones": 2_000}[name]
		for most, fits := range map[int]bool{120_000: false, 300_000: true} {
			r, err := blocks.NewReader(blocks.Config{Zone: time.UTC, MaxBlock: most})
			if err != nil {
				t.Fatal(err)
			}
			_, err = r.Read(bufio.NewReader(bytes.NewReader(forged("String", rows, texts))))
			if _, large := errors.AsType[*blocks.TooLarge](err); large == fits || fits && err != nil {
				t.Errorf("%s, %d bytes: %v", name, most, err)
			}
			r.Close()
		}
	}
}

// A few bytes can stand for a long row: one key, and who knows how many indexes.
func TestRowIsBounded(t *testing.T) {
	key := append(many(1<<20), bytes.Repeat([]byte("x"), 1<<20)...)
	block := forged("Array(LowCardinality(String))", 1, eight(1), eight(1<<20), eight(0x600), eight(1), key, eight(1<<20), make([]byte, 1<<20))
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	_, err := prints(block, "TSV", blocks.Config{MaxRow: 4 << 20})
	runtime.ReadMemStats(&after)
	if err == nil || !strings.Contains(err.Error(), "more than") {
		t.Error(err)
	}
	if taken := after.TotalAlloc - before.TotalAlloc; taken > 64<<20 {
		t.Errorf("%d bytes of memory were taken", taken)
	}
}

// A row ends behind the column that makes it too long, however many follow.
func TestRowOfManyColumnsIsBounded(t *testing.T) {
	const size = 256 << 10
	column := forged("String", 1, many(size), bytes.Repeat([]byte("x"), size))[3:]
	block := append([]byte{0, 64, 1}, bytes.Repeat(column, 64)...)
	taken := allocated(func() {
		if _, err := prints(block, "TSV", blocks.Config{MaxRow: 1 << 20}); err == nil || !strings.Contains(err.Error(), "more than") {
			t.Error(err)
		}
	})
	if taken > 64*size+32<<20 {
		t.Errorf("%d bytes of memory were taken", taken)
	}
}

// Types inside of types are read only so deep, however they are written: without a
// bound this one would end the program.
func TestDepthIsBounded(t *testing.T) {
	const deep = 16 << 20
	block := forged("Dynamic", 1, eight(1), many(0), many(0), eight(0), []byte{0}, many(deep), bytes.Repeat([]byte{0x1e}, deep))
	if _, err := prints(block, "TSV", blocks.Config{}); err == nil || !strings.Contains(err.Error(), "inside of one another") {
		t.Error(err)
	}
}

// All blocks of an answer have the columns of the first.
func TestColumnsStay(t *testing.T) {
	for _, second := range [][]byte{forged("Int8", 1, []byte{1}), {0, 2, 1}} {
		if _, err := prints(append(forged("UInt8", 1, []byte{1}), second...), "TSV", blocks.Config{}); err == nil {
			t.Error("other columns were taken")
		}
	}
}

// Whatever comes, there is an answer or an error, and never more than a little memory.
func FuzzRead(f *testing.F) {
	for _, seed := range [][]byte{
		forged("UInt8", 2, []byte{1, 2}),
		forged("Array(LowCardinality(Nullable(String)))", 1, eight(1), eight(1), eight(0x600), eight(2), []byte{0, 1, 'x'}, eight(1), []byte{1}),
		forged("Map(String, Tuple(a Date, b Decimal(9, 2)))", 1, eight(1), []byte{1, 'k', 1, 0, 1, 0, 0, 0}),
		forged("Variant(String, UInt8)", 2, eight(0), []byte{1, 0}, []byte{1, 'x'}, []byte{7}),
		forged("Dynamic", 1, eight(1), many(0), many(1), []byte("\x05Int64"), eight(0), []byte{1}, []byte{2, 1, 5}),
		forged("Dynamic", 1, eight(1), many(0), many(0), eight(0), []byte{0}, []byte("\x05\x1e\x23\x01\x01\x01")),
		forged("JSON(a.b UInt8)", 1, eight(0), many(1), many(1), []byte("\x01c"), eight(1), many(0), many(1), []byte("\x05Int64"), eight(0), []byte{5}, []byte{0}, eight(1), eight(1), []byte("\x01d"), []byte("\x02\x01\x05")),
		forged("QBit(Float32, 9)", 1, make([]byte, 64)),
		forged("DateTime64(3, 'UTC')", 1, eight(1<<60)),
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, block []byte) {
		for _, format := range []string{"TSVWithNamesAndTypes", "JSONCompact"} {
			_, _ = prints(block, format, blocks.Config{MaxBlock: 1 << 20, MaxRow: 1 << 20, Zone: time.UTC})
		}
	})
}

// What stands in for a NULL takes its memory from the block, so rows never move up
// because there was none for it.
func TestNullOfAWideType(t *testing.T) {
	const width = 1_100_000
	text := func(c string) []byte { return bytes.Repeat([]byte(c), width) }
	kind := append([]byte{0x1e, 0x23, 0x16}, many(width)...) // Array(Nullable(FixedString(1100000)))
	value := slices.Concat(kind, []byte{3, 1, 0}, text("a"), []byte{0}, text("b"))
	block := forged("Dynamic", 1, eight(1), many(0), many(0), eight(0), []byte{0}, many(uint64(len(value))), value)
	got, err := prints(block, "TSV", blocks.Config{})
	if want := "[NULL,'" + string(text("a")) + "','" + string(text("b")) + "']\n"; err != nil || string(got) != want {
		t.Errorf("%d bytes instead of %d, %v", len(got), len(want), err)
	}
	if _, err := prints(block, "TSV", blocks.Config{MaxBlock: 2*len(value) + width/2}); err == nil || !strings.Contains(err.Error(), "max_block_size") {
		t.Errorf("with no memory for what stands in: %.100v", err)
	}
	low := slices.Concat([]byte{0x1e, 0x26, 0x23, 0x16}, many(width), []byte{2, 1, 0}, text("a"))
	block = forged("Dynamic", 1, eight(1), many(0), many(0), eight(0), []byte{0}, many(uint64(len(low))), low)
	got, err = prints(block, "TSV", blocks.Config{})
	if want := "[NULL,'" + string(text("a")) + "']\n"; err != nil || string(got) != want {
		t.Errorf("of few values: %d bytes instead of %d, %v", len(got), len(want), err)
	}
	if _, err := prints(block, "TSV", blocks.Config{MaxBlock: 2*len(low) + width/2}); err == nil || !strings.Contains(err.Error(), "max_block_size") {
		t.Errorf("of few values, with no memory for what stands in: %.100v", err)
	}
}

// A JSON whose row stands for NULL, or lacks a path that its type names, moves no row up;
// one that has it twice is refused.
func TestPathsOfAType(t *testing.T) {
	kind := []byte("\x1e\x23\x30\x00\x00\x00\x01\x01a\x01\x00\x00") // Array(Nullable(JSON(a UInt8)))
	for rows, want := range map[string]string{
		"\x02\x01\x00\x01\x01a\x07":              `[NULL,'{"a":7}']` + "\n",
		"\x02\x00\x00\x00\x01\x01a\x07":          `['{"a":0}','{"a":7}']` + "\n",
		"\x02\x00\x02\x01a\x07\x01a\x08\x01\x00": "",
	} {
		value := append(kind, rows...)
		block := forged("Dynamic", 1, eight(1), many(0), many(0), eight(0), []byte{0}, many(uint64(len(value))), value)
		got, err := prints(block, "TSV", blocks.Config{})
		if string(got) != want || (err == nil) != (want != "") {
			t.Errorf("%q: %q, %v; want %q", rows, got, err, want)
		}
	}
}

// allocated returns how many bytes of memory run takes in all.
func allocated(run func()) uint64 {
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	run()
	runtime.ReadMemStats(&after)
	return after.TotalAlloc - before.TotalAlloc
}

// Columns take memory before they have a value, and what their types say is not what
// they are large. So the names of types are bounded by what is made of them.
func TestTypesAreBounded(t *testing.T) {
	for _, one := range []string{"Dynamic", "QBit(Float64, 1)", "Geometry", "DateTime('America/New_York')", "Variant(Int8)", "JSON", "Int8", "Enum16('a' = 1)", "JSON(a Dynamic)"} {
		for _, within := range []string{"Tuple(%s)", "Array(Nested(a Tuple(%s)))"} {
			n := 128 << 10 / (len(one) + 2)
			kind := strings.Replace(within, "%s", strings.TrimSuffix(strings.Repeat(one+", ", n), ", "), 1)
			inDynamic := slices.Concat(eight(1), many(0), many(1), many(uint64(len(kind))), []byte(kind), eight(0), []byte{255})
			for where, block := range map[string][]byte{"a column": forged(kind, 0), "a Dynamic": forged("Dynamic", 1, inDynamic)} {
				const most = 4 << 20
				taken := allocated(func() { _, _ = prints(block, "TSV", blocks.Config{MaxBlock: most}) })
				if taken > 3*most {
					t.Errorf("%d times %s in %s, in %s: %d bytes of memory were taken", n, one, within, where, taken)
				}
			}
		}
	}
	if _, err := prints(forged("Tuple("+strings.Repeat("Dynamic, ", 999)+"Dynamic)", 0), "TSV", blocks.Config{}); err != nil {
		t.Errorf("a thousand columns: %v", err)
	}
}

// What the types of columns take is not free again for the next block.
func TestTypesStay(t *testing.T) {
	const most = 1 << 20
	kind := "Tuple(" + strings.Repeat("Dynamic, ", 99) + "Dynamic)"
	config := blocks.Config{MaxBlock: most}
	if _, err := prints(forged(kind, 0), "TSV", config); err != nil {
		t.Fatal(err)
	}
	const rows = 1500
	next := forged(kind, rows, bytes.Repeat(slices.Concat(eight(1), many(0), many(0), eight(0)), 100), bytes.Repeat([]byte{255}, 100*rows))
	if _, err := prints(next, "TSV", blocks.Config{MaxBlock: 2 * most}); err != nil {
		t.Error(err)
	}
	if _, err := prints(slices.Concat(forged(kind, 0), next), "TSV", config); err == nil || !strings.Contains(err.Error(), "max_block_size") {
		t.Error(err)
	}
}

// All answers together take no more than their room, and give it back.
func TestRoomIsShared(t *testing.T) {
	room := blocks.NewRoom(6 << 20)
	block := forged("String", 1, many(4<<20), bytes.Repeat([]byte("x"), 4<<20))
	open := func() (*blocks.Reader, error) {
		r, err := blocks.NewReader(blocks.Config{Zone: time.UTC, Room: room})
		if err != nil {
			t.Fatal(err)
		}
		_, err = r.Read(bufio.NewReader(bytes.NewReader(block)))
		return r, err
	}
	first, err := open()
	if err != nil {
		t.Fatal(err)
	}
	second, err := open()
	if large, ok := errors.AsType[*blocks.TooLarge](err); !ok || !large.Busy {
		t.Errorf("beside another large one: %v", err)
	}
	first.Close()
	second.Close()
	for range 20 {
		r, err := open()
		if err != nil {
			t.Fatalf("when the others have gone: %v", err)
		}
		r.Close()
		r.Close() // which gives nothing twice
	}
	r, err := open()
	if err != nil {
		t.Fatal(err)
	}
	p, err := blocks.NewPrinter("TSV", r)
	if err != nil {
		t.Fatal(err)
	}
	again, err := r.Read(bufio.NewReader(bytes.NewReader(block)))
	if err != nil {
		t.Fatal(err)
	}
	if _, err = p.Row(nil, again, 0); err == nil {
		t.Error("a printed row takes none of the room")
	}
	r.Close()
}
