package doctor_test

import (
	"io"
	"net/http"
	"strings"
	"testing"

	"porterhouse"
	"porterhouse/clickhouse"
	"porterhouse/doctor"
	"porterhouse/sandbox/fake"
)

// apply does what an administrator does with the SQL of a plan.
func (h house) apply(statements []doctor.Statement) {
	h.Helper()
	password := porterhouse.NewSecret(fake.Password)
	for _, s := range statements {
		sql, err := s.Fill(map[doctor.Password]porterhouse.Secret{doctor.GatewayPassword: password, doctor.ProvisionerPassword: password})
		if err != nil {
			h.Fatal(err)
		}
		h.run(sql)
	}
}

// as asks the real server as one of the accounts.
func (h house) as(user, sql string) string {
	h.Helper()
	request, err := http.NewRequestWithContext(h.Context(), http.MethodPost, h.HTTP, strings.NewReader(sql))
	if err != nil {
		h.Fatal(err)
	}
	request.SetBasicAuth(user, fake.Password)
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		h.Fatal(err)
	}
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	if err != nil {
		h.Fatal(err)
	}
	return string(text)
}

// The SQL of each persona's plan runs as it stands on a server that knows it, and then
// nothing is left to do, and the gateway may act as Alice. (That by itself it can do
// nothing is tried of every plan by cmd/porterhouse: TestPersonasAreSetUp.)
func TestPlansApply(t *testing.T) {
	h := open(t)
	for _, name := range []string{"26.7", "helpless", "readonly", "ungranted", "stale-password"} {
		t.Run(name, func(t *testing.T) {
			h := house{h.Server, t}
			p, _ := fake.Named(name)
			s := h.dress(p)
			h.run("CREATE ROLE IF NOT EXISTS analyst")
			h.apply(doctor.Examine(h.look(s)).SQL)
			h.settled(s)
			if name == "ungranted" {
				h.closed()
			}
		})
	}
	t.Run("from nothing", func(t *testing.T) {
		h := house{h.Server, t}
		p, _ := fake.Named("26.7")
		s := h.dress(p)
		setup := h.look(s)
		h.run(fake.Undress()...)
		h.run("CREATE USER alice IDENTIFIED WITH no_authentication", "CREATE ROLE IF NOT EXISTS analyst")
		setup.Access.Mode = clickhouse.ExecuteAs
		h.apply(setup.Setup().SQL)
		h.settled(s)
		h.closed()
		h.apply(setup.Setup().SQL) // they can be run again
		h.settled(s)
	})
}

// closed wants the gateway's account shut to whoever comes from elsewhere, or would get
// something from it.
func (h house) closed() {
	h.Helper()
	made, err := h.Text(h.Context(), "SHOW CREATE USER "+fake.Gateway+" FORMAT TSVRaw")
	if err != nil {
		h.Fatal(err)
	}
	for _, part := range []string{"HOST LOCAL" /* so ClickHouse calls 127.0.0.1 */, "DEFAULT ROLE NONE", "GRANTEES NONE"} {
		if !strings.Contains(made, part) {
			h.Errorf("it has no %s: %s", part, made)
		}
	}
}

// settled wants that there is nothing left to do.
func (h house) settled(s *fake.Server) {
	h.Helper()
	after := doctor.Examine(h.look(s))
	if after.Worst() == doctor.Wrong || len(after.SQL) > 0 || after.Mode != clickhouse.ExecuteAs {
		h.Errorf("after the SQL was run: %+v", after)
	}
	if answer := h.as(fake.Gateway, "EXECUTE AS 'alice' SELECT currentUser()"); answer != "alice\n" {
		h.Errorf("as Alice: %s", answer)
	}
}
