package signin

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"porterhouse"
)

// The chooser names who asks, as text, and needs a click with one provider, too.
func TestChooserNamesWhoAsks(t *testing.T) {
	h := build(t, func(c *Config) {
		c.Asking = func(_ context.Context, returnTo, _ string) (*Asking, error) {
			switch returnTo {
			case asked:
				return &Asking{Name: "<script>Evil\u202e" + strings.Repeat("e", 100), Host: "client.example", Redirect: "127.0.0.1", Unproved: true}, nil
			case "/stranger":
				return &Asking{Name: "Claude", Redirect: "evil.example", Stranger: true}, nil
			case "/known":
				return &Asking{Name: "Claude", Host: "claude.ai", Redirect: "claude.ai"}, nil
			case "/refused":
				return nil, porterhouse.Errorf(porterhouse.Invalid, "the client's document cannot be read")
			case "/later":
				return nil, porterhouse.Errorf(porterhouse.Limited, "too many documents were fetched")
			}
			return nil, nil
		}
	})
	b := h.browser()
	at := b.get(h.url + returning(asked))
	for _, want := range []string{"&lt;script&gt;Evil�eee", "eee…", "client.example", "127.0.0.1", "Nobody can check that name"} {
		if !strings.Contains(at.text, want) {
			t.Errorf("no %q in %s", want, at.text)
		}
	}
	if at.status != http.StatusOK || strings.Contains(at.header.Get("Content-Security-Policy"), "form-action") || len(at.header["Set-Cookie"]) != 0 {
		t.Errorf("%d: %v", at.status, at.header)
	}
	for returnTo, unchecked := range map[string]bool{"/stranger": true, "/known": false} {
		if at := b.get(h.url + returning(returnTo)); strings.Contains(at.text, "Nobody has checked that name") != unchecked || strings.Contains(at.text, "Nobody can check") {
			t.Errorf("%s: %s", returnTo, at.text)
		}
	}
	if at := b.get(h.url + Path); at.status != http.StatusOK || strings.Contains(at.text, "client.example") {
		t.Errorf("%d: %s", at.status, at.text)
	}
	refused := returning("/refused")
	for _, at := range []seen{b.get(h.url + refused), b.post(h.url+Path, url.Values{"provider": {"acme"}, "return": {"/refused"}})} {
		if at.status != http.StatusBadRequest || !strings.Contains(at.text, "The client&#39;s document cannot be read.") || len(at.header["Set-Cookie"]) != 0 {
			t.Errorf("%d: %s", at.status, at.text)
		}
	}
	if at := b.get(h.url + returning("/later")); at.status != http.StatusTooManyRequests || !strings.Contains(at.text, `href="/signin?return=%2Flater"`) {
		t.Errorf("%d: %s", at.status, at.text)
	}
}

// Of several providers each has its button; one without a label has its name.
func TestChooserShowsAllProviders(t *testing.T) {
	h := build(t, func(c *Config) {
		for i := range 12 {
			p := openProvider(t, fmt.Sprint("p", i)).provider()
			if i == 3 {
				p.Label = ""
			}
			c.Providers = append(c.Providers, p)
		}
	})
	b := h.browser()
	text := b.get(h.url + Path).text
	for i := range 12 {
		if !strings.Contains(text, fmt.Sprintf(`name="provider" value="p%d"`, i)) {
			t.Errorf("no button of p%d", i)
		}
	}
	if !strings.Contains(text, "<b>p3</b>") || !strings.Contains(text, "<b>The provider p4</b>") {
		t.Error(text)
	}
	if at := b.get(b.callback(h, "p7", "")); at.status != http.StatusSeeOther || at.location != OutPath {
		t.Errorf("%d, %s", at.status, at.location)
	}
	if who, err := b.who(h); err != nil || who.Proof != "p7" {
		t.Errorf("%+v, %v", who, err)
	}
	for _, wrong := range []string{"", "p12", "P7"} {
		if at := b.post(h.url+Path, url.Values{"provider": {wrong}}); at.status != http.StatusBadRequest || !strings.Contains(at.text, "Start again") {
			t.Errorf("%q: %d", wrong, at.status)
		}
	}
}

// Who is signed in already is told so.
func TestChooserSaysWhoIsSignedIn(t *testing.T) {
	h := build(t, nil)
	b := h.browser()
	b.signIn(h, "")
	if text := b.get(h.url + Path).text; !strings.Contains(text, "alice@example.com") {
		t.Error(text)
	}
}

// The browser returns to a path of ours and to nothing else.
func TestCheckReturn(t *testing.T) {
	for _, good := range []string{
		asked, "/", "/console/a-b_c~d?x=//evil.example&y=%0d%0a&z=..\\", "/a/", "/a%20b?", "/device?user_code=ABCD-EFGH", "/a#b", OutPath, "/signing", "/" + strings.Repeat("a", maxReturn-1),
	} {
		if got, err := checkReturn(good); err != nil || got != good {
			t.Errorf("%q: %q, %v", good, got, err)
		}
	}
	for _, bad := range []string{
		"//evil.example", "///evil.example", "/\\evil.example", "\\\\evil.example", "/\t/evil.example", "/a\r\nSet-Cookie: a=b", "https://evil.example/", "https:evil.example",
		"evil.example", "javascript:alert(1)", "?x", "#x", " /a", "/a b", "/ä", "/a\x00", "/a\x7f", "@evil.example",
		"/%2f/evil.example", "/%2F%2Fevil.example", "/%2fevil.example", "/%252fevil.example", "/%5cevil.example", "/%255cevil.example", "/a%0d%0ab", "/a%250ab", "/%zz", "/a%25zz",
		"/..//evil.example", "/../evil", "/a/./b", "/a/%2e%2e/b", "/a/%252e%252e/b", "/a//b", "/.", "/..",
		Path, Path + "?return=/x", CallbackPath + "corp?code=a&state=b", "/sign%69n", "/" + strings.Repeat("a", maxReturn),
	} {
		if got, err := checkReturn(bad); err == nil {
			t.Errorf("%q was accepted, as %q", bad, got)
		}
	}
	if got, err := checkReturn(""); err != nil || got != OutPath {
		t.Errorf("%q, %v", got, err)
	}
}

// What is no path of ours ends the sign-in before it begins, shown or sent.
func TestReturnIsChecked(t *testing.T) {
	h := build(t, nil)
	b := h.browser()
	for _, at := range []seen{
		b.get(h.url + Path + "?return=https%3A%2F%2Fevil.example%2Fphish"),
		b.post(h.url+Path, url.Values{"provider": {"acme"}, "return": {"//evil.example"}}),
	} {
		if at.status != http.StatusBadRequest || strings.Contains(at.text, "evil.example") || at.location != "" || len(at.header["Set-Cookie"]) != 0 {
			t.Errorf("%d %q: %s", at.status, at.location, at.text)
		}
	}
}

// A return that is too long for a cookie is refused, and not lost on the way.
func TestLongestReturn(t *testing.T) {
	h := build(t, nil)
	long := "/authorize?state=" + strings.Repeat("s", maxReturn-len("/authorize?state="))
	b := h.browser()
	at := b.post(h.url+Path, url.Values{"provider": {"acme"}, "return": {long}})
	if size := len(at.header.Get("Set-Cookie")); at.status != http.StatusSeeOther || size > 4096 {
		t.Errorf("%d, a cookie of %d bytes", at.status, size)
	}
	if at := b.post(h.url+Path, url.Values{"provider": {"acme"}, "return": {"/?" + strings.Repeat("&", 2000)}}); at.status != http.StatusBadRequest {
		t.Errorf("%d: a cookie of %d bytes", at.status, len(at.header.Get("Set-Cookie")))
	}
}

// FuzzCheckReturn holds what is accepted to what a browser makes of it.
func FuzzCheckReturn(f *testing.F) {
	for _, seed := range []string{asked, "//evil.example", "/\\evil", "/a%2f%2fb", "/..//x"} {
		f.Add(seed)
	}
	base, err := url.Parse("https://porterhouse.example/signin/callback")
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, text string) {
		to, err := checkReturn(text)
		if err != nil {
			return
		}
		u, err := url.Parse(to)
		if err != nil {
			t.Fatal(err)
		}
		if there := base.ResolveReference(u); there.Scheme != "https" || there.Host != base.Host || there.Path == Path {
			t.Errorf("%q leads to %s", text, there)
		}
	})
}
