package blocks

import (
	"bytes"
	"errors"
	"fmt"
	"slices"
)

// dynamic is a column of values of any types: a variant whose types each block names.
// Those that are many share a column of texts, each with its type before it.
type dynamic struct {
	kinds kinds
	variant
	at     int // of the shared one of the types
	texts  texts
	shared shared
}

// The forms of a Dynamic before the revision 54473, and the name of the type that
// stands for all others.
const (
	dynamicForm   = 1
	sharedVariant = "SharedVariant"
)

func (c *dynamic) prefix(r *reader) {
	if form := r.uint64(); r.err == nil && form != dynamicForm {
		r.fail(&Unprintable{Type: "Dynamic", Why: fmt.Sprintf("it is sent in the form %d, where %d is known; leave output_format_native_use_flattened_dynamic_and_json_serialization out", form, dynamicForm)})
	}
	r.number() // the most types it may have
	names := []string{sharedVariant}
	for range min(r.count(), noVariant) {
		names = append(names, r.text())
	}
	if r.err != nil {
		return
	}
	slices.Sort(names)
	c.variants = c.variants[:0]
	for i, name := range names {
		if name == sharedVariant {
			c.at, c.variants = i, append(c.variants, &c.texts)
			continue
		}
		v, err := c.kinds.column(name)
		if err != nil {
			r.fail(err)
			return
		}
		c.variants = append(c.variants, v)
	}
	if len(c.variants) >= noVariant {
		r.fail(fmt.Errorf("blocks: a Dynamic of %d types", len(c.variants)))
	}
	c.variant.prefix(r)
}

func (c *dynamic) read(r *reader, rows int) {
	if rows == 0 {
		c.variants, c.at = append(c.variants[:0], &c.texts), 0
	}
	c.variant.read(r, rows)
	c.shared.reset(c.kinds)
	for i := range c.texts.ends {
		if r.err != nil {
			return
		}
		c.shared.take(r, c.texts.value(i))
	}
}

// add reads a value behind its type.
func (c *dynamic) add(r *reader) {
	if !r.spend(1, 5) {
		return
	}
	c.which = append(c.which, byte(c.at))
	c.places = append(c.places, uint32(len(c.shared.values)))
	c.shared.next(r)
}

func (c *dynamic) append(b []byte, row int, s style) []byte {
	if int(c.which[row]) == c.at {
		return c.shared.append(b, int(c.places[row]), s)
	}
	return c.variant.append(b, row, s)
}

// isNull reports whether a row has no value.
func (c *dynamic) isNull(row int) bool {
	kind := c.which[row]
	return kind == noVariant || int(kind) == c.at && c.shared.isNull(int(c.places[row]))
}

// shared holds values of any types, each of which was sent behind its type.
type shared struct {
	kinds  kinds
	known  map[string]column
	counts map[string]int
	values []sharedValue
}

// sharedValue is where a value is; one without a column is NULL.
type sharedValue struct {
	column column
	row    int
}

func (s *shared) reset(k kinds) {
	s.kinds, s.values = k, s.values[:0]
	s.known, s.counts = map[string]column{}, map[string]int{}
}

// take reads the next value from a text, which it must fill.
func (s *shared) take(r *reader, text []byte) {
	r.within(bytes.NewReader(text), func(r *reader) {
		s.next(r)
		if _, err := r.in.ReadByte(); err == nil {
			r.fail(errors.New("blocks: something follows a value of a Dynamic in its place"))
		}
	})
}

// next reads the next value.
func (s *shared) next(r *reader) {
	text := r.kind()
	if r.err != nil || !r.spend(1, 32) {
		return
	}
	if text == "Nothing" {
		s.values = append(s.values, sharedValue{})
		return
	}
	if s.known == nil {
		s.known, s.counts = map[string]column{}, map[string]int{}
	}
	c, ok := s.known[text]
	if !ok {
		var err error
		if c, err = s.kinds.column(text); err != nil {
			r.fail(err)
			return
		}
		s.known[text] = emptied(c)
	}
	c.add(r)
	s.values = append(s.values, sharedValue{c, s.counts[text]})
	s.counts[text]++
}

func (s *shared) append(b []byte, at int, how style) []byte {
	v := s.values[at]
	if v.column == nil {
		return appendNull(b, how)
	}
	return v.column.append(b, v.row, how)
}

func (s *shared) isNull(at int) bool { return s.values[at].column == nil }
