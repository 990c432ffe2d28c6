package clickhouse

import (
	"testing"
	"testing/synctest"
	"time"
)

// What is known is so for a minute, or until it is forgotten, and not without a bound.
func TestKnown(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var k known[int, string]
		if _, ok := k.get(1); ok {
			t.Error("nobody has said it, and it is known")
		}
		k.put(1, "one")
		k.put(2, "two")
		time.Sleep(knownFor - time.Nanosecond)
		if v, ok := k.get(1); !ok || v != "one" {
			t.Errorf("within the minute it is %q, %t", v, ok)
		}
		k.forget(1)
		if _, ok := k.get(1); ok {
			t.Error("it was forgotten, and is known")
		}
		time.Sleep(time.Nanosecond)
		if _, ok := k.get(2); ok {
			t.Error("it is known after a minute")
		}
		for i := range 3 * maxKnown {
			k.put(i, "")
			if len(k.all) > maxKnown {
				t.Fatalf("%d are known", len(k.all))
			}
		}
		if _, ok := k.get(3*maxKnown - 1); !ok {
			t.Error("the last one is not known")
		}
	})
}
