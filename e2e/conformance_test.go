package e2e

import (
	"regexp"
	"strings"
	"testing"
	"time"

	"porterhouse/sandbox/idp"
)

// The official suite for authorization servers, against a whole Porterhouse; a person
// follows the address that it shows. (The two sets for servers are in mcpserver.)
func TestConformanceAuthorization(t *testing.T) {
	t.Parallel()
	h, at := signInHouse(t, "", settings{})
	_, port, _ := strings.Cut(quietAddress(t), ":")
	p := newDesk(t).start(nil, "node_modules/.bin/conformance", "authorization",
		"--url", h.url, "--client-id", appID, "--resource", h.url+"/mcp", "-p", port, "-o", t.TempDir())
	shown := regexp.MustCompile(`(?m)^\s*(http://\S+/authorize\?\S+)`)
	h.eventually("the suite shows an address", time.Minute, func() bool { return shown.MatchString(p.out.String()) || p.ended() })
	found := shown.FindStringSubmatch(p.out.String())
	if found == nil {
		t.Fatalf("the suite shows no address:\n%s", p.said())
	}
	browser := newHuman(t)
	h.agree(browser, found[1], "", at, idp.Alice)
	out := p.wait()
	results := regexp.MustCompile(`(?m)^([✓✗~⚠-]) (\S+): `).FindAllStringSubmatch(out, -1)
	passed := 0
	for _, r := range results {
		if r[1] == "✓" {
			passed++
		}
	}
	t.Logf("conformance authorization: %d/%d", passed, len(results))
	if len(results) < 2 || passed < len(results) || strings.Contains(out, "WARNING") || strings.Contains(out, "SKIPPED") {
		t.Errorf("%d of %d scenarios passed\n%s", passed, len(results), out)
	}
}
