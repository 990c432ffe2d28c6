package e2e

import (
	"net/http"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/modelcontextprotocol/go-sdk/mcp"

	"porterhouse/sandbox/idp"
)

// porterhouse runs a command of our own at a desk.
func (d *desk) porterhouse(h *house, arguments ...string) *running {
	d.t.Helper()
	cmd := h.command(arguments...)
	cmd.Env = append(append(os.Environ(), "GORACE=halt_on_error=1 exitcode=66", "PORTERHOUSE_KEYRING=off"), d.env()...)
	return d.run(cmd, "porterhouse "+arguments[0])
}

// login signs somebody in with the browser of the desk.
func (d *desk) login(h *house, at place, who idp.Person, arguments ...string) string {
	d.t.Helper()
	p, browser := d.porterhouse(h, append([]string{"login", h.url}, arguments...)...), newHuman(d.t)
	back := h.agree(browser, d.next(p), "http://127.0.0.1:", at, who)
	if back == nil {
		d.t.Fatalf("the browser ends at %s: %s", browser.at, browser.page.text)
	}
	browser.open(back.String(), "")
	browser.reads("You are signed in", "You can close this page")
	return p.wait()
}

// bridge connects a client that speaks stdio, in one of the eras.
func (d *desk) bridge(h *house, version string) *mcp.ClientSession {
	d.t.Helper()
	cmd := h.command("stdio", "--url", h.url)
	cmd.Env = append(append(os.Environ(), "PORTERHOUSE_KEYRING=off"), d.env()...)
	near := mcp.NewClient(&mcp.Implementation{Name: "near", Version: "1"}, nil)
	session, err := near.Connect(d.t.Context(), &mcp.CommandTransport{Command: cmd}, &mcp.ClientSessionOptions{ProtocolVersion: version})
	if err != nil {
		d.t.Fatal(err)
	}
	d.t.Cleanup(func() { _ = session.Close() }) // it may have ended with the login
	return session
}

// through is what a tool says through a bridge.
func through(t *testing.T, session *mcp.ClientSession, tool string) string {
	t.Helper()
	result, err := session.CallTool(t.Context(), &mcp.CallToolParams{Name: tool, Arguments: map[string]any{}})
	if err != nil {
		return err.Error()
	}
	return result.Content[0].(*mcp.TextContent).Text
}

// The command line signs in with the browser; scripts have its token, and clients that
// speak stdio have the server, until it signs out.
func TestCommandLineLogin(t *testing.T) {
	t.Parallel()
	h, at := signInHouse(t, "", settings{})
	d := newDesk(t)
	if said := d.login(h, at, idp.Alice); !strings.Contains(said, "Signed in at "+h.url+"/mcp as "+idp.Alice.Email) {
		t.Errorf("it said %s", said)
	}
	token := strings.TrimSpace(d.porterhouse(h, "token", h.url).wait())
	if said := h.whoami(token); !strings.Contains(said, "You are "+idp.Alice.Email) {
		t.Errorf("whoami says %s", said)
	}
	if again := strings.TrimSpace(d.porterhouse(h, "token").wait()); again != token {
		t.Error("a token that is good was refreshed")
	}
	var sessions []*mcp.ClientSession
	for _, version := range []string{"2025-11-25", "2026-07-28"} {
		session := d.bridge(h, version)
		if said := through(t, session, "whoami"); !strings.Contains(said, "You are "+idp.Alice.Email) {
			t.Errorf("%s: whoami says %s", version, said)
		}
		sessions = append(sessions, session)
	}
	if said := d.porterhouse(h, "logout").wait(); said != "Signed out at "+h.url+"/mcp.\n" {
		t.Errorf("it said %s", said)
	}
	for _, session := range sessions {
		h.eventually("the bridge knows no login", time.Minute, func() bool {
			return strings.Contains(through(t, session, "whoami"), "you are signed in nowhere: run porterhouse login")
		})
	}
}

// Where there is no browser, a code is shown. What the login may do is what was asked
// for, and a second login takes the place of the first.
func TestCommandLineDevice(t *testing.T) {
	t.Parallel()
	h, at := signInHouse(t, "", settings{})
	d := newDesk(t)
	d.login(h, at, idp.Alice)
	p := d.porterhouse(h, "login", "--device", "--scope", "clickhouse:read clickhouse:write", h.url)
	var page string
	h.eventually("the code is shown", time.Minute, func() bool {
		for _, line := range strings.Fields(p.notice.String()) {
			if strings.HasPrefix(line, h.url+"/device?user_code=") {
				page = line
			}
		}
		return page != "" && strings.Contains(p.notice.String(), "sign in nowhere else")
	})
	_, code, _ := strings.Cut(page, "user_code=")
	h.onDevicePage(newHuman(t), wish{Device: page, Code: code}, at, idp.Bob)
	if said := p.wait(); !strings.Contains(said, "clickhouse:write") || !strings.Contains(said, "offline_access") {
		t.Errorf("it said %s", said)
	}
	token := strings.TrimSpace(d.porterhouse(h, "token").wait())
	if said := h.whoami(token); !strings.Contains(said, "You are "+idp.Bob.Email) {
		t.Errorf("whoami says %s", said)
	}
}

// A no is told, and leaves nothing behind.
func TestCommandLineRefused(t *testing.T) {
	t.Parallel()
	h, at := signInHouse(t, "", settings{})
	d, browser := newDesk(t), newHuman(t)
	p := d.porterhouse(h, "login", h.url)
	h.toConsent(browser, d.next(p), at, idp.Alice)
	back := browser.press(refuse, "http://127.0.0.1:", nil)
	if back == nil {
		t.Fatalf("the browser ends at %s", browser.at)
	}
	browser.open(back.String(), "")
	browser.reads("Not signed in")
	if browser.status != http.StatusBadRequest {
		t.Errorf("the page has HTTP %d", browser.status)
	}
	<-p.done
	if p.err == nil || !strings.Contains(p.said(), "you did not agree, or are not let in") {
		t.Errorf("it ended with %v: %s", p.err, p.said())
	}
}
