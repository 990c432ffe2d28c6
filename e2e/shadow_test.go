package e2e

import (
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// An operator has another mode compared, by a reload: what people read at both doors is
// asked again, and nobody notices. Then somebody takes a grant away, and is told of it.
func TestShadow(t *testing.T) {
	t.Parallel()
	m := newModeTrial(t, verify)
	file := filepath.Join(m.dir, "porterhouse.yaml")
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	m.write("porterhouse.yaml", strings.Replace(string(text), "access: {mode: verify}", "access: {mode: verify, shadow: execute_as, shadow_share: 1}", 1))
	if err := m.process.Process.Signal(syscall.SIGHUP); err != nil {
		t.Fatal(err)
	}
	m.eventually("the configuration is in force", 20*time.Second, func() bool { return strings.Contains(m.log.String(), "the configuration was reloaded") })

	compared := func(outcome string) float64 {
		return m.metric(`porterhouse_shadow_total{cluster="main",outcome="` + outcome + `"}`)
	}
	all := compared("skipped")
	if all != 0 {
		t.Fatalf("%v before anybody asked", all)
	}
	m.both("SELECT who, n FROM own.rows")                                 // two
	m.sent(request{target: "/?query=SELECT%20n%20FROM%20own.rows"})       // by GET
	m.sent(post("SELECT n FROM own.rows FORMAT CSV"))                     // in a format
	m.sent(post("SELECT count() FROM hidden.t"))                          // refused
	m.sent(post("", "query=SELECT%20n%20FROM%20own.rows%20FORMAT%20CSV")) // in the URL
	m.sent(request{target: "/?", body: "SELECT n FROM own.rows FORMAT JSON", stream: true})
	m.sent(post("INSERT INTO own.inbox VALUES (1, 'once')"))
	m.sent(post("SELECT now()"))
	m.eventually("all of it was compared", 20*time.Second, func() bool { return compared("same") == 7 && compared("skipped") == 2 })
	if n := m.text("SELECT count() FROM own.inbox"); n != "1" {
		t.Errorf("%s rows were written instead of one", n)
	}

	m.exec("REVOKE IMPERSONATE ON carol FROM " + m.gateway.User)
	if said := m.sent(post("SELECT n FROM own.rows")); said != "1, 2" {
		t.Errorf("Carol is told %s", said)
	}
	m.eventually("the difference is told", 20*time.Second, func() bool {
		return compared("different") == 1 && strings.Contains(m.log.String(), "two access modes differ") && strings.Contains(m.log.String(), "ACCESS_DENIED")
	})
	if strings.Contains(m.log.String(), "own.rows") {
		t.Error("the log has what was asked")
	}
}
