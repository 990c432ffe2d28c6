package openid

import (
	"crypto/rsa"
	"encoding/json"
	"errors"
	"maps"
	"net/http"
	"strings"
	"time"

	"github.com/go-jose/go-jose/v4"
)

// signer makes the provider's tokens, and knows them again.
type signer struct {
	key *rsa.PrivateKey
	now func() time.Time
}

// keyID is the only key's; accessType is the type of access tokens (RFC 9068).
const (
	keyID      = "demo"
	accessType = "at+jwt"
)

// keys answers with the key set (RFC 7517).
func (s signer) keys(w http.ResponseWriter, _ *http.Request) {
	writeJSON(w, http.StatusOK, jose.JSONWebKeySet{Keys: []jose.JSONWebKey{
		{Key: s.key.Public(), KeyID: keyID, Algorithm: string(jose.RS256), Use: "sig"},
	}})
}

// sign makes a JWT of all claims.
func (s signer) sign(kind string, claims ...map[string]any) (string, error) {
	all := map[string]any{}
	for _, some := range claims {
		maps.Copy(all, some)
	}
	payload, err := json.Marshal(all)
	if err != nil {
		return "", err
	}
	key := jose.JSONWebKey{Key: s.key, KeyID: keyID}
	signer, err := jose.NewSigner(jose.SigningKey{Algorithm: jose.RS256, Key: key}, (&jose.SignerOptions{}).WithType(jose.ContentType(kind)))
	if err != nil {
		return "", err
	}
	signed, err := signer.Sign(payload)
	if err != nil {
		return "", err
	}
	return signed.CompactSerialize()
}

// verify reads an access token of our own: whom it is for, and what may be told.
func (s signer) verify(token string) (subject string, scopes []string, err error) {
	signed, err := jose.ParseSignedCompact(token, []jose.SignatureAlgorithm{jose.RS256})
	if err != nil {
		return "", nil, errors.New("this is no token of ours")
	}
	payload, err := signed.Verify(s.key.Public())
	if err != nil || signed.Signatures[0].Protected.ExtraHeaders[jose.HeaderType] != accessType {
		return "", nil, errors.New("this is no access token of ours")
	}
	var claims struct {
		Subject string `json:"sub"`
		Expires int64  `json:"exp"`
		Scope   string `json:"scope"`
	}
	if err := json.Unmarshal(payload, &claims); err != nil || s.now().Unix() >= claims.Expires {
		return "", nil, errors.New("the time of this token is over")
	}
	return claims.Subject, strings.Fields(claims.Scope), nil
}
