package doctor_test

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"

	"porterhouse"
	"porterhouse/clickhouse"
	"porterhouse/doctor"
)

// A password stands where it belongs, as one literal, and nowhere else: not in names
// that look like its place.
func TestFill(t *testing.T) {
	passwords := map[doctor.Password]porterhouse.Secret{doctor.GatewayPassword: porterhouse.NewSecret("gate's ` \\ way")}
	s := doctor.Statement{Parts: []doctor.Part{
		{Text: "CREATE USER `" + string(doctor.GatewayPassword) + "` IDENTIFIED BY "}, {Password: doctor.GatewayPassword}, {Text: " HOST ANY"},
	}}
	sql, err := s.Fill(passwords)
	if want := "CREATE USER `<the gateway's password>` IDENTIFIED BY 'gate\\'s ` \\\\ way' HOST ANY"; err != nil || sql != want {
		t.Errorf("%s %v; want %s", sql, err, want)
	}
	if want := "CREATE USER `<the gateway's password>` IDENTIFIED BY <the gateway's password> HOST ANY"; s.String() != want {
		t.Errorf("it shows %s", s)
	}
	if sql, err := s.Fill(nil); err == nil || sql != "" {
		t.Errorf("without a password: %s", sql)
	}
	text, err := json.Marshal(s)
	var read doctor.Statement
	if err != nil || strings.Contains(string(text), "gate's") || json.Unmarshal(text, &read) != nil || read.String() != s.String() {
		t.Errorf("%s %v", text, err)
	}
}

// A name of others' making that looks like the place of a password is revoked by that
// name, and the password is not in it.
func TestNamesAreNoPlaces(t *testing.T) {
	c := healthy()
	c.Facts.Gateway.Grants = append(c.Facts.Gateway.Grants,
		clickhouse.Grant{Right: "SELECT", On: "m.`" + string(doctor.GatewayPassword) + "`", Realm: clickhouse.Reading},
		clickhouse.Grant{Right: "SELECT", Columns: []string{string(doctor.ProvisionerPassword)}, On: "m.t", Realm: clickhouse.Reading},
	)
	secret := porterhouse.NewSecret("tell nobody")
	for _, s := range doctor.Examine(c).SQL {
		sql, err := s.Fill(map[doctor.Password]porterhouse.Secret{doctor.GatewayPassword: secret, doctor.ProvisionerPassword: secret})
		if err != nil || sql != s.String() {
			t.Errorf("%s %v", sql, err)
		}
	}
}

// What is shown is what is run: a statement with a name that cannot be shown is left out
// and told.
func TestNamesThatCannotBeShown(t *testing.T) {
	for _, name := range []string{"a\u202eb", "a\u200bb", "a\x1b[2Kb", "a\nb", "a\xffb", "a\u00a0b"} {
		c := healthy()
		c.Facts.Gateway.Grants = append(c.Facts.Gateway.Grants, clickhouse.Grant{Right: "SELECT", On: "m.`" + name + "`", Realm: clickhouse.Reading})
		c.LocalUsers = append(c.LocalUsers, name)
		plan := doctor.Examine(c)
		if sql := shown(plan); slices.ContainsFunc(sql, func(s string) bool { return strings.Contains(s, name) }) {
			t.Errorf("%q: it runs %q", name, sql)
		}
		if !slices.ContainsFunc(plan.Findings, func(f doctor.Finding) bool {
			return f.Name == "unprintable" && f.Severity == doctor.Wrong && !strings.Contains(f.Text, name)
		}) {
			t.Errorf("%q: nothing is said: %+v", name, plan.Findings)
		}
	}
}

// Beginnings of names that have to be quoted are, and are known again in what a server
// says; on the real one people's access is not taken away for a moment.
func TestPrefixesApply(t *testing.T) {
	h := open(t)
	for _, prefix := range []string{"ana-", "team.", "a b", "alice@example.", "x TO alice, IMPERSONATE ON y", "q`'\"\\", "on", "ü"} {
		h.run("DROP USER IF EXISTS porterhouse", "CREATE USER porterhouse")
		c := healthy()
		c.LocalUsers = []string{prefix + "*"}
		c.Facts.Gateway.User = "porterhouse"
		c.Facts.Gateway.Grants = c.Facts.Gateway.Grants[2:]
		sql := shown(doctor.Examine(c))
		if len(sql) != 3 { // GRANT IMPERSONATE, GRANT SELECT, ALTER USER
			t.Fatalf("%s: it runs %q", prefix, sql)
		}
		h.run(sql[0])
		held, err := h.Text(t.Context(), "SHOW GRANTS FOR porterhouse FORMAT TSVRaw")
		if err != nil {
			t.Fatal(err)
		}
		_, on, _ := strings.Cut(held, "GRANT IMPERSONATE ON ")
		on = on[:strings.LastIndex(on, " TO porterhouse")]
		c.Facts.Gateway.Grants = append(c.Facts.Gateway.Grants, clickhouse.Grant{Right: "IMPERSONATE", On: on, Realm: clickhouse.Impersonation})
		if plan := doctor.Examine(c); len(plan.SQL) > 0 || plan.Worst() != doctor.Fine {
			t.Errorf("%s, which ClickHouse calls %s: it runs %q", prefix, on, shown(plan))
		}
	}
}
