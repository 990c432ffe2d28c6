package main

import (
	"bytes"
	"encoding/json"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"unicode"

	"porterhouse/sandbox/idp"
)

// Whatever a token or a provider says, it does not command the operator's terminal.
func TestTerminalIsNotCommanded(t *testing.T) {
	const evil = "x\x1b]0;owned\a\x1b[2J\u009b31m\u202egnp\u200b"
	i := idp.StartIssuer(t, idp.Options{})
	sound := i.Claims(idp.Alice, "http://127.0.0.1:8080/mcp").With("client_id", "claude").With("azp", "claude")
	tokens := map[string]string{"sound": i.Sign(sound)}
	for _, name := range []string{"iss", "sub", "aud", "azp", "client_id", "jti", "preferred_username", "email", "groups", "scope", "exp", "iat", "typ", "token_use", evil} {
		tokens[name] = i.Sign(sound.With(name, evil))
		tokens[name+" list"] = i.Sign(sound.With(name, []string{evil}))
	}
	for _, name := range []string{"alg", "kid", "typ", "crit", evil} {
		tokens["header "+name] = i.Sign(sound, idp.Claims{name: evil})
	}
	tokens["text"] = evil
	dir := t.TempDir()
	config, err := os.ReadFile("testdata/whoami.txtar")
	if err != nil {
		t.Fatal(err)
	}
	_, text, _ := strings.Cut(string(config), "-- porterhouse.yaml --\n")
	text, _, _ = strings.Cut(text, "\n-- ")
	env := func(name string) (string, bool) {
		value, ok := map[string]string{"ISSUER": i.URL, "IDP_SECRET": idp.App.Secret, "HOME": "secret"}[name]
		return value, ok
	}
	path := filepath.Join(dir, "porterhouse.yaml")
	text = os.Expand(text, func(name string) string { value, _ := env(name); return value })
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	check := func(name string, args ...string) {
		var out bytes.Buffer
		run(t.Context(), terminal{strings.NewReader(tokens[name]), &out, &out, env}, append(args, "--config", path))
		if out.Len() < 30 {
			t.Errorf("%s: %q", name, out.String())
		}
		for line := range strings.Lines(out.String()) {
			if strings.ContainsFunc(strings.TrimSuffix(line, "\n"), func(r rune) bool { return !unicode.IsPrint(r) }) {
				t.Errorf("%v, %q: printed %q", args, name, line)
			}
		}
	}
	for name := range tokens {
		check(name, "whoami", "--token", "-")
	}
	for _, name := range []string{"issuer", "jwks_uri", "userinfo_endpoint", "introspection_endpoint"} {
		document := i.Discovery().With(name, i.URL+"/"+evil)
		i.Answer("/.well-known/openid-configuration", func(w http.ResponseWriter, _ *http.Request) { w.Write(asJSON(t, document)) })
		check("sound", "check", "idp")
	}
	i.Answer("/.well-known/openid-configuration", func(w http.ResponseWriter, _ *http.Request) { w.Write(asJSON(t, i.Discovery())) })
	i.Answer("/jwks", func(w http.ResponseWriter, _ *http.Request) {
		w.Write(asJSON(t, map[string]any{"keys": []any{map[string]any{"kty": evil, "kid": evil}}}))
	})
	check("sound", "check", "idp")
}

func asJSON(t *testing.T, value any) []byte {
	text, err := json.Marshal(value)
	if err != nil {
		t.Error(err)
	}
	return text
}
