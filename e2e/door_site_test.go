package e2e

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"math/big"
	mathrand "math/rand/v2"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"porterhouse/sandbox"
)

// The access modes that the HTTP door is tried in.
const (
	executeAs = "execute_as"
	verify    = "verify"
	static    = "static"

	interserver = "interserver" // for TestModes and TestHosts: it carries few formats
	forward     = "forward"     // for TestModes alone: to a stand-in (modes_forward_test.go)
)

// clusterSecret is that of ClickHouse's own cluster, for the mode interserver.
const clusterSecret = "of the cluster alone"

const clusterXML = "<remote_servers><house><secret>" + clusterSecret + "</secret><shard><replica><host>127.0.0.1</host><port>9000</port></replica></shard></house></remote_servers>"

// siteLimits are the limits of a site.
const siteLimits = "limits: {rules: [{name: of one guest, people: [guest3@example.com], queries: 2, window: 1h}]}\n"

// site is a ClickHouse, and a Porterhouse in front of it with the HTTP door open, in
// one access mode. Whoever goes through the door can go straight to ClickHouse, too,
// as the same account, with a password: so that both answers can be compared.
type site struct {
	*house
	db      *sandbox.Server
	gateway sandbox.Gateway
	mode    string

	company *company // that gives out tokens; in the mode forward
	letIn   string   // how people's accounts at ClickHouse are identified

	plain, secure string // URLs of the door
	ca            string // path of the certificate that the secure one is to be trusted by

	straight, through way // as Carol; in the mode static as the gateway
}

// way is one of the two ways to ClickHouse, with what opens it.
type way struct{ url, user, secret string }

// carolsPassword is what Carol logs in to ClickHouse with, straight.
const carolsPassword = "carol's own"

// everyMode runs f in a subtest for each access mode, each with a site of its own, beside
// the other tests that may run so.
func everyMode(t *testing.T, f func(t *testing.T, s *site)) {
	t.Helper()
	t.Parallel()
	for _, mode := range modes {
		t.Run(mode, func(t *testing.T) {
			t.Parallel()
			f(t, openSite(t, mode, ""))
		})
	}
}

var modes = []string{verify, static, executeAs}

// openSite starts both; extra is YAML of the HTTP door.
func openSite(t *testing.T, mode, extra string) *site {
	t.Helper()
	s := &site{mode: mode, letIn: "http SERVER 'porterhouse' SCHEME 'BASIC'"}
	key, authenticator, plain, secure := "", quietAddress(t), quietAddress(t), quietAddress(t)
	s.plain, s.secure = "http://"+plain, "https://"+secure
	s.house = prepareHouse(t, "http://127.0.0.1:1", sandbox.Gateway{}, settings{})
	processors := ""
	if mode == forward {
		s.company, s.letIn = openCompany(t), takesTokens
		processors, extra = s.company.processors(), extra+s.company.doors()
	}
	s.ca, key = s.writeCertificate()
	configure := func(gateway sandbox.Gateway, clickhouse, native string) {
		s.write("gateway.password", gateway.Password)
		access := "{mode: " + mode + "}"
		switch mode {
		case executeAs:
			access = fmt.Sprintf("{mode: %s, native: %q}", mode, native)
		case interserver:
			access = fmt.Sprintf("{mode: %s, native: %q, cluster: house, secret: %q}", mode, native, "file:cluster.secret")
			s.write("cluster.secret", clusterSecret)
		}
		s.write("porterhouse.yaml", fmt.Sprintf(`
listen: 127.0.0.1:0
clusters:
  main:
    url: %q
    user: %s
    password: "file:gateway.password"
    access: %s
    authenticator: {listen: %q, path: env:KNOCK}
clickhouse_http: {listen: %q, tls: {listen: %q, cert: %q, key: %q}%s}
users: {name: "{localpart}", domains: [example.com], local_users: {allow: [alice, bob, carol, driver, "guest*"]}}
%stokens: {file: tokens.json}
audit: {file: %q, key: "file:audit.key"}
%s`, clickhouse, gateway.User, access, authenticator, plain, secure, s.ca, key, extra, siteLimits, s.audit, processors))
	}
	s.env = []string{"KNOCK=" + knock}
	configure(sandbox.Gateway{User: "porterhouse"}, "http://127.0.0.1:1", "127.0.0.1:1")
	s.db, s.gateway = freshClickHouse(t, sandbox.Options{ExtraConfig: s.authenticatorXML(authenticator) + "<timezone>UTC</timezone>" + clusterXML})
	s.giveRights()
	address := s.db.HTTP
	if mode == forward {
		address = s.company.clickHouse(t, s.db)
	}
	configure(s.gateway, address, s.db.Native)
	for _, person := range sandbox.People() {
		s.tokens[person.Account] = s.tokenOf(person.Account, "1h")
	}
	s.start(settings{})
	s.straight = way{s.db.HTTP, "carol", carolsPassword}
	s.through = way{s.plain, "carol", s.tokens["carol"]}
	if mode == static {
		s.straight.user, s.straight.secret = s.gateway.User, s.gateway.Password
	}
	return s
}

// quietAddress is one that nobody listens on, and none of those that the system gives to
// outgoing connections (on Linux 32768 and up): one of them could take it before the door
// does, or while Porterhouse is killed and started again.
func quietAddress(t *testing.T) string {
	t.Helper()
	for range 100 {
		listener, err := net.Listen("tcp", fmt.Sprintf("127.0.0.1:%d", 10_000+mathrand.N(20_000)))
		if err == nil {
			defer listener.Close()
			return listener.Addr().String()
		}
	}
	t.Fatal("no port is free")
	return ""
}

// authenticatorXML is what the program itself tells an operator to give ClickHouse.
func (s *site) authenticatorXML(address string) string {
	s.t.Helper()
	file, err := s.run("check", "authenticator")
	if err != nil || !strings.Contains(file, address) {
		s.t.Fatalf("check authenticator: %v\n%s", err, file)
	}
	_, inside, _ := strings.Cut(file, "<clickhouse>")
	inside, _, _ = strings.Cut(inside, "</clickhouse>")
	return inside
}

// giveRights lets Carol in with her password or as Porterhouse says, gives her what the
// requests need, and the gateway the same, for the mode in which it is everybody.
func (s *site) giveRights() {
	s.t.Helper()
	both := []string{"CREATE TEMPORARY TABLE, CREATE ARBITRARY TEMPORARY TABLE ON *.*", "SELECT ON system.*", "analyst", "author", "extra"}
	statements := []string{
		"CREATE ROLE extra", "CREATE TABLE scratch.vault (n UInt8) ENGINE = Memory", "INSERT INTO scratch.vault VALUES (42)",
		"CREATE DATABASE safe", "CREATE TABLE safe.secret (n UInt8) ENGINE = Memory", "INSERT INTO safe.secret VALUES (7)", "GRANT SELECT ON safe.* TO extra",
	}
	for _, right := range both {
		statements = append(statements, "GRANT "+right+" TO carol, "+s.gateway.User)
	}
	for _, user := range []string{"carol", s.gateway.User} {
		statements = append(statements, "ALTER USER "+user+" DEFAULT ROLE ALL EXCEPT extra")
	}
	statements = append(statements,
		`ALTER USER carol IDENTIFIED WITH plaintext_password BY 'carol\'s own', `+s.letIn,
		"ALTER USER alice IDENTIFIED WITH "+s.letIn, "ALTER USER bob IDENTIFIED WITH "+s.letIn)
	s.exec(statements...)
}

// tokenOf is a token of somebody that is good for so long: one of the identity provider
// where ClickHouse takes those, else one of Porterhouse's own.
func (s *site) tokenOf(account, lifetime string) string {
	s.t.Helper()
	if s.company != nil {
		return s.company.token(s.t, account, lifetime, clickHouseAudience)
	}
	out, err := s.run("token", "create", "--user", account+"@example.com", "--expires", lifetime, "--client", "e2e")
	if err != nil {
		s.t.Fatal(err)
	}
	return strings.TrimSpace(out)
}

// exec runs statements as ClickHouse's admin.
func (s *site) exec(statements ...string) {
	s.t.Helper()
	for _, sql := range statements {
		if err := s.db.Exec(s.t.Context(), sql); err != nil {
			s.t.Fatal(err)
		}
	}
}

// text asks ClickHouse as its admin.
func (s *site) text(sql string) string {
	s.t.Helper()
	text, err := s.db.Text(s.t.Context(), sql)
	if err != nil {
		s.t.Fatal(err)
	}
	return text
}

// inTest is the same site, in a subtest.
func (s *site) inTest(t *testing.T) *site {
	sub := *s
	sub.house = s.in(t)
	return &sub
}

// running tells how many queries with text run in ClickHouse.
func (s *site) running(text string) string {
	s.t.Helper()
	return s.text("SELECT count() FROM system.processes WHERE query LIKE '%" + text + "%' AND query NOT LIKE '%system.processes%'")
}

// trust is what a client needs to trust the door's certificate.
func (s *site) trust() *tls.Config {
	s.t.Helper()
	pem, err := os.ReadFile(s.ca)
	if err != nil {
		s.t.Fatal(err)
	}
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(pem)
	return &tls.Config{RootCAs: roots}
}

// client speaks HTTP/1.1 to either way, or HTTP/2 to the secure one, and decodes nothing.
func (s *site) client() *http.Client {
	transport := &http.Transport{DisableCompression: true, TLSClientConfig: s.trust(), ForceAttemptHTTP2: true}
	s.t.Cleanup(transport.CloseIdleConnections)
	return &http.Client{Transport: transport}
}

// writeCertificate makes the door's certificate, which is its own authority.
func (h *house) writeCertificate() (certificate, key string) {
	h.t.Helper()
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		h.t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "clickhouse.example.com"},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(24 * time.Hour),
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, DNSNames: []string{"localhost"},
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign | x509.KeyUsageDigitalSignature,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, private.Public(), private)
	if err != nil {
		h.t.Fatal(err)
	}
	secret, err := x509.MarshalPKCS8PrivateKey(private)
	if err != nil {
		h.t.Fatal(err)
	}
	h.write("door.crt", string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})))
	h.write("door.key", string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: secret})))
	return filepath.Join(h.dir, "door.crt"), filepath.Join(h.dir, "door.key")
}
