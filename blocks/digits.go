package blocks

import (
	"encoding/binary"
	"math/bits"
)

// appendUint writes a number. Eight digits are made at once, in the bytes of one word.
func appendUint(b []byte, n uint64) []byte {
	if n >= 1e8 {
		return appendEight(appendUint(b, n/1e8), uint32(n%1e8))
	}
	digits := eightDigits(uint32(n))
	leading := bits.TrailingZeros64(digits|1<<56) / 8 // zeros; the last digit is written anyway
	size := len(b) + 8 - leading
	return binary.LittleEndian.AppendUint64(b, (digits|zeros)>>(8*leading))[:size]
}

// appendEight writes a number below 10^8 in eight digits.
func appendEight(b []byte, n uint32) []byte {
	return binary.LittleEndian.AppendUint64(b, eightDigits(n)|zeros)
}

// appendInt writes a number that may be below zero.
func appendInt(b []byte, n int64) []byte {
	if n < 0 {
		return appendUint(append(b, '-'), -uint64(n))
	}
	return appendUint(b, uint64(n))
}

// zeros are eight times the digit zero.
const zeros = 0x3030303030303030

// eightDigits returns the digits of a number below 10^8, as they are and not as text: the
// first in the lowest byte. All parts of the word are divided at once: into halves of four
// digits, then quarters of two, then bytes of one. 5243/2^19 and 103/2^10 are a little more
// than 1/100 and 1/10, so little that each quotient is exact.
func eightDigits(n uint32) uint64 {
	fours := uint64(n/1e4) | uint64(n%1e4)<<32
	upper := fours * 5243 >> 19 & 0x7f_0000007f
	pairs := upper | (fours-100*upper)<<16
	upper = pairs * 103 >> 10 & 0xf_000f_000f_000f
	return upper | (pairs-10*upper)<<8
}

// tens are the powers of ten that fit into a word.
var tens = [...]uint64{1, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15, 1e16, 1e17, 1e18, 1e19}

// countDigits returns how many digits a number above zero has.
func countDigits(n uint64) int {
	atLeast := bits.Len64(n) * 1233 >> 12 // that many bits, as digits, rounded down
	if n >= tens[atLeast] {
		return atLeast + 1
	}
	return atLeast
}
