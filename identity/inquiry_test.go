package identity

import (
	"testing"
	"time"

	"porterhouse"
)

// A token is hashed once for all processors of the same Providers.
func TestTokenIsHashedOnce(t *testing.T) {
	v, other := newVerdicts(nil), newVerdicts(nil)
	i := &inquiry{token: "T"}
	if i.digest(v, "T") != v.digest("T") {
		t.Fatal("the shared digest is not the token's")
	}
	marked := digest{1}
	i.hashed = marked
	if i.digest(v, "T") != marked {
		t.Error("the token is hashed again")
	}
	if i.digest(v, "U") != v.digest("U") {
		t.Error("one token has the digest of another")
	}
	if i.digest(other, "T") != other.digest("T") || i.digest(v, "T") != v.digest("T") {
		t.Error("one cache's digest is taken for another's")
	}
	if (*inquiry)(nil).digest(v, "T") != v.digest("T") {
		t.Error("a processor that is asked by itself has another digest")
	}
}

// Whom one token proves, and that it was shown within the same inquiry, says nothing
// about another token; and each processor has its own verdict.
func TestInquiryLendsNoVerdict(t *testing.T) {
	a, b := newSigner("RS256", "a"), newSigner("ES256", "b")
	first, second := staticSettings(a), staticSettings(b)
	first.Name, second.Name, second.ExpectedIssuer = "first", "second", "https://second.example.com"
	processors, err := NewProcessors([]Settings{first, second}, testResource, newTestProviders(t, at(testNow)))
	if err != nil {
		t.Fatal(err)
	}
	token := a.token(goodClaims(testNow), nil)
	ctx := (&inquiry{token: token}).with(t.Context())
	for range 2 { // the second time, from memory
		if who, err := processors[0](ctx, token); err != nil || who.Token.Reveal() != token {
			t.Fatalf("the token proves %+v, %v", who, err)
		}
		if who, err := processors[1](ctx, token); err == nil {
			t.Errorf("another processor takes the token for %+v", who)
		}
		_, err := processors[0](ctx, a.token(with(goodClaims(testNow), object{"exp": testNow.Add(-time.Hour).Unix()}), nil))
		wantError(t, err, porterhouse.Unauthenticated, "expired", "")
	}
}
