package proxy

import (
	"encoding/binary"
	"io"
	"net/http/httptest"
	"strings"
	"testing"

	"porterhouse"
)

// bigBlock is the beginning of a block that says how much memory it needs.
func bigBlock(packed, size uint32) string {
	b := append(make([]byte, 16), 0x82)
	b = binary.LittleEndian.AppendUint32(b, packed)
	return string(binary.LittleEndian.AppendUint32(b, size))
}

// bodyIn reads a body for which the room has something taken already.
func bodyIn(t *testing.T, taken *room, url, contentType, body string) (*arrival, error) {
	t.Helper()
	r := httptest.NewRequest("POST", "/?"+url, strings.NewReader(body))
	r.Header.Set("Content-Type", contentType)
	p, err := readParameters(url, isForm(r))
	if err != nil {
		t.Fatal(err)
	}
	q := porterhouse.Query{SQL: p.value("query"), Passage: &porterhouse.Passage{}}
	from, err := addBody(&q, r, p, nil, taken)
	if err == nil && q.Passage.Data != nil {
		_, err = io.Copy(io.Discard, q.Passage.Data)
	}
	return from, err
}

// Many requests that are small to send and large to keep do not take all the memory
// there is, and one that has gone gives back what it had.
func TestRoomIsBounded(t *testing.T) {
	const form = "multipart/form-data; boundary=BB"
	early := part("x", "file", strings.Repeat("x", 200_000)) + part("query", "-", "SELECT 1") + formEnd
	for name, test := range map[string]struct {
		url, contentType, body string
		takes                  int64
	}{
		"a compressed block":       {"decompress=1", "", bigBlock(1<<20, 128<<20), 125 << 20},
		"a small block":            {"decompress=1", "", bigBlock(1<<20, 2<<20), 0},
		"a table before its query": {"", form, early, (64 + 128 + 256) << 10},
		"a table behind its query": {"query=SELECT+1", form, part("x", "file", "1") + formEnd, 0},
	} {
		var house room
		from, _ := bodyIn(t, &house, test.url, test.contentType, test.body)
		if taken := house.taken.Load(); taken != test.takes {
			t.Errorf("%s takes %d bytes, want %d", name, taken, test.takes)
		}
		from.memory.leave()
		from.memory.leave()
		if taken := house.taken.Load(); taken != 0 {
			t.Errorf("%s leaves %d bytes taken", name, taken)
		}
		house.taken.Store(maxRoom)
		_, err := bodyIn(t, &house, test.url, test.contentType, test.body)
		if kind, _ := porterhouse.Explain(err); (kind == porterhouse.Limited) != (test.takes > 0) || house.taken.Load() != maxRoom {
			t.Errorf("%s in a full room: %v, %d bytes taken", name, err, house.taken.Load())
		}
	}
}
