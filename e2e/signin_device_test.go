package e2e

import (
	"cmp"
	"fmt"
	"net/http"
	"net/url"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"porterhouse/sandbox"
	"porterhouse/sandbox/idp"
)

// goOn is on the button under a code that was typed.
const goOn = "Go on"

// onDevicePage is a person who reads a code on one screen and types it on another.
func (h *house) onDevicePage(p *human, w wish, at place, who idp.Person) {
	h.t.Helper()
	p.open(w.Device, "")
	if p.at.Path == "/signin" {
		p.signIn(at, who)
	}
	if f, _ := p.page.find(goOn); f != nil {
		p.press(goOn, "", func(form url.Values) { form.Set("user_code", strings.ToLower(w.Code)) })
	}
	p.reads(w.Code, who.Email)
	p.press(cmp.Or(w.Do, allow), "", func(form url.Values) { form.Del(w.Without) })
	if p.status != http.StatusOK {
		h.t.Fatalf("the device page answers with HTTP %d: %s", p.status, p.page.text)
	}
}

// post is a request as a program wrote it, byte for byte.
func (h *house) post(path, form string) (int, map[string]any) {
	h.t.Helper()
	return h.postJSON(path, "application/x-www-form-urlencoded", strings.NewReader(form))
}

// devicePoll is what clickhouse-client sends to /oauth/token, before the code.
const devicePoll = "grant_type=urn:ietf:params:oauth:grant-type:device_code&device_code="

// stockLogin is clickhouse-client as it is: its paths and forms are those of its source
// (programs/client, --login), and it is only told our URL and its client id. The person
// who does not agree to what without names leaves that out.
func (h *house) stockLogin(client string, at place, who idp.Person, without string) (device string, given map[string]any) {
	h.t.Helper()
	status, started := h.post("/oauth/device/code", "client_id="+client+"&scope=openid%20profile%20email%20offline_access&audience=control-plane-web")
	device, _ = started["device_code"].(string)
	code, _ := started["user_code"].(string)
	complete, _ := started["verification_uri_complete"].(string)
	interval, _ := started["interval"].(float64)
	if status != http.StatusOK || device == "" || code == "" || complete == "" || interval < 1 || started["expires_in"] != 600.0 {
		h.t.Fatalf("HTTP %d, %v", status, started)
	}
	if status, answer := h.post("/oauth/token", devicePoll+device+"&client_id="+client); status != http.StatusBadRequest || answer["error"] != "authorization_pending" {
		h.t.Errorf("before anybody agreed: HTTP %d, %v", status, answer)
	}
	h.onDevicePage(newHuman(h.t), wish{Device: complete, Code: code, Without: without}, at, who)
	h.eventually("the device has a token", time.Minute, func() bool {
		time.Sleep(time.Duration(interval) * time.Second) // as it was told
		status, given = h.post("/oauth/token", devicePoll+device+"&client_id="+client)
		return given["error"] != "authorization_pending" && given["error"] != "slow_down"
	})
	if status != http.StatusOK || given["access_token"] == nil {
		h.t.Fatalf("HTTP %d, %v", status, given)
	}
	return device, given
}

// clickhouse-client gets a token, renews it, and the code is used up.
func TestClickHouseClientDevice(t *testing.T) {
	t.Parallel() // it mostly waits
	h, at := signInHouse(t, "", settings{})
	device, given := h.stockLogin(appID, at, idp.Alice, "")
	access, _ := given["access_token"].(string)
	refresh, _ := given["refresh_token"].(string)
	if refresh == "" || !strings.Contains(h.whoami(access), idp.Alice.Email) {
		t.Fatalf("%v: %s", given, h.whoami(access))
	}
	status, given := h.post("/oauth/token", "grant_type=refresh_token&client_id="+appID+"&refresh_token="+refresh)
	access, _ = given["access_token"].(string)
	if status != http.StatusOK || !strings.Contains(h.whoami(access), idp.Alice.Email) {
		t.Errorf("renewed: HTTP %d, %v", status, given)
	}
	if status, answer := h.post("/oauth/token", devicePoll+device+"&client_id="+appID); status != http.StatusBadRequest || answer["access_token"] != nil {
		t.Errorf("the device code again: HTTP %d, %v", status, answer)
	}
}

// With such a token clickhouse-client logs in to ClickHouse itself, which asks us who
// that is. Who left out writing is not let in there: nothing would hold the session to
// reading. A token for agents is for the MCP door alone.
func TestClickHouseLogin(t *testing.T) {
	t.Parallel() // it mostly waits
	web, door := quietAddress(t), quietAddress(t)
	at, _ := oidcPlace(t, web)
	h := prepareHouse(t, "http://127.0.0.1:1", sandbox.Gateway{}, settings{env: []string{"KNOCK=" + knock}})
	configure := func(clickhouse, gateway string) {
		h.write("porterhouse.yaml", fmt.Sprintf(`
listen: %s
clusters: {main: {url: %q, user: %s, password: "file:gateway.password", authenticator: {listen: %q, path: "env:KNOCK"}}}
users: {name: "ph_{localpart}", domains: [example.com], local_users: {allow: [ph_alice]}}
audit: {file: %q, key: "file:audit.key"}
%s`, web, clickhouse, gateway, door, h.audit,
			at.house(fmt.Sprintf(", clickhouse-client: {grants: [device_code, refresh_token], scopes: [clickhouse:read, clickhouse:write, offline_access], resource: %q}", clickhouse))))
	}
	configure("http://127.0.0.1:1", "gateway")
	file, err := h.run("check", "authenticator")
	if err != nil {
		t.Fatal(err)
	}
	_, inside, _ := strings.Cut(file, "<clickhouse>")
	inside, _, _ = strings.Cut(inside, "</clickhouse>")
	db, gateway := freshClickHouse(t, sandbox.Options{ExtraConfig: inside, Init: []string{"CREATE USER ph_alice IDENTIFIED WITH http SERVER 'porterhouse' SCHEME 'BASIC'"}})
	h.write("gateway.password", gateway.Password)
	configure(db.HTTP, gateway.User)
	h.start(settings{})

	for _, c := range []struct {
		without string
		status  int
	}{{"", http.StatusOK}, {"clickhouse:write", http.StatusForbidden}} {
		_, given := h.stockLogin("clickhouse-client", at, idp.Alice, c.without)
		token, _ := given["access_token"].(string)
		if status, answer := loginAs(t, db, "ph_alice", token); status != c.status {
			t.Errorf("granted %v: %d %s\n%s", given["scope"], status, answer, h.log.String())
		}
		if who := h.whoami(token); !strings.Contains(who, "401") {
			t.Errorf("a token for the cluster is good at the MCP door: %s", who)
		}
	}
	agent := h.newAsking(appID, nowhere).mustSignIn(at, idp.Alice)
	if status, answer := loginAs(t, db, "ph_alice", agent.access); status != http.StatusForbidden {
		t.Errorf("with a token for agents: %d %s", status, answer)
	}
}

// mcp-remote without a browser on its own machine.
func TestRemoteDevice(t *testing.T) {
	t.Parallel() // it mostly waits
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
