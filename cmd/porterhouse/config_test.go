package main

import (
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"porterhouse"
)

const auditKey = "0123456789abcdef0123456789abcdef"

// environment is what env: finds in the tests.
func environment(name string) (string, bool) {
	value, ok := map[string]string{
		"CLICKHOUSE_PASSWORD": "hunter2", "PROVISIONER": "provides", "KNOCK": auditKey, "CLUSTER_SECRET": "shared", "PROVISIONER_PASSWORD": "provides",
		"AUTHENTICATOR_PATH": auditKey, "INTROSPECTION_SECRET": "asks", "TOKEN_KEY": auditKey, "GITHUB_SECRET": "asks", "REDIS_PASSWORD": "keeps", "SIGN_IN_SECRET": "signs", "MASTER_KEY": auditKey, "REPORTS_SECRET": auditKey + auditKey, "NIGHTLY_SECRET": auditKey, "PORTAL_SECRET": auditKey, "ASSISTANT_SECRET": auditKey, "AUDIT_KEY": auditKey, "SHORT": auditKey[:31], "EMPTY": "",
	}[name]
	return value, ok
}

// The least that is served, in parts, so that a test can leave one out.
const (
	leastCluster = "clusters: {main: {url: 'http://127.0.0.1:8123', user: gw, password: 'env:CLICKHOUSE_PASSWORD'}}\n"
	leastTokens  = "tokens: {file: tokens.json}\n"
	leastAudit   = "audit: {file: audit.jsonl, key: 'env:AUDIT_KEY'}\n"
	leastUsers   = "users: {local_users: {allow: [alice]}}\n"
	leastApart   = leastCluster + leastTokens + leastAudit // for tests with users of their own
	least        = leastApart + leastUsers
)

// load loads text as porterhouse.yaml of a directory of its own.
func load(t testing.TB, text string) (Config, string, error) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "porterhouse.yaml")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	c, err := loadConfig(path, environment)
	return c, filepath.Dir(path), err
}

func mustLoad(t testing.TB, text string) (Config, string) {
	t.Helper()
	c, dir, err := load(t, text)
	if err != nil {
		t.Fatalf("%v\nin\n%s", err, text)
	}
	return c, dir
}

func TestTheLeastConfiguration(t *testing.T) {
	c, dir := mustLoad(t, least)
	want := defaultConfig()
	want.Clusters = map[string]ClusterConfig{"main": {URL: "http://127.0.0.1:8123", User: "gw", Password: porterhouse.NewSecret("hunter2")}}
	want.Tokens.File = filepath.Join(dir, "tokens.json")
	want.Users.LocalUsers.Allow = []string{"alice"}
	want.Audit.File = filepath.Join(dir, "audit.jsonl")
	want.Audit.Key = porterhouse.NewSecret(auditKey)
	if !reflect.DeepEqual(c, want) {
		t.Errorf("loaded %+v\nwant   %+v", c, want)
	}
	if c.publicURL() != "http://127.0.0.1:8080" || c.weakenings() != nil {
		t.Errorf("public URL %s, weakenings %v", c.publicURL(), c.weakenings())
	}
}

// Every mistake is told with its place and what was meant.
func TestMistakes(t *testing.T) {
	for _, test := range []struct{ name, text, want string }{
		{"nothing", "", "porterhouse.yaml: the file is empty"},
		{"only a comment", "# nothing\n", "porterhouse.yaml: the file is empty"},
		{"a list", "- listen\n", ":1:1: the file: keys and their values are wanted"},
		{"a text", "listen\n", ":1:1: the file: keys and their values are wanted"},
		{"an unknown key", "lisen: 127.0.0.1:80\n" + least, ":1:1: lisen: there is no such key; did you mean listen?"},
		{"an unknown key below", "users:\n  lowercase: true\n" + leastApart, ":2:3: users.lowercase: there is no such key; did you mean lower_case?"},
		{"an unknown key in another style", "users: {lowerCase: true}\n" + leastApart, ":1:9: users.lowerCase: there is no such key; did you mean lower_case?"},
		{"an unknown key of a cluster", "clusters:\n  main:\n    pasword: x\n" + leastTokens + leastAudit, ":3:5: clusters.main.pasword: there is no such key; did you mean password?"},
		{"an unknown key like none", "tokens: {file: x, lifetime: 1d}\n" + leastCluster + leastAudit, ":1:19: tokens.lifetime: there is no such key; there are file"},
		{"a merge key", "users: {<<: {lower_case: true}}\n" + leastApart, ":1:9: users: a key is wanted here"},
		{"a key twice", "listen: 127.0.0.1:80\nlisten: 127.0.0.1:81\n" + least, ":2:1: listen: the key is there twice, first on line 1"},
		{"a section twice", "users: {deny: [a]}\nusers: {deny: [b]}\n" + leastApart, ":2:1: users: the key is there twice, first on line 1"},
		{"a tab", "users:\n\tlower_case: true\n" + leastApart, ":2:1: the line is indented by a tab"},
		{"a second document", least + "---\nlisten: 127.0.0.1:80\n", ":5:1: a second document begins here"},
		{"a broken second document", least + "---\n{\n", "not YAML"},
		{"not YAML", "users: {lower_case: true\n" + leastApart, "not YAML"},
		{"an anchor", "listen: &a 127.0.0.1:80\n" + least, ":1:9: listen: an anchor"},
		{"an alias", "users: {deny: &d [a], domains: *d}\n" + leastApart, ":1:15: users.deny: an anchor"},
		{"an alias of it", "users: {deny: &d [a], domains: *d}\n" + leastApart, ":1:32: users.domains: an alias"},
		{"a tag", "listen: !!str 127.0.0.1:80\n" + least, ":1:9: listen: a tag"},
		{"a key that is a list", "[a, b]: 1\n" + least, ":1:1: the file: a key is wanted here"},
		{"a number for an address", "listen: 8080\n" + least, ":1:9: listen: want a text: put it in quotes"},
		{"an address without a port", "listen: localhost\n" + least, ":1:9: listen: want an address host:port"},
		{"an address with a named port", "listen: localhost:http\n" + least, ":1:9: listen: want an address host:port"},
		{"an address with a large port", "listen: localhost:65536\n" + least, ":1:9: listen: want an address host:port"},
		{"an empty text", "listen: ''\n" + least, ":1:9: listen: there is nothing between the quotes"},
		{"nothing after the colon", "listen:\n" + least, ": listen: a text is wanted here"},
		{"a section for a value", "listen: {host: a}\n" + least, ":1:9: listen: a text is wanted here"},
		{"a value for a section", "users: alice\n" + leastApart, ":1:8: users: keys and their values are wanted"},
		{"a value for a list", "users: {deny: admin}\n" + leastApart, ":1:15: users.deny: a list is wanted here"},
		{"a number in a list", "users: {deny: [a, 5]}\n" + leastApart, ":1:19: users.deny[1]: want a text"},
		{"yes for true", "users: {lower_case: yes}\n" + leastApart, ":1:21: users.lower_case: want true or false"},
		{"a quoted true", "users: {lower_case: 'true'}\n" + leastApart, ":1:21: users.lower_case: want true or false"},
		{"an unknown word", "log: {level: verbose}\n" + least, ":1:14: log.level: want one of debug, info, warn, error"},
		{"a word in capitals", "log: {level: INFO}\n" + least, ":1:14: log.level: want one of"},
		{"a size without a unit", "limits: {bytes: 1000}\n" + least, ":1:17: limits.bytes: want a size with its unit"},
		{"a time without a unit", "limits: {time: 30}\n" + least, ":1:16: limits.time: want a time with its unit"},
		{"a fraction", "limits: {rows: 1.5}\n" + least, ":1:16: limits.rows: want a whole number"},
		{"a negative number", "limits: {queue: -1}\n" + least, ":1:17: limits.queue: want a whole number from 0"},
		{"a network with bits beyond", "trusted_proxies: [10.0.0.1/8]\nbehind_tls_proxy: true\n" + least, ":1:19: trusted_proxies[0]: the address has bits beyond its network: 10.0.0.0/8 is meant, or /32"},
		{"a network that is none", "trusted_proxies: [proxy]\nbehind_tls_proxy: true\n" + least, ":1:19: trusted_proxies[0]: want an address or a network"},
		{"two mistakes", "users: {lowercase: true}\nlog: {level: loud}\n" + leastApart, "log.level: want one of"},
	} {
		t.Run(test.name, func(t *testing.T) {
			_, _, err := load(t, test.text)
			if err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("%v\nwant an error with %q", err, test.want)
			}
		})
	}
}

func TestAllMistakesAreToldInOrder(t *testing.T) {
	for _, text := range []string{
		"listn: a\nlog: {level: loud, fromat: x}\nlimits: {rows: many}\n",                                      // cannot be read
		"limits: {rows: 0, queue_wait: 0s}\norigins: ['x']\ntrusted_proxies: [10.0.0.1]\nlisten: 0.0.0.0:80\n", // must not be served
	} {
		_, _, err := load(t, text+least)
		if err == nil {
			t.Fatal("accepted")
		}
		lines := strings.Split(err.Error(), "\n")
		lines = slices.DeleteFunc(lines, func(l string) bool { return strings.Contains(l, "public_url") }) // has no place
		for i, line := range lines {
			lines[i] = strings.Split(line, " ")[0]
		}
		if len(lines) < 4 || !slices.IsSorted(lines) {
			t.Errorf("want four or more lines in the order of the file:\n%v", err)
		}
	}
}

// Whatever an operator does wrong with a secret, the error does not show it.
func TestNoErrorShowsASecret(t *testing.T) {
	cluster := func(password string) string {
		return "clusters:\n  main:\n    url: http://127.0.0.1:8123\n    user: gw\n    " + password + "\n" + leastTokens + leastAudit
	}
	for name, text := range map[string]string{
		"in the file":             cluster("password: hunter2"),
		"in quotes":               cluster("password: 'hunter2'"),
		"without a space":         cluster("password:hunter2"),
		"with a star":             cluster("password: *hunter2"),
		"with an ampersand":       cluster("password: &hunter2 x"),
		"with an exclamation":     cluster("password: !hunter2 x"),
		"with a percent sign":     cluster("password: %hunter2"),
		"with an at":              cluster("password: @hunter2"),
		"with a bar":              cluster("password: |hunter2"),
		"as a list":               cluster("password: [hunter2]"),
		"as a mapping":            cluster("password: {hunter2: hunter2}"),
		"as a flow key":           "clusters: {main: {password:hunter2}}\n" + leastTokens + leastAudit,
		"as a flow key of a map":  "clusters: {password:hunter2}\n" + leastTokens + leastAudit,
		"as an unknown flow key":  "{password:hunter2}\n",
		"with an open quote":      cluster("password: \"hunter2"),
		"with a colon":            cluster("password: hunter2: x"),
		"with a bad escape":       cluster(`password: "hunter2\q"`),
		"as another type":         cluster("password: hunter2\n    max_connections: hunter2"),
		"in the URL":              "clusters: {main: {url: 'https://gw:hunter2@ch:8443', user: gw, password: 'env:CLICKHOUSE_PASSWORD'}}\n" + leastTokens + leastAudit,
		"in the path of the URL":  "clusters: {main: {url: 'https://ch:8443/?password=hunter2', user: gw, password: 'env:CLICKHOUSE_PASSWORD'}}\n" + leastTokens + leastAudit,
		"in a URL that is none":   "clusters: {main: {url: 'https://gw:hunter2@ch:84:43\x7f', user: gw, password: 'env:CLICKHOUSE_PASSWORD'}}\n" + leastTokens + leastAudit,
		"in the public URL":       "public_url: https://hunter2@example.com\n" + least,
		"for another key":         "limits: {rows: hunter2, time: hunter2, bytes: hunter2}\nlog: {level: hunter2}\n" + least,
		"with env: and a space":   cluster("password: 'env:hunter2 x'"),
		"a short one for audit":   leastCluster + leastTokens + "audit: {file: a, key: env:SHORT}\n",
		"a literal one for audit": leastCluster + leastTokens + "audit: {file: a, key: hunter2hunter2hunter2hunter2hunter2}\n",
	} {
		t.Run(name, func(t *testing.T) {
			_, _, err := load(t, text)
			if err == nil {
				t.Fatalf("accepted:\n%s", text)
			}
			if strings.Contains(err.Error(), "hunter2") || strings.Contains(err.Error(), auditKey[:8]) {
				t.Errorf("the error shows it: %v", err)
			}
		})
	}
}

func TestSecrets(t *testing.T) {
	dir := t.TempDir()
	file := func(name, text string, mode os.FileMode) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if err := os.Chmod(path, mode); err != nil {
			t.Fatal(err)
		}
		return path
	}
	for _, test := range []struct{ name, secret, want, problem string }{
		{"a variable", "env:CLICKHOUSE_PASSWORD", "hunter2", ""},
		{"a variable that is not set", "env:NOBODY", "", "the environment variable NOBODY is not set"},
		{"an empty variable", "env:EMPTY", "", "the environment variable EMPTY is empty"},
		{"no variable", "env:", "", "followed by the name"},
		{"a file", "file:" + file("a", "s3cret", 0o600), "s3cret", ""},
		{"a file with a line end", "file:" + file("b", "s3cret\n", 0o400), "s3cret", ""},
		{"a file from elsewhere", "file:" + file("c", "s3cret\r\n", 0o600), "s3cret", ""},
		{"a file with two lines", "file:" + file("d", " s3\ncret\n\n", 0o600), " s3\ncret\n", ""},
		{"a file of the group", "file:" + file("e", "s3cret", 0o440), "s3cret", ""},
		{"a file for everybody", "file:" + file("f", "s3cret", 0o604), "", "can be read by everybody"},
		{"a file that the group can write", "file:" + file("g", "s3cret", 0o620), "", "written by others"},
		{"a file that everybody can write", "file:" + file("h", "s3cret", 0o602), "", "written by others"},
		{"an empty file", "file:" + file("i", "\n", 0o600), "", "is empty"},
		{"a large file", "file:" + file("j", strings.Repeat("x", maxSecret+1), 0o600), "", "more than"},
		{"a directory", "file:" + dir, "", "not a regular file"},
		{"a device", "file:/dev/zero", "", "not a regular file"},
		{"no file", "file:" + filepath.Join(dir, "nobody"), "", "no such file"},
		{"no path", "file:", "", "does not stand in the file"},
		{"a literal", "s3cret", "", "does not stand in the file: put it into an environment variable and write env:NAME"},
		{"another case", "ENV:CLICKHOUSE_PASSWORD", "", "does not stand in the file"},
	} {
		t.Run(test.name, func(t *testing.T) {
			c, _, err := load(t, "clusters: {main: {url: 'http://127.0.0.1:8123', user: gw, password: '"+test.secret+"'}}\n"+leastTokens+leastUsers+leastAudit)
			if got := c.Clusters["main"].Password.Reveal(); got != test.want {
				t.Errorf("the secret is %q, want %q", got, test.want)
			}
			if (err == nil) != (test.problem == "") || err != nil && !strings.Contains(err.Error(), test.problem) {
				t.Errorf("%v, want %q", err, test.problem)
			}
		})
	}
}

// What can be read, and must not be served.
func TestConfigRefusals(t *testing.T) {
	const tlsPair = "tls: {cert: a, key: b}\n"
	url := func(text string) string {
		return "clusters: {main: {user: gw, password: 'env:CLICKHOUSE_PASSWORD', " + text + "}}\n" + leastTokens + leastAudit
	}
	for _, test := range []struct{ name, text, want string }{
		{"no authentication", leastCluster + leastAudit, "tokens.file: without token processors or a token file"},
		{"no record", leastCluster + leastTokens, "audit.file: say where"},
		{"no key of the record", leastCluster + leastTokens + "audit: {file: a}\n", "audit.key: the record's chain needs a key"},
		{"a short key of the record", leastCluster + leastTokens + "audit: {file: a, key: 'env:SHORT'}\n", "audit.key: the key has 31 bytes"},

		{"all interfaces without TLS", "listen: 0.0.0.0:80\npublic_url: https://a.b\n" + least, ":1:9: listen: 0.0.0.0:80 is reached from other machines"},
		{"all interfaces, in short", "listen: ':80'\npublic_url: https://a.b\n" + least, "is reached from other machines"},
		{"another interface", "listen: 192.168.1.1:80\npublic_url: https://a.b\n" + least, "is reached from other machines"},
		{"a host name", "listen: localhost.example.com:80\npublic_url: https://a.b\n" + least, "is reached from other machines"},
		{"all interfaces of IPv6", "listen: '[::]:80'\npublic_url: https://a.b\n" + least, "is reached from other machines"},
		{"half a certificate", "tls: {cert: a}\n" + least, ":1:6: tls.key: the key of the certificate is missing"},
		{"the other half", "tls: {key: a}\n" + least, "tls.cert: the certificate of the key is missing"},
		{"metrics on the same address", "metrics: {listen: '127.0.0.1:8080'}\n" + least, "metrics.listen: this is the address of the server itself"},
		{"metrics without a port", "metrics: {listen: '127.0.0.1'}\n" + least, "metrics.listen: want an address"},

		{"no public URL beyond loopback", "listen: 0.0.0.0:443\n" + tlsPair + least, "public_url: say by which URL"},
		{"no public URL behind a proxy", "behind_tls_proxy: true\n" + least, "public_url: say by which URL"},
		{"a plain public URL", "public_url: http://ch.example.com\n" + least, "public_url: clients beyond this machine must come by https"},
		{"a plain public URL and TLS", "public_url: http://localhost:8080\n" + tlsPair + least, "public_url: it begins with http,"},
		{"a plain public URL behind a proxy", "public_url: http://localhost:8080\nbehind_tls_proxy: true\n" + least, "public_url: it begins with http,"},
		{"a secure public URL without TLS", "public_url: https://localhost:8080\n" + least, "public_url: it begins with https,"},
		{"a public URL with a path", "public_url: https://a.b/mcp\n" + tlsPair + least, "without a path, query or fragment"},
		{"a public URL with a query", "public_url: https://a.b/?x\n" + tlsPair + least, "without a path, query or fragment"},
		{"a public URL with an empty query", "public_url: https://a.b?\n" + tlsPair + least, "without a path, query or fragment"},
		{"a public URL with a fragment", "public_url: 'https://a.b#'\n" + tlsPair + least, "without a path, query or fragment"},
		{"a public URL with a user", "public_url: https://x@a.b\n" + tlsPair + least, "no user or password"},
		{"a public URL without a scheme", "public_url: ch.example.com\n" + tlsPair + least, "must begin with https"},
		{"a public URL of another scheme", "public_url: ftp://a.b\n" + tlsPair + least, "must begin with https"},
		{"a public URL without a host", "public_url: https://\n" + tlsPair + least, "no proper host"},
		{"a public URL with an empty port", "public_url: 'https://a.b:'\n" + tlsPair + least, "no proper host"},
		{"a public URL with a star", "public_url: 'https://*.a.b'\n" + tlsPair + least, "no proper host"},
		{"a public URL beyond ASCII", "public_url: https://chéz.example\n" + tlsPair + least, "no proper host"},
		{"a public URL with a backslash", "public_url: 'https://a.b\\c'\n" + tlsPair + least, "public_url:"},

		{"trusted proxies without a proxy", "trusted_proxies: [10.0.0.0/8]\n" + least, "trusted_proxies: without behind_tls_proxy"},
		{"everybody a trusted proxy", "trusted_proxies: [0.0.0.0/0]\nbehind_tls_proxy: true\npublic_url: https://a.b\n" + least, "trusted_proxies: 0.0.0.0/0 is everybody"},
		{"everybody of IPv6", "trusted_proxies: ['::/0']\nbehind_tls_proxy: true\npublic_url: https://a.b\n" + least, "trusted_proxies: ::/0 is everybody"},
		{"an IPv4 network in IPv6", "trusted_proxies: ['::ffff:10.0.0.0/104']\n" + least, "IPv4 form"},
		{"every origin", "origins: ['*']\n" + least, "origins: the URL must begin"},
		{"the null origin", "origins: ['null']\n" + least, "origins: the URL must begin"},
		{"an origin with a slash", "origins: ['https://a.b/']\n" + least, "origins: browsers write this origin as https://a.b"},
		{"an origin in capitals", "origins: ['https://A.b']\n" + least, "origins: browsers write this origin as https://a.b"},

		{"no cluster", leastTokens + leastAudit, "clusters: no cluster is named"},
		{"an empty map of clusters", "clusters:\n" + leastTokens + leastAudit, "clusters: no cluster is named"},
		{"a cluster with an odd name", "clusters: {'a b': {}}\n" + leastTokens + leastAudit, "clusters: a key is wanted here"},
		{"no URL", url("tls: {}"), "clusters.main.url: say where"},
		{"no user", "clusters: {main: {url: 'http://localhost:8123', password: 'env:AUDIT_KEY'}}\n" + leastTokens + leastAudit, "clusters.main.user: name the ClickHouse user"},
		{"no password", "clusters: {main: {url: 'http://localhost:8123', user: gw}}\n" + leastTokens + leastAudit, "clusters.main.password: the gateway's password is missing"},
		{"plain HTTP beyond loopback", url("url: 'http://ch:8123'"), "clusters.main.url: the gateway's password and everybody's rows would travel unencrypted"},
		{"a URL with a path", url("url: 'https://ch:8443/clickhouse'"), "clusters.main.url: want only"},
		{"a URL of the native protocol", url("url: 'clickhouse://ch:9000'"), "clusters.main.url: the URL must begin"},
		{"certificates without TLS", url("url: 'http://localhost:8123', tls: {ca: a}"), "clusters.main.tls: the URL begins with http"},
		{"half a client certificate", url("url: 'https://ch:8443', tls: {cert: a}"), "clusters.main.tls.key: the key"},
		{"the other half of a client certificate", url("url: 'https://ch:8443', tls: {key: a}"), "clusters.main.tls.cert: the certificate"},
		{"no connections", url("url: 'https://ch:8443', max_connections: 0"), "clusters.main.max_connections: want more than 0"},

		{"a template with an unknown placeholder", "users: {name: '{usr}'}\n" + leastApart, "users: the template \"{usr}\" has the placeholder {usr}, and there are only {user} and {localpart}"},
		{"the local part of any domain", "users: {name: '{localpart}'}\n" + leastApart, "users: {localpart} needs the domains"},
		{"one account for all", "users: {name: analyst}\n" + leastApart, "users: by the template"},
		{"one account, the gateway's", "users: {name: GW, allow_shared: true}\n" + leastApart, "users: the template \"GW\" is an account that nobody may act as"},

		{"no rows", "limits: {rows: 0}\n" + least, ":1:16: limits.rows: want more than 0"},
		{"no time", "limits: {time: 0s}\n" + least, "limits.time: want more than 0"},
		{"negative time", "limits: {time: -5s}\n" + least, "limits.time: want more than 0"},
		{"no question", "limits: {concurrent_per_person: 0}\n" + least, "limits.concurrent_per_person: want more than 0"},
		{"no body", "http: {max_body: 0 B}\n" + least, "http.max_body: want more than 0"},
		{"no end of writing", "http: {write_timeout: 0s}\n" + least, "http.write_timeout: want more than 0"},
		{"no rotation", leastCluster + leastTokens + "audit: {file: a, key: 'env:AUDIT_KEY', rotate_at: 0 B}\n", "audit.rotate_at: want more than 0"},
	} {
		t.Run(test.name, func(t *testing.T) {
			_, _, err := load(t, test.text)
			if err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("%v\nwant an error with %q", err, test.want)
			}
		})
	}
}

func TestAccepted(t *testing.T) {
	for name, text := range map[string]string{
		"loopback by name":            "listen: localhost:8080\n" + least,
		"loopback of IPv6":            "listen: '[::1]:8080'\n" + least,
		"any free port":               "listen: 127.0.0.1:0\n" + least,
		"TLS on loopback":             "tls: {cert: a, key: b}\n" + least,
		"TLS on all interfaces":       "listen: ':443'\ntls: {cert: a, key: b}\npublic_url: https://ch.example.com\n" + least,
		"a proxy on this machine":     "behind_tls_proxy: true\npublic_url: https://ch.example.com\ntrusted_proxies: [127.0.0.1]\n" + least,
		"a proxy elsewhere":           "listen: 10.0.0.1:80\nbehind_tls_proxy: true\npublic_url: https://ch.example.com\ntrusted_proxies: [10.0.0.0/8]\n" + least,
		"a public URL on loopback":    "public_url: http://localhost:8080\n" + least,
		"a public URL of IPv6":        "public_url: 'http://[::1]:8080/'\n" + least,
		"plain HTTP that is allowed":  "clusters: {main: {url: 'http://ch:8123', user: gw, password: 'env:AUDIT_KEY', allow_plain_http: true}}\n" + leastTokens + leastUsers + leastAudit,
		"sections without keys":       "origins:\nlimits:\ntls:\nlog: {}\n" + least,
		"a list without items":        "users: {deny: [], local_users: {allow: [a]}}\norigins:\n" + leastApart,
		"comments and a document end": "# x\n---\n" + least + "...\n",
	} {
		t.Run(name, func(t *testing.T) { mustLoad(t, text) })
	}
}

func TestPublicURL(t *testing.T) {
	for listen, want := range map[string]string{
		"127.0.0.1:8080": "http://127.0.0.1:8080",
		"localhost:80":   "http://localhost:80",
		"[::1]:8080":     "http://[::1]:8080",
	} {
		if got := (Config{Listen: listen}).publicURL(); got != want {
			t.Errorf("listening on %s: %s", listen, got)
		}
		if got := (Config{Listen: listen, TLS: &TLSPair{}}).publicURL(); got != strings.Replace(want, "http", "https", 1) {
			t.Errorf("listening on %s with TLS: %s", listen, got)
		}
	}
}

func TestParseValues(t *testing.T) {
	for text, want := range map[string]int64{
		"1 B": 1, "64 MiB": 64 << 20, "64MiB": 64 << 20, "3KiB": 3 << 10, "2 GiB": 2 << 30, "1 TiB": 1 << 40, "1 kB": 1000, "5 MB": 5e6, "1 GB": 1e9, "1 TB": 1e12,
		"8388607 TiB": 8388607 << 40,
		"":            -1, "MiB": -1, "64": -1, "64 mib": -1, "64 Mib": -1, "-1 B": -1, "1.5 GiB": -1, "8388608 TiB": -1, "64 MiB ": -1, "1e3 B": -1, "9223372036854775808 B": -1, "0x10 B": -1,
	} {
		if got, err := parseSize(text); (err == nil) != (want >= 0) || err == nil && int64(got) != want {
			t.Errorf("size %q is %d, %v; want %d", text, got, err, want)
		}
	}
	const day = 24 * time.Hour
	for text, want := range map[string]time.Duration{
		"500ms": time.Second / 2, "30s": 30 * time.Second, "1h30m": 90 * time.Minute, "7d": 7 * day, "36500d": 36500 * day,
		"": -1, "30": -1, "d": -1, "1.5d": -1, "36501d": -1, "1d12h": -1, "1 h": -1, "1w": -1,
	} {
		if got, err := parseDuration(text); (err == nil) != (want >= 0) || err == nil && got != want {
			t.Errorf("time %q is %v, %v; want %v", text, got, err, want)
		}
	}
}

// No text makes the loader panic, and no error lacks the file's name.
func FuzzLoadConfig(f *testing.F) {
	for _, seed := range []string{least, "", "a: &a [*a]\n", "clusters: {main: {url: 'http://[::1%25x]'}}", "listen: 127.0.0.1:80\n---\n", "limits: {bytes: 9 TiB}\n\tx", "? [a]\n: b"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		d := &decoder{file: "fuzz.yaml", env: environment, found: map[string]place{}}
		c := defaultConfig()
		if root := d.parse([]byte(text)); root != nil {
			d.decode(root, &c)
		}
		if len(d.problems) == 0 {
			check{&c, d}.all()
		}
		if err := d.err(); err != nil && !strings.HasPrefix(err.Error(), "fuzz.yaml:") {
			t.Errorf("%v", err)
		}
	})
}
