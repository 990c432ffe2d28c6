package main

import (
	"encoding/json"
	"flag"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"porterhouse/clickhouse"
	"porterhouse/doctor"
	"porterhouse/sandbox"
	"porterhouse/sandbox/fake"
)

// examinedIn is what porterhouse check says of a persona, and how long it took.
type examinedIn struct {
	examined
	code int
	took time.Duration
}

// stand lets a persona stand in front of the real server, and configures its cluster as its
// operator would, who leaves it to auto.
func (c checked) stand(p fake.Persona) {
	c.Helper()
	s, err := fake.Start(p, c.real.HTTP)
	if err != nil {
		c.Fatal(err)
	}
	c.Cleanup(func() {
		if err := s.Close(); err != nil {
			c.Error(err)
		}
	})
	access, tls, provision, processors := "mode: auto", "", "", ""
	if p.HasSecret {
		access += fmt.Sprintf(", native: %q, cluster: %s, secret: env:SECRET", c.real.Native, fake.Cluster)
	}
	if s.CA != nil {
		path := filepath.Join(filepath.Dir(c.config), "ca.pem")
		if err := os.WriteFile(path, s.CA, 0o600); err != nil {
			c.Fatal(err)
		}
		tls = ", tls: {ca: ca.pem}"
	}
	if p.Provisions {
		provision = ", provision: {user: " + fake.Provisioner + ", password: 'env:PASSWORD', prefix: " + fake.Prefix + "}"
	}
	if p.Tokens {
		processors = "token_processors: {company: {type: jwt_dynamic_jwks, jwks_uri: 'http://127.0.0.1:1/jwks', expected_issuer: 'urn:company', username_claim: sub}}\nremote_url_allow_hosts: {host: 127.0.0.1}\n"
	}
	text := "clusters: {main: {url: '" + s.URL + "', user: " + fake.Gateway + ", password: 'env:PASSWORD', access: {" + access + "}" + tls + provision + "}}\n" +
		leastTokens + leastAudit + leastUsers + processors
	if err := os.WriteFile(c.config, []byte(text), 0o600); err != nil {
		c.Fatal(err)
	}
}

// json runs porterhouse check cluster --json.
func (c checked) json(flags ...string) examinedIn {
	c.Helper()
	began := time.Now()
	code, out, told := c.check("", append([]string{"--json"}, flags...)...)
	x := examinedIn{code: code, took: time.Since(began)}
	var all checkReport
	if err := json.Unmarshal([]byte(out), &all); err != nil || len(all.Clusters) != 1 {
		c.Fatalf("%d %v: %s%s", code, err, out, told)
	}
	x.examined = all.Clusters[0]
	return x
}

// wrongs are the names of what is wrong, each once.
func (x examinedIn) wrongs() string { return x.named(doctor.Wrong) }

// named are the names of what is so severe, each once.
func (x examinedIn) named(severity doctor.Severity) string {
	var names []string
	for _, f := range x.Findings {
		if f.Severity == severity && !slices.Contains(names, f.Name) {
			names = append(names, f.Name)
		}
	}
	return strings.Join(names, " ")
}

// beyond names, by persona, what is wrong there that no SQL and no file of ours mends.
var beyond = map[string]string{
	"21.8":      "way",                 // too old for EXECUTE AS, and for our native protocol
	"22.8":      "way",                 // the same
	"no-secret": "way",                 // it wants an upgrade, or the cluster's secret
	"altinity":  "provisioner-version", // 25.8 does not tell which rights are over a prefix
	"aiven":     "way",                 // EXECUTE AS was compiled out
	"expired":   "reached",             // its certificate ended
	"stranger":  "reached",             // it is no ClickHouse
}

// best is the mode that a persona is for, once everything is done there; "": none.
func best(p fake.Persona) clickhouse.Mode {
	switch {
	case p.Stranger || p.OldCertificate || beyond[p.Name] == "way":
		return ""
	case p.HasSecret:
		return clickhouse.Interserver
	case p.Tokens:
		return clickhouse.Forward
	}
	return clickhouse.ExecuteAs
}

// startUp is what the command takes beside a look that uses up its time.
const startUp = 500 * time.Millisecond

// tries are the looks of which one has to be as it should: a machine that does much else
// stands still now and then.
const tries = 5

// quickly looks with the time that a look has by itself, and returns the first look that
// took no longer than limit, start and all.
func (c checked) quickly(limit time.Duration, flags ...string) (x examinedIn) {
	c.Helper()
	for range tries {
		if x = c.json(append(flags, "--within", lookTime.String())...); x.took <= limit {
			return x
		}
		c.Logf("looking took %v, and may take %v", x.took, limit)
	}
	c.Errorf("of %d looks none took as little as %v", tries, limit)
	return x
}

// lookAt finds all that there is to be found at a persona, quickly: a look that was cut off
// by its time has taken longer. One that is slow by itself takes longer to be looked at wholly.
func (c checked) lookAt(p fake.Persona) examinedIn {
	c.Helper()
	if p.Delay == 0 {
		return c.quickly(lookTime, "--host", "127.0.0.1")
	}
	c.cutOff()
	return c.json("--host", "127.0.0.1")
}

// cutOff wants to be told in time of one that is slow by itself: the mode, that each question
// takes long, and what was not answered; nothing is wrong, and nothing to be run.
func (c checked) cutOff() {
	c.Helper()
	const want = `execute_as, code 0, wrong "", careful "native distance provisioner-rights", to be run 0`
	told := ""
	for range tries {
		x := c.quickly(lookTime+startUp, "--host", "127.0.0.1")
		careful := strings.Replace(x.named(doctor.Careful), "uptime ", "", 1) // the real server's
		if told = fmt.Sprintf("%s, code %d, wrong %q, careful %q, to be run %d", x.Mode, x.code, x.wrongs(), careful, len(x.SQL)); told == want {
			return
		}
		c.Logf("told in time: %s", told)
	}
	c.Errorf("in time it is told %s\nwant %s", told, want)
}

// For each kind of server check finds the way, within its time; an operator who then does
// what it says has nothing left to do, and a gateway that can do nothing on its own.
func TestPersonasAreSetUp(t *testing.T) {
	t.Parallel()
	c := checked{t, sandbox.ForTest(t, sandbox.Options{ExtraConfig: fake.SecretConfig}), filepath.Join(t.TempDir(), "porterhouse.yaml")}
	c.loot()
	for _, p := range fake.Personas() {
		t.Run(p.Name, func(t *testing.T) {
			c := checked{t, c.real, c.config}
			c.exec(slices.Concat(fake.Undress(), []string{"DROP USER IF EXISTS " + fake.Gateway + "_gateway"}, p.Setup)...)
			c.stand(p)
			found := c.lookAt(p)
			t.Logf("looked at within %v", found.took.Round(time.Millisecond))
			isWrong := found.wrongs() != ""
			if found.code != map[bool]int{true: 1}[isWrong] || isWrong != (len(found.SQL)+len(found.Files) > 0 || beyond[p.Name] != "") {
				t.Errorf("exit code %d, wrong are %q, with %d statements and %d files", found.code, found.wrongs(), len(found.SQL), len(found.Files))
			}
			gateway := c.follow(p, found)
			after := c.json("--host", "127.0.0.1")
			if after.Mode != best(p) || after.wrongs() != beyond[p.Name] || len(after.SQL) > 0 {
				t.Errorf("after all was done: mode %q, wrong are %q, to be run is %v", after.Mode, after.wrongs(), after.SQL)
			}
			if after.Facts.Gateway.Login.Works() {
				c.powerless(gateway)
			}
		})
	}
}

// follow does what check says, as an operator does, and returns whose account the gateway
// is then.
func (c checked) follow(p fake.Persona, found examinedIn) (gateway string) {
	c.Helper()
	if len(found.Files) > 0 && p.ExecuteAs != fake.NoSyntax { // the switch is in it
		p.ExecuteAs = fake.Works
		c.stand(p)
	}
	if len(found.SQL) == 0 {
		return fake.Gateway
	}
	_, out, told := c.check("", "--apply", "--admin", c.real.User, "--password", "env:ADMIN", "--yes", "--host", "127.0.0.1")
	if !strings.Contains(out, "After that was run:") || strings.Contains(told, "failed") {
		c.Errorf("the SQL does not apply: %s%s", out, told)
	}
	const another = "CREATE USER IF NOT EXISTS `" + fake.Gateway + "_gateway`"
	if !strings.Contains(fmt.Sprint(found.SQL), another) {
		return fake.Gateway
	}
	c.configure("user: "+fake.Gateway+",", "user: "+fake.Gateway+"_gateway,")
	return fake.Gateway + "_gateway"
}

// After the SQL the gateway comes from the addresses of --host only, with the same
// password. (To ClickHouse all of loopback is one address.)
func TestGatewayComesFromItsHosts(t *testing.T) {
	c := openChecked(t)
	p, _ := fake.Named("ungranted")
	c.exec(p.Setup...)
	c.stand(p)
	comesIn := func(host string) bool {
		t.Helper()
		c.exec("GRANT SHOW USERS ON *.* TO " + fake.Gateway) // too much, so that there is something to be done
		if _, out, told := c.check("", "--apply", "--admin", c.real.User, "--password", "env:ADMIN", "--yes", "--host", host); !strings.Contains(out, "After that was run:") || strings.Contains(told, "failed") {
			t.Errorf("%s%s", out, told)
		}
		code, said := c.straight(fake.Gateway, "SELECT 1")
		if code != "" && code != "516" {
			t.Errorf("it is told %s", said)
		}
		return code == ""
	}
	if !comesIn("127.0.0.1") {
		t.Error("it does not come in from its host")
	}
	if comesIn("192.0.2.7") {
		t.Error("it comes in from anywhere")
	}
}

// Whoever does not answer at all is told of within the time of a look.
func TestCheckDoesNotWait(t *testing.T) {
	t.Parallel()
	var asIs checkFlags
	if asIs.define(flag.NewFlagSet("check", flag.ContinueOnError)); asIs.within != lookTime {
		t.Errorf("unless somebody says how long, it looks for %v", asIs.within)
	}
	c := openChecked(t)
	hole, err := net.Listen("tcp", "127.0.0.1:0") // it takes connections, and says nothing
	if err != nil {
		t.Fatal(err)
	}
	defer hole.Close()
	for what, address := range map[string]string{"nobody listens": "127.0.0.1:1", "a hole": hole.Addr().String(), "no such host": "nowhere.invalid:8123"} {
		c.write("http://" + address)
		if what == "no such host" {
			c.configure("user: ", "allow_plain_http: true, user: ")
		}
		x := c.quickly(lookTime + startUp)
		if x.code != 3 || x.wrongs() != "reached" {
			t.Errorf("%s: exit code %d, wrong are %q, after %v", what, x.code, x.wrongs(), x.took)
		}
		t.Logf("%s: %v", what, x.took.Round(time.Millisecond))
	}
}
