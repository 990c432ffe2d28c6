package directory_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"porterhouse"
	"porterhouse/audit"
	"porterhouse/clickhouse"
	"porterhouse/directory"
)

// TestMain is a process of TestSoakProvisioning instead, when it is told so.
func TestMain(m *testing.M) {
	if task := os.Getenv(crowdTask); task != "" {
		if err := provisionAsTold(task); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		return
	}
	os.Exit(m.Run())
}

// crowdTask is the environment variable that holds a crowd as JSON.
const crowdTask = "PORTERHOUSE_TEST_CROWD"

// crowd is what one process does.
type crowd struct {
	URL, Record string
	People      int
	AtOnce      int
}

// person is the name and the roles of the n-th of a crowd.
func person(n int) (user string, roles []string) {
	return fmt.Sprintf("ph_person-%d@corp.com", n), [][]string{nil, {"analyst"}, {"a'b", "analyst", "support"}}[n%3]
}

// provision makes the accounts of all people, some at once.
func (c crowd) provision(ensure func(user string, roles []string) error) error {
	var wg sync.WaitGroup
	errs := make([]error, c.AtOnce)
	for worker := range c.AtOnce {
		wg.Go(func() {
			for n := worker; n < c.People; n += c.AtOnce {
				user, roles := person(n)
				errs[worker] = errors.Join(errs[worker], ensure(user, roles))
			}
		})
	}
	wg.Wait()
	return errors.Join(errs...)
}

func provisionAsTold(task string) error {
	var c crowd
	if err := json.Unmarshal([]byte(task), &c); err != nil {
		return err
	}
	log, err := audit.Open(audit.Config{Path: c.Record, Key: auditKey, Replica: "test"})
	if err != nil {
		return err
	}
	admin, err := clickhouse.NewAdmin(clickhouse.Config{URL: c.URL, User: provisionerUser, Password: porterhouse.NewSecret(staffPassword)})
	if err != nil {
		return err
	}
	p, err := directory.NewProvisioner(directory.ProvisionerConfig{
		Admin: admin, Audit: log, Gateway: gatewayUser, Prefix: "ph_", Log: slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: slog.LevelWarn})),
	})
	if err != nil {
		return err
	}
	err = c.provision(func(user string, roles []string) error {
		name, err := porterhouse.ParseUserName(user)
		if err != nil {
			return err
		}
		return p.Ensure(context.Background(), directory.Wanted{Account: porterhouse.Account{User: name, Roles: roles}})
	})
	return errors.Join(err, log.Close())
}

// complete fails the test unless there are exactly the right users and grants.
func (e *estate) complete(t *testing.T, people int) {
	t.Helper()
	want := map[string]string{}
	for n := range people {
		user, roles := person(n)
		want[user] = strings.Join(append(roles, "porterhouse_account"), ",")
		if len(roles) == 3 {
			want[user] = "a'b,analyst,porterhouse_account,support"
		}
	}
	rows := e.tell(t, `SELECT u.name, arrayStringConcat(arraySort(groupArray(g.granted_role_name)), ','), any(toString(u.auth_type)), any(length(u.host_ip)), any(u.default_roles_all)
 FROM system.users AS u LEFT JOIN system.role_grants AS g ON u.name = g.user_name WHERE startsWith(u.name, 'ph_') GROUP BY u.name FORMAT TSVRaw`)
	for row := range strings.SplitSeq(rows, "\n") {
		user, has, _ := strings.Cut(row, "\t")
		if has != want[user]+"\t['no_authentication']\t0\t1" {
			t.Errorf("%s has %q, want %q", user, has, want[user])
		}
		delete(want, user)
	}
	if len(want) > 0 {
		t.Errorf("%d people have no account", len(want))
	}
	if got := e.tell(t, "SELECT count(), uniqExact(access_object), countIf(is_wildcard OR user_name != '"+gatewayUser+"') FROM system.grants WHERE access_type = 'IMPERSONATE' AND startsWith(access_object, 'ph_person')"); got != fmt.Sprintf("%d\t%d\t0", people, people) {
		t.Errorf("the gateway's grants are %s, want one for each of %d people", got, people)
	}
}

// Ten Provisioners, each with connections of its own, make the accounts of the same
// people at once: exactly the right users and grants, and no error.
func TestManyProvisioners(t *testing.T) {
	e := settle(t)
	c := crowd{People: 100, AtOnce: 10}
	var wg sync.WaitGroup
	for range 10 {
		p := e.another(t, filepath.Join(t.TempDir(), "audit.jsonl"))
		wg.Go(func() {
			if err := c.provision(func(user string, roles []string) error { return p.Ensure(t.Context(), wanted(t, user, roles...)) }); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	e.complete(t, c.People)
}

// The same with ten processes and 1,000 people.
func TestSoakProvisioning(t *testing.T) {
	if os.Getenv("PORTERHOUSE_SOAK") == "" {
		t.Skip("ten processes and 1,000 people: set PORTERHOUSE_SOAK=1")
	}
	e := settle(t)
	c := crowd{URL: e.HTTP, People: 1000, AtOnce: 16}
	begun := time.Now()
	var wg sync.WaitGroup
	for n := range 10 {
		c.Record = filepath.Join(t.TempDir(), fmt.Sprintf("%d", n), "audit.jsonl")
		task, err := json.Marshal(c)
		if err != nil {
			t.Fatal(err)
		}
		process := exec.CommandContext(t.Context(), os.Args[0])
		process.Env = append(os.Environ(), crowdTask+"="+string(task))
		wg.Go(func() {
			if output, err := process.CombinedOutput(); err != nil {
				t.Errorf("%v: %s", err, output)
			}
		})
	}
	wg.Wait()
	t.Logf("10 processes made the accounts of %d people in %s", c.People, time.Since(begun))
	e.complete(t, c.People)
}

// An account that is as wanted costs a call next to nothing.
func BenchmarkEnsureKnown(b *testing.B) {
	e := settle(b)
	w := wanted(b, "ph_alice", "analyst", "support")
	e.ensure(b, w)
	for b.Loop() {
		if err := e.Ensure(b.Context(), w); err != nil {
			b.Fatal(err)
		}
	}
}
