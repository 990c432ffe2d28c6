package blocks

import (
	"encoding/binary"
	"math/big"
	"slices"
)

// integer returns how the integers of a width are written, which is another one than that
// of words. Wider ones can be in quotes in JSON, too.
func (o *options) integer(width int, signed bool) show {
	plain := showUnsigned
	if signed {
		plain = showSigned
	}
	if width > 8 && o.quoteIntegers {
		return inQuotes(plain)
	}
	return plain
}

// inQuotes writes in quotes in JSON, and as it is elsewhere.
func inQuotes(plain show) show {
	return func(b, v []byte, s style) []byte {
		if s != inJSON {
			return plain(b, v, s)
		}
		return append(plain(append(b, '"'), v, s), '"')
	}
}

// showUnsigned writes an integer of any width.
func showUnsigned(b, v []byte, _ style) []byte {
	if len(v) > 8 {
		return wide(v, false).Append(b, 10)
	}
	return appendUint(b, unsignedValue(v))
}

// showSigned writes one that may be below zero.
func showSigned(b, v []byte, _ style) []byte {
	if len(v) > 8 {
		return wide(v, true).Append(b, 10)
	}
	return appendInt(b, signedValue(v))
}

func unsignedValue(v []byte) uint64 {
	switch len(v) {
	case 1:
		return uint64(v[0])
	case 2:
		return uint64(binary.LittleEndian.Uint16(v))
	case 4:
		return uint64(binary.LittleEndian.Uint32(v))
	}
	return binary.LittleEndian.Uint64(v)
}

func signedValue(v []byte) int64 {
	unused := 64 - 8*len(v)
	return int64(unsignedValue(v)) << unused >> unused
}

// wide returns an integer of more than 64 bits.
func wide(v []byte, signed bool) *big.Int {
	n := slices.Clone(v)
	slices.Reverse(n)
	value := new(big.Int).SetBytes(n)
	if signed && n[0] >= 0x80 {
		value.Sub(value, new(big.Int).Lsh(big.NewInt(1), uint(8*len(n))))
	}
	return value
}

// decimal returns how decimals are written: with so many digits behind the point, but
// without zeros at the end.
func (o *options) decimal(scale int) show {
	plain := func(b, v []byte, _ style) []byte {
		var digits []byte
		if len(v) > 8 {
			digits = wide(v, true).Append(nil, 10)
		} else {
			digits = appendInt(nil, signedValue(v))
		}
		return appendDecimal(b, digits, scale)
	}
	if o.quoteDecimals {
		return inQuotes(plain)
	}
	return plain
}

// appendDecimal puts the point into digits.
func appendDecimal(b, digits []byte, scale int) []byte {
	if digits[0] == '-' {
		b, digits = append(b, '-'), digits[1:]
	}
	for len(digits) <= scale {
		digits = slices.Insert(digits, 0, '0')
	}
	whole, rest := digits[:len(digits)-scale], digits[len(digits)-scale:]
	b = append(b, whole...)
	for len(rest) > 0 && rest[len(rest)-1] == '0' {
		rest = rest[:len(rest)-1]
	}
	if len(rest) == 0 {
		return b
	}
	return append(append(b, '.'), rest...)
}
