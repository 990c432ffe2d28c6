package main

import (
	"reflect"
	"strings"
	"testing"
	"time"

	"porterhouse"
	"porterhouse/clickhouse"
	"porterhouse/directory"
	"porterhouse/gate"
	"porterhouse/statement"
)

// oneCluster is the least configuration with more said of its cluster.
func oneCluster(more string) string {
	return "clusters: {main: {url: 'http://127.0.0.1:8123', user: gw, password: 'env:CLICKHOUSE_PASSWORD', " + more + "}}\n" + leastTokens + leastAudit + leastUsers
}

const (
	aKnock     = "authenticator: {listen: '127.0.0.1:8444', path: 'env:KNOCK'}"
	aProvision = "user: prov, password: 'env:PROVISIONER', prefix: ph_"
	aProcessor = "token_processors: {corp: {type: openid, configuration_endpoint: 'https://idp.example.com/.well-known/openid-configuration'}}\n"
)

// What is said of the door, of access modes and of limits, and must not be served.
func TestHTTPDoorMistakes(t *testing.T) {
	door := func(text string) string { return "clickhouse_http: {" + text + "}\n" + least }
	rule := func(text string) string { return "limits: {rules: [{" + text + "}]}\n" + least }
	for _, test := range []struct{ name, text, want string }{
		{"no address", door("read_only: true"), "clickhouse_http: the door has no address"},
		{"no address of TLS", door("tls: {cert: a, key: b}"), "clickhouse_http.tls.listen: want an address"},
		{"half an address", door("listen: localhost"), "clickhouse_http.listen: want an address"},
		{"the server's address", door("listen: '127.0.0.1:8080'"), "clickhouse_http.listen: this address is taken"},
		{"one address for both", door("listen: '127.0.0.1:8123', tls: {listen: '127.0.0.1:8123', cert: a, key: b}"), "clickhouse_http.tls.listen: this address is taken"},
		{"the authenticator's address", "clickhouse_http: {listen: '127.0.0.1:8444'}\n" + oneCluster(aKnock), "clickhouse_http.listen: this address is taken"},
		{"plain beyond loopback", door("listen: '0.0.0.0:8123', public_url: 'http://127.0.0.1:8123'"), "clickhouse_http.listen: 0.0.0.0:8123 is reached from other machines"},
		{"no certificate", door("tls: {listen: '127.0.0.1:8443'}"), "clickhouse_http.tls.cert: TLS needs a certificate and its key"},
		{"half a certificate", door("tls: {listen: '127.0.0.1:8443', cert: a}"), "clickhouse_http.tls.key: the key of the certificate is missing"},
		{"no public URL", door("tls: {listen: '0.0.0.0:8443', cert: a, key: b}"), "clickhouse_http.public_url: say by which URL"},
		{"no public URL behind a proxy", "behind_tls_proxy: true\npublic_url: 'https://a.example.com'\n" + door("listen: '127.0.0.1:8123'"), "clickhouse_http.public_url: say by which URL"},
		{"a public URL with a path", door("listen: '127.0.0.1:8123', public_url: 'https://ch.example.com/clickhouse'"), "clickhouse_http.public_url: want only https://host"},
		{"a plain public URL", door("listen: '127.0.0.1:8123', public_url: 'http://ch.example.com'"), "clickhouse_http.public_url: clients beyond this machine must come by https"},
		{"https, and nobody speaks it", door("listen: '127.0.0.1:8123', public_url: 'https://ch.example.com'"), "clickhouse_http.public_url: it begins with https"},
		{"http, and nobody speaks it", door("tls: {listen: '127.0.0.1:8443', cert: a, key: b}, public_url: 'http://127.0.0.1:8443'"), "clickhouse_http.public_url: it begins with http"},
		{"passwords in another word", door("listen: '127.0.0.1:8123', passwords: allow"), "clickhouse_http.passwords: want one of refuse, pass"},
		{"ID tokens that nobody takes", door("listen: '127.0.0.1:8123', allow_id_tokens: true"), "clickhouse_http.allow_id_tokens: no token processor takes ID tokens"},
		{"no time", door("listen: '127.0.0.1:8123', limits: {time: 0s}"), "clickhouse_http.limits.time: want more than 0"},
		{"no bytes", door("listen: '127.0.0.1:8123', limits: {bytes: 0 B}"), "clickhouse_http.limits.bytes: want more than 0"},
		{"no memory", door("listen: '127.0.0.1:8123', limits: {memory: 0 B}"), "clickhouse_http.limits.memory: want more than 0"},
		{"no headers", door("listen: '127.0.0.1:8123', max_header: 0 B"), "clickhouse_http.max_header: want more than 0"},

		{"an unknown mode", oneCluster("access: {mode: impersonate}"), "clusters.main.access.mode: want one of"},
		{"verify without an authenticator", oneCluster("access: {mode: verify}"), "clusters.main.access.mode: with verify ClickHouse asks us"},
		{"verify with accounts to impersonate", oneCluster("access: {mode: verify}, " + aKnock + ", provision: {" + aProvision + ", mode: execute_as}"), "clusters.main.provision.mode: with access.mode verify"},
		{"execute_as with accounts that log in", oneCluster("access: {mode: execute_as}, " + aKnock + ", provision: {" + aProvision + ", mode: http}"), "clusters.main.access.mode: with provision.mode http"},
		{"forward of API tokens", oneCluster("access: {mode: forward}"), "clusters.main.access.mode: with forward the person's own token"},
		{"forward with accounts of ours", aProcessor + oneCluster("access: {mode: forward}, provision: {"+aProvision+"}"), "clusters.main.provision: with access.mode forward nobody acts"},
		{"forward with accounts for agents", aProcessor + strings.Replace(oneCluster("access: {mode: forward}"), leastUsers, "users: {personas: [{suffix: '#agent', clients: [x]}]}\n", 1), "clusters.main.access.mode: with forward ClickHouse makes"},
		{"forward with a shared account", aProcessor + strings.Replace(oneCluster("access: {mode: forward}"), leastUsers, "users: {name: all, allow_shared: true}\n", 1), "clusters.main.access.mode: with forward ClickHouse makes"},
		{"static with accounts of ours", oneCluster("access: {mode: static}, provision: {" + aProvision + "}"), "clusters.main.provision: with access.mode static nobody acts"},
		{"native for nothing", oneCluster("access: {mode: static, native: '127.0.0.1:9000'}"), "clusters.main.access.native: only execute_as and interserver need"},
		{"interserver without an address", oneCluster("access: {mode: interserver, cluster: c, secret: 'env:KNOCK'}"), "clusters.main.access.native: with interserver everything"},
		{"auto with half a secret", oneCluster("access: {mode: auto, native: '127.0.0.1:9000', cluster: c}"), "clusters.main.access.secret: the cluster's <secret> is missing"},
		{"auto with a secret for no port", oneCluster("access: {mode: auto, cluster: c, secret: 'env:KNOCK'}"), "clusters.main.access.native: with interserver everything"},
		{"interserver without a cluster", oneCluster("access: {mode: interserver, native: '127.0.0.1:9000', secret: 'env:KNOCK'}"), "clusters.main.access.cluster: say the name"},
		{"interserver without a secret", oneCluster("access: {mode: interserver, native: '127.0.0.1:9000', cluster: c}"), "clusters.main.access.secret: the cluster's <secret> is missing"},
		{"interserver in the clear", oneCluster("access: {mode: interserver, native: 'clickhouse:9000', cluster: c, secret: 'env:KNOCK'}"), "clusters.main.access.native: the gateway's password"},
		{"a cluster's secret for nothing", oneCluster("access: {mode: execute_as, cluster: c, secret: 'env:KNOCK'}"), "clusters.main.access.secret: whoever has a cluster's secret"},
		{"a shadow of itself", oneCluster("access: {mode: execute_as, shadow: execute_as}"), "clusters.main.access.shadow: execute_as is the cluster's own mode already"},
		{"a shadow of itself, unsaid", oneCluster("access: {shadow: execute_as}"), "clusters.main.access.shadow: execute_as is the cluster's own mode already"},
		{"a shadow of static", oneCluster("access: {mode: static, shadow: execute_as}"), "clusters.main.access.shadow: answers can be compared where"},
		{"a shadow of auto", oneCluster("access: {mode: auto, shadow: execute_as}"), "clusters.main.access.shadow: answers can be compared where"},
		{"a shadow by forward", oneCluster("access: {shadow: forward}"), "clusters.main.access.shadow: want one of execute_as, interserver, verify"},
		{"a shadow by verify without an authenticator", oneCluster("access: {shadow: verify}"), "clusters.main.access.shadow: with verify ClickHouse asks us"},
		{"a shadow by interserver without a secret", oneCluster("access: {native: '127.0.0.1:9000', shadow: interserver, cluster: c}"), "clusters.main.access.secret: the cluster's <secret> is missing"},
		{"a shadow by interserver without a cluster", oneCluster("access: {native: '127.0.0.1:9000', shadow: interserver, secret: 'env:KNOCK'}"), "clusters.main.access.cluster: say the name"},
		{"a shadow by interserver without an address", oneCluster("access: {shadow: interserver, cluster: c, secret: 'env:KNOCK'}"), "clusters.main.access.native: with interserver everything"},
		{"a shadow by interserver in the clear", oneCluster("access: {mode: verify, native: 'clickhouse:9000', shadow: interserver, cluster: c, secret: 'env:KNOCK'}, " + aKnock), "clusters.main.access.native: the gateway's password"},
		{"a shadow by execute_as without a user", strings.Replace(oneCluster("access: {mode: verify, shadow: execute_as}, "+aKnock), "user: gw, password: 'env:CLICKHOUSE_PASSWORD', ", "", 1), "clusters.main.access.shadow: for execute_as name the ClickHouse user"},
		{"a share of nothing", oneCluster("access: {shadow_share: 0.1}"), "clusters.main.access.shadow_share: say with which mode"},
		{"no share", oneCluster("access: {shadow: verify, shadow_share: 0}, " + aKnock), "clusters.main.access.shadow_share: want a share above 0"},
		{"more than all", oneCluster("access: {shadow: verify, shadow_share: 1.5}, " + aKnock), "clusters.main.access.shadow_share: want a share above 0"},
		{"a share that is no number", oneCluster("access: {shadow: verify, shadow_share: NaN}, " + aKnock), "clusters.main.access.shadow_share: want a share above 0"},
		{"interserver with accounts from nowhere", oneCluster("access: {mode: interserver, native: '127.0.0.1:9000', cluster: c, secret: 'env:KNOCK'}, provision: {" + aProvision + ", mode: execute_as}"), "clusters.main.provision.mode: with access.mode interserver"},
		{"native without a port", oneCluster("access: {native: localhost}"), "clusters.main.access.native: want an address"},
		{"native in the clear", oneCluster("access: {native: 'clickhouse:9000'}"), "clusters.main.access.native: the gateway's password"},
		{"TLS to nowhere", oneCluster("access: {native_tls: true}"), "clusters.main.access.native_tls: say where"},

		{"a limit without a name", rule("time: 5s"), "limits.rules[0].name: give the limit a name"},
		{"two limits of one name", rule("name: a, time: 5s}, {name: a, time: 5s"), "limits.rules[1].name: there are two limits"},
		{"a limit of nothing", rule("name: a, people: [bob]"), "limits.rules[0]: it bounds nothing"},
		{"queries without a window", rule("name: a, queries: 5"), "limits.rules[0]: queries and bytes are counted in a window"},
		{"a window without queries", rule("name: a, time: 5s, window: 1h"), "limits.rules[0]: a window is for queries or bytes"},
		{"a window too short to be one", rule("name: a, queries: 5, window: 1ms"), "limits.rules[0]: a window can be from 1s"},
		{"a queue without a number", rule("name: a, time: 5s, queue: 5"), "limits.rules[0]: a queue is for questions beyond concurrent"},
		{"per group of none", rule("name: a, time: 5s, per: group"), "limits.rules[0]: per group needs the groups"},
		{"per something else", rule("name: a, time: 5s, per: team"), "limits.rules[0].per: want one of"},
	} {
		t.Run(test.name, func(t *testing.T) {
			_, _, err := load(t, test.text)
			if err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("%v\nwant an error with %q", err, test.want)
			}
		})
	}
}

// What each mode lets pass at each door.
func TestDoorsByMode(t *testing.T) {
	const both = "clickhouse_http: {tls: {listen: '127.0.0.1:8443', cert: a, key: b}, limits: {time: 5m, bytes: 1 B}, allow: {settings: [x]}}\n"
	for mode, want := range map[string]gate.Pass{
		"execute_as": {Writes: true, Format: true, Settings: statement.Ordinary},
		"static":     {Writes: true, Format: true, Settings: statement.Ordinary},
		"verify":     {Writes: true, Format: true, Sources: true, Settings: statement.Unknown},
		"forward":    {Writes: true, Format: true, Sources: true, Settings: statement.Unknown},
	} {
		c, _ := mustLoad(t, both+aProcessor+oneCluster("access: {mode: "+mode+"}, "+aKnock))
		d := httpDoor{c}.gate("main")
		if d.Pass != want || d.Limits != (porterhouse.Limits{Time: 5 * time.Minute, Bytes: 1}) || !reflect.DeepEqual(d.Allow, gate.Allow{Settings: []string{"x"}}) || d.Queue != c.Limits.queue() {
			t.Errorf("%s: %+v, want it to pass %+v", mode, d, want)
		}
		c.ClickHouseHTTP.ReadOnly = true
		if d := (httpDoor{c}).gate("main"); d.Pass.Writes {
			t.Errorf("%s: a door that is read-only passes writes", mode)
		}
		if agent := agentDoor(c); agent.Pass != (gate.Pass{}) {
			t.Errorf("%s: the MCP door passes %+v", mode, agent.Pass)
		}
	}
}

// Without a word about it, the mode is the one that fits how accounts are made, and
// accounts are made as the mode needs.
func TestModesFollowOneAnother(t *testing.T) {
	for _, test := range []struct {
		name, text string
		mode       clickhouse.Mode
		made       directory.AccessMode
	}{
		{"nothing said", "provision: {" + aProvision + "}", clickhouse.ExecuteAs, directory.ExecuteAs},
		{"accounts that log in", aKnock + ", provision: {" + aProvision + ", mode: http}", clickhouse.Verify, directory.HTTP},
		{"accounts that log in elsewhere", "provision: {" + aProvision + ", mode: http, http_server: other}", clickhouse.ExecuteAs, directory.HTTP},
		{"auto", "access: {mode: auto}, " + aKnock + ", provision: {" + aProvision + ", mode: http}", clickhouse.Auto, directory.HTTP},
		{"auto, and accounts of which nothing is said", "access: {mode: auto, native: '127.0.0.1:9000'}, " + aKnock + ", provision: {" + aProvision + "}", clickhouse.Auto, directory.ExecuteAs},
		{"interserver", "access: {mode: interserver, native: '127.0.0.1:9000', cluster: c, secret: 'env:KNOCK'}, provision: {" + aProvision + ", gateway_hosts: [127.0.0.1]}", clickhouse.Interserver, directory.Interserver},
		{"verify", "access: {mode: verify}, " + aKnock + ", provision: {" + aProvision + "}", clickhouse.Verify, directory.HTTP},
	} {
		users := "users: {name: 'ph_{user}'}\n"
		c, _ := mustLoad(t, strings.Replace(oneCluster(test.text), leastUsers, users, 1))
		if cluster := c.Clusters["main"]; cluster.mode() != test.mode || cluster.provisionMode() != test.made {
			t.Errorf("%s: the mode is %s, accounts are for %s", test.name, cluster.mode(), cluster.provisionMode())
		}
	}
}

// With auto everything stands ready for what may be found: tickets where ClickHouse may
// ask us, tokens where there are some; and our gate is as strict as for the least of them.
func TestAutoStandsReady(t *testing.T) {
	users := func(text string) string {
		return strings.Replace(oneCluster("access: {mode: auto}"), leastUsers, "users: {local_users: {allow: [alice]}, "+text+"}\n", 1)
	}
	for _, test := range []struct {
		name, text     string
		verify, tokens bool
	}{
		{"nothing beside", oneCluster("access: {mode: auto}"), false, false},
		{"a secret", oneCluster("access: {mode: auto, native: '127.0.0.1:9000', cluster: c, secret: 'env:KNOCK'}"), false, false},
		{"an authenticator", oneCluster("access: {mode: auto}, " + aKnock), true, false},
		{"processors", aProcessor + oneCluster("access: {mode: auto}"), false, true},
		{"execute_as was said", aProcessor + oneCluster("access: {mode: execute_as}, "+aKnock), false, false},
		// Nor are there tokens where ClickHouse would make another account of them.
		{"accounts for agents", aProcessor + users("personas: [{suffix: '#agent', clients: [x]}]"), false, false},
		{"a template", aProcessor + users("name: 'ph_{user}'"), false, false},
		{"a local part", aProcessor + users("name: '{localpart}', domains: [corp.com]"), false, false},
		{"lower case", aProcessor + users("lower_case: true"), false, false},
		{"a shared account", aProcessor + users("name: all, allow_shared: true"), false, false},
		{"names as they are", aProcessor + users("name: '{user}'"), false, true},
		{"accounts that are made", aProcessor + strings.Replace(oneCluster("access: {mode: auto}, provision: {"+aProvision+"}"), leastUsers, "users: {name: 'ph_{user}'}\n", 1), false, false},
	} {
		c, _ := mustLoad(t, test.text)
		cluster := c.Clusters["main"]
		if cluster.mayVerify() != test.verify || (len(forwarded(c, "main")) > 0) != test.tokens || isOwnLogin(cluster.mode()) {
			t.Errorf("%s: tickets %t, tokens of %v, own login %t", test.name, cluster.mayVerify(), forwarded(c, "main"), isOwnLogin(cluster.mode()))
		}
	}
}

// By which URL clients come, and so what a token must be for.
func TestHTTPDoorURL(t *testing.T) {
	for text, want := range map[string]string{
		"listen: '127.0.0.1:8123'": "http://127.0.0.1:8123",
		"listen: '127.0.0.1:8123', tls: {listen: '127.0.0.1:8443', cert: a, key: b}":                            "https://127.0.0.1:8443",
		"tls: {listen: '0.0.0.0:8443', cert: a, key: b}, public_url: 'https://CH.example.com:8443/'":            "https://ch.example.com:8443",
		"listen: '10.0.0.1:8123', allow_plain_http: true, public_url: 'http://ch.example.com:8123'":             "http://ch.example.com:8123",
		"listen: '127.0.0.1:8123', tls: {listen: '0.0.0.0:443', cert: a, key: b}, public_url: 'https://ch.a.b'": "https://ch.a.b",
	} {
		c, _ := mustLoad(t, "clickhouse_http: {"+text+"}\n"+least)
		if r, url := (httpDoor{c}).resource(), (httpDoor{c}).url(); url != want || !reflect.DeepEqual(r.Audiences, []string{want}) || r.Door != "http" {
			t.Errorf("%s: %s, %+v", text, url, r)
		}
	}
	c, _ := mustLoad(t, "clickhouse_http: {listen: '127.0.0.1:8123', audiences: clickhouse}\n"+least)
	if r := (httpDoor{c}).resource(); !reflect.DeepEqual(r.Audiences, []string{"clickhouse"}) {
		t.Errorf("with an audience of its own: %+v", r)
	}
	c, _ = mustLoad(t, "tls: {cert: c.crt, key: c.key}\nclickhouse_http: {tls: {listen: '127.0.0.1:8443'}}\n"+least)
	if pair := (httpDoor{c}).pair(); !reflect.DeepEqual(pair, c.TLS) {
		t.Errorf("without files of its own the door has %+v", pair)
	}
}

// A rule becomes what the gate knows of it.
func TestLimitsRules(t *testing.T) {
	c, _ := mustLoad(t, "limits: {queue_wait: 7s, rules: [{name: a, groups: [g], concurrent: 2}, {name: b, clients: [c], per: rule, queries: 3, window: 1h, queue_wait: 0s}]}\n"+least)
	want := []gate.Rule{
		{Name: "a", Groups: []string{"g"}, Per: gate.PerPerson, Queue: gate.Queue{Running: 2, Wait: 7 * time.Second}},
		{Name: "b", Clients: []string{"c"}, Per: gate.PerRule, Queries: 3, Window: time.Hour},
	}
	if got := c.Limits.rules(); !reflect.DeepEqual(got, want) {
		t.Errorf("%+v\nwant %+v", got, want)
	}
	for _, door := range []gate.Door{httpDoor{c}.gate("main"), agentDoor(c)} {
		if !reflect.DeepEqual(door.Rules, want) {
			t.Errorf("a door has the rules %+v", door.Rules)
		}
	}
}
