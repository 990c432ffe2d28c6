package e2e

import (
	"cmp"
	"net/http"
	"net/url"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"porterhouse/sandbox/idp"
)

// goOn is on the button under a code that was typed.
const goOn = "Go on"

// onDevicePage is a person who reads a code on one screen and types it on another.
func (h *house) onDevicePage(p *human, w wish, at place, who idp.Person) {
	h.t.Helper()
	p.open(cmp.Or(w.Device, w.Page), "")
	if p.at.Path == "/signin" {
		p.signIn(at, who)
	}
	if f, _ := p.page.find(goOn); f != nil {
		p.press(goOn, "", func(form url.Values) { form.Set("user_code", strings.ToLower(w.Code)) })
	}
	p.reads(w.Code, who.Email)
	p.press(cmp.Or(w.Do, allow), "", nil)
	if p.status != http.StatusOK {
		h.t.Fatalf("the device page answers with HTTP %d: %s", p.status, p.page.text)
	}
}

// post is a request as a program wrote it, byte for byte.
func (h *house) post(path, form string) (int, map[string]any) {
	h.t.Helper()
	return h.postJSON(path, "application/x-www-form-urlencoded", strings.NewReader(form))
}

// clickhouse-client as it is: its paths and forms are those of its source
// (programs/client, --login), and it is only told our URL and its client id.
func TestClickHouseClientDevice(t *testing.T) {
	h, at := signInHouse(t, "", settings{})
	const poll = "grant_type=urn:ietf:params:oauth:grant-type:device_code&device_code="
	status, started := h.post("/oauth/device/code", "client_id="+appID+"&scope=openid%20profile%20email%20offline_access&audience=control-plane-web")
	device, _ := started["device_code"].(string)
	code, _ := started["user_code"].(string)
	complete, _ := started["verification_uri_complete"].(string)
	interval, _ := started["interval"].(float64)
	if status != http.StatusOK || device == "" || code == "" || complete == "" || interval < 1 || started["expires_in"] != 600.0 {
		t.Fatalf("HTTP %d, %v", status, started)
	}
	if status, answer := h.post("/oauth/token", poll+device+"&client_id="+appID); status != http.StatusBadRequest || answer["error"] != "authorization_pending" {
		t.Errorf("before anybody agreed: HTTP %d, %v", status, answer)
	}
	h.onDevicePage(newHuman(t), wish{Device: complete, Code: code}, at, idp.Alice)
	var given map[string]any
	h.eventually("the device has a token", time.Minute, func() bool {
		time.Sleep(time.Duration(interval) * time.Second) // as it was told
		status, given = h.post("/oauth/token", poll+device+"&client_id="+appID)
		return given["error"] != "authorization_pending" && given["error"] != "slow_down"
	})
	access, _ := given["access_token"].(string)
	refresh, _ := given["refresh_token"].(string)
	if status != http.StatusOK || refresh == "" || !strings.Contains(h.whoami(access), idp.Alice.Email) {
		t.Fatalf("HTTP %d, %v: %s", status, given, h.whoami(access))
	}
	status, given = h.post("/oauth/token", "grant_type=refresh_token&client_id="+appID+"&refresh_token="+refresh)
	access, _ = given["access_token"].(string)
	if status != http.StatusOK || !strings.Contains(h.whoami(access), idp.Alice.Email) {
		t.Errorf("renewed: HTTP %d, %v", status, given)
	}
	if status, answer := h.post("/oauth/token", poll+device+"&client_id="+appID); status != http.StatusBadRequest || answer["access_token"] != nil {
		t.Errorf("the device code again: HTTP %d, %v", status, answer)
	}
}

// mcp-remote without a browser on its own machine.
func TestRemoteDevice(t *testing.T) {
	h, at := signInHouse(t, "", settings{})
	d := newDesk(t)
	p := d.start([]string{"MCP_REMOTE_CONFIG_DIR=" + filepath.Join(d.dir, "remote")},
		"node_modules/.bin/mcp-remote", h.url+"/mcp", "--device-code", "--static-oauth-client-info", `{"client_id": "`+appID+`"}`)
	p.tell(map[string]any{"jsonrpc": "2.0", "id": 1, "method": "initialize", "params": map[string]any{
		"protocolVersion": sessions, "capabilities": map[string]any{}, "clientInfo": clientInfo(),
	}})
	shown := regexp.MustCompile(`visit:\s+\S*\s*(http\S+user_code=(\S+))`)
	h.eventually("mcp-remote shows a code", time.Minute, func() bool { return shown.MatchString(p.notice.String()) || p.ended() })
	found := shown.FindStringSubmatch(p.notice.String())
	if found == nil {
		t.Fatalf("mcp-remote shows no code:\n%s", p.said())
	}
	h.onDevicePage(newHuman(t), wish{Device: found[1], Code: found[2]}, at, idp.Bob)
	if who := bridged(p); !strings.Contains(who, "You are "+idp.Bob.Email+" ") {
		t.Errorf("whoami says %q", who)
	}
}
