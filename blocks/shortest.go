package blocks

import (
	"math"
	"math/bits"
)

// floating is a floating-point number above zero: mantissa · 2^exponent.
type floating struct {
	mantissa uint64
	exponent int
	lowest   bool // below it the numbers lie half as far apart as above it
}

// What a Float64 and a Float32 consist of, in bits, and the exponent of their smallest
// numbers.
const (
	mantissa64, smallest64 = 52, -1074
	mantissa32, smallest32 = 23, -149
)

// floating64 takes a Float64 apart, which is finite and above zero.
func floating64(x float64) floating { return apart(math.Float64bits(x), mantissa64, smallest64) }

// floating32 takes a Float32 apart, which is finite and above zero.
func floating32(x float32) floating {
	return apart(uint64(math.Float32bits(x)), mantissa32, smallest32)
}

func apart(all uint64, size, smallest int) floating {
	mantissa, exponent := all&(1<<size-1), int(all>>size)
	if exponent == 0 {
		return floating{mantissa: mantissa, exponent: smallest}
	}
	return floating{mantissa | 1<<size, smallest + exponent - 1, mantissa == 0 && exponent > 1}
}

// shortest returns the number digits · 10^exponent that has the fewest digits of all that
// read back as x, and of these is the nearest to it; just between two of them, the even
// one. The last digit is no zero.
//
// What reads back as x lies between the middles to its neighbours, and on them, if its
// mantissa is even. All three are looked at on the grid 10^k, which is as fine as the
// neighbours are apart, or up to ten times finer: so at least one point of it, and at most
// one point of a grid ten times coarser, lies between the middles. (R. Giulietti, "The
// Schubfach way to render doubles", 2021; rounding to odd follows S. Boldo and
// G. Melquiond, 2008.)
func (x floating) shortest() (digits uint64, exponent int) {
	below, k := uint64(2), tenths(x.exponent)
	if x.lowest {
		below, k = 1, skewedTenths(x.exponent)
	}
	to := newScale(x.exponent, k)
	odd := x.mantissa & 1
	least := (to.quarters(4*x.mantissa-below) + 3 + odd) / 4
	most := (to.quarters(4*x.mantissa+2) - odd) / 4
	if coarse := most / 10; coarse*10 >= least {
		return withoutZeros(coarse, k+1)
	}
	near := to.quarters(4 * x.mantissa)
	near = (near + 1 + near/4&1) / 4
	return max(near, least), k
}

// withoutZeros takes the zeros from the end of digits, of which there are at most 15.
func withoutZeros(digits uint64, exponent int) (uint64, int) {
	if digits%1e8 == 0 {
		digits, exponent = digits/1e8, exponent+8
	}
	if digits%1e4 == 0 {
		digits, exponent = digits/1e4, exponent+4
	}
	if digits%100 == 0 {
		digits, exponent = digits/100, exponent+2
	}
	if digits%10 == 0 {
		digits, exponent = digits/10, exponent+1
	}
	return digits, exponent
}

// scale multiplies by 2^e · 10^-k.
type scale struct {
	power powerOfTen
	shift uint
}

func newScale(e, k int) scale {
	return scale{power: powersOfTen[-k-leastPower], shift: uint(e + twos(-k) + 1)}
}

// quarters returns n · 2^e · 10^-k, rounded to odd: what is no whole number becomes the odd
// one of the two beside it, and so is known as one when it is divided by four. n is below
// 2^55, and the result below 2^59.
//
// The power of ten in the table is too large by less than one unit, so the product is by
// less than n of the last of its 192 bits. A product of the exact power is whole or farther
// than that from a whole number, for all n and e that there are (TestScalesAreExact).
func (s scale) quarters(n uint64) uint64 {
	n <<= s.shift
	whole, high := bits.Mul64(n, s.power.high)
	carried, low := bits.Mul64(n, s.power.low)
	rest, carry := bits.Add64(high, carried, 0)
	whole += carry
	if rest > 0 || low >= n {
		whole |= 1
	}
	return whole
}

// The factors of these are the binary digits of log10(2), log10(3/4) and log2(10), as many as
// the exponents of a Float64 need (TestLogarithms).

// tenths returns the largest k for which 10^k is not above 2^e.
func tenths(e int) int { return e * 1262611 >> 22 }

// skewedTenths returns the largest k for which 10^k is not above 3/4 · 2^e: so far apart
// are the middles of a number that is the lowest of its exponent.
func skewedTenths(e int) int { return (e*1262611 - 524031) >> 22 }

// twos returns the largest e for which 2^e is not above 10^k.
func twos(k int) int { return k * 1741647 >> 19 }
