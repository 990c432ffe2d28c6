package authserver

import (
	"bytes"
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strconv"
	"strings"
	"time"

	"porterhouse/kv"
)

// registrations are the clients that registered themselves (RFC 7591): anybody can,
// and call themselves what they like. So one that is not used soon is forgotten, and
// there are only so many in an hour.
//
//	registration/<id>       the record; for unusedLife, and once it is used, for longest and a day
//	registrations/<hour>    how many there were in that hour
type registrations struct {
	store   kv.Store
	scopes  []string
	grants  []string      // that there are to be had
	longest time.Duration // of families of refresh tokens: a registration must not end before
	limit   *limiter
	log     *slog.Logger
	now     func() time.Time
}

// registration is what is kept of one.
type registration struct {
	Name         string     `json:"name"`
	RedirectURIs []string   `json:"redirect_uris"`
	Grants       []string   `json:"grants"`
	Auth         AuthMethod `json:"auth"`
	Secret       []byte     `json:"secret,omitempty"` // SHA-256
	Registered   time.Time  `json:"registered"`
	Until        time.Time  `json:"until"`
}

const (
	registrationPrefix = "reg_"
	registrationLength = len(registrationPrefix) + 26 // of rand.Text
	unusedLife         = 24 * time.Hour
	maxRegisteredURIs  = 2 << 10 // bytes of the redirect URIs of one together: a day of them leaves room in any store
	mostInAnHour       = 500
	swapTries          = 20
)

// find returns a client that registered itself.
func (g *registrations) find(ctx context.Context, id string) (Client, error) {
	record, _, err := g.read(ctx, id)
	switch {
	case errors.Is(err, kv.ErrNotFound):
		return Client{}, refuse("invalid_client", "the client's registration %s is not known: it may have ended, so let the client register anew", shown(id)).because(errUnknownClient)
	case err != nil:
		return Client{}, refuse("temporarily_unavailable", "nobody can tell now which client this is; try again in a moment").because(err)
	}
	c := Client{
		ID: id, Name: record.Name, Known: ByRegistration, Auth: record.Auth,
		RedirectURIs: record.RedirectURIs, Grants: record.Grants, Scopes: g.scopes,
	}
	copy(c.secret[:], record.Secret)
	return c, nil
}

// read returns the record of an id, and its text.
func (g *registrations) read(ctx context.Context, id string) (*registration, []byte, error) {
	if len(id) != registrationLength || !strings.HasPrefix(id, registrationPrefix) {
		return nil, nil, kv.ErrNotFound
	}
	text, err := g.store.Get(ctx, registrationKey(id))
	if err != nil {
		return nil, nil, err
	}
	record := &registration{}
	if err := json.Unmarshal(text, record); err != nil {
		return nil, nil, fmt.Errorf("authserver: the record of the client %s cannot be read: %w", id, err)
	}
	return record, text, nil
}

func registrationKey(id string) string { return "registration/" + id }

// parse reads what a client wants to be registered as.
func (g *registrations) parse(text []byte) (*registration, error) {
	m, err := parseClientMetadata(text)
	if err != nil {
		return nil, refuse("invalid_client_metadata", "the body cannot be used: %v", err)
	}
	record := &registration{Name: shown(m.Name), Grants: m.grants(g.grants...), Auth: AuthMethod(m.Auth), Registered: g.now()}
	if record.Name == "" {
		record.Name = "A client without a name"
	}
	switch {
	case len(record.Grants) == 0:
		return nil, refuse("invalid_client_metadata", "none of the grant types is for clients that register themselves: they are %s", strings.Join(g.grants, ", "))
	case len(m.ResponseTypes) > 0 && !slices.Contains(m.ResponseTypes, "code") && slices.Contains(record.Grants, GrantCode):
		return nil, refuse("invalid_client_metadata", "the response_types must have code")
	}
	switch record.Auth {
	case AuthNone, AuthBasic, AuthPost:
	case "":
		record.Auth = AuthBasic // RFC 7591, 2
	default:
		return nil, refuse("invalid_client_metadata", "token_endpoint_auth_method %s is not for clients that register themselves: none, client_secret_basic and client_secret_post are; with a key, be known by your own document (client_id is its URL)", shown(m.Auth))
	}
	if record.RedirectURIs, err = m.redirects(record.Grants); err != nil {
		return nil, refuse("invalid_redirect_uri", "%v", err)
	}
	if n := len(strings.Join(record.RedirectURIs, "")); n > maxRegisteredURIs {
		return nil, refuse("invalid_redirect_uri", "the redirect URIs have %d bytes together, more than the %d allowed", n, maxRegisteredURIs)
	}
	return record, nil
}

// text is the record as it is stored: as it came, since what encoding/json does to &
// for the sake of HTML would make it up to six times as long.
func (r *registration) text() ([]byte, error) {
	var text bytes.Buffer
	encoder := json.NewEncoder(&text)
	encoder.SetEscapeHTML(false)
	err := encoder.Encode(r)
	return text.Bytes(), err
}

// newID draws the id of a record and, where it needs one, its secret.
func (r *registration) newID() (id, secret string) {
	id = registrationPrefix + rand.Text()
	if r.Auth != AuthNone {
		secret = "phs_" + base64.RawURLEncoding.EncodeToString(randomBytes(32))
		sum := sha256.Sum256([]byte(secret))
		r.Secret = sum[:]
	}
	return id, secret
}

// add keeps a new record.
func (g *registrations) add(ctx context.Context, id string, record *registration) error {
	if err := g.count(ctx); err != nil {
		return err
	}
	record.Until = g.now().Add(unusedLife)
	text, err := record.text()
	if err != nil {
		return err
	}
	return g.store.Put(ctx, registrationKey(id), text, unusedLife)
}

// count notes one more registration in this hour, or refuses it.
func (g *registrations) count(ctx context.Context) error {
	key := "registrations/" + g.now().UTC().Format("2006-01-02T15")
	for range swapTries {
		text, err := g.store.Get(ctx, key)
		if err != nil && !errors.Is(err, kv.ErrNotFound) {
			return err
		}
		n, _ := strconv.Atoi(string(text)) // of nothing: 0
		if n >= mostInAnHour {
			return refuse("temporarily_unavailable", "too many clients registered themselves in this hour; try again in the next, or ask the operator to register this client")
		}
		if done, err := g.store.Swap(ctx, key, text, []byte(strconv.Itoa(n+1)), 2*time.Hour); err != nil || done {
			return err
		}
	}
	return refuse("temporarily_unavailable", "too many clients register themselves at once; try again in a moment")
}

// used keeps a registration on that was used, until the tokens that it was given have
// ended whatever happens. That is written at most once a day, so it is for a day
// more; when it cannot be written, the next use tries again.
func (g *registrations) used(ctx context.Context, id string) {
	record, text, err := g.read(ctx, id)
	if err != nil || record.Until.Sub(g.now()) > g.longest {
		return // it was there a moment ago
	}
	life := g.longest + 24*time.Hour
	record.Until = g.now().Add(life)
	longer, err := record.text()
	if err == nil {
		_, err = g.store.Swap(ctx, registrationKey(id), text, longer, life)
	}
	if err != nil {
		g.log.WarnContext(ctx, "the registration of a client could not be kept on", "client", id, "error", err)
	}
}
