package identity

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/base32"
	"encoding/binary"
	"fmt"
	"hash/crc32"
	"strings"
)

// An API token is 75 characters:
//
//	ph_ABCDEFGHIJKL_NOPQRSTUVWXYZ234567ABCDEFGHIJKLMNOPQRSTUVWXYZ234567ABCDEFG
//	└┬┘└────┬─────┘ └───────────────────────┬──────────────────────────┘└──┬──┘
//	prefix  id, 12  secret, 52 characters = 260 bits              checksum, 7
//
// The alphabet is base32 (A–Z, 2–7): a double click selects the whole, nothing
// needs escaping, and a secret scanner finds it by
//
//	\bph_[A-Z2-7]{12}_[A-Z2-7]{59}\b
//
// and is sure of it by the checksum: the CRC-32 (IEEE) of everything before it,
// big-endian, in base32 without padding. The checksum also tells a mistyped or
// cut token from a revoked one; it protects nothing. The id is public: it
// stands in lists, logs and audit records.
const (
	tokenPrefix    = "ph_"
	idLength       = 12
	secretLength   = 52
	checksumLength = 7

	idEnd       = len(tokenPrefix) + idLength
	checksumAt  = idEnd + 1 + secretLength
	tokenLength = checksumAt + checksumLength

	alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567"
)

// mint returns a new token. Its randomness is the system's.
func mint() string {
	// rand.Text is at least 128 bits in this alphabet: 26 characters of 5 bits.
	id, secret := rand.Text()[:idLength], rand.Text()+rand.Text()
	body := tokenPrefix + id + "_" + secret[:secretLength]
	return body + checksum(body)
}

// parse checks the shape and the checksum of a token that has the prefix, and
// returns its id. The error never quotes the token.
func parse(token string) (id string, err error) {
	if len(token) != tokenLength {
		return "", fmt.Errorf("the token has %d characters instead of %d: cut, or more than the token was pasted", len(token), tokenLength)
	}
	if token[idEnd] != '_' || strings.Trim(token[len(tokenPrefix):idEnd], alphabet) != "" || strings.Trim(token[idEnd+1:], alphabet) != "" {
		return "", fmt.Errorf("the token has a character that no token has: mistyped")
	}
	if checksum(token[:checksumAt]) != token[checksumAt:] {
		return "", fmt.Errorf("the token's checksum is wrong: mistyped")
	}
	return token[len(tokenPrefix):idEnd], nil
}

func checksum(body string) string {
	sum := binary.BigEndian.AppendUint32(nil, crc32.ChecksumIEEE([]byte(body)))
	return base32.StdEncoding.WithPadding(base32.NoPadding).EncodeToString(sum)
}

// digest is what is kept of a token. A plain SHA-256 is enough, and a slow
// password hash (bcrypt, argon2) would add nothing but load: those make the
// guessing of *human* passwords expensive, and here the 260 random bits of the
// secret cannot be guessed at any speed.
type digest [sha256.Size]byte

func digestOf(token string) digest { return sha256.Sum256([]byte(token)) }
