package identity

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"strings"
	"time"

	"golang.org/x/text/unicode/norm"

	"porterhouse"
)

// Token is what the file tells about an API token: everything but the token.
type Token struct {
	ID      string    `json:"id"`               // public; the first part of the token
	User    string    `json:"user"`             // the person, in Unicode normal form C
	Client  string    `json:"client,omitempty"` // the program that the token was made for
	Created time.Time `json:"created"`
	Expires time.Time `json:"expires,omitzero"` // zero: never
	Revoked time.Time `json:"revoked,omitzero"` // zero: not
}

// ended is when the token stopped being good, if that is before now.
func (t Token) ended(now time.Time) (at time.Time, ended bool) {
	switch {
	case !t.Revoked.IsZero():
		return t.Revoked, true
	case !t.Expires.IsZero() && !now.Before(t.Expires):
		return t.Expires, true
	}
	return time.Time{}, false
}

// record is a Token as it stands in the file.
type record struct {
	Token
	Digest digest `json:"sha256"`
}

// document is the file: JSON, one version, strictly read.
type document struct {
	Version int      `json:"version"`
	Tokens  []record `json:"tokens"` // oldest first
}

const (
	documentVersion = 1
	maxDocument     = 16 << 20 // bytes; about 60,000 tokens
)

// MarshalText implements encoding.TextMarshaler: hexadecimal.
func (d digest) MarshalText() ([]byte, error) { return hex.AppendEncode(nil, d[:]), nil }

// UnmarshalText implements encoding.TextUnmarshaler.
func (d *digest) UnmarshalText(text []byte) error {
	if hex.DecodedLen(len(text)) != len(d) || len(text)%2 != 0 {
		return fmt.Errorf("sha256 has %d characters instead of %d", len(text), 2*len(d))
	}
	_, err := hex.Decode(d[:], text)
	return err
}

// readDocument reads the file at path, and returns what it was then. A file
// that does not exist holds no tokens, and its info is nil.
func readDocument(path string) (document, fs.FileInfo, error) {
	empty := document{Version: documentVersion}
	info, err := os.Stat(path)
	if errors.Is(err, fs.ErrNotExist) {
		return empty, nil, nil
	}
	if err != nil {
		return empty, nil, err
	}
	// Before opening: a pipe would wait for its other end.
	if !info.Mode().IsRegular() {
		return empty, nil, fmt.Errorf("%s is not a regular file", path)
	}
	file, err := os.Open(path)
	if err != nil {
		return empty, nil, err
	}
	defer func() { _ = file.Close() }() // only read
	if info, err = file.Stat(); err != nil {
		return empty, nil, err
	}
	if info.Mode().Perm()&0o022 != 0 {
		return empty, nil, fmt.Errorf("%s can be written by others (%v), who could let themselves in: chmod 600 it", path, info.Mode().Perm())
	}
	text, err := io.ReadAll(io.LimitReader(file, maxDocument+1))
	if err != nil {
		return empty, nil, err
	}
	read, err := parseDocument(text)
	if err != nil {
		return empty, nil, fmt.Errorf("%s is damaged: %w", path, err)
	}
	return read, info, nil
}

func parseDocument(text []byte) (document, error) {
	if len(text) > maxDocument {
		return document{}, fmt.Errorf("it has more than the %d bytes allowed", maxDocument)
	}
	var read document
	decoder := json.NewDecoder(bytes.NewReader(text))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(&read); err != nil {
		return document{}, err
	}
	if _, err := decoder.Token(); !errors.Is(err, io.EOF) {
		return document{}, errors.New("something follows the JSON document")
	}
	if read.Version != documentVersion {
		return document{}, fmt.Errorf("it has version %d, and this Porterhouse reads version %d", read.Version, documentVersion)
	}
	seen := make(map[string]bool, len(read.Tokens))
	for i, r := range read.Tokens {
		if err := r.check(); err != nil {
			return document{}, fmt.Errorf("token %d: %w", i+1, err)
		}
		if seen[r.ID] {
			return document{}, fmt.Errorf("token %d: the id %s is there twice", i+1, r.ID)
		}
		seen[r.ID] = true
	}
	return read, nil
}

// check holds a record from the file to what Create writes.
func (r record) check() error {
	if len(r.ID) != idLength || strings.Trim(r.ID, alphabet) != "" {
		return fmt.Errorf("%q is not an id", r.ID)
	}
	if _, err := porterhouse.ParseUserName(r.User); err != nil {
		return err
	}
	if !norm.NFC.IsNormalString(r.User) {
		return fmt.Errorf("the user name %q is not in Unicode normal form C", r.User)
	}
	if r.Digest == (digest{}) {
		return errors.New("it has no sha256")
	}
	return checkClient(r.Client)
}

// checkClient holds the name of a client to the rule for users: it is shown in
// lists and in audit records.
func checkClient(name string) error {
	if name == "" {
		return nil
	}
	if _, err := porterhouse.ParseUserName(name); err != nil {
		return errors.New("the client's name must be at most 128 printable characters, without space at its ends")
	}
	return nil
}

// text is the document as it is written: one that could be read again.
func (d document) text() ([]byte, error) {
	text, err := json.MarshalIndent(d, "", "  ")
	if err != nil {
		return nil, err
	}
	text = append(text, '\n')
	if len(text) > maxDocument {
		return nil, fmt.Errorf("the token file would have %d bytes, more than the %d allowed", len(text), maxDocument)
	}
	return text, nil
}
