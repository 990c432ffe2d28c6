package seal_test

import (
	"bytes"
	"crypto/hmac"
	"errors"
	"strings"
	"testing"

	"porterhouse"
	"porterhouse/seal"
)

var master = porterhouse.NewSecret(strings.Repeat("m", seal.MinKey))

func box(t *testing.T, master porterhouse.Secret, purpose string) *seal.Box {
	t.Helper()
	key, err := seal.NewKey(master)
	if err != nil {
		t.Fatal(err)
	}
	b, err := key.For(purpose)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// What was sealed comes back, also to another process with the same master key.
func TestOpen(t *testing.T) {
	for _, plain := range []string{"", "a", strings.Repeat("long ", 10_000)} {
		sealed := box(t, master, "p").Seal([]byte(plain), "here")
		if len(plain) > 8 && bytes.Contains(sealed, []byte(plain)) {
			t.Error("what is sealed can be read")
		}
		got, err := box(t, master, "p").Open(sealed, "here")
		if err != nil || string(got) != plain {
			t.Errorf("Open returns %d bytes, %v; want the %d that were sealed", len(got), err, len(plain))
		}
	}
}

// Each of purpose, context and master key must be the same, and every bit.
func TestOpenRefuses(t *testing.T) {
	sealed := box(t, master, "session").Seal([]byte("alice"), "cookie a")
	other := porterhouse.NewSecret(strings.Repeat("m", seal.MinKey-1) + "n")
	tests := map[string]struct {
		box     *seal.Box
		context string
	}{
		"another context":                     {box(t, master, "session"), "cookie b"},
		"no context":                          {box(t, master, "session"), ""},
		"another purpose":                     {box(t, master, "trip"), "cookie a"},
		"a purpose that begins like it":       {box(t, master, "session "), "cookie a"},
		"another master key":                  {box(t, other, "session"), "cookie a"},
		"purpose and context divided anew":    {box(t, master, "session cookie"), "a"},
		"a purpose that is told as a context": {box(t, master, ""), "session"},
	}
	for name, test := range tests {
		if plain, err := test.box.Open(sealed, test.context); !errors.Is(err, seal.ErrSealed) || plain != nil {
			t.Errorf("%s: Open returns %q, %v; want ErrSealed", name, plain, err)
		}
	}
	b := box(t, master, "session")
	for i := range sealed {
		changed := bytes.Clone(sealed)
		changed[i] ^= 1
		if _, err := b.Open(changed, "cookie a"); !errors.Is(err, seal.ErrSealed) {
			t.Fatalf("with byte %d changed, Open returns %v; want ErrSealed", i, err)
		}
		if _, err := b.Open(sealed[:i], "cookie a"); !errors.Is(err, seal.ErrSealed) {
			t.Fatalf("cut to %d bytes, Open returns %v; want ErrSealed", i, err)
		}
	}
	if _, err := b.Open(append(bytes.Clone(sealed), 0), "cookie a"); !errors.Is(err, seal.ErrSealed) {
		t.Errorf("with a byte added, Open returns %v; want ErrSealed", err)
	}
}

// The same is never sealed to the same: who sees two cannot tell whether they are.
func TestSealIsRandom(t *testing.T) {
	b := box(t, master, "p")
	if bytes.Equal(b.Seal([]byte("alice"), "c"), b.Seal([]byte("alice"), "c")) {
		t.Error("the same was sealed to the same")
	}
}

// A sum knows where its parts end, and is of one purpose and one key.
func TestSum(t *testing.T) {
	b := box(t, master, "consent")
	want := b.Sum("ab", "c")
	if len(want) != 32 || !hmac.Equal(want, box(t, master, "consent").Sum("ab", "c")) {
		t.Error("the same parts have another sum")
	}
	for name, sum := range map[string][]byte{
		"divided elsewhere": b.Sum("a", "bc"),
		"joined":            b.Sum("abc"),
		"an empty part":     b.Sum("ab", "c", ""),
		"another order":     b.Sum("c", "ab"),
		"another purpose":   box(t, master, "other").Sum("ab", "c"),
		"nothing":           b.Sum(),
		"another key":       box(t, porterhouse.NewSecret(strings.Repeat("n", seal.MinKey)), "consent").Sum("ab", "c"),
	} {
		if hmac.Equal(want, sum) {
			t.Errorf("%s: the sum is the same", name)
		}
	}
}

// A master key that could be guessed is refused, and the error does not tell it.
func TestNewKey(t *testing.T) {
	short := strings.Repeat("s", seal.MinKey-1)
	for _, text := range []string{"", "secret", short} {
		_, err := seal.NewKey(porterhouse.NewSecret(text))
		if err == nil {
			t.Fatalf("a master key of %d bytes is taken", len(text))
		}
		if text != "" && strings.Contains(err.Error(), text) {
			t.Errorf("the error tells the key: %v", err)
		}
	}
}

// What is opened belongs to the caller: changing it changes nothing here.
func TestOpenLeavesSealedAlone(t *testing.T) {
	b := box(t, master, "p")
	sealed := b.Seal([]byte("alice"), "c")
	before := bytes.Clone(sealed)
	plain, err := b.Open(sealed, "c")
	if err != nil {
		t.Fatal(err)
	}
	plain[0] = 'X'
	if !bytes.Equal(sealed, before) {
		t.Error("what was sealed has changed")
	}
}

func FuzzOpen(f *testing.F) {
	key, err := seal.NewKey(master)
	if err != nil {
		f.Fatal(err)
	}
	b, err := key.For("p")
	if err != nil {
		f.Fatal(err)
	}
	f.Add([]byte{}, "c")
	f.Add(b.Seal([]byte("alice"), "c"), "c")
	f.Fuzz(func(t *testing.T, sealed []byte, context string) {
		plain, err := b.Open(sealed, context)
		if err != nil && (plain != nil || !errors.Is(err, seal.ErrSealed)) {
			t.Errorf("Open returns %q, %v", plain, err)
		}
	})
}

func BenchmarkSealOpen(b *testing.B) {
	key, err := seal.NewKey(master)
	if err != nil {
		b.Fatal(err)
	}
	box, err := key.For("p")
	if err != nil {
		b.Fatal(err)
	}
	plain := bytes.Repeat([]byte("x"), 1000)
	for b.Loop() {
		if _, err := box.Open(box.Seal(plain, "c"), "c"); err != nil {
			b.Fatal(err)
		}
	}
}
