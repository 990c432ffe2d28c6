package blocks

import (
	"fmt"
	"strconv"
	"strings"
)

// binaryKinds are the types that a byte alone stands for, where a type is not written
// as a text: ClickHouse's "Data types binary encoding".
var binaryKinds = map[byte]string{
	0x00: "Nothing",
	0x01: "UInt8", 0x02: "UInt16", 0x03: "UInt32", 0x04: "UInt64", 0x05: "UInt128", 0x06: "UInt256",
	0x07: "Int8", 0x08: "Int16", 0x09: "Int32", 0x0a: "Int64", 0x0b: "Int128", 0x0c: "Int256",
	0x0d: "Float32", 0x0e: "Float64", 0x31: "BFloat16",
	0x0f: "Date", 0x10: "Date32", 0x11: "DateTime", 0x32: "Time",
	0x15: "String", 0x1d: "UUID", 0x28: "IPv4", 0x29: "IPv6", 0x2d: "Bool",
}

// binaryIntervals are the units of an Interval, by number.
var binaryIntervals = []string{"Nanosecond", "Microsecond", "Millisecond", "Second", "Minute", "Hour", "Day", "Week", "Month", "Quarter", "Year"}

// kindReader reads a type that is not written as a text, and writes it as one.
type kindReader struct {
	*reader
	strings.Builder
}

// kind reads such a type.
func (r *reader) kind() string {
	k := kindReader{reader: r}
	k.next(0)
	return k.String()
}

// next reads a type inside of so many others.
func (r *kindReader) next(depth int) {
	code := r.byte()
	if depth > maxDepth {
		r.fail(fmt.Errorf("blocks: more than %d types inside of one another", maxDepth))
	}
	if r.err != nil {
		return
	}
	if name, ok := binaryKinds[code]; ok {
		r.WriteString(name)
		return
	}
	switch code {
	case 0x1e:
		r.compound("Array", 1, depth)
	case 0x23:
		r.compound("Nullable", 1, depth)
	case 0x26:
		r.compound("LowCardinality", 1, depth)
	case 0x27:
		r.compound("Map", 2, depth)
	case 0x1f:
		r.compound("Tuple", r.count(), depth)
	case 0x2a:
		r.compound("Variant", r.count(), depth)
	case 0x20:
		r.named("Tuple", depth)
	case 0x2f:
		r.named("Nested", depth)
	case 0x30:
		r.jsonKind(depth)
	default:
		r.simple(code)
	}
}

// simple reads a type that has numbers or names behind its byte.
func (r *kindReader) simple(code byte) {
	switch code {
	case 0x12:
		fmt.Fprintf(r, "DateTime(%s)", quoteText(r.text()))
	case 0x13:
		fmt.Fprintf(r, "DateTime64(%d)", r.byte())
	case 0x14:
		fmt.Fprintf(r, "DateTime64(%d, %s)", r.byte(), quoteText(r.text()))
	case 0x34:
		fmt.Fprintf(r, "Time64(%d)", r.byte())
	case 0x16:
		fmt.Fprintf(r, "FixedString(%d)", r.number())
	case 0x17:
		r.enum(1)
	case 0x18:
		r.enum(2)
	case 0x19, 0x1a, 0x1b, 0x1c:
		fmt.Fprintf(r, "Decimal(%d, %d)", r.byte(), r.byte())
	case 0x22:
		if unit := r.byte(); int(unit) < len(binaryIntervals) {
			r.WriteString("Interval" + binaryIntervals[unit])
		}
	case 0x2b:
		fmt.Fprintf(r, "Dynamic(max_types=%d)", r.byte())
	case 0x2c:
		r.WriteString(r.text())
	default:
		r.fail(&Unprintable{Type: fmt.Sprintf("with the number %#x", code), Why: "a value of it is inside of a Dynamic or a JSON, and nothing here prints it as ClickHouse does"})
	}
}

// compound reads the types of which another one is made.
func (r *kindReader) compound(name string, count, depth int) {
	r.WriteString(name + "(")
	for i := 0; i < count && r.err == nil; i++ {
		if i > 0 {
			r.WriteString(", ")
		}
		if r.spend(1, 16) {
			r.next(depth + 1)
		}
	}
	r.WriteString(")")
}

// named reads the elements of a type that have names.
func (r *kindReader) named(name string, depth int) {
	r.WriteString(name + "(")
	r.elements(r.count(), depth)
	r.WriteString(")")
}

func (r *kindReader) elements(count, depth int) {
	for i := 0; i < count && r.err == nil; i++ {
		if i > 0 {
			r.WriteString(", ")
		}
		r.WriteString(quoteName(r.text()) + " ")
		r.next(depth + 1)
	}
}

// enum reads the values of an Enum of a width.
func (r *kindReader) enum(width int) {
	fmt.Fprintf(r, "Enum%d(", 8*width)
	for i := range r.count() {
		if i > 0 {
			r.WriteString(", ")
		}
		name := r.text()
		value := r.more(nil, width)
		if r.err != nil {
			return
		}
		r.WriteString(quoteText(name) + " = " + strconv.FormatInt(signedValue(value), 10))
	}
	r.WriteString(")")
}

// jsonKind reads a JSON: what its paths are bounded by, those that have a type, and
// those that are left out, by name and by pattern.
func (r *kindReader) jsonKind(depth int) {
	if form := r.byte(); r.err == nil && form != 0 {
		r.fail(fmt.Errorf("blocks: a JSON's type in the form %d, where 0 is known", form))
	}
	fmt.Fprintf(r, "JSON(max_dynamic_paths=%d, max_dynamic_types=%d", r.number(), r.byte())
	if typed := r.count(); typed > 0 {
		r.WriteString(", ")
		r.elements(typed, depth)
	}
	for range 2 {
		for range r.count() {
			if r.text(); r.err != nil { // what is left out is not here
				return
			}
		}
	}
	r.WriteString(")")
}

func quoteText(text string) string { return string(appendString(nil, []byte(text), quoted)) }

// quoteName quotes the name of an element or a path, as unquote reads it.
func quoteName(name string) string {
	return "`" + strings.NewReplacer("\\", "\\\\", "`", "\\`").Replace(name) + "`"
}
