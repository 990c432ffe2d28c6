package gate

import (
	"io"
	"strings"
	"testing"
	"time"

	"porterhouse"
	"porterhouse/clickhouse"
)

// panicking is data whose source is broken.
type panicking struct{}

func (panicking) Read([]byte) (int, error) { panic("the source of the data is broken") }

// A question that ends in a panic gives its places back, and its record is closed.
func TestPanicTakesNoPlace(t *testing.T) {
	h := newStreet(t, clickhouse.ExecuteAs, Rule{Name: "one at a time", Queue: Queue{Running: 1, Wait: 100 * time.Millisecond}, Per: PerRule})
	func() {
		defer func() {
			if recover() == nil {
				t.Error("there was no panic")
			}
		}()
		_, _ = h.send(carol, passing("INSERT INTO scratch.t FORMAT CSV", func(q *porterhouse.Query) {
			q.Passage.Data, q.Passage.Size = io.MultiReader(strings.NewReader(strings.Repeat("1\n", 200_000)), panicking{}), -1
		}))
	}()
	if s := h.people.Stats(); s.People != 0 {
		t.Fatalf("its places are taken: %+v", s)
	}
	if open, closed := h.closing(t); open["id"] == nil || open["id"] != closed["id"] || closed["kind"] != "close" || closed["outcome"] == "answered" {
		t.Errorf("the record says %v and %v", open, closed)
	}
	if text, err := h.send(alice, passing("SELECT 1")); text != "1\n" {
		t.Errorf("afterwards: %q, %v", text, err)
	}
}
