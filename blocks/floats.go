package blocks

import (
	"bytes"
	"encoding/binary"
	"math"
	"math/bits"
	"strconv"
)

// float returns how the floating-point numbers of a width are written: the shortest
// text that reads back as the same one. JSON knows no nan and no inf.
func (o *options) float(width int) show {
	if o.digits > 0 {
		return o.rounded(width)
	}
	return func(b, v []byte, s style) []byte {
		x := floatValue(v)
		if s != inJSON {
			return appendFloat(b, x, width)
		}
		special := math.IsNaN(x) || math.IsInf(x, 0)
		mark := ""
		if special && o.quoteDenormals || width == 8 && o.quoteFloats {
			mark = `"`
		}
		b = append(b, mark...)
		switch {
		case special && !o.quoteDenormals:
			b = append(b, "null"...)
		case math.IsNaN(x) && math.Signbit(x):
			b = append(b, "-nan"...)
		default:
			b = appendFloat(b, x, width)
		}
		return append(b, mark...)
	}
}

// rounded returns how they are written where only so many digits count: nan and zero
// without a sign.
func (o *options) rounded(width int) show {
	digits := o.digits
	if width < 8 {
		digits = (digits + 1) / 2
	}
	return func(b, v []byte, _ style) []byte {
		x := floatValue(v)
		if x == 0 {
			x = 0 // which may be -0
		}
		return strconv.AppendFloat(b, x, 'e', digits-1, 64)
	}
}

// floatValue returns a Float64, a Float32 or a BFloat16, which is the upper half of a Float32.
func floatValue(v []byte) float64 {
	switch len(v) {
	case 2:
		return float64(math.Float32frombits(uint32(binary.LittleEndian.Uint16(v)) << 16))
	case 4:
		return float64(math.Float32frombits(binary.LittleEndian.Uint32(v)))
	}
	return math.Float64frombits(binary.LittleEndian.Uint64(v))
}

// appendFloat writes without an exponent from 1e-6 to 1e21, as JavaScript does.
func appendFloat(b []byte, x float64, width int) []byte {
	if math.IsNaN(x) {
		return append(b, "nan"...)
	}
	if math.Signbit(x) {
		b, x = append(b, '-'), -x
	}
	switch {
	case math.IsInf(x, 0):
		return append(b, "inf"...)
	case x == 0:
		return append(b, '0')
	}
	size, plain := min(8*max(width, 4), 64), x >= 1e-6 && x < 1e21
	switch {
	case width == 8 && x < 1<<53 && x == math.Trunc(x): // all of whose digits count
		return strconv.AppendUint(b, uint64(x), 10)
	case plain && !short(x):
		return strconv.AppendFloat(b, x, 'f', -1, size)
	}
	var buffer [32]byte
	digits, exponent := shortest(buffer[:0], x, size)
	switch {
	case !plain:
		b = append(b, digits[0])
		if len(digits) > 1 {
			b = append(append(b, '.'), digits[1:]...)
		}
		return strconv.AppendInt(append(b, 'e'), int64(exponent), 10)
	case exponent < 0:
		b = append(append(b, "0."...), zeroDigits[:-exponent-1]...)
		return append(b, digits...)
	case len(digits) <= exponent+1:
		return append(append(b, digits...), zeroDigits[:exponent+1-len(digits)]...)
	}
	b = append(append(b, digits[:exponent+1]...), '.')
	return append(b, digits[exponent+1:]...)
}

const zeroDigits = "000000000000000000000"

// shortest appends the digits of the shortest number that reads back as x, which is
// above zero, and returns them and the exponent of the first.
func shortest(b []byte, x float64, size int) (digits []byte, exponent int) {
	digits, exponent = scientific(b, x, -1, size)
	if last := digits[len(digits)-1]; last&1 == 0 || !short(x) {
		return digits, exponent
	}
	return even(digits, exponent, x, size), exponent
}

// scientific appends the digits of x, with so many behind the point; -1: as few as read
// back as x.
func scientific(b []byte, x float64, precision, size int) (digits []byte, exponent int) {
	b = strconv.AppendFloat(b, x, 'e', precision, size)
	at := bytes.IndexByte(b, 'e')
	exponent, _ = strconv.Atoi(string(b[at+1:])) // which Go has just written
	if at > 1 {
		at = 1 + copy(b[1:], b[2:at])
	}
	return b[:at], exponent
}

// short reports whether x may have so few digits that it is just between two numbers
// with one digit less: it has at most 26 binary places behind the point.
func short(x float64) bool {
	fraction, exponent := math.Frexp(x)
	places := 53 - bits.TrailingZeros64(uint64(fraction*(1<<53))) - exponent
	return places <= 26
}

// maxDigits is more digits than a Float64 with so few binary places has.
const maxDigits = 340

// even returns the even one of the two nearest shortest numbers, as ClickHouse writes,
// where x is just between them and Go has taken the odd one.
func even(digits []byte, exponent int, x float64, size int) []byte {
	n := len(digits)
	if near, _ := scientific(nil, x, n, 64); near[n] != '5' { // one digit more, and mostly that is all
		return digits
	}
	exact, _ := scientific(nil, x, maxDigits, 64)
	rest := exact[n:]
	if rest[0] != '5' || len(bytes.Trim(rest[1:], "0")) > 0 || exact[n-1]&1 != 0 {
		return digits
	}
	text := append(append(append([]byte{exact[0], '.'}, exact[1:n]...), 'e'), strconv.Itoa(exponent)...)
	if back, err := strconv.ParseFloat(string(text), size); err != nil || back != x {
		return digits
	}
	return exact[:n]
}
