package identity

import "testing"

func TestPath(t *testing.T) {
	c, err := parseClaims([]byte(`{
		"sub": "alice",
		"realm_access": {"roles": ["admin"]},
		"a.b": "whole", "a": {"b": "nested"},
		"https://acme.com/groups": ["x"],
		"resource_access": {"my.app": {"roles": ["r"]}, "plain": {"roles": ["p"]}},
		"cognito:groups": ["g"],
		"null": null, "text": "t"
	}`))
	if err != nil {
		t.Fatal(err)
	}
	for path, want := range map[string]any{
		"sub":                            "alice",
		"realm_access.roles":             "admin",
		"a.b":                            "whole",
		`a."b"`:                          "nested",
		`"a"."b"`:                        "nested",
		`"a.b"`:                          "whole",
		"https://acme.com/groups":        "x",
		`"https://acme.com/groups"`:      "x",
		`resource_access."my.app".roles`: "r",
		"resource_access.plain.roles":    "p",
		"resource_access.my.app.roles":   nil,
		"cognito:groups":                 "g",
		"null":                           nil,
		"null.x":                         nil,
		"text.x":                         nil,
		"none":                           nil,
		"none.x.y":                       nil,
	} {
		p, err := parsePath(path)
		if err != nil {
			t.Errorf("%s: %v", path, err)
			continue
		}
		found := p.find(c)
		if list, ok := found.([]any); ok {
			found = list[0]
		}
		if found != want {
			t.Errorf("%s leads to %v, want %v", path, found, want)
		}
	}
}

func TestPathIsRefused(t *testing.T) {
	for _, text := range []string{"", ".", "a.", ".a", "a..b", `"`, `"a`, `""`, `"a"b`, `a"b"`, `a."b`, `"a".`, `a"`} {
		if p, err := parsePath(text); err == nil {
			t.Errorf("%q is %q", text, p.names)
		}
	}
}

func FuzzPath(f *testing.F) {
	f.Add(`a."b.c".d`)
	f.Fuzz(func(t *testing.T, text string) {
		if p, err := parsePath(text); err == nil && (len(p.names) == 0 || p.last() == "") {
			t.Fatalf("%q is %q", text, p.names)
		}
	})
}
