package doctor

import (
	"bytes"
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"porterhouse"
	"porterhouse/clickhouse"
)

// Statement is one of SQL, without a semicolon: pieces of text, and places where
// passwords belong. A place is no text: names in a statement may be of others' making,
// and say whatever they like.
type Statement struct {
	Parts []Part
	Why   string

	// Adds is the user to whom it adds a password beside those that they have, each time
	// that it is run: in vain where the user may not come from here. "": it adds none.
	Adds string
}

// Part is a piece of a statement: text, or the place of a password.
type Part struct {
	Text     string
	Password Password // "": Text counts
}

// Password is whose password belongs at a place, as it is shown there.
type Password string

// The passwords, by what stands where they belong. ClickHouse takes neither.
const (
	GatewayPassword     Password = "<the gateway's password>"
	ProvisionerPassword Password = "<the provisioner's password>"
)

// text is a statement, or the beginning of one.
func text(sql string) []Part { return []Part{{Text: sql}} }

// same reports whether another statement does the same.
func (s Statement) same(other Statement) bool { return slices.Equal(s.Parts, other.Parts) }

// String is the statement as it is shown: a password is told by whose it is.
func (s Statement) String() string {
	var b strings.Builder
	for _, p := range s.Parts {
		b.WriteString(p.Text + string(p.Password))
	}
	return b.String()
}

// Fill is the statement as it is run: each password as a string literal. One that is not
// among passwords, or is empty, is an error, which tells none.
func (s Statement) Fill(passwords map[Password]porterhouse.Secret) (string, error) {
	var b strings.Builder
	for _, p := range s.Parts {
		if p.Password == "" {
			b.WriteString(p.Text)
			continue
		}
		password := passwords[p.Password].Reveal()
		if password == "" {
			return "", fmt.Errorf("the configuration has nothing for %s: write it there", p.Password)
		}
		b.WriteString(clickhouse.QuoteString(password))
	}
	return b.String(), nil
}

// MarshalJSON is the statement as it is shown, and why.
func (s Statement) MarshalJSON() ([]byte, error) {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false) // whoever encodes the plan decides on that
	err := e.Encode(struct {
		SQL string `json:"sql"`
		Why string `json:"why"`
	}{s.String(), s.Why})
	return b.Bytes(), err
}

// UnmarshalJSON reads what MarshalJSON has written: to be shown, not to be run.
func (s *Statement) UnmarshalJSON(data []byte) error {
	var shown struct{ SQL, Why string }
	if err := json.Unmarshal(data, &shown); err != nil {
		return err
	}
	*s = Statement{Parts: text(shown.SQL), Why: shown.Why}
	return nil
}
