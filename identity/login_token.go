package identity

import (
	"context"
	"crypto"
	"crypto/subtle"
	"encoding/base64"
	"errors"
	"slices"
	"time"

	"porterhouse"
)

// witness is a provider as it tells who somebody is that signs in there: by an ID
// token, or, when it is asked again, by what it answers about another.
type witness struct {
	settings  Settings // of the token processor
	client    ClientSettings
	site      *site
	rules     *rules // the processor's, for what is for this client
	judge     func(context.Context, claims, claimSource) (porterhouse.Principal, error)
	providers *Providers
	github    *github // GitHub is no OpenID provider; nil: all others
}

// identify finds out whose the answer of a token endpoint is, with the nonce that
// the ID token must have; "": it is the answer to a refresh token, and has none that
// we would know (OpenID Connect Core, 12.2).
func (w *witness) identify(ctx context.Context, at places, answer tokenAnswer, nonce string) (porterhouse.Principal, error) {
	var who porterhouse.Principal
	var err error
	if w.github != nil {
		if who, err = w.github.verify(ctx, answer.access); errors.Is(err, ErrNotMine) {
			err = away("what GitHub's token endpoint gives is no token of GitHub: %w", err)
		}
	} else {
		who, err = w.identifyByID(ctx, at, answer, nonce)
	}
	if err != nil {
		return porterhouse.Principal{}, err
	}
	return w.bare(who), complete(who)
}

// bare is who without what is of the token that proved it.
func (w *witness) bare(who porterhouse.Principal) porterhouse.Principal {
	who.Token, who.TokenID, who.Client, who.Audience = porterhouse.Secret{}, "", "", nil
	if who.Expires = (time.Time{}); who.Issued.IsZero() {
		who.Issued = w.providers.now()
	}
	return who
}

// proofSteps tell whether a token is one to listen to, before anybody else is asked
// because of it.
var (
	proofSteps  = append(slices.Clone(steps[:5]), subjectStep...)
	subjectStep = []func(*hearing) error{(*hearing).readSubject}
)

func (w *witness) identifyByID(ctx context.Context, at places, answer tokenAnswer, nonce string) (porterhouse.Principal, error) {
	t, err := w.idToken(ctx, at, answer, nonce)
	if err != nil {
		return porterhouse.Principal{}, err
	}
	from := claimSource{header: &t.header, issuer: at.issuer, login: true}
	if _, err := w.rules.hear(ctx, t.claims, from, proofSteps); err != nil {
		return porterhouse.Principal{}, err
	}
	about, err := w.completeClaims(ctx, at, t.claims, answer)
	if err != nil {
		return porterhouse.Principal{}, err
	}
	return w.judge(ctx, about, from)
}

// idToken is the ID token of an answer, signed by the provider, for this visit.
func (w *witness) idToken(ctx context.Context, at places, answer tokenAnswer, nonce string) (jwt, error) {
	if answer.id == "" {
		return jwt{}, refuse("the token endpoint gives no ID token (is the scope openid allowed there?)")
	}
	t, err := parseJWT(answer.id)
	if err != nil {
		return jwt{}, refuse("the ID token: %w", err)
	}
	if err := w.site.signatures(at).verify(ctx, t); err != nil {
		return jwt{}, err
	}
	if given, _ := t.claims["nonce"].(string); nonce != "" && subtle.ConstantTimeCompare([]byte(given), []byte(nonce)) != 1 {
		return jwt{}, refuse("the ID token is of another visit: its nonce is missing, or not the one that was sent")
	}
	if given, there := t.claims["at_hash"]; there && given != halfHash(t.header.algorithm, answer.access) {
		return jwt{}, refuse("the ID token was issued with another access token (at_hash)")
	}
	return t, nil
}

// halfHash is the left half of a token's hash, by the hash of the signature's
// algorithm (OpenID Connect Core, 3.1.3.6); Ed25519 has SHA-512 in it.
func halfHash(algorithm, token string) string {
	hash := algorithms[algorithm].hash
	if hash == 0 {
		hash = crypto.SHA512
	}
	sum := digestBy(hash, token)
	return base64.RawURLEncoding.EncodeToString(sum[:len(sum)/2])
}
