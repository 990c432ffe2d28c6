package fake

import (
	"context"
	"crypto"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"math/big"
	"net/http"
	"slices"
	"strings"
	"time"
)

// TokenProcessor is how a persona that takes tokens verifies them: as a processor of the
// type jwt_dynamic_jwks in ClickHouse's configuration, for tokens signed with RS256.
//
//	token ─▶ signature, by a key of KeysURL ─▶ issuer, audience, times ─▶ claim ─▶ a user of the real ClickHouse
//
// The zero processor knows no keys, so that no token is good.
type TokenProcessor struct {
	KeysURL   string // where the key set is
	Issuer    string
	Audience  string // the token has to be for it, among others
	UserClaim string // whose value is the user's name; "": sub

	// Password is what the persona logs a token's owner in with at the real ClickHouse,
	// so that the session is the owner's own.
	Password string
}

// payload is what of a token's claims decides.
type payload struct {
	Issuer   string   `json:"iss"`
	Audience audience `json:"aud"`
	Expires  float64  `json:"exp"` // in seconds of Unix time
	NotYet   float64  `json:"nbf"`
	others   map[string]any
}

// audience is one name, or a list of them (RFC 7519, 4.1.3).
type audience []string

// UnmarshalJSON reads both forms.
func (a *audience) UnmarshalJSON(text []byte) error {
	var one string
	if json.Unmarshal(text, &one) == nil {
		*a = audience{one}
		return nil
	}
	return json.Unmarshal(text, (*[]string)(a))
}

// user is whom a token makes its bearer, or why it is not good.
func (p TokenProcessor) user(ctx context.Context, token string, now time.Time) (string, error) {
	parts := strings.Split(token, ".")
	if len(parts) != 3 {
		return "", errors.New("it is no JWT")
	}
	if err := p.signed(ctx, parts); err != nil {
		return "", err
	}
	var claims payload
	if err := errors.Join(decode(parts[1], &claims), decode(parts[1], &claims.others)); err != nil {
		return "", err
	}
	if err := p.meant(claims, float64(now.Unix())); err != nil {
		return "", err
	}
	claim := p.UserClaim
	if claim == "" {
		claim = "sub"
	}
	name, _ := claims.others[claim].(string)
	if name == "" {
		return "", fmt.Errorf("it has no claim %s", claim)
	}
	return name, nil
}

// meant refuses a token that is not for us, or not now: without leeway, as ClickHouse.
func (p TokenProcessor) meant(claims payload, now float64) error {
	switch {
	case claims.Issuer != p.Issuer:
		return fmt.Errorf("it is of the issuer %q", claims.Issuer)
	case !slices.Contains(claims.Audience, p.Audience):
		return fmt.Errorf("it is for %q", claims.Audience)
	case claims.Expires <= now:
		return errors.New("it has ended")
	case claims.NotYet > now:
		return errors.New("it has not begun")
	}
	return nil
}

// signed refuses a token that none of the processor's keys has signed.
func (p TokenProcessor) signed(ctx context.Context, parts []string) error {
	var header struct {
		Algorithm string `json:"alg"`
		Key       string `json:"kid"`
	}
	if err := decode(parts[0], &header); err != nil {
		return err
	}
	if header.Algorithm != "RS256" { // also none, of course
		return fmt.Errorf("it is signed by %q", header.Algorithm)
	}
	signature, err := base64.RawURLEncoding.DecodeString(parts[2])
	if err != nil {
		return err
	}
	key, err := p.key(ctx, header.Key)
	if err != nil {
		return err
	}
	hash := sha256.Sum256([]byte(parts[0] + "." + parts[1]))
	return rsa.VerifyPKCS1v15(key, crypto.SHA256, hash[:], signature)
}

// keyTime bounds how long the key set may take.
const keyTime = 5 * time.Second

// key fetches the key set, and returns the key of that name.
func (p TokenProcessor) key(ctx context.Context, name string) (*rsa.PublicKey, error) {
	ctx, cancel := context.WithTimeout(ctx, keyTime)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, p.KeysURL, nil)
	if err != nil {
		return nil, err
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return nil, err
	}
	defer response.Body.Close()
	var set struct {
		Keys []struct {
			Name     string `json:"kid"`
			Modulus  string `json:"n"`
			Exponent string `json:"e"`
		} `json:"keys"`
	}
	if err := json.NewDecoder(http.MaxBytesReader(nil, response.Body, largest)).Decode(&set); err != nil {
		return nil, err
	}
	for _, k := range set.Keys {
		if k.Name == name {
			return publicKey(k.Modulus, k.Exponent)
		}
	}
	return nil, fmt.Errorf("there is no key %q", name)
}

// publicKey is an RSA key of its two numbers (RFC 7518, 6.3.1).
func publicKey(modulus, exponent string) (*rsa.PublicKey, error) {
	n, errN := base64.RawURLEncoding.DecodeString(modulus)
	e, errE := base64.RawURLEncoding.DecodeString(exponent)
	if err := errors.Join(errN, errE); err != nil {
		return nil, err
	}
	return &rsa.PublicKey{N: new(big.Int).SetBytes(n), E: int(new(big.Int).SetBytes(e).Int64())}, nil
}

// decode reads a part of a token.
func decode(part string, into any) error {
	text, err := base64.RawURLEncoding.DecodeString(part)
	if err != nil {
		return err
	}
	return json.Unmarshal(text, into)
}
