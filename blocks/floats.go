package blocks

import (
	"encoding/binary"
	"math"
	"strconv"
)

// float returns how the floating-point numbers of a width are written: the shortest
// text that reads back as the same one. JSON knows no nan and no inf.
func (o *options) float(width int) show {
	if o.digits > 0 {
		return o.rounded(width)
	}
	quoted := width == 8 && o.quoteFloats
	return func(b, v []byte, s style) []byte {
		x := floatValue(v)
		special := math.IsNaN(x) || math.Abs(x) > math.MaxFloat64
		switch {
		case s != inJSON || !special && !quoted:
			return appendFloat(b, x, width)
		case special && !o.quoteDenormals && quoted:
			return append(b, `"null"`...)
		case special && !o.quoteDenormals:
			return append(b, "null"...)
		case math.IsNaN(x) && math.Signbit(x):
			return append(b, `"-nan"`...)
		}
		return append(appendFloat(append(b, '"'), x, width), '"')
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
	case x > math.MaxFloat64:
		return append(b, "inf"...)
	case x < 1<<24 && x == float64(int64(x)), width == 8 && x < 1<<53 && x == float64(int64(x)): // all of whose digits count
		return appendUint(b, uint64(x))
	}
	number := floating64(x)
	if width < 8 {
		number = floating32(float32(x))
	}
	digits, exponent := number.shortest()
	return appendNumber(b, digits, exponent)
}

// appendNumber writes digits · 10^exponent, which has 17 digits at most.
func appendNumber(b []byte, digits uint64, exponent int) []byte {
	size := countDigits(digits)
	switch whole := size + exponent; { // digits before the point
	case whole < -5 || whole > 21:
		if b = appendUint(b, digits/tens[size-1]); size > 1 {
			b = appendPlaces(append(b, '.'), digits%tens[size-1], size-1)
		}
		return appendInt(append(b, 'e'), int64(whole-1))
	case exponent >= 0:
		return append(appendUint(b, digits), zeroDigits[:exponent]...)
	case whole <= 0:
		return appendPlaces(append(b, "0."...), digits, -exponent)
	}
	unit := tens[-exponent]
	return appendPlaces(append(appendUint(b, digits/unit), '.'), digits%unit, -exponent)
}

const zeroDigits = "000000000000000000000"

// appendPlaces writes n in so many digits, zeros before it included: 24 at most.
func appendPlaces(b []byte, n uint64, size int) []byte {
	if size > 16 {
		b = appendPlaces(b, n/1e16, size-16)
		n, size = n%1e16, 16
	}
	end := len(b) + size
	n *= tens[16-size]
	b = appendEight(b, uint32(n/1e8))
	if size > 8 {
		b = appendEight(b, uint32(n%1e8))
	}
	return b[:end]
}
