package e2e

import (
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// screenshots is where the tests leave what the browser saw, for people to look at.
var screenshots = filepath.Join("..", "build", "screenshots")

// A real browser, at three widths, light and dark, with nothing but the keyboard: from
// the demo's address to a token, over the device page, and out again. Its pages load
// nothing, run nothing, are legible, and stand in no other site's frame.
func TestSignInBrowser(t *testing.T) {
	t.Parallel()
	_, d := startDemo(t)
	h := &house{t: t, dir: t.TempDir(), url: strings.TrimSuffix(d.MCP, "/mcp"), log: &lockedBuffer{}}
	client := h.register("Browser Test", "http://127.0.0.1/callback")
	dir, err := filepath.Abs(screenshots)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	for _, look := range []struct{ width, colours string }{{"360", "light"}, {"800", "dark"}, {"1600", "light"}, {"360", "dark"}} {
		t.Run(look.width+" "+look.colours, func(t *testing.T) {
			h := h.in(t)
			_, started := h.post("/device_authorization", url.Values{"client_id": {"porterhouse-cli"}, "scope": {"clickhouse:read offline_access"}}.Encode())
			code, _ := started["user_code"].(string)
			var seen struct {
				Pages, Faults []string
				Took          int // milliseconds
				Token         string
				Cookies       []struct {
					Name, SameSite string
					HTTPOnly       bool `json:"httpOnly"`
				}
			}
			p := newDesk(t).start(nil, "clients/chromium.mjs", d.MCP, client, code, dir, look.width, look.colours)
			p.line(&struct{ Result any }{&seen})
			p.wait()
			for _, fault := range slices.Compact(slices.Sorted(slices.Values(seen.Faults))) {
				t.Error(fault)
			}
			t.Logf("%d pages; from the address to the client in %d ms", len(seen.Pages), seen.Took)
			if !strings.Contains(h.whoami(seen.Token), "You are alice@example.com ") {
				t.Errorf("the token: %s", h.whoami(seen.Token))
			}
			ours := 0
			for _, c := range seen.Cookies {
				if !strings.Contains(c.Name, "porterhouse") {
					continue
				}
				ours++
				if !c.HTTPOnly || c.SameSite == "None" || c.SameSite == "" {
					t.Errorf("cookie %+v", c)
				}
			}
			if ours == 0 {
				t.Errorf("no cookie of ours among %+v", seen.Cookies)
			}
			for _, page := range seen.Pages {
				file := filepath.Join(dir, fmt.Sprintf("%s-%s-%s.png", page, look.width, look.colours))
				if _, err := os.Stat(file); err != nil {
					t.Error(err)
				}
			}
		})
	}
}
