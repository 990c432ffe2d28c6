package doctor_test

import (
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"porterhouse"
	"porterhouse/audit"
	"porterhouse/clickhouse"
	"porterhouse/directory"
	"porterhouse/doctor"
	"porterhouse/sandbox"
	"porterhouse/sandbox/fake"
)

// update writes the plans into testdata, and their table into doc/check.md, anew.
var update = os.Getenv("PORTERHOUSE_UPDATE") != ""

// house is a real ClickHouse behind personas.
type house struct {
	*sandbox.Server
	*testing.T
}

func open(t *testing.T) house {
	return house{sandbox.ForTest(t, sandbox.Options{ExtraConfig: fake.SecretConfig}), t}
}

// run runs statements as the administrator.
func (h house) run(statements ...string) {
	h.Helper()
	for _, sql := range statements {
		if err := h.Exec(h.Context(), sql); err != nil {
			h.Fatal(err)
		}
	}
}

// dress lets a persona stand in front of the real server.
func (h house) dress(p fake.Persona) *fake.Server {
	h.Helper()
	h.run(slices.Concat(fake.Undress(), p.Setup)...)
	s, err := fake.Start(p, h.HTTP)
	if err != nil {
		h.Fatal(err)
	}
	h.Cleanup(func() {
		if err := s.Close(); err != nil {
			h.Error(err)
		}
	})
	return s
}

// config is how an operator has configured the cluster of every persona.
func (h house) config(s *fake.Server) clickhouse.Config {
	c := clickhouse.Config{
		URL: s.URL, User: fake.Gateway, Password: porterhouse.NewSecret(fake.Password),
		Trial: clickhouse.Trial{Person: user(h.T, fake.Alice), Within: time.Minute}, // what is found is no matter of time
	}
	if s.HasSecret {
		c.Access = clickhouse.Access{Native: h.Native, Cluster: fake.Cluster, Secret: porterhouse.NewSecret(fake.Secret)}
	}
	if s.CA != nil {
		roots := x509.NewCertPool()
		roots.AppendCertsFromPEM(s.CA)
		c.TLS = &tls.Config{RootCAs: roots}
	}
	if s.Provisions {
		c.Trial.Provisioner, c.Trial.ProvisionerPassword = fake.Provisioner, c.Password
	}
	return c
}

func user(t *testing.T, name string) porterhouse.UserName {
	u, err := porterhouse.ParseUserName(name)
	if err != nil {
		t.Fatal(err)
	}
	return u
}

// look makes the case of a persona.
func (h house) look(s *fake.Server) doctor.Case {
	h.Helper()
	c := h.config(s)
	facts, err := clickhouse.Probe(h.Context(), c)
	if err != nil {
		h.Fatal(err)
	}
	of := doctor.Case{Cluster: "main", Facts: facts, LocalUsers: []string{fake.Alice}, Hosts: []string{"127.0.0.1"}}
	of.Access = clickhouse.Access{Mode: clickhouse.Auto, Tokens: true}
	if s.Provisions {
		p := provisioner(h.T, c)
		of.Provisioner, of.Prefix, of.Provisioning, of.Provisioned = fake.Provisioner, fake.Prefix, p.OwnGrants("analyst"), p.CheckOwn(h.Context())
	}
	return of
}

func provisioner(t *testing.T, c clickhouse.Config) *directory.Provisioner {
	t.Helper()
	c.User, c.Password = c.Trial.Provisioner, c.Trial.ProvisionerPassword
	admin, err := clickhouse.NewAdmin(c)
	if err != nil {
		t.Fatal(err)
	}
	p, err := directory.NewProvisioner(directory.ProvisionerConfig{
		Admin: admin, Audit: &audit.Log{}, Cluster: "main", Gateway: fake.Gateway, Prefix: fake.Prefix, Log: slog.New(slog.DiscardHandler),
	})
	if err != nil {
		t.Fatal(err)
	}
	return p
}

var (
	ports = regexp.MustCompile(`127\.0\.0\.1:\d+`)
	ends  = regexp.MustCompile(`current time \S+ is after [^\s"]+`)
)

// still takes out of a case what is otherwise each time.
func still(c doctor.Case) doctor.Case {
	f := &c.Facts
	f.QueryLog, f.SessionLog = clickhouse.Finding{}, clickhouse.Finding{} // the engine makes them when something is in them
	f.At = time.Date(2026, 5, 1, 12, 0, 0, 0, time.UTC)
	f.URL = ports.ReplaceAllString(f.URL, "ch.example.com")
	f.Server.Uptime, f.Server.Ahead, f.Server.Timezone = 50*time.Hour, 0, "UTC"
	f.Server.RoundTrip = time.Millisecond
	return c
}

// Each persona gets the plan that is in testdata, and in the table of doc/check.md.
func TestPlans(t *testing.T) {
	h := open(t)
	var table strings.Builder
	for _, p := range fake.Personas() {
		if p.Flaps || p.Delay > 0 {
			continue // what is found of these is each time something else
		}
		t.Run(p.Name, func(t *testing.T) {
			h := house{h.Server, t}
			plan := doctor.Examine(still(h.look(h.dress(p))))
			var got bytes.Buffer
			e := json.NewEncoder(&got)
			e.SetEscapeHTML(false)
			e.SetIndent("", "  ")
			if err := e.Encode(plan); err != nil {
				t.Fatal(err)
			}
			text := ends.ReplaceAllString(ports.ReplaceAllString(got.String(), "ch.example.com"), "current time … is after …")
			compare(t, filepath.Join("testdata", p.Name+".json"), text)
			table.WriteString(row(p, plan))
		})
	}
	if t.Failed() {
		return
	}
	page := filepath.Join("..", "doc", "check.md")
	text, err := os.ReadFile(page)
	if err != nil {
		t.Fatal(err)
	}
	const begins = "| --- | --- | --- |\n"
	before, rest, _ := strings.Cut(string(text), begins)
	_, after, found := strings.Cut(rest, "\n\n")
	if !found {
		t.Fatalf("%s has no table of plans", page)
	}
	compare(t, page, before+begins+strings.TrimSuffix(table.String(), "\n")+"\n\n"+after)
}

// row is a persona in the table of doc/check.md.
func row(p fake.Persona, plan doctor.Plan) string {
	mode, wrong := "none yet", []string{}
	if plan.Mode != "" {
		mode = "`" + string(plan.Mode) + "`"
	}
	for _, f := range plan.Findings {
		if f.Severity == doctor.Wrong {
			wrong = append(wrong, f.Name)
		}
	}
	return "| " + p.About + " | " + mode + " | " + strings.Join(slices.Compact(wrong), ", ") + " |\n"
}

// Of a server that is not well the plan says so, and nothing that would be wrong.
func TestUnwellServers(t *testing.T) {
	h := open(t)
	for _, name := range []string{"flapping", "slow"} {
		t.Run(name, func(t *testing.T) {
			p, _ := fake.Named(name)
			h := house{h.Server, t}
			plan := doctor.Examine(h.look(h.dress(p)))
			if len(plan.SQL) > 0 || len(plan.Files) > 0 {
				t.Errorf("something is to be run although nothing is known to be amiss: %+v", plan)
			}
			if told := slices.ContainsFunc(plan.Findings, func(f doctor.Finding) bool {
				return slices.Contains([]string{"reached", "unsteady", "slow", "distance", "gateway-login", "provisioner-rights"}, f.Name) && f.Severity != doctor.Fine
			}); name == "slow" && !told {
				t.Errorf("it does not say that the server is slow: %+v", plan.Findings)
			}
		})
	}
}

// What the plan says of old versions is so: of the oldest too, statements of ours are
// answered, and what is older than that is told to be.
func TestOldVersions(t *testing.T) {
	h := open(t)
	for _, name := range []string{"21.8", "22.8", "23.8", "25.11-off"} {
		p, _ := fake.Named(name)
		client, err := clickhouse.New(h.config(h.dress(p)))
		if err != nil {
			t.Fatal(err)
		}
		if server, err := client.Check(t.Context(), "test"); err != nil || server.Version != p.Version {
			t.Errorf("%s: %+v, %v", name, server, err)
		}
		if err := client.Close(t.Context()); err != nil {
			t.Error(err)
		}
	}
	p, _ := fake.Named("21.8")
	static := h.look(h.dress(p))
	static.Access.Mode = clickhouse.Static
	var names []string
	for _, f := range doctor.Examine(static).Findings {
		if f.Severity == doctor.Wrong || strings.HasPrefix(f.Name, "trap-") {
			names = append(names, f.Name)
		}
	}
	if !slices.Equal(names, []string{"gateway-lacks", "trap-settings-after-format", "trap-decimals-unquoted"}) { // it lacks what a KILL needs there
		t.Errorf("static at 21.8: %q", names)
	}
	for version, old := range map[string]bool{"21.7.9.1": true, "21.8.1.1": false, "1.1.54388": true, "26.7.2.1": false, "head": false} {
		p.Version = version
		of := h.look(h.dress(p))
		of.Facts.Server.Version = version
		if told := slices.ContainsFunc(doctor.Examine(of).Findings, func(f doctor.Finding) bool { return f.Name == "version-old" && f.Severity == doctor.Wrong }); told != old {
			t.Errorf("%s: that it is old is told: %t", version, told)
		}
	}
}

func compare(t *testing.T, path, got string) {
	t.Helper()
	if update {
		if err := errors.Join(os.MkdirAll(filepath.Dir(path), 0o755), os.WriteFile(path, []byte(got), 0o644)); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	gotLines, wantLines := strings.Split(got, "\n"), strings.Split(string(want), "\n")
	for i := range min(len(gotLines), len(wantLines)) {
		if gotLines[i] != wantLines[i] {
			t.Fatalf("line %d is\n%s\nnot\n%s\n(PORTERHOUSE_UPDATE=1 writes it anew)", i+1, gotLines[i], wantLines[i])
		}
	}
	if len(gotLines) != len(wantLines) {
		t.Fatalf("%d lines, not %d", len(gotLines), len(wantLines))
	}
}
