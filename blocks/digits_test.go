package blocks

import (
	"math"
	"math/rand/v2"
	"strconv"
	"testing"
)

// Whole numbers are written as Go writes them: all of four digits in each half of eight, at
// the bounds of every size, and at random.
func TestDigitsOfWholeNumbers(t *testing.T) {
	check := func(n uint64) {
		if got, want := string(appendUint([]byte("x"), n)), "x"+strconv.FormatUint(n, 10); got != want {
			t.Errorf("%s, want %s", got, want)
		}
		if got, want := string(appendInt(nil, int64(n))), strconv.FormatInt(int64(n), 10); got != want {
			t.Errorf("%s, want %s", got, want)
		}
	}
	for n := range uint64(10_000) {
		check(n)
		check(n * 10_000)
		check(n*10_000 + 9_999)
		check(1e8*n + n)
		check(1e16*(n%1845) + n*10_000)
	}
	for n, power := 0, uint64(1); n < 20; n, power = n+1, power*10 {
		check(power - 1)
		check(power)
		check(power + 1)
	}
	for shift := range 64 {
		check(1<<shift - 1)
		check(1 << shift)
		check(-(1 << shift))
	}
	check(math.MaxUint64)
	random := rand.New(rand.NewPCG(1, 2))
	for range 100_000 {
		check(random.Uint64() >> random.IntN(64))
	}
}

// Numbers are written behind what is there, whether or not there is room.
func TestNumbersWrittenInPlace(t *testing.T) {
	float := func(x float64, width int) func(b []byte) []byte {
		return func(b []byte) []byte { return appendFloat(b, x, width) }
	}
	for want, write := range map[string]func(b []byte) []byte{
		"7":                     func(b []byte) []byte { return appendUint(b, 7) },
		"18446744073709551615":  func(b []byte) []byte { return appendUint(b, math.MaxUint64) },
		"-12345678":             func(b []byte) []byte { return appendInt(b, -12345678) },
		"1234.5":                float(1234.5, 8),
		"-0.0000125":            float(-1.25e-5, 8),
		"150000000000000000000": float(1.5e20, 8),
		"1.5e300":               float(1.5e300, 8),
		"5e-324":                float(5e-324, 8),
		"0.000001":              float(1e-6, 4), // which is a little less
	} {
		for room := range 40 {
			if got := string(write(append(make([]byte, 0, 1+room), 'x'))); got != "x"+want {
				t.Errorf("room for %d: %s, want x%s", room, got, want)
			}
		}
	}
}
