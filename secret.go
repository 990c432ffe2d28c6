package porterhouse

import (
	"crypto/subtle"
	"fmt"
	"io"
	"log/slog"
)

// Secret is a value that must not be printed: every way of turning it into
// text (fmt, slog, encoding/json) says "[secret]". Reveal is the one way out.
type Secret struct{ value string }

// hidden is what a Secret shows instead of itself.
const hidden = "[secret]"

// NewSecret wraps value.
func NewSecret(value string) Secret { return Secret{value} }

// Reveal returns the value itself, for the one place that must send it.
func (s Secret) Reveal() string { return s.value }

// IsZero reports whether there is no secret at all.
func (s Secret) IsZero() bool { return s.value == "" }

// Equal compares in constant time. An empty secret equals nothing, not even
// another empty one.
func (s Secret) Equal(other string) bool {
	return s.value != "" && subtle.ConstantTimeCompare([]byte(s.value), []byte(other)) == 1
}

// String implements fmt.Stringer.
func (Secret) String() string { return hidden }

// Format implements fmt.Formatter, so that no verb (%q, %x, %#v) reaches the value.
func (Secret) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, hidden) }

// LogValue implements slog.LogValuer.
func (Secret) LogValue() slog.Value { return slog.StringValue(hidden) }

// MarshalText implements encoding.TextMarshaler, and thereby JSON and YAML.
func (Secret) MarshalText() ([]byte, error) { return []byte(hidden), nil }
