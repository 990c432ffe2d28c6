package identity

import (
	"testing"

	"porterhouse"
	"porterhouse/sandbox/idp"
)

// Whoever writes a job says for whom its token is, and gets one of everybody who
// runs it.
func TestGitLabPipelineIsNobody(t *testing.T) {
	g := idp.StartGitLab(t, idp.Options{})
	job := g.IDToken(idp.Alice, "app").With("sub", "project_path:mallory/x:ref_type:branch:ref:main").With("user_login", "alice").
		With("preferred_username", nil).With("project_id", "22").With("pipeline_id", "1")
	for _, claim := range []string{"user_login", "sub"} {
		s := Settings{Type: "gitlab", BaseURL: g.URL, ClientIDs: []string{"app"}, AllowIDTokens: true, UsernameClaim: claim}
		token := g.Sign(job)
		_, err := processorOf(t, OutboundConfig{}, s)(t.Context(), token)
		wantError(t, err, porterhouse.Unauthenticated, "a job in a pipeline", token)
	}
}
