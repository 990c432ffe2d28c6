package authserver

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"fmt"
	"strings"
)

// refreshToken is a refresh token that was made here:
//
//	phr_ base64url( family 16 B ‖ generation 4 B, big-endian ‖ random 32 B ‖ MAC 16 B )
//
// The MAC tells a token that was used before from one that somebody made up: the
// first ends its family, the second does nothing at all.
type refreshToken struct {
	text       string
	family     string // id
	generation uint32
}

const (
	refreshPrefix = "phr_"
	refreshBody   = 16 + 4 + 32
	refreshMAC    = 16
)

var errForged = errors.New("this is no refresh token of this server")

// newRefreshToken makes a refresh token.
func (f *families) newRefreshToken(family string, generation uint32) (refreshToken, error) {
	id, err := base64.RawURLEncoding.DecodeString(family)
	if err != nil || len(id) != 16 {
		return refreshToken{}, fmt.Errorf("authserver: %q is no id of a family", family)
	}
	body := append(binary.BigEndian.AppendUint32(id, generation), randomBytes(32)...)
	text := refreshPrefix + base64.RawURLEncoding.EncodeToString(append(body, f.mac(body)...))
	return refreshToken{text, family, generation}, nil
}

// readRefreshToken reads one that was made here; errForged: it was not.
func (f *families) readRefreshToken(text string) (refreshToken, error) {
	encoded, ok := strings.CutPrefix(text, refreshPrefix)
	raw, err := base64.RawURLEncoding.Strict().DecodeString(encoded)
	if !ok || err != nil || len(raw) != refreshBody+refreshMAC {
		return refreshToken{}, errForged
	}
	body, mac := raw[:refreshBody], raw[refreshBody:]
	if !hmac.Equal(mac, f.mac(body)) {
		return refreshToken{}, errForged
	}
	return refreshToken{text, base64.RawURLEncoding.EncodeToString(body[:16]), binary.BigEndian.Uint32(body[16:20])}, nil
}

func (f *families) mac(body []byte) []byte { return f.box.Sum(string(body))[:refreshMAC] }

// sum is what the store has of it.
func (t refreshToken) sum() []byte {
	sum := sha256.Sum256([]byte(t.text))
	return sum[:]
}
