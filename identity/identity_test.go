package identity

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"

	"porterhouse"
)

// alice is what a processor of the tests proves.
var alice = porterhouse.Principal{Issuer: "test", Subject: "1", User: "alice@example.com"}

// nobody is what comes beside a refusal.
var nobody porterhouse.Principal

// answering is a processor that always answers the same, and counts.
func answering(asked *int, who porterhouse.Principal, err error) Processor {
	return func(context.Context, string) (porterhouse.Principal, error) {
		*asked++
		return who, err
	}
}

func TestVerifierAsksInOrder(t *testing.T) {
	broken := porterhouse.Errorf(porterhouse.Unavailable, "the keys cannot be fetched")
	for _, test := range []struct {
		name          string
		first, second porterhouse.Principal
		err1, err2    error
		kind          porterhouse.Kind // "": proved
		asked         [2]int
	}{
		{"the first knows", alice, nobody, nil, nil, "", [2]int{1, 0}},
		{"the first passes on", nobody, alice, ErrNotMine, nil, "", [2]int{1, 1}},
		{"the first passes on, wrapped", nobody, alice, fmt.Errorf("no JWT: %w", ErrNotMine), nil, "", [2]int{1, 1}},
		{"nobody knows", nobody, nobody, ErrNotMine, ErrNotMine, porterhouse.Unauthenticated, [2]int{1, 1}},
		{"a refusal is final", nobody, alice, refuse("expired"), nil, porterhouse.Unauthenticated, [2]int{1, 0}},
		{"an outage is final", nobody, alice, broken, nil, porterhouse.Unavailable, [2]int{1, 0}},
		{"an unknown error is final and private", nobody, alice, errors.New("oops"), nil, porterhouse.Internal, [2]int{1, 0}},
		{"an error beside a person is an error", alice, alice, refuse("expired"), nil, porterhouse.Unauthenticated, [2]int{1, 0}},
		{"no issuer", porterhouse.Principal{Subject: "1"}, alice, nil, nil, porterhouse.Unauthenticated, [2]int{1, 0}},
		{"no subject", porterhouse.Principal{Issuer: "test"}, alice, nil, nil, porterhouse.Unauthenticated, [2]int{1, 0}},
		{"an issuer that could end another's key", porterhouse.Principal{Issuer: "te\x00st", Subject: "1"}, alice, nil, nil, porterhouse.Unauthenticated, [2]int{1, 0}},
	} {
		t.Run(test.name, func(t *testing.T) {
			var asked [2]int
			v, err := New(Config{Processors: []Processor{
				answering(&asked[0], test.first, test.err1),
				answering(&asked[1], test.second, test.err2),
			}})
			if err != nil {
				t.Fatal(err)
			}
			who, err := v.Verify(t.Context(), "some token")
			if asked != test.asked {
				t.Errorf("asked %v times, want %v", asked, test.asked)
			}
			if test.kind == "" && (err != nil || who.Key() != alice.Key()) {
				t.Errorf("got %v, %v; want alice", who, err)
			}
			if test.kind != "" {
				wantKind(t, err, test.kind)
				if who.Key() != nobody.Key() {
					t.Errorf("a refused token proved %v", who)
				}
			}
		})
	}
}

func TestVerifierRefusesBeforeAskingAnybody(t *testing.T) {
	for name, token := range map[string]string{
		"empty":     "",
		"too long":  strings.Repeat("x", maxToken+1),
		"a million": strings.Repeat("é", 1<<19),
	} {
		asked := 0
		v, err := New(Config{Processors: []Processor{answering(&asked, alice, nil)}})
		if err != nil {
			t.Fatal(err)
		}
		_, err = v.Verify(t.Context(), token)
		wantKind(t, err, porterhouse.Unauthenticated)
		if asked != 0 {
			t.Errorf("%s: a processor was asked", name)
		}
	}
}

func TestVerifierCounts(t *testing.T) {
	answers := []error{nil, refuse("no"), nil, porterhouse.Errorf(porterhouse.Unavailable, "later"), refuse("no"), nil}
	next := 0
	v, err := New(Config{Processors: []Processor{func(context.Context, string) (porterhouse.Principal, error) {
		next++
		return alice, answers[next-1]
	}}})
	if err != nil {
		t.Fatal(err)
	}
	for range answers {
		_, _ = v.Verify(t.Context(), "token")
	}
	if got, want := v.Stats(), (Stats{Accepted: 3, Refused: 2, Failed: 1}); got != want {
		t.Errorf("counted %+v, want %+v", got, want)
	}
}

func TestNewRefuses(t *testing.T) {
	for name, c := range map[string]Config{
		"no processor":  {},
		"nil processor": {Processors: []Processor{nil}},
	} {
		if _, err := New(c); err == nil {
			t.Errorf("%s: accepted", name)
		}
	}
}

func wantKind(t *testing.T, err error, want porterhouse.Kind) {
	t.Helper()
	if err == nil {
		t.Errorf("no error, want one of kind %s", want)
		return
	}
	if kind, _ := porterhouse.Explain(err); kind != want {
		t.Errorf("error of kind %s, want %s: %v", kind, want, err)
	}
}
