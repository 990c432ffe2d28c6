package audit

import (
	"bytes"
	"crypto/hkdf"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"hash"
	"strconv"
	"strings"
	"time"

	"porterhouse"
)

// A line is one JSON object in a fixed order:
//
//	{"seq":12,"time":"2026-07-26T10:15:00.123456Z","kind":"open",…,"prev":"<hex>","mac":"<hex>"}
//
// mac is HMAC-SHA256, under a key derived from the operator's, over every byte
// of the line before `,"mac":"`. prev is among them, so each line vouches for the
// one before it, and that for its own.
const (
	seqField  = `{"seq":`
	timeField = `,"time":"`
	kindField = `","kind":"`
	idField   = `,"id":"`
	prevField = `,"prev":"`
	macField  = `,"mac":"`
	lineEnd   = `"}`

	hexMAC  = 2 * sha256.Size
	macTail = len(macField) + hexMAC + len(lineEnd)
)

// maxLine bounds a line, in bytes: SQL of 64 KiB as escaped, its base64, and
// all other fields at their longest stay well below it.
const maxLine = 1 << 20

// minKey is the shortest key accepted, in bytes.
const minKey = 32

type mac [sha256.Size]byte

// chain makes and checks the lines of one chain. It is not safe for concurrent use.
type chain struct {
	hash hash.Hash // keyed
	seq  uint64    // of the last line; 0: none yet
	last mac       // of the last line; zero: none yet
	next mac       // of the line that was sealed but not yet advanced to
}

// newChain derives the chain's key, so that the operator's key itself is never
// used for anything else by accident.
func newChain(key porterhouse.Secret) (*chain, error) {
	if n := len(key.Reveal()); n < minKey {
		return nil, fmt.Errorf("audit: the key has %d bytes, fewer than the %d needed: make one with `openssl rand -hex 32`", n, minKey)
	}
	derived, err := hkdf.Key(sha256.New, []byte(key.Reveal()), nil, "porterhouse audit chain v1", sha256.Size)
	if err != nil {
		return nil, fmt.Errorf("audit: cannot derive the key of the chain: %w", err)
	}
	return &chain{hash: hmac.New(sha256.New, derived)}, nil
}

// seal appends to b the line that comes next. It counts only after advance.
func (c *chain) seal(b []byte, at time.Time, kind string, body fields) []byte {
	from := len(b)
	b = append(b, seqField...)
	b = strconv.AppendUint(b, c.seq+1, 10)
	b = append(b, timeField...)
	b = appendTime(b, at)
	b = append(b, kindField...)
	b = append(b, kind...)
	b = append(b, '"')
	b = append(b, body...)
	b = append(b, prevField...)
	b = hex.AppendEncode(b, c.last[:])
	b = append(b, '"')
	c.next = c.sum(b[from:])
	return append(appendTail(b, c.next), '\n')
}

// advance makes the line that was sealed last the last of the chain.
func (c *chain) advance() { c.seq, c.last = c.seq+1, c.next }

// head names the last line.
func (c *chain) head() head { return head{c.seq, c.last} }

func (c *chain) sum(b []byte) (m mac) {
	c.hash.Reset()
	c.hash.Write(b)
	c.hash.Sum(m[:0])
	return m
}

// record is what the chain needs to know of a line. Its slices are parts of the line.
type record struct {
	seq  uint64
	time []byte
	kind []byte
	id   []byte // of a question; nil: none
	prev mac
	mac  mac
	line []byte
}

// read returns the record of a line, without its newline, whose MAC is right:
// some writer with this key wrote exactly these bytes.
func (c *chain) read(line []byte) (r record, genuine bool) {
	at := len(line) - macTail
	if at < 0 || !bytes.HasPrefix(line[at:], []byte(macField)) {
		return r, false
	}
	r.mac = c.sum(line[:at])
	var tail [macTail]byte
	if !hmac.Equal(line[at:], appendTail(tail[:0], r.mac)) {
		return r, false
	}
	r.line = line
	return r, r.parse(line[:at])
}

// appendTail appends the end of a line.
func appendTail(b []byte, m mac) []byte {
	b = append(b, macField...)
	b = hex.AppendEncode(b, m[:])
	return append(b, lineEnd...)
}

// parse takes a genuine line apart. It reports false for bytes that carry a right
// MAC and are no line of this version.
func (r *record) parse(signed []byte) bool {
	rest, ok := bytes.CutPrefix(signed, []byte(seqField))
	number, rest, found := bytes.Cut(rest, []byte(timeField))
	seq, err := strconv.ParseUint(string(number), 10, 64)
	if !ok || !found || err != nil {
		return false
	}
	r.seq = seq
	if r.time, rest, found = bytes.Cut(rest, []byte(kindField)); !found {
		return false
	}
	if r.kind, rest, found = bytes.Cut(rest, []byte{'"'}); !found {
		return false
	}
	if id, is := bytes.CutPrefix(rest, []byte(idField)); is {
		r.id, _, _ = bytes.Cut(id, []byte{'"'})
	}
	at := len(signed) - len(prevField) - hexMAC - 1
	return at > 0 && bytes.HasPrefix(signed[at:], []byte(prevField)) && decodeMAC(&r.prev, signed[at+len(prevField):])
}

// parseTime reads the time of a genuine line.
func parseTime(text []byte) time.Time {
	t, err := time.Parse(timeLayout, string(text))
	if err != nil {
		return time.Time{}
	}
	return t
}

// decodeMAC reads the hex at the beginning of text.
func decodeMAC(m *mac, text []byte) bool {
	if len(text) < hexMAC {
		return false
	}
	_, err := hex.Decode(m[:], text[:hexMAC])
	return err == nil
}

// head names one line of a chain: whoever has kept it elsewhere can tell later
// that this line, and so every line before it, is still there. The zero head
// names no line.
type head struct {
	seq uint64
	mac mac
}

// String is the form that is logged: the line's number, a colon, its MAC in hex.
func (h head) String() string {
	return strconv.FormatUint(h.seq, 10) + ":" + hex.EncodeToString(h.mac[:])
}

// parseHead reads what String printed. Empty text is the zero head.
func parseHead(text string) (h head, err error) {
	text = strings.TrimSpace(text)
	if text == "" {
		return head{}, nil
	}
	number, sum, _ := strings.Cut(text, ":")
	h.seq, err = strconv.ParseUint(number, 10, 64)
	if err != nil || h.seq == 0 || len(sum) != hexMAC || !decodeMAC(&h.mac, []byte(sum)) {
		return head{}, fmt.Errorf("audit: %q is no head: one looks like 1234:<64 hex digits>, as the log has it", text)
	}
	return h, nil
}
