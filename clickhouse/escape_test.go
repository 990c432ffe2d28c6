package clickhouse

import (
	"net/url"
	"strings"
	"testing"
)

// Every byte comes back, none ends the value, and a long array of numbers grows by its
// brackets only.
func TestAppendEscaped(t *testing.T) {
	var all strings.Builder
	for b := range 256 {
		all.WriteByte(byte(b))
	}
	escaped := string(appendEscaped(nil, all.String()))
	if back, err := url.QueryUnescape(escaped); err != nil || back != all.String() {
		t.Errorf("%q comes back as %q, %v", all.String(), back, err)
	}
	if strings.ContainsAny(escaped, "&=+#; \"<>\\^`{}|[]\x00\x7f") {
		t.Errorf("%q has a byte that ends a value, or that no URL may have", escaped)
	}
	array := "[" + strings.Repeat("12345,", 20_000) + "1]"
	if got := len(appendEscaped(nil, array)); got != len(array)+4 {
		t.Errorf("an array of %d bytes takes %d", len(array), got)
	}
}
