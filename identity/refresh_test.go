package identity

import (
	"net/http"
	"testing"

	"porterhouse"
	"porterhouse/sandbox/idp"
)

// Of a refresh token oidc-provider says at introspection that it is active, for whom
// and until when, and nothing of its type. Userinfo does not take it.
func TestRefreshTokenAtIntrospection(t *testing.T) {
	i := idp.StartIssuer(t, idp.Options{})
	about := i.Claims(idp.Alice, door.Audiences[0]).With("active", true)
	i.AnswerJSON("/introspect", http.StatusOK, about)
	verify := processorOf(t, OutboundConfig{}, opaqueSettings(i))
	_, err := verify(t.Context(), "refresh")
	wantError(t, err, porterhouse.Unauthenticated, "a refresh token is active, too", "")

	access := i.Opaque(i.Claims(idp.Alice, door.Audiences[0]))
	if _, err := verify(t.Context(), access); err != nil {
		t.Errorf("a token that userinfo takes: %v", err)
	}
	// A program's own token has a type, and nobody whom userinfo knows.
	i.AnswerJSON("/introspect", http.StatusOK, about.With("token_type", "Bearer").With("groups", nil))
	if _, err := verify(t.Context(), "robot"); err != nil {
		t.Errorf("a token of a program: %v", err)
	}
}
