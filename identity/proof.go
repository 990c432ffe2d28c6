package identity

import (
	"cmp"
	"encoding/json"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Is this a token for access, is it alive, is it of our provider, is it for us?
// Whoever fails here proved nobody.

// accessTypes are the typ headers of tokens for access (RFC 9068 asks for at+jwt;
// most write JWT or nothing). Every other is a token for something else: logout,
// DPoP, an event …
var accessTypes = []string{"", "jwt", "at+jwt"}

// checkKind refuses what is signed by the provider and yet no token to come in with.
func (h *hearing) checkKind() error {
	if h.from.header != nil {
		if err := h.checkTyp(h.from.header.typ); err != nil {
			return err
		}
	}
	if err := checkUnbound(h); err != nil {
		return err
	}
	use, err := h.useOf(h.claims, h.from)
	if err != nil {
		return refuse("%w", err)
	}
	if h.from.login && (use != idUse || h.from.header.isAccess()) {
		return refuse("it is no ID token, and stands where one should")
	}
	if use == idUse && !h.from.login && !h.settings.AllowIDTokens {
		return refuse("it is an ID token, which is for the client that asked, not for us (allow_id_tokens would accept it)")
	}
	h.note("kind: %s", use)
	return nil
}

// checkUnbound refuses what is more than a statement about somebody who may come in.
func checkUnbound(h *hearing) error {
	switch {
	case h.claims.has(demoMarker) && !h.allowDemo:
		return refuse("%w", errDemo)
	case h.claims.has("events"):
		return refuse("it is a message about a person, such as a logout token (events)")
	case h.claims.has("cnf"):
		return refuse("it is bound to a key of its client (cnf), which is not asked for here: whoever stole the token could come in with it")
	}
	return nil
}

// isAccess reports whether the typ header says that it is a token for access.
func (h header) isAccess() bool { return strings.HasSuffix(strings.ToLower(h.typ), "at+jwt") }

// checkTyp compares the typ header with what is expected.
func (r *rules) checkTyp(typ string) error {
	given := strings.TrimPrefix(strings.ToLower(typ), "application/")
	if want := r.settings.ExpectedTyp; want != "" {
		if given != strings.TrimPrefix(strings.ToLower(want), "application/") {
			return refuse("its typ header is %q, not the expected %q", abridged(typ), want)
		}
		return nil
	}
	if !slices.Contains(accessTypes, given) {
		return refuse("its typ header is %q, which no token for access has", abridged(typ))
	}
	return nil
}

// What a token says it is for.
const (
	accessUse = "access token"
	idUse     = "ID token"
)

// useOf tells tokens for access from ID tokens: by what they say they are, else by
// claims that only one of the two has.
func (r *rules) useOf(c claims, from claimSource) (string, error) {
	use, err := declaredUse(c)
	switch {
	case err != nil:
		return "", err
	case from.login: // it stands where ID tokens do, and must not say that it is something else
		return orText(use, idUse), nil
	case from.header == nil:
		return accessUse, answersForAccess(c, use)
	case use != "":
		return use, nil
	case r.trait.use != "":
		return "", fmt.Errorf("its claim %s does not say that it is for access, as that of every access token of this provider does", r.trait.use)
	case r.trait.isID != nil && r.trait.isID(c):
		return idUse, nil
	case from.header.isAccess():
		return accessUse, nil
	case slices.ContainsFunc([]string{"nonce", "at_hash", "c_hash", "s_hash"}, c.has):
		return idUse, nil
	}
	return accessUse, nil
}

// declaredUse reads token_use, which is Cognito's, and typ, which is Keycloak's and
// may be anything elsewhere; "" when they do not say. Both must say the same.
func declaredUse(c claims) (string, error) {
	declared := ""
	for _, name := range []string{"token_use", "typ"} {
		value, err := c.text(name)
		if err != nil {
			return "", err
		}
		value = strings.ToLower(value)
		use, known := declaredUses[value]
		isOther := !known && value != "" && name == "token_use" || slices.Contains(otherUses, value)
		if isOther || known && declared != "" && declared != use {
			return "", fmt.Errorf("its claim %s is %q: it is no token for access", name, abridged(value))
		}
		declared = cmp.Or(use, declared)
	}
	return declared, nil
}

// answersForAccess refuses what a provider knows and is no token for access: at
// introspection, refresh and ID tokens are active too.
func answersForAccess(c claims, use string) error {
	kind, err := c.text("token_type")
	if err != nil {
		return err
	}
	if use == idUse || !slices.Contains(accessTokenTypes, strings.ToLower(kind)) {
		return fmt.Errorf("the provider knows it as %q (token_type, typ): it is no token for access", abridged(cmp.Or(kind, use)))
	}
	return nil
}

// accessTokenTypes are what introspection may call them, in lower case: with the
// word of RFC 6749, or, by mistake, with that of RFC 7009.
var accessTokenTypes = []string{"", "bearer", "access_token"}

// declaredUses and otherUses are what token_use and typ may say, in lower case.
var (
	declaredUses = map[string]string{"access": accessUse, "bearer": accessUse, "id": idUse}
	otherUses    = []string{"refresh", "offline", "logout", "serialized-id", "registrationaccesstoken", "initialaccesstoken"}
)

// isID reports whether c is an ID token; checkKind found that it can be told.
func (r *rules) isID(c claims, from claimSource) bool {
	use, err := r.useOf(c, from)
	return err == nil && use == idUse
}

// checkIssuer wants exactly an issuer of ours; not one letter may differ.
func (h *hearing) checkIssuer() error {
	issuer, err := h.claims.text("iss")
	if err != nil {
		return refuse("%w", err)
	}
	if issuer == "" && h.from.header == nil {
		issuer = h.from.issuer
	}
	wanted := h.issuers
	if h.from.issuer != "" {
		wanted = []string{h.from.issuer}
	}
	switch {
	case len(wanted) == 0:
		// Nobody said which issuer it should be, so it must not be anybody else's.
		h.who.Issuer = h.settings.Name + "|" + issuer
	case slices.Contains(wanted, issuer):
		h.who.Issuer = wanted[0]
	default:
		return refuse("its issuer (iss) is %q, not %s", abridged(issuer), quoted(wanted))
	}
	if !isPrintable(h.who.Issuer, maxIssuer) {
		return refuse("its issuer (iss) %q has characters that cannot be seen, or too many", abridged(issuer))
	}
	h.note("issuer: iss is %q", issuer)
	return nil
}

const maxIssuer = 512 // bytes

// checkTimes wants a token that is alive now, give or take the leeway.
func (h *hearing) checkTimes() error {
	now := h.now()
	expires, err := timeOf(h.claims, "exp", h.from.textual)
	if err != nil {
		return refuse("%w", err)
	}
	if expires.IsZero() && !h.settings.AllowNoExpiration && !h.from.endless {
		return refuse("it has no end (exp)")
	}
	if !expires.IsZero() {
		if h.who.Expires = expires.Add(h.leeway); !now.Before(h.who.Expires) {
			return refuse("it expired (exp) at %s", expires.UTC().Format(time.RFC3339))
		}
	}
	for _, name := range []string{"nbf", "iat"} {
		at, err := timeOf(h.claims, name, h.from.textual)
		if err != nil {
			return refuse("%w", err)
		}
		if at.After(now.Add(h.leeway)) {
			return refuse("it is of the future: %s is %s (is a clock wrong?)", name, at.UTC().Format(time.RFC3339))
		}
		h.who.Issued = at // that of iat, the last
	}
	if h.from.header == nil {
		h.who.Issued = now // an answer tells the groups of this moment, whenever the token was issued
	}
	h.note("times: issued %v, expires %v, leeway %v", h.who.Issued, expires, h.leeway)
	return nil
}

// timeOf reads a NumericDate; zero when there is none.
func timeOf(c claims, name string, textual bool) (time.Time, error) {
	value := c[name]
	if text, ok := value.(string); ok && textual {
		value = json.Number(text)
	}
	if value == nil {
		return time.Time{}, nil
	}
	number, ok := value.(json.Number)
	if !ok {
		return time.Time{}, fmt.Errorf("the claim %s is %s, not a number of seconds", name, shapeOf(value))
	}
	const most = 253402300799 // the last second of the year 9999
	if whole, err := strconv.ParseInt(number.String(), 10, 64); err == nil && 0 < whole && whole <= most {
		return time.Unix(whole, 0), nil
	}
	seconds, err := strconv.ParseFloat(number.String(), 64)
	if err != nil || !(seconds > 0 && seconds <= most) {
		return time.Time{}, fmt.Errorf("the claim %s is %q, which is no moment", name, abridged(number.String()))
	}
	whole, fraction := math.Modf(seconds)
	return time.Unix(int64(whole), int64(fraction*1e9)), nil
}

// clientClaims name the client that a token was issued to; the first that is there
// counts. azp and client_id are standards, cid is Okta's, appid Entra's of v1.
var clientClaims = []string{"azp", "client_id", "cid", "appid"}

// checkClient reads the client, and holds it to ClientIDs.
func (h *hearing) checkClient() error {
	for _, name := range clientClaims {
		client, err := h.claims.text(name)
		if err != nil {
			return refuse("%w", err)
		}
		if client == "" {
			continue
		}
		if !isPrintable(client, maxClientID) {
			return refuse("the client %q (%s) has characters that cannot be seen, or more than %d bytes", abridged(client), name, maxClientID)
		}
		h.who.Client = client
		h.note("client: %s is %q", name, client)
		break
	}
	if allowed := h.settings.ClientIDs; len(allowed) > 0 && h.who.Client != "" && !slices.Contains(allowed, h.who.Client) {
		return refuse("it was issued to the client %q, not to %s", h.who.Client, quoted(allowed))
	}
	return nil
}

const maxClientID = 512 // bytes; the id may be a URL

// checkAudience wants a token that is for us.
func (h *hearing) checkAudience() error {
	named, err := h.claims.texts("aud")
	if err != nil {
		return refuse("%w", err)
	}
	h.note("audience: aud is %s", shown(named))
	h.who.Audience = named
	if h.isID(h.claims, h.from) {
		return h.checkIDAudience(named)
	}
	if h.who.Client == "" && len(named) == 1 && slices.Contains(h.settings.ClientIDs, named[0]) {
		h.who.Client = named[0] // the audience alone is a client, and so its client
	}
	if len(h.settings.ClientIDs) > 0 && h.who.Client == "" {
		return refuse("it names no client (azp, client_id …), and client_ids wants %s", quoted(h.settings.ClientIDs))
	}
	switch {
	case h.settings.AllowAnyAudience, sharesOne(named, h.audiences):
		return nil
	case len(named) == 0 && h.who.Client != "" && h.forClient(h.from, h.who.Client):
		h.note("audience: it names none, and was issued to %q", h.who.Client)
		return nil
	case len(named) == 0:
		return refuse("it does not say for whom it is (aud); wanted is %s", quoted(h.audiences))
	}
	return refuse("it is for %s (aud), not for %s", quoted(named), quoted(h.audiences))
}

// forClient reports whether a token without aud is for us because of its client.
func (r *rules) forClient(from claimSource, client string) bool {
	if r.trait.clientAudience {
		return slices.Contains(r.audiences, client)
	}
	if r.exact && !slices.Contains(r.audiences, client) {
		return false
	}
	return from.clientAudience && slices.Contains(r.settings.ClientIDs, client)
}

// checkIDAudience: an ID token is for a client of ours, and was issued to it.
func (h *hearing) checkIDAudience(named []string) error {
	if !sharesOne(named, h.settings.ClientIDs) {
		return refuse("the ID token is for %s (aud), not for one of the client_ids %s", quoted(named), quoted(h.settings.ClientIDs))
	}
	if h.exact && !sharesOne(named, h.audiences) {
		return refuse("the ID token is for %s (aud), not for %s", quoted(named), quoted(h.audiences))
	}
	if len(named) > 1 && h.who.Client == "" {
		return refuse("the ID token is for %s (aud), and azp does not say for which of them it was issued", quoted(named))
	}
	if h.who.Client == "" {
		h.who.Client = named[0]
	}
	return nil
}

// sharesOne reports whether a text is in both lists.
func sharesOne(a, b []string) bool {
	return slices.ContainsFunc(a, func(text string) bool { return slices.Contains(b, text) })
}

// shown is a list in a note, which is written only where somebody reads it.
type shown []string

// String implements fmt.Stringer.
func (s shown) String() string { return quoted(s) }

// quoted shows the first of several texts, whatever is in them.
func quoted(texts []string) string {
	const most = 5
	if len(texts) == 0 {
		return "nothing"
	}
	var all []string
	for _, text := range texts[:min(len(texts), most)] {
		all = append(all, strconv.Quote(abridged(text)))
	}
	if len(texts) > most {
		all = append(all, fmt.Sprintf("%d more", len(texts)-most))
	}
	return strings.Join(all, ", ")
}
