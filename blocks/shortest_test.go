package blocks

import (
	"bytes"
	"math"
	"math/big"
	"math/rand/v2"
	"os"
	"strconv"
	"testing"
	"time"
)

// ten returns a power of ten, exactly.
func ten(k int) *big.Rat {
	p := new(big.Rat).SetInt(new(big.Int).Exp(big.NewInt(10), big.NewInt(int64(max(k, -k))), nil))
	if k < 0 {
		p.Inv(p)
	}
	return p
}

// two returns a power of two, exactly.
func two(e int) *big.Rat {
	p := new(big.Rat).SetInt(new(big.Int).Lsh(big.NewInt(1), uint(max(e, -e))))
	if e < 0 {
		p.Inv(p)
	}
	return p
}

// The table has the powers of ten that every Float64 needs, the next above each.
func TestPowersOfTen(t *testing.T) {
	if first, last := -tenths(971), -tenths(smallest64); first != leastPower || last != leastPower+len(powersOfTen)-1 {
		t.Fatalf("powers from %d to %d are needed", first, last)
	}
	for i, p := range powersOfTen {
		k := leastPower + i
		exact := new(big.Rat).Mul(ten(k), two(127-twos(k)))
		want := new(big.Int).Div(new(big.Int).Sub(new(big.Int).Add(exact.Num(), exact.Denom()), big.NewInt(1)), exact.Denom())
		got := new(big.Int).Add(new(big.Int).Lsh(new(big.Int).SetUint64(p.high), 64), new(big.Int).SetUint64(p.low))
		if got.Cmp(want) != 0 || p.high>>63 != 1 {
			t.Errorf("10^%d is %x, want %x", k, got, want)
		}
	}
}

// Logarithms are rounded down, of all numbers of which they are needed.
func TestLogarithms(t *testing.T) {
	isFloor := func(name string, e, k int, low, x, high *big.Rat) {
		if low.Cmp(x) > 0 || x.Cmp(high) >= 0 {
			t.Errorf("%s(%d) is %d", name, e, k)
		}
	}
	for e := smallest64; e <= 971; e++ {
		k := tenths(e)
		isFloor("tenths", e, k, ten(k), two(e), ten(k+1))
		k = skewedTenths(e)
		isFloor("skewedTenths", e, k, ten(k), new(big.Rat).Mul(big.NewRat(3, 4), two(e)), ten(k+1))
	}
	for k := leastPower; k < leastPower+len(powersOfTen); k++ {
		isFloor("twos", k, twos(k), two(twos(k)), ten(k), two(twos(k)+1))
	}
}

// No product of a mantissa and the exact power of ten is so near to a whole number, unless
// it is one, that the error of the table could hide it: for no exponent, and for all
// mantissas at once. Those that are nearest, and those of the other grid, are scaled as they
// should be.
func TestScalesAreExact(t *testing.T) {
	const most = 4*(1<<53) + 2 // what is scaled
	for e := smallest64; e <= 971; e++ {
		k := tenths(e)
		exact := new(big.Rat).Mul(two(e), ten(-k))
		above, below := nearest(exact, most)
		margin := new(big.Rat).Mul(new(big.Rat).SetInt64(most), two(int(newScale(e, k).shift)-128))
		if above.distance.Cmp(margin) < 0 || below.distance.Cmp(margin) <= 0 {
			t.Errorf("2^%d: products are as near as %g above and %g below to a whole number, and the error may be %g", e, inexact(above.distance), inexact(below.distance), inexact(margin))
		}
		for _, n := range []int64{above.n, below.n} {
			checkScale(t, e, k, n)
		}
		for _, n := range []int64{4<<mantissa64 - 1, 4 << mantissa64, 4<<mantissa64 + 2} {
			checkScale(t, e, skewedTenths(e), n)
		}
	}
}

// checkScale compares n · 2^e · 10^-k, rounded to odd, with what it is exactly.
func checkScale(t *testing.T, e, k int, n int64) {
	exact := new(big.Rat).Mul(new(big.Rat).SetInt64(n), new(big.Rat).Mul(two(e), ten(-k)))
	want := new(big.Int).Div(exact.Num(), exact.Denom()).Uint64()
	if !exact.IsInt() {
		want |= 1
	}
	if got := newScale(e, k).quarters(uint64(n)); got != want {
		t.Errorf("%d · 2^%d · 10^%d is %d, want %d", n, e, -k, got, want)
	}
}

// multiple is n times a number, and how far it is from the whole number next to it.
type multiple struct {
	n        int64
	distance *big.Rat
}

// nearest returns the multiples of x that come nearest to a whole number from above and from
// below, without being one, of those up to most. The next that comes nearer than all before
// it is the sum of the two that are nearest so far.
func nearest(x *big.Rat, most int64) (above, below multiple) {
	q := x.Denom()
	over := new(big.Int).Mod(x.Num(), q) // in units of 1/q
	if over.Sign() == 0 {                // all multiples are whole
		return multiple{1, big.NewRat(1, 1)}, multiple{1, big.NewRat(1, 1)}
	}
	under := new(big.Int).Sub(q, over)
	above.n, below.n = 1, 1
	step := func(far, near *big.Int, nFar *int64, nNear int64) {
		times := new(big.Int).Div(new(big.Int).Sub(far, big.NewInt(1)), near) // until it would come nearer than near, or be whole
		if left := big.NewInt((most - *nFar) / nNear); left.Cmp(times) < 0 {
			times = left
		}
		far.Sub(far, new(big.Int).Mul(times, near))
		*nFar += times.Int64() * nNear
	}
	for above.n+below.n <= most && over.Cmp(under) != 0 {
		if over.Cmp(under) > 0 {
			step(over, under, &above.n, below.n)
		} else {
			step(under, over, &below.n, above.n)
		}
	}
	above.distance, below.distance = new(big.Rat).SetFrac(over, q), new(big.Rat).SetFrac(under, q)
	return above, below
}

// The multiples that come nearest are those that are found by trying all.
func TestNearest(t *testing.T) {
	random := rand.New(rand.NewPCG(3, 4))
	for range 300 {
		x, most := big.NewRat(random.Int64N(1000)+1, random.Int64N(1000)+1), random.Int64N(300)+1
		least, greatest := big.NewRat(1, 1), new(big.Rat)
		for n := range most {
			product := new(big.Rat).Mul(x, big.NewRat(n+1, 1))
			fraction := new(big.Rat).Sub(product, new(big.Rat).SetInt(new(big.Int).Div(product.Num(), product.Denom())))
			if fraction.Sign() > 0 && fraction.Cmp(least) < 0 {
				least = fraction
			}
			if fraction.Cmp(greatest) > 0 {
				greatest = fraction
			}
		}
		above, below := nearest(x, most)
		if above.distance.Cmp(least) != 0 || below.distance.Cmp(new(big.Rat).Sub(big.NewRat(1, 1), greatest)) != 0 {
			t.Errorf("%v up to %d times: %v and %v, want %v and 1-%v", x, most, above.distance, below.distance, least, greatest)
		}
	}
}

func inexact(x *big.Rat) float64 { f, _ := x.Float64(); return f }

// checkFloat compares with the digits that Go finds, and with the text reading back.
func checkFloat(t *testing.T, x float64, size int) {
	parts := floating64
	if size == 32 {
		parts = func(x float64) floating { return floating32(float32(x)) }
	}
	digits, exponent := parts(x).shortest()
	want, first := expected(x, size)
	if got := strconv.FormatUint(digits, 10); got != want || exponent+len(got)-1 != first {
		t.Errorf("%v of %d bits is %se%d, want %se%d", x, size, got, exponent, want, first-len(want)+1)
	}
	text := string(appendFloat(nil, -x, size/8))
	if back, err := strconv.ParseFloat(text, size); err != nil || back != -x {
		t.Errorf("%v of %d bits is written %s", -x, size, text)
	}
}

// expected returns the digits of x and the exponent of the first as Go's own library finds
// them; but of two that are as near, the even one.
func expected(x float64, size int) (digits string, first int) {
	shortest, first := scientific(x, -1, size)
	n := len(shortest)
	if shortest[n-1]&1 == 0 {
		return string(shortest), first
	}
	if next, _ := scientific(x, n, 64); next[n] != '5' { // which is quick to find
		return string(shortest), first
	}
	exact, _ := scientific(x, 800, 64)
	even := exact[:n] // which is below x: the odd one is above
	between := exact[n] == '5' && len(bytes.Trim(exact[n+1:], "0")) == 0 && even[n-1]&1 == 0
	text := string(even[:1]) + "." + string(even[1:]) + "e" + strconv.Itoa(first)
	if back, err := strconv.ParseFloat(text, size); between && err == nil && back == x {
		return string(even), first
	}
	return string(shortest), first
}

// scientific returns the digits of x, with so many behind the first; -1: as few as read
// back as x; and the exponent of the first.
func scientific(x float64, behind, size int) (digits []byte, first int) {
	mantissa, exponent, _ := bytes.Cut(strconv.AppendFloat(nil, x, 'e', behind, size), []byte("e"))
	first, _ = strconv.Atoi(string(exponent)) // which Go has just written
	return bytes.Replace(mantissa, []byte("."), nil, 1), first
}

// Every exponent with mantissas at its bounds, all powers of two and of ten with their
// neighbours, whole numbers, numbers of few digits, and many at random.
func TestShortest(t *testing.T) {
	around := func(bits uint64, size int) {
		for near := bits - 3; near != bits+4; near++ {
			if x := math.Float64frombits(near); size == 64 && x > 0 && x <= math.MaxFloat64 {
				checkFloat(t, x, 64)
			}
			if x := float64(math.Float32frombits(uint32(near))); size == 32 && near>>32 == 0 && x > 0 && x <= math.MaxFloat32 {
				checkFloat(t, x, 32)
			}
		}
	}
	for exponent := range uint64(1 << 11) {
		for _, mantissa := range []uint64{0, 1 << 26, 0x5_5555_5555_5555, 1 << 51, 0xa_aaaa_aaaa_aaaa} {
			around(exponent<<mantissa64|mantissa, 64)
			around(exponent&0xff<<mantissa32|mantissa>>(mantissa64-mantissa32), 32)
		}
	}
	for k := -324; k <= 308; k++ {
		for digit := range 9 {
			x, _ := strconv.ParseFloat(strconv.Itoa(digit+1)+"e"+strconv.Itoa(k), 64)
			around(math.Float64bits(x), 64)
			around(uint64(math.Float32bits(float32(x))), 32)
		}
	}
	tryRandom(t, 100_000)
}

// tryRandom tries so many numbers of each sort.
func tryRandom(t *testing.T, count int) {
	random := rand.New(rand.NewPCG(1, 2))
	for range count {
		checkFloat(t, math.Float64frombits(random.Uint64N(math.Float64bits(math.Inf(1))-1)+1), 64)
		checkFloat(t, float64(random.IntN(1e8)+1)/math.Pow10(random.IntN(12)), 64)
		checkFloat(t, math.Ldexp(float64(random.Uint64N(1<<53)+1), -random.IntN(60)), 64)
		checkFloat(t, float64(math.Float32frombits(random.Uint32N(math.Float32bits(float32(math.Inf(1)))-1)+1)), 32)
		checkFloat(t, math.Ldexp(float64(random.Uint64N(1<<24)+1), -random.IntN(40)), 32)
	}
}

// All numbers of 32 bits, and very many of 64.
func TestShortestSoak(t *testing.T) {
	if os.Getenv("PORTERHOUSE_SOAK") == "" {
		t.Skip("half an hour: set PORTERHOUSE_SOAK=1")
	}
	for all := range math.Float32bits(float32(math.Inf(1))) - 1 {
		if checkFloat(t, float64(math.Float32frombits(all+1)), 32); t.Failed() {
			return
		}
	}
	tryRandom(t, 50_000_000)
}

// FuzzShortest looks for a number that is printed otherwise than Go prints it.
func FuzzShortest(f *testing.F) {
	f.Add(uint64(1), uint32(1))
	f.Add(math.Float64bits(9007199254740993), math.Float32bits(0.00024414062))
	f.Fuzz(func(t *testing.T, wide uint64, narrow uint32) {
		if x := math.Abs(math.Float64frombits(wide)); x > 0 && x <= math.MaxFloat64 {
			checkFloat(t, x, 64)
		}
		if x := math.Abs(float64(math.Float32frombits(narrow))); x > 0 && x <= math.MaxFloat32 {
			checkFloat(t, x, 32)
		}
	})
}

// BenchmarkFloats measures how a Float64 is written, beside Go's own way; the metric share
// is how fast ours is beside it.
func BenchmarkFloats(b *testing.B) {
	for name, divisor := range map[string]float64{"17 digits": 7, "few digits": 100} {
		b.Run(name, func(b *testing.B) {
			text := make([]byte, 0, 64)
			var ours, theirs time.Duration
			for b.Loop() {
				begin := time.Now()
				for i := range 10_000 {
					text = appendFloat(text[:0], float64(i)/divisor, 8)
				}
				between := time.Now()
				for i := range 10_000 {
					text = strconv.AppendFloat(text[:0], float64(i)/divisor, 'f', -1, 64)
				}
				ours += between.Sub(begin)
				theirs += time.Since(between)
			}
			b.ReportMetric(float64(ours.Nanoseconds())/float64(b.N)/10_000, "ours-ns")
			b.ReportMetric(float64(theirs)/float64(ours), "share")
		})
	}
}
