package blocks

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strings"
)

// object is a column of JSON: a column for each path, the values of further paths as
// texts, and for each row how many of those it has.
type object struct {
	kinds   kinds
	typed   []path // which the type names, in their order
	dynamic []path // which the block names

	ends   []int // of the further values of the rows
	names  []string
	shared shared
}

// path is a place in a JSON and the column with the values there.
type path struct {
	name   string
	values column
}

// objectForm is the form of a JSON before the revision 54473.
const objectForm = 0

// object makes the column of a JSON.
func (k kinds) object(arguments []string) (column, error) {
	c := &object{kinds: k}
	c.shared.reset(k)
	for _, a := range arguments {
		name, text, named := element(a)
		if !named || name == "SKIP" && !strings.HasPrefix(a, "`") {
			continue // max_dynamic_paths=…, or what is left out
		}
		values, err := k.column(text)
		if err != nil {
			return nil, err
		}
		c.typed = append(c.typed, path{name, values})
	}
	slices.SortFunc(c.typed, byName)
	return c, nil
}

func byName(a, b path) int { return cmp.Compare(a.name, b.name) }

func (c *object) prefix(r *reader) {
	if form := r.uint64(); r.err == nil && form != objectForm {
		r.fail(&Unprintable{Type: "JSON", Why: fmt.Sprintf("it is sent in the form %d, where %d is known; leave output_format_native_write_json_as_string and output_format_native_use_flattened_dynamic_and_json_serialization out", form, objectForm)})
	}
	r.number() // the most paths it may have
	count := r.count()
	c.dynamic = c.dynamic[:0]
	for range count {
		name := r.text()
		if !r.spend(1, columnSizes["Dynamic"]) {
			return
		}
		c.dynamic = append(c.dynamic, path{name, &dynamic{kinds: c.kinds}})
	}
	for _, p := range slices.Concat(c.typed, c.dynamic) {
		p.values.prefix(r)
	}
}

func (c *object) read(r *reader, rows int) {
	for _, p := range slices.Concat(c.typed, c.dynamic) {
		p.values.read(r, rows)
	}
	c.ends = r.offsets(c.ends, rows)
	c.readShared(r, lastOf(c.ends))
}

// readShared reads the further paths of all rows, and then their values.
func (c *object) readShared(r *reader, count int) {
	c.names, c.shared.kinds = c.names[:0], c.kinds
	c.shared.reset(c.kinds)
	for range count {
		if name := r.text(); r.spend(1, 16) {
			c.names = append(c.names, name)
		}
	}
	for range count {
		text := r.more(nil, r.count())
		if r.err != nil {
			return
		}
		c.shared.take(r, text)
	}
}

// add reads the paths of one more row. Those that have a type all come, once, except
// where the row itself stands for NULL.
func (c *object) add(r *reader) {
	came := make([]bool, len(c.typed))
	for range r.count() {
		name := r.text()
		if !r.spend(1, 24) {
			return
		}
		at := slices.IndexFunc(c.typed, func(p path) bool { return p.name == name })
		if at >= 0 {
			if came[at] {
				r.fail(errors.New("blocks: a JSON has a path twice"))
				return
			}
			came[at] = true
			c.typed[at].values.add(r)
			continue
		}
		c.names = append(c.names, name)
		c.shared.next(r)
	}
	if r.err == nil && len(c.names) != len(c.shared.values) {
		r.fail(fmt.Errorf("blocks: a JSON has %d paths and %d values", len(c.names), len(c.shared.values)))
	}
	for i, p := range c.typed {
		if !came[i] {
			r.standIn(p.values)
		}
	}
	if r.spend(1, 8) {
		c.ends = append(c.ends, len(c.names))
	}
}

// place is a path of one row that has a value.
type place struct {
	name   string
	values column // nil: a shared one
	row    int
}

// places returns the paths of a row that have a value, in their order. Those that have
// a type have one always.
func (c *object) places(row int) []place {
	var found []place
	for _, p := range c.typed {
		found = append(found, place{p.name, p.values, row})
	}
	for _, p := range c.dynamic {
		if d := p.values.(*dynamic); !d.isNull(row) {
			found = append(found, place{p.name, d, row})
		}
	}
	from, to := span(c.ends, row)
	for i := from; i < to; i++ {
		if !c.shared.isNull(i) {
			found = append(found, place{c.names[i], nil, i})
		}
	}
	slices.SortStableFunc(found, func(a, b place) int { return cmp.Compare(a.name, b.name) })
	return found
}

// append writes a JSON, which elsewhere than in JSON is the text of it.
func (c *object) append(b []byte, row int, s style) []byte {
	if s == inJSON {
		return c.appendObject(b, row)
	}
	return appendString(b, c.appendObject(nil, row), s)
}

// appendObject writes the values of the paths as objects inside of objects.
func (c *object) appendObject(b []byte, row int) []byte {
	b = append(b, '{')
	var open []string // the objects in which we are
	first := true
	for _, p := range c.places(row) {
		parts := strings.Split(p.name, ".")
		within := parts[:len(parts)-1]
		same := 0
		for same < min(len(open), len(within)) && open[same] == within[same] {
			same++
		}
		for range len(open) - same {
			b, first = append(b, '}'), false
		}
		for _, name := range within[same:] {
			b = append(appendKey(b, name, first), '{')
			first = true
		}
		open = within
		b = appendKey(b, parts[len(parts)-1], first)
		first = false
		if b = c.appendAt(b, p); len(b) > c.kinds.options.maxRow {
			break
		}
	}
	for range open {
		b = append(b, '}')
	}
	return append(b, '}')
}

// appendKey writes the name of a value in an object.
func appendKey(b []byte, name string, first bool) []byte {
	if !first {
		b = append(b, ',')
	}
	return append(appendJSON(b, []byte(name)), ':')
}

func (c *object) appendAt(b []byte, p place) []byte {
	if p.values == nil {
		return c.shared.append(b, p.row, inJSON)
	}
	return p.values.append(b, p.row, inJSON)
}
