package identity

import (
	"context"
	"encoding/binary"
	"strings"
	"testing"
	"time"

	"porterhouse"
)

// However many tokens are exchanged, so many are remembered.
func TestExchangedIsBounded(t *testing.T) {
	x := newExchanged(time.Now)
	for i := range maxExchanged + 10 {
		var place digest
		binary.BigEndian.PutUint32(place[:], uint32(i))
		_, err := x.answer(t.Context(), place, func(context.Context) (porterhouse.Secret, time.Time, error) {
			return porterhouse.NewSecret("token"), time.Now().Add(time.Hour), nil
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	if len(x.there) != maxExchanged || len(x.flights) != 0 {
		t.Errorf("%d are remembered, %d under way", len(x.there), len(x.flights))
	}
}

// A fault is the answer to one question, and not the end of the process.
func TestExchangedPanic(t *testing.T) {
	x := newExchanged(time.Now)
	_, err := x.answer(t.Context(), digest{}, func(context.Context) (porterhouse.Secret, time.Time, error) { panic("a fault") })
	if kind, _ := porterhouse.Explain(err); kind != porterhouse.Internal || !strings.Contains(err.Error(), "a fault") {
		t.Errorf("%v", err)
	}
}
