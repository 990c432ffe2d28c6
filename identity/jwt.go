package identity

import (
	"encoding/base64"
	"errors"
	"fmt"
	"strings"
)

// jwt is a token in the compact form of RFC 7519, taken apart; nothing in it is
// verified.
type jwt struct {
	signed    string // what the signature is of
	header    header
	claims    claims
	signature []byte
}

// header is what counts of a JWT's header. Keys in it (jwk, jku, x5c, x5u) never
// do: a token does not say who may sign it.
type header struct {
	algorithm string // alg
	keyID     string // kid; "": none
	typ       string
}

// errNoJWT says that a token has not the shape of a JWT, so it may be opaque.
var errNoJWT = errors.New("it is no JWT")

// parseJWT takes a token apart. Other forms of JOSE are refused: encrypted tokens,
// detached or unencoded payloads, nested tokens, and the JSON form.
func parseJWT(token string) (jwt, error) {
	parts := strings.Split(token, ".")
	first, err := decodePart(parts[0])
	if err != nil || len(first) == 0 || first[0] != '{' {
		if strings.HasPrefix(token, "{") {
			return jwt{}, errors.New("it is a token in JSON, and only the compact form is taken")
		}
		return jwt{}, errNoJWT
	}
	switch len(parts) {
	case 3:
	case 5:
		return jwt{}, errors.New("it is encrypted (JWE); let the provider issue signed tokens for this server")
	default:
		return jwt{}, fmt.Errorf("it has %d parts instead of 3", len(parts))
	}
	t := jwt{signed: token[:len(token)-len(parts[2])-1]}
	if t.header, err = parseHeader(first); err != nil {
		return jwt{}, fmt.Errorf("its header: %w", err)
	}
	payload, err := decodePart(parts[1])
	if err != nil {
		return jwt{}, fmt.Errorf("its payload: %w", err)
	}
	if t.claims, err = parseClaims(payload); err != nil {
		return jwt{}, fmt.Errorf("its payload: %w", err)
	}
	if t.signature, err = decodePart(parts[2]); err != nil {
		return jwt{}, fmt.Errorf("its signature: %w", err)
	}
	if len(t.signature) == 0 {
		return jwt{}, errors.New("it has no signature")
	}
	return t, nil
}

// strictBase64 refuses what would make two texts of one token: padding, line
// breaks, and bits beyond the last byte.
var strictBase64 = base64.RawURLEncoding.Strict()

func decodePart(part string) ([]byte, error) {
	if strings.ContainsAny(part, "\r\n") {
		return nil, errors.New("it is not base64url")
	}
	decoded, err := strictBase64.DecodeString(part)
	if err != nil {
		return nil, errors.New("it is not base64url")
	}
	return decoded, nil
}

func parseHeader(text []byte) (header, error) {
	c, err := parseClaims(text)
	if err != nil {
		return header{}, err
	}
	for name := range c {
		if why, refused := refusedHeaders[name]; refused {
			return header{}, fmt.Errorf("%s: %s", name, why)
		}
	}
	var h header
	var algorithm, keyID, typ error
	h.algorithm, algorithm = c.text("alg")
	h.keyID, keyID = c.text("kid")
	h.typ, typ = c.text("typ")
	if err := errors.Join(algorithm, keyID, typ); err != nil {
		return header{}, err
	}
	if h.algorithm == "" {
		return header{}, errors.New("it names no algorithm (alg)")
	}
	return h, nil
}

// refusedHeaders change what a token means in ways that are not understood here.
var refusedHeaders = map[string]string{
	"crit": "extensions that must be understood are not",
	"b64":  "unencoded payloads are not accepted",
	"enc":  "encrypted tokens are not accepted",
	"zip":  "compressed tokens are not accepted",
	"cty":  "nested tokens are not accepted",
}

// hasSignature reports whether a token looks like a JWT, without a closer look.
func hasSignature(token string) bool {
	return strings.HasPrefix(token, "ey") && strings.Count(token, ".") == 2
}
