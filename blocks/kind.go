package blocks

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Unprintable says that a type is known to ClickHouse, or may be, and cannot be
// printed here as ClickHouse prints it.
type Unprintable struct {
	Column string // "": inside of a value
	Type   string // as ClickHouse names it
	Why    string // and what can be done
}

// Error implements error.
func (u *Unprintable) Error() string {
	return fmt.Sprintf("the column %q is of the type %s: %s", u.Column, u.Type, u.Why)
}

// Bounds of types, which come from the server.
const (
	maxKind  = 1 << 20 // bytes of the text of a type
	maxDepth = 100     // types inside of types
	maxFixed = 1 << 24 // bytes of a FixedString: ClickHouse's own limit is 0xFFFFFF
)

// kinds makes columns of the names of types.
type kinds struct {
	options *options
	zone    *time.Location // of a DateTime that names none
	zones   map[string]*time.Location
	memory  *memory
	depth   int
}

// What a column takes that has no values yet, in bytes: each, those that are larger, and
// for each byte of the name of its type.
const (
	columnSize = 512
	letterSize = 8
)

var columnSizes = map[string]int{"Variant": 2 << 10, "Dynamic": 4 << 10, "JSON": 2 << 10, "QBit": 8 << 10}

// column makes a column of the type that text names. What inside of it cannot be
// printed is an *Unprintable.
func (k kinds) column(text string) (column, error) {
	if k.depth++; k.depth > maxDepth || len(text) > maxKind {
		return nil, &Unprintable{Type: text[:min(len(text), 100)], Why: "its name is too long, or too many types are inside of one another"}
	}
	if err := k.memory.take(columnSize + letterSize*len(text)); err != nil {
		return nil, err
	}
	name, arguments, err := split(text)
	if err != nil {
		return nil, &Unprintable{Type: text, Why: err.Error()}
	}
	if err := k.memory.take(columnSizes[name]); err != nil {
		return nil, err
	}
	c, err := k.make(name, arguments)
	if c == nil && err == nil {
		err = &Unprintable{Type: text, Why: "nothing here prints it as ClickHouse does; convert it, such as with finalizeAggregation() or CAST, or use another access mode"}
	}
	return c, err
}

// make makes a column; nil when the type is not known, or has other arguments than are
// known.
func (k kinds) make(name string, arguments []string) (column, error) {
	for _, family := range []func(string, []string) column{k.plain, k.parametric} {
		if c := family(name, arguments); c != nil {
			return c, nil
		}
	}
	return k.compound(name, arguments)
}

// plain makes the columns of types that have no arguments.
func (k kinds) plain(name string, arguments []string) column {
	if len(arguments) > 0 {
		return nil
	}
	o := k.options
	switch name {
	case "String":
		return &texts{}
	case "Bool":
		return &fixed{width: 1, show: o.boolean()}
	case "BFloat16":
		return &fixed{width: 2, show: o.float(2)}
	case "Float32":
		return &fixed{width: 4, show: o.float(4)}
	case "Float64":
		return o.doubles()
	case "Date":
		return &fixed{width: 2, show: enclosed(showDate)}
	case "Date32":
		return &fixed{width: 4, show: enclosed(showDate)}
	case "Time":
		return &fixed{width: 4, show: enclosed(clock(0))}
	case "UUID":
		return &fixed{width: 16, show: enclosed(showUUID)}
	case "IPv4":
		return &fixed{width: 4, show: enclosed(showIPv4)}
	case "IPv6":
		return &fixed{width: 16, show: enclosed(showIPv6)}
	case "Nothing":
		return &fixed{width: 1, show: showNothing}
	}
	return k.whole(name)
}

// whole makes the columns of integers, and of intervals, which are written as such.
func (k kinds) whole(name string) column {
	if strings.HasPrefix(name, "Interval") {
		return k.options.words(true)
	}
	digits, unsigned := strings.CutPrefix(name, "U")
	digits, ok := strings.CutPrefix(digits, "Int")
	bits, err := strconv.Atoi(digits)
	if !ok || err != nil || !slices.Contains([]int{8, 16, 32, 64, 128, 256}, bits) {
		return nil
	}
	if bits == 64 {
		return k.options.words(!unsigned)
	}
	return &fixed{width: bits / 8, show: k.options.integer(bits/8, !unsigned)}
}

// parametric makes the columns of types with numbers, names or a zone as arguments.
func (k kinds) parametric(name string, arguments []string) column {
	switch name {
	case "FixedString":
		if width, ok := number(arguments, 0, maxFixed); ok && width > 0 {
			return &fixed{width: width, show: appendString}
		}
	case "Decimal":
		return newDecimals(k.options, arguments)
	case "Enum8", "Enum16":
		if names := enumNames(arguments); names != nil {
			return &fixed{width: map[string]int{"Enum8": 1, "Enum16": 2}[name], show: enumeration(names)}
		}
	case "DateTime":
		if zone := k.location(arguments, 0); zone != nil {
			return &fixed{width: 4, show: enclosed(dateTime(0, zone))}
		}
	case "DateTime64":
		digits, ok := number(arguments, 0, 9)
		if zone := k.location(arguments, 1); zone != nil && ok {
			return &fixed{width: 8, show: enclosed(dateTime(digits, zone))}
		}
	case "Time64":
		if digits, ok := number(arguments, 0, 9); ok {
			return &fixed{width: 8, show: enclosed(clock(digits))}
		}
	case "QBit":
		return newVectors(k.options, arguments)
	}
	return nil
}

// newDecimals makes the column of a Decimal, whose digits decide its width.
func newDecimals(o *options, arguments []string) column {
	digits, ok := number(arguments, 0, 76)
	scale, too := number(arguments, 1, 76)
	if !ok || !too || scale > digits {
		return nil
	}
	width := 32
	switch {
	case digits <= 9:
		width = 4
	case digits <= 18:
		width = 8
	case digits <= 38:
		width = 16
	}
	return &fixed{width: width, show: o.decimal(scale)}
}

// location returns the zone that an argument names, or else the session's; nil when
// nobody here knows it.
func (k kinds) location(arguments []string, at int) *time.Location {
	if len(arguments) <= at {
		return k.zone
	}
	name := unquote(arguments[at])
	zone, known := k.zones[name]
	if !known {
		zone, _ = time.LoadLocation(name) // nil: as an unknown one
		k.zones[name] = zone
	}
	return zone
}

// compound makes the columns of types that are made of others.
func (k kinds) compound(name string, arguments []string) (column, error) {
	if alias, ok := geometry[name]; ok {
		return k.column(alias)
	}
	switch name {
	case "Nullable":
		return k.nullable(arguments)
	case "LowCardinality":
		return k.lowCardinality(arguments)
	case "Array":
		return k.array(arguments)
	case "Nested":
		return k.array([]string{"Tuple(" + strings.Join(arguments, ", ") + ")"})
	case "Tuple":
		return k.tuple(arguments)
	case "Map":
		return k.maps(arguments)
	case "Variant":
		return k.variant(arguments)
	case "Dynamic":
		return &dynamic{kinds: k}, nil
	case "JSON":
		return k.object(arguments)
	case "SimpleAggregateFunction":
		if len(arguments) == 2 {
			return k.column(arguments[1])
		}
	}
	return nil, nil
}

// geometry has what ClickHouse's names for shapes stand for.
var geometry = map[string]string{
	"Point":           "Tuple(Float64, Float64)",
	"Ring":            "Array(Point)",
	"LineString":      "Array(Point)",
	"Polygon":         "Array(Ring)",
	"MultiLineString": "Array(LineString)",
	"MultiPolygon":    "Array(Polygon)",
	"Geometry":        "Variant(LineString, MultiLineString, MultiPolygon, Point, Polygon, Ring)",
}

// columns makes a column for each of the types.
func (k kinds) columns(texts []string) ([]column, error) {
	made := make([]column, len(texts))
	for i, text := range texts {
		c, err := k.column(text)
		if err != nil {
			return nil, err
		}
		made[i] = c
	}
	return made, nil
}

func (k kinds) nullable(arguments []string) (column, error) {
	inner, err := k.columns(arguments)
	if err != nil || len(inner) != 1 {
		return nil, err
	}
	return &nullable{values: inner[0]}, nil
}

func (k kinds) lowCardinality(arguments []string) (column, error) {
	if len(arguments) != 1 {
		return nil, nil
	}
	text, nullable := strings.CutPrefix(arguments[0], "Nullable(")
	if nullable {
		text = strings.TrimSuffix(text, ")")
	}
	keys, err := k.column(text)
	if err != nil {
		return nil, err
	}
	return &lowCardinality{nullable: nullable, keys: keys, width: 8}, nil
}

func (k kinds) array(arguments []string) (column, error) {
	inner, err := k.columns(arguments)
	if err != nil || len(inner) != 1 {
		return nil, err
	}
	return &array{most: &k.options.maxRow, values: inner[0]}, nil
}

func (k kinds) tuple(arguments []string) (column, error) {
	c := &tuple{most: &k.options.maxRow}
	texts := make([]string, len(arguments))
	for i, argument := range arguments {
		name, text, named := element(argument)
		if texts[i] = text; named {
			c.names = append(c.names, name)
		}
	}
	if len(c.names) != 0 && len(c.names) != len(texts) {
		return nil, nil
	}
	var err error
	c.elements, err = k.columns(texts)
	return c, err
}

func (k kinds) maps(arguments []string) (column, error) {
	inner, err := k.columns(arguments)
	if err != nil || len(inner) != 2 {
		return nil, err
	}
	return &dictionary{most: &k.options.maxRow, keys: inner[0], values: inner[1]}, nil
}

func (k kinds) variant(arguments []string) (column, error) {
	inner, err := k.columns(arguments)
	if err != nil || len(inner) >= noVariant {
		return nil, err
	}
	return &variant{variants: inner}, nil
}
