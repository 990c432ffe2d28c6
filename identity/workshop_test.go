package identity_test

import (
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"strings"

	"porterhouse/sandbox/idp"
)

// workshop is what an attacker has: a sound token's parts, the issuer's public keys,
// keys of his own. Some attacks also have a private key of the issuer, to say what a
// careless issuer would say.
type workshop struct {
	*house
	header idp.Claims
	claims idp.Claims
	key    *idp.Key    // the issuer's
	own    *idp.Key    // the attacker's
	site   *idp.Issuer // the attacker's
}

// signed makes a token with the issuer's own signature.
func (w *workshop) signed(header, claims any) string {
	return w.key.SignText(asText(header), asText(claims))
}

// asText is a text as it is, and everything else in JSON.
func asText(value any) string {
	if text, ok := value.(string); ok {
		return text
	}
	text, err := json.Marshal(value)
	if err != nil {
		panic(err) // the test's own value
	}
	return string(text)
}

// with is a token whose issuer signed one other claim.
func with(name string, value any) func(*workshop) string {
	return func(w *workshop) string { return w.signed(w.header, w.claims.With(name, value)) }
}

// headed is a token whose issuer signed one other header parameter.
func headed(name string, value any) func(*workshop) string {
	return func(w *workshop) string { return w.signed(w.header.With(name, value), w.claims) }
}

// unsigned is a token with the algorithm and without a signature.
func unsigned(algorithm any) func(*workshop) string {
	return func(w *workshop) string {
		return idp.Encode([]byte(asText(w.header.With("alg", algorithm)))) + "." + idp.Encode([]byte(asText(w.claims))) + "."
	}
}

// keyed is an HMAC with something that everybody knows.
func keyed(algorithm string, secret func(*workshop) []byte) func(*workshop) string {
	return func(w *workshop) string {
		key := idp.Key{ID: w.key.ID, Algorithm: algorithm, Secret: secret(w)}
		return key.Sign(w.claims)
	}
}

// rewritten is a token whose payload's text was changed before it was signed.
func rewritten(change func(payload string) string) func(*workshop) string {
	return func(w *workshop) string { return w.signed(w.header, change(asText(w.claims))) }
}

// also adds something before the payload's first member.
func also(member string) func(*workshop) string {
	return rewritten(func(payload string) string { return "{" + member + "," + payload[1:] })
}

// mangled is a sound token whose text was changed.
func mangled(change func(token string) string) func(*workshop) string {
	return func(w *workshop) string { return change(w.signed(w.header, w.claims)) }
}

// theirs is a token that the attacker signed, with a hint at the key.
func theirs(hint func(*workshop) idp.Claims) func(*workshop) string {
	return func(w *workshop) string { return w.own.Sign(w.claims, idp.Claims{"kid": w.key.ID}, hint(w)) }
}

// parts cuts a token in three.
func parts(token string) (header, payload, signature string) {
	all := strings.SplitN(token, ".", 3)
	return all[0], all[1], all[2]
}

func public(w *workshop) *rsa.PublicKey { return w.key.Private.Public().(*rsa.PublicKey) }

func pkix(w *workshop) []byte {
	der, err := x509.MarshalPKIXPublicKey(public(w))
	if err != nil {
		panic(err) // a sound key
	}
	return der
}

func inPEM(kind string, der []byte) []byte {
	return pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der})
}

// strangers is a key that no issuer published.
var strangers = func() *rsa.PrivateKey {
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		panic(err)
	}
	return key
}()

// flip changes one character at a place.
func flip(token string, at int) string {
	c := "A"
	if token[at] == 'A' {
		c = "B"
	}
	return token[:at] + c + token[at+1:]
}

// wireURL is the address of the house's provider, or of nobody.
func (w *workshop) wireURL() string { return w.signer.URL }

// cut is what follows a claim with a number, without the claim.
func cut(payload, name string) string {
	at := strings.Index(payload, `"`+name+`":`)
	end := at + strings.IndexAny(payload[at:], ",}")
	return "," + payload[1:at] + `"was":0` + payload[end:]
}

func issuer(change func(string) string) func(*workshop) string {
	return func(w *workshop) string {
		return w.signed(w.header, w.claims.With("iss", change(w.claims["iss"].(string))))
	}
}
