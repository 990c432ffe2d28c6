package main

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"go.yaml.in/yaml/v3"

	"porterhouse/authenticator"
	"porterhouse/sandbox"
	"porterhouse/sandbox/idp"
)

const grafanaExample = "../../examples/grafana-keycloak"

// office is the example in a directory of its own, with secrets: only where things are
// differs from what stands in its files.
type office struct {
	dir   string
	realm realm
	idp   *idp.Issuer
	c     Config // its porterhouse.yaml, as it is
	db    *sandbox.Server
	door  string // URL
	trust *tls.Config
}

// realm is what of Keycloak's realm says how its tokens look.
type realm struct {
	Realm   string
	Users   []member
	Clients []struct {
		ClientID        string `json:"clientId"`
		Secret          string
		RedirectURIs    []string `json:"redirectUris"`
		ProtocolMappers []struct {
			ProtocolMapper string `json:"protocolMapper"`
			Config         map[string]string
		} `json:"protocolMappers"`
	}
}

// member is one of its people.
type member struct {
	Username, Email string
	EmailVerified   bool
	Groups          []string
}

// Each file of the example is what it has to be, and together they let Grafana's viewers
// in as themselves.
func TestGrafanaWithKeycloak(t *testing.T) {
	o := openOffice(t)
	t.Run("ClickHouse's file is the one that is printed", o.printedFile)
	t.Run("Grafana and Keycloak mean the same", o.names)
	t.Run("all files are mounted", o.mounts)
	o.start(t)
	t.Run("viewers", o.viewers)
	t.Run("strangers", o.strangers)
	t.Run("Grafana itself", o.grafanaItself)
}

func openOffice(t *testing.T) *office {
	t.Helper()
	o := &office{dir: t.TempDir()}
	if err := os.CopyFS(o.dir, os.DirFS(grafanaExample)); err != nil {
		t.Fatal(err)
	}
	script := exec.Command("sh", "make-secrets.sh")
	script.Dir = o.dir
	if out, err := script.CombinedOutput(); err != nil {
		t.Fatalf("make-secrets.sh: %v\n%s", err, out)
	}
	var err error
	if o.c, err = loadConfig(filepath.Join(o.dir, "porterhouse.yaml"), environment); err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal([]byte(o.read(t, "keycloak/realm.json")), &o.realm); err != nil {
		t.Fatal(err)
	}
	roots := x509.NewCertPool()
	if !roots.AppendCertsFromPEM([]byte(o.read(t, "secrets/ca.crt"))) {
		t.Fatal("secrets/ca.crt holds no certificate")
	}
	o.trust = &tls.Config{RootCAs: roots, ServerName: "porterhouse"}
	o.idp = idp.StartIssuer(t, idp.Options{})
	return o
}

func (o *office) read(t *testing.T, name string) string {
	t.Helper()
	return readText(t, filepath.Join(o.dir, name))
}

// fromEnvironment is where ClickHouse's file takes the address of the authenticator from.
const fromEnvironment = `<uri from_env="PORTERHOUSE_AUTHENTICATOR"/>`

// blockFor is ClickHouse's file for an address, without what is around it.
func (o *office) blockFor(t *testing.T, address string) string {
	t.Helper()
	file := strings.Replace(o.read(t, "clickhouse/porterhouse.xml"), fromEnvironment, "<uri>"+address+"</uri>", 1)
	if !strings.Contains(file, address) {
		t.Fatalf("there is no %s in\n%s", fromEnvironment, file)
	}
	file = strings.TrimPrefix(strings.TrimSpace(file), "<clickhouse>")
	return strings.TrimSuffix(file, "</clickhouse>")
}

func (o *office) printedFile(t *testing.T) {
	const address = "https://porterhouse:8444/0123456789abcdef"
	printed, err := authenticator.ClickHouseConfig(o.c.Clusters["main"].Authenticator.name(), address)
	if err != nil {
		t.Fatal(err)
	}
	bare := func(text string) string {
		text = regexp.MustCompile(`(?s)<!--.*?-->|</?clickhouse>`).ReplaceAllString(text, "")
		return strings.Join(strings.Fields(text), " ")
	}
	if got, want := bare(o.blockFor(t, address)), bare(printed); got != want {
		t.Errorf("clickhouse/porterhouse.xml has\n%s\nand check authenticator prints\n%s", got, want)
	}
	if env := o.read(t, ".env"); !strings.Contains(env, "\nPORTERHOUSE_AUTHENTICATOR=https://porterhouse:8444"+o.c.Clusters["main"].Authenticator.path().Reveal()+"\n") {
		t.Errorf("ClickHouse's environment has another address than porterhouse.yaml: %s", env)
	}
}

func (o *office) names(t *testing.T) {
	ini := map[string]string{}
	for line := range strings.Lines(o.read(t, "grafana/grafana.ini")) {
		if key, value, ok := strings.Cut(line, " = "); ok {
			ini[key] = strings.TrimSpace(value)
		}
	}
	client, issuer := o.realm.Clients[0], o.c.TokenProcessors["keycloak"].BaseURL
	for what, both := range map[string][2]string{
		"the client":       {ini["client_id"], client.ClientID},
		"its secret":       {strings.ReplaceAll(ini["client_secret"], "$__file{/secrets/grafana.secret}", "${GRAFANA_SECRET}"), client.Secret},
		"where to return":  {ini["root_url"] + "login/generic_oauth", client.RedirectURIs[0]},
		"where to sign in": {ini["auth_url"], issuer + "/protocol/openid-connect/auth"},
		"where tokens are": {ini["token_url"], issuer + "/protocol/openid-connect/token"},
		"the realm":        {issuer, "https://keycloak:9443/realms/" + o.realm.Realm},
		"whose tokens":     {o.c.TokenProcessors["keycloak"].ClientIDs[0], client.ClientID},
	} {
		if both[0] != both[1] {
			t.Errorf("%s: %q and %q", what, both[0], both[1])
		}
	}
	if env := o.read(t, ".env"); !strings.Contains(env, "GRAFANA_SECRET="+strings.TrimSpace(o.read(t, "secrets/grafana.secret"))+"\n") {
		t.Error("Keycloak and Grafana have different secrets")
	}
}

func (o *office) mounts(t *testing.T) {
	var compose struct {
		Services map[string]struct{ Volumes []string }
	}
	if err := yaml.Unmarshal([]byte(o.read(t, "compose.yaml")), &compose); err != nil {
		t.Fatal(err)
	}
	mounted := 0
	for name, service := range compose.Services {
		for _, volume := range service.Volumes {
			source, _, _ := strings.Cut(volume, ":")
			if !strings.HasPrefix(source, "./") {
				continue
			}
			mounted++
			if _, err := os.Stat(filepath.Join(o.dir, source)); err != nil {
				t.Errorf("%s: %v", name, err)
			}
		}
	}
	if mounted < 10 {
		t.Errorf("only %d files and directories are mounted", mounted)
	}
}

// start starts ClickHouse and Porterhouse with the files of the example.
func (o *office) start(t *testing.T) {
	t.Helper()
	held := addresses{}
	knock, err := held.take(0)
	if err != nil {
		t.Fatal(err)
	}
	c := o.c
	main := c.Clusters["main"]
	o.db = sandbox.ForTest(t, sandbox.Options{ExtraConfig: o.blockFor(t, "http://"+knock+main.Authenticator.path().Reveal())})
	main.URL, main.TLS = o.db.HTTP, ClusterTLS{} // the sandbox speaks no TLS
	here := *main.Authenticator
	here.Listen, here.TLS = knock, nil
	main.Authenticator = &here
	c.Clusters = map[string]ClusterConfig{"main": main}
	c.Listen, c.ClickHouseHTTP.TLS.Listen = "127.0.0.1:0", "127.0.0.1:0"
	keycloak := c.TokenProcessors["keycloak"]
	keycloak.BaseURL = o.idp.URL
	c.TokenProcessors = map[string]ProcessorConfig{"keycloak": keycloak}
	c.RemoteURLAllowHosts.Host, c.Identity.CA = texts{strings.TrimPrefix(o.idp.URL, "http://")}, ""

	p, err := openProcess(c, slog.New(slog.DiscardHandler), time.Now)
	if err != nil {
		t.Fatal(err)
	}
	o.setUp(t, c, p)
	s, err := listenAt(c, p, held)
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- s.run(ctx) }()
	t.Cleanup(func() {
		stop()
		if err := <-ended; err != nil {
			t.Errorf("the server ended with %v", err)
		}
	})
	o.door = "https://" + s.config.ClickHouseHTTP.TLS.Listen
}

// setUp runs the SQL of the example, and what check grants prints.
func (o *office) setUp(t *testing.T, c Config, p setup) {
	t.Helper()
	var statements []string
	for _, statement := range strings.Split(o.read(t, "clickhouse/setup.sql"), ";\n") {
		if regexp.MustCompile(`(?m)^[A-Z]`).MatchString(statement) {
			statements = append(statements, statement)
		}
	}
	printed := strings.Join(examination{Config: c, setup: p, roles: []string{"ch_analyst", "ch_north"}}.grants("main"), ";\n")
	quoted := func(name string) string { return "'" + strings.TrimSpace(o.read(t, "secrets/"+name)) + "'" }
	printed = strings.NewReplacer("<the gateway's password>", quoted("gateway.password"), "<the provisioner's password>", quoted("provisioner.password")).Replace(printed)
	for _, statement := range append(statements, strings.Split(printed, ";\n")...) {
		if err := o.db.Exec(t.Context(), statement); err != nil {
			t.Fatalf("%s: %v", statement, err)
		}
	}
}

// token is one that Keycloak makes of a person of the realm, by the client's mappers.
func (o *office) token(t *testing.T, username string, change ...func(idp.Claims)) string {
	t.Helper()
	at := slices.IndexFunc(o.realm.Users, func(m member) bool { return m.Username == username })
	if at < 0 {
		t.Fatalf("there is no %s in the realm", username)
	}
	user, client := o.realm.Users[at], o.realm.Clients[0]
	claims := o.idp.Keycloak(idp.Person{Subject: "f0e1-" + user.Username, Name: user.Username, Email: user.Email, Unverified: !user.EmailVerified}, "account", client.ClientID)
	claims["aud"], claims["groups"] = "account", nil
	for _, m := range client.ProtocolMappers {
		if m.Config["access.token.claim"] != "true" {
			continue
		}
		switch m.ProtocolMapper {
		case "oidc-audience-mapper":
			claims["aud"] = []string{m.Config["included.custom.audience"], "account"}
		case "oidc-group-membership-mapper":
			groups := slices.Clone(user.Groups)
			if m.Config["full.path"] == "false" {
				for i, path := range groups {
					groups[i] = path[strings.LastIndexByte(path, '/')+1:]
				}
			}
			claims[m.Config["claim.name"]] = groups
		default:
			t.Fatalf("the test does not know the mapper %s", m.ProtocolMapper)
		}
	}
	for _, c := range change {
		c(claims)
	}
	return o.idp.Sign(claims)
}

// ask asks the door, as Grafana does.
func (o *office) ask(t *testing.T, sql string, credential func(*http.Request)) (int, string) {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), http.MethodPost, o.door+"/?database=sales", strings.NewReader(sql))
	if err != nil {
		t.Fatal(err)
	}
	credential(request)
	client := &http.Client{Transport: &http.Transport{TLSClientConfig: o.trust, DisableKeepAlives: true}}
	response, err := client.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	return response.StatusCode, string(text)
}

func bearer(token string) func(*http.Request) {
	return func(r *http.Request) { r.Header.Set("Authorization", "Bearer "+token) }
}

// The query of the README, as its two people.
func (o *office) viewers(t *testing.T) {
	_, after, _ := strings.Cut(o.read(t, "README.md"), "```sql\n")
	sql, _, _ := strings.Cut(after, "```")
	sql = strings.TrimSpace(strings.ReplaceAll(sql, "   SELECT", "SELECT"))
	for name, want := range map[string]*regexp.Regexp{
		"alice": regexp.MustCompile(`^(north|south)\t\d+\tph_alice\n(north|south)\t\d+\tph_alice\n$`),
		"bob":   regexp.MustCompile(`^north\t\d+\tph_bob\n$`),
	} {
		if status, text := o.ask(t, sql, bearer(o.token(t, name))); status != 200 || !want.MatchString(text) {
			t.Errorf("%s: %d %s", name, status, text)
		}
	}
	if status, text := o.ask(t, "INSERT INTO orders SELECT now(), 'north', 1", bearer(o.token(t, "alice"))); status == 200 {
		t.Errorf("the door is read-only, and answers %d %s", status, text)
	}
}

func (o *office) strangers(t *testing.T) {
	for name, change := range map[string]func(idp.Claims){
		"without the audience mapper": func(c idp.Claims) { c["aud"] = "account" },
		"of another application":      func(c idp.Claims) { c["azp"] = "wiki" },
		"that has ended":              func(c idp.Claims) { c["exp"] = time.Now().Add(-time.Hour).Unix() },
	} {
		if status, text := o.ask(t, "SELECT 1", bearer(o.token(t, "alice", change))); status != 403 || !strings.Contains(text, "Code: 516.") {
			t.Errorf("a token %s: %d %s", name, status, text)
		}
	}
}

// What Grafana has in its data source is a user and a token that the README makes.
func (o *office) grafanaItself(t *testing.T) {
	command := regexp.MustCompile(`porterhouse (token create .*?) > secrets/grafana.token`).FindStringSubmatch(o.read(t, "README.md"))
	if command == nil {
		t.Fatal("the README makes no token for Grafana")
	}
	var out, log strings.Builder
	args := strings.Fields(strings.Replace(command[1], "porterhouse.yaml", filepath.Join(o.dir, "porterhouse.yaml"), 1))
	if code := run(t.Context(), terminal{strings.NewReader(""), &out, &log, environment}, args); code != 0 {
		t.Fatalf("%s: %d %s", command[1], code, log.String())
	}
	var file struct {
		Datasources []struct {
			JSONData struct {
				Host, Protocol, Username string
				Port                     int
				Secure                   bool
				Forward                  bool `yaml:"oauthPassThru"`
			} `yaml:"jsonData"`
		}
	}
	if err := yaml.Unmarshal([]byte(o.read(t, "grafana/clickhouse.yaml")), &file); err != nil {
		t.Fatal(err)
	}
	source := file.Datasources[0].JSONData
	if url := fmt.Sprintf("https://%s:%d", source.Host, source.Port); url != (httpDoor{o.c}).url() || !source.Secure || !source.Forward || source.Protocol != "http" {
		t.Errorf("the data source is %+v, and the door is at %s", source, httpDoor{o.c}.url())
	}
	itself := func(r *http.Request) { r.SetBasicAuth(source.Username, strings.TrimSpace(out.String())) }
	for until := time.Now().Add(10 * time.Second); time.Now().Before(until); time.Sleep(100 * time.Millisecond) {
		if status, _ := o.ask(t, "SELECT 1", itself); status == 200 { // the server looks at the file once in a while
			break
		}
	}
	for sql, want := range map[string]string{"SELECT currentUser(), currentDatabase()": "ph_grafana\tsales\n", "SHOW TABLES": "orders\n"} {
		if status, text := o.ask(t, sql, itself); status != 200 || text != want {
			t.Errorf("%s: %d %s", sql, status, text)
		}
	}
	if status, text := o.ask(t, "SELECT count(amount) FROM orders", itself); status == 200 {
		t.Errorf("Grafana itself sees rows: %s", text)
	}
}
