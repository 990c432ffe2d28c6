package idp_test

import (
	"encoding/base64"
	"encoding/json"
	"strings"
	"testing"

	"porterhouse/sandbox/idp"
)

// payload decodes the claims of a JWT, unverified.
func payload(t *testing.T, token string) map[string]any {
	t.Helper()
	parts := strings.Split(token, ".")
	if len(parts) != 3 {
		t.Fatalf("not a JWT: %q", token)
	}
	text, err := base64.RawURLEncoding.DecodeString(parts[1])
	if err != nil {
		t.Fatal(err)
	}
	var claims map[string]any
	if err := json.Unmarshal(text, &claims); err != nil {
		t.Fatal(err)
	}
	return claims
}

func TestOIDC(t *testing.T) {
	p := idp.StartOIDC(t, idp.Options{})
	jwt := payload(t, p.SignIn(t, idp.App, idp.Alice, "https://door.example.com/mcp").Access)
	if jwt["iss"] != p.Issuer || jwt["aud"] != "https://door.example.com/mcp" || jwt["sub"] != idp.Alice.Subject || len(jwt["groups"].([]any)) != 2 {
		t.Errorf("claims of the access token: %v", jwt)
	}
	tokens := p.SignIn(t, idp.App, idp.Bob, "")
	if strings.Contains(tokens.Access, ".") || payload(t, tokens.ID)["aud"] != idp.App.ID {
		t.Errorf("opaque access token %q, ID token %v", tokens.Access, payload(t, tokens.ID))
	}
	carol := idp.Person{Subject: "u-1003", Name: "carol", Email: "carol@example.com"}
	p.SetPeople(t, carol)
	p.Rotate(t)
	if claims := payload(t, p.SignIn(t, idp.App, carol, "urn:x").Access); claims["email"] != carol.Email {
		t.Errorf("claims of somebody new: %v", claims)
	}
	if claims := payload(t, p.Robot(t, idp.App, "urn:x").Access); claims["sub"] != idp.App.ID || claims["email"] != nil {
		t.Errorf("claims of a robot: %v", claims)
	}
}

func TestDex(t *testing.T) {
	p := idp.StartDex(t, idp.Options{})
	claims := payload(t, p.Password(t, idp.App, idp.Alice).Access)
	if claims["iss"] != p.Issuer || claims["aud"] != idp.App.ID || claims["email"] != idp.Alice.Email || len(claims["groups"].([]any)) != 2 {
		t.Errorf("claims of the access token: %v", claims)
	}
}
