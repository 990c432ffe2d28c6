package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"porterhouse/doctor"
	"porterhouse/sandbox"
	"porterhouse/sandbox/fake"
)

// Whoever moves from the cluster's secret to EXECUTE AS is told, before anything is
// switched, what the gateway lacks for it, and gets there by what is said.
func TestCheckLooksAtTheShadow(t *testing.T) {
	c := checked{t, sandbox.ForTest(t, sandbox.Options{ExtraConfig: fake.SecretConfig}), filepath.Join(t.TempDir(), "porterhouse.yaml")}
	p, _ := fake.Named("26.7")
	c.exec(p.Setup...)
	c.exec("REVOKE IMPERSONATE ON "+fake.Alice+" FROM "+fake.Gateway, "GRANT IMPERSONATE ON * TO "+fake.Gateway)
	bySecret := fmt.Sprintf("access: {mode: interserver, native: %q, cluster: %s, secret: env:SECRET", c.real.Native, fake.Cluster)
	text := "clusters: {main: {url: '" + c.real.HTTP + "', user: " + fake.Gateway + ", password: 'env:PASSWORD', " + bySecret + "}}}\n" + leastTokens + leastAudit + leastUsers
	if err := os.WriteFile(c.config, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	admin := []string{"--host", "127.0.0.1", "--apply", "--yes", "--admin", c.real.User, "--password", "env:ADMIN"}
	if code, out, told := c.check("", admin...); code != 0 || strings.Contains(out, "shadow") || !strings.Contains(out, "the gateway porterhouse holds what it needs, and nothing else") {
		t.Errorf("for the secret alone: %d %s\n%s", code, told, out)
	}

	c.configure(bySecret, bySecret+", shadow: execute_as")
	code, out, _ := c.check("", "--host", "127.0.0.1")
	own, other, found := strings.Cut(out, "  shadow mode execute_as: ")
	const grant = "GRANT IMPERSONATE ON `alice` TO `porterhouse`;"
	if code != 1 || !found || strings.Contains(own, "WRONG") || !strings.Contains(other, "WRONG   the gateway lacks IMPERSONATE") || !strings.Contains(other, grant) {
		t.Errorf("for both: %d\n%s", code, out)
	}
	if x := c.json(); x.code != 1 || x.Shadow == nil || x.Shadow.Worst() != doctor.Wrong || len(x.SQL) > 0 || len(x.Shadow.SQL) == 0 {
		t.Errorf("as JSON: %d %+v", x.code, x.Plan)
	}
	if code, out, told := c.check("", admin...); code != 0 || !strings.Contains(out, "After that was run:") {
		t.Errorf("after the SQL was run: %d %s\n%s", code, told, out)
	}
	if _, said := c.straight(fake.Gateway, "EXECUTE AS "+fake.Alice+" SELECT currentUser()"); said != fake.Alice {
		t.Errorf("as Alice: %s", said)
	}

	c.configure("mode: interserver", "mode: execute_as")
	c.configure("shadow: execute_as", "shadow: interserver")
	if code, out, _ := c.check("", "--host", "127.0.0.1"); code != 0 || strings.Contains(out, "To be run") || !strings.Contains(out, "  shadow mode interserver: ") {
		t.Errorf("once they are exchanged: %d\n%s", code, out)
	}
}
