package identity

import (
	"fmt"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"porterhouse"
)

// scanner is the expression that the format's documentation gives to secret scanners.
var scanner = regexp.MustCompile(`\bph_[A-Z2-7]{12}_[A-Z2-7]{59}\b`)

func TestMint(t *testing.T) {
	seen := map[string]bool{}
	for range 1000 {
		token := mint()
		if found := scanner.FindString("export TOKEN=" + token + ";"); found != token {
			t.Fatalf("a scanner finds %q in %q", found, token)
		}
		id, err := parse(token)
		if err != nil || seen[id] || seen[token[idEnd:]] {
			t.Fatalf("%q: id %q, %v, or seen before", token, id, err)
		}
		seen[id], seen[token[idEnd:]] = true, true
	}
}

// Any single mistyped or swapped character is found by the checksum.
func TestEveryTypoIsFound(t *testing.T) {
	token := mint()
	for at := len(tokenPrefix); at < tokenLength; at++ {
		for _, c := range alphabet + "_a0é" {
			typo := token[:at] + string(c) + token[at+1:]
			if _, err := parse(typo); err == nil && typo != token {
				t.Errorf("%q passes for %q", typo, token)
			}
		}
		if at+1 < tokenLength {
			swapped := token[:at] + token[at+1:at+2] + token[at:at+1] + token[at+2:]
			if _, err := parse(swapped); err == nil && swapped != token {
				t.Errorf("%q passes for %q", swapped, token)
			}
		}
	}
}

// Nothing but the one issued token proves anybody, and nothing panics.
func FuzzVerify(f *testing.F) {
	tokens := open(f, filepath.Join(f.TempDir(), "tokens.json"), nil, nil)
	good, issued, err := tokens.Create(Grant{User: "alice", AllowForever: true})
	if err != nil {
		f.Fatal(err)
	}
	v, err := New(Config{Processors: []Processor{tokens.Verify}})
	if err != nil {
		f.Fatal(err)
	}
	for _, seed := range []string{"", "ph_", good.Reveal(), mint(), strings.ToLower(mint()), "ph_" + issued.ID + "_", "eyJh.e30.", "ph_\xff\x00é"} {
		f.Add(seed, true)
		f.Add(seed, false)
	}
	f.Fuzz(func(t *testing.T, text string, seal bool) {
		if seal { // get past the checksum
			text = sealed(text)
		}
		who, err := v.Verify(t.Context(), text)
		if text == good.Reveal() {
			if err != nil || who.User != "alice" {
				t.Fatalf("the good token proves %v, %v", who, err)
			}
			return
		}
		if err == nil || who.Key() != nobody.Key() {
			t.Fatalf("%q proves %v", text, who)
		}
		wantKind(t, err, porterhouse.Unauthenticated)
	})
}

// A document that is read can be written and read again, and is the same.
func FuzzDocument(f *testing.F) {
	file := document{Version: documentVersion, Tokens: []record{{Token{ID: "AAAAAAAAAAAA", User: "alice", Client: "x", Created: time.Unix(0, 0).UTC(), Expires: time.Unix(1, 0).UTC()}, digestOf("x")}}}
	text, err := file.text()
	if err != nil {
		f.Fatal(err)
	}
	f.Add(text)
	f.Add([]byte(`{"version":1}`))
	f.Add([]byte(`{"version":1,"tokens":[{}]}`))
	f.Fuzz(func(t *testing.T, text []byte) {
		first, err := parseDocument(text)
		if err != nil {
			return
		}
		written, err := first.text()
		if err != nil {
			t.Fatalf("cannot be written: %v", err)
		}
		second, err := parseDocument(written)
		if err != nil || len(first.Tokens) != len(second.Tokens) {
			t.Fatalf("read back: %v\n%s", err, written)
		}
		for i := range first.Tokens {
			a, b := first.Tokens[i], second.Tokens[i]
			if a.ID != b.ID || a.User != b.User || a.Client != b.Client || a.Digest != b.Digest || !a.Expires.Equal(b.Expires) || !a.Revoked.Equal(b.Revoked) {
				t.Fatalf("token %d changed:\n%+v\n%+v", i, a, b)
			}
		}
	})
}

func BenchmarkVerify(b *testing.B) {
	for _, people := range []int{10, 10_000} {
		b.Run(fmt.Sprintf("tokens=%d", people), func(b *testing.B) {
			path := filepath.Join(b.TempDir(), "tokens.json")
			tokens := open(b, path, nil, nil)
			good, _ := create(b, tokens, "alice")
			if err := tokens.update(func(file *document) error {
				for i := range people {
					token := mint()
					file.Tokens = append(file.Tokens, record{Token{ID: token[3:idEnd], User: fmt.Sprintf("person%d", i), Created: time.Now()}, digestOf(token)})
				}
				return nil
			}); err != nil {
				b.Fatal(err)
			}
			v, err := New(Config{Processors: []Processor{tokens.Verify}})
			if err != nil {
				b.Fatal(err)
			}
			b.ReportAllocs()
			b.RunParallel(func(p *testing.PB) {
				for p.Next() {
					if _, err := v.Verify(b.Context(), good); err != nil {
						b.Fatal(err)
					}
				}
			})
		})
	}
}
