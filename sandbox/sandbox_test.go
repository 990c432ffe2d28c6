package sandbox

import (
	"fmt"
	"net/http"
	"os"
	"strings"
	"sync"
	"testing"
	"time"
)

// The test binary runs itself as an owner that is killed; see TestOwnerDies.
func TestMain(m *testing.M) {
	if mode := os.Getenv("SANDBOX_TEST_OWNER"); mode != "" {
		if err := own(mode); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		return
	}
	os.Exit(m.Run())
}

// text runs a statement that must work.
func text(t *testing.T, s *Server, sql string) string {
	t.Helper()
	answer, err := s.Text(t.Context(), sql)
	if err != nil {
		t.Fatal(err)
	}
	return answer
}

// run runs statements that must work.
func run(t *testing.T, s *Server, statements ...string) {
	t.Helper()
	for _, sql := range statements {
		if err := s.Exec(t.Context(), sql); err != nil {
			t.Fatal(err)
		}
	}
}

// refused runs a statement that must fail with an error that holds want.
func refused(t *testing.T, s *Server, sql, want string) {
	t.Helper()
	if answer, err := s.Text(t.Context(), sql); err == nil || !strings.Contains(err.Error(), want) {
		t.Errorf("%s\ngave %q and %v, want an error with %q", sql, answer, err, want)
	}
}

// equal compares what a statement answers.
func equal(t *testing.T, s *Server, sql, want string) {
	t.Helper()
	if got := text(t, s, sql); got != want {
		t.Errorf("%s\ngave %q, want %q", sql, got, want)
	}
}

// eventually waits until something holds, for as long as a loaded machine may need.
func eventually(t *testing.T, what string, holds func() bool) {
	t.Helper()
	for deadline := time.Now().Add(time.Minute); !holds(); time.Sleep(10 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("still not so after a minute: %s", what)
		}
	}
}

// temporaryHere makes a fresh directory the place for temporary ones.
func temporaryHere(t *testing.T) string {
	dir := t.TempDir()
	t.Setenv("TMPDIR", dir)
	return dir
}

// nothingLeft fails when there is anything in dir.
func nothingLeft(t *testing.T, dir string) {
	t.Helper()
	left, err := os.ReadDir(dir)
	if err != nil || len(left) > 0 {
		t.Errorf("left behind: %v, %v", left, err)
	}
}

func TestStart(t *testing.T) {
	dir := temporaryHere(t)
	s := ForTest(t, Options{
		Init:       []string{"CREATE DATABASE app", "CREATE TABLE app.n (n UInt8) ORDER BY n", "INSERT INTO app.n VALUES (7)"},
		ExtraUsers: "<guest><password>guest</password></guest>",
		MaxMemory:  1 << 30,
	})
	equal(t, s, "SELECT n, version(), currentUser() FROM app.n", "7\t"+s.Version+"\tdefault")
	equal(t, s, "SELECT value FROM system.server_settings WHERE name = 'max_server_memory_usage'", "1073741824")
	equal(t, s, "SELECT count() FROM system.users WHERE name = 'guest'", "1")
	equal(t, s, "SELECT count() FROM system.settings WHERE changed AND value != default", "0")
	equal(t, s, "SELECT getSetting('SQL_tenant') SETTINGS SQL_tenant = 'a'", "a")
	refused(t, s, "SELECT nonsense", "UNKNOWN_IDENTIFIER")
	refused(t, s, "SELECT throwIf(number = 1000000) FROM numbers(2000000)", "FUNCTION_THROW_IF_VALUE_IS_NON_ZERO")
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if err := s.Close(); err != nil {
		t.Fatal("closing again:", err)
	}
	nothingLeft(t, dir)
}

// The settings of the engine are a server's, and EXECUTE AS works.
func TestExecuteAs(t *testing.T) {
	s := ForTest(t, Options{})
	run(t, s, "CREATE USER ann IDENTIFIED WITH no_authentication")
	equal(t, s, "EXECUTE AS 'ann' SELECT currentUser(), authenticatedUser()", "ann\tdefault")
}

// Nobody gets in without the password, and a failed login harms nobody else.
func TestPasswordNeeded(t *testing.T) {
	s := ForTest(t, Options{})
	for _, password := range []string{"", "wrong"} {
		request, err := http.NewRequestWithContext(t.Context(), http.MethodPost, s.HTTP, strings.NewReader("SELECT 1"))
		if err != nil {
			t.Fatal(err)
		}
		request.SetBasicAuth(s.User, password)
		response, err := http.DefaultClient.Do(request)
		if err != nil {
			t.Fatal(err)
		}
		response.Body.Close()
		if response.StatusCode == http.StatusOK {
			t.Errorf("the password %q opens the door", password)
		}
	}
	equal(t, s, "SELECT 1", "1")
}

func TestStartInParallel(t *testing.T) {
	var group sync.WaitGroup
	addresses := make(chan string, 8)
	for i := range 4 {
		group.Go(func() {
			s, err := Start(t.Context(), Options{Init: []string{fmt.Sprintf("CREATE DATABASE app%d", i)}})
			if err != nil {
				t.Error(err)
				return
			}
			t.Cleanup(func() { s.Close() })
			found, err := s.Text(t.Context(), "SELECT name FROM system.databases WHERE name LIKE 'app%'")
			if want := fmt.Sprintf("app%d", i); err != nil || found != want {
				t.Errorf("found %q, %v, want %q", found, err, want)
			}
			addresses <- s.HTTP
			addresses <- s.Native
		})
	}
	group.Wait()
	close(addresses)
	seen := map[string]bool{}
	for address := range addresses {
		if seen[address] {
			t.Errorf("%s is used twice", address)
		}
		seen[address] = true
	}
}

// When somebody takes a port between our look and the server's, others are tried.
func TestStolenPort(t *testing.T) {
	thief := ForTest(t, Options{})
	for name, steal := range map[string]func(*ports){
		"http":   func(p *ports) { p.http = thief.ports.http },
		"native": func(p *ports) { p.native = thief.ports.native },
	} {
		t.Run(name, func(t *testing.T) {
			dir, looks := temporaryHere(t), 0
			s := ForTest(t, Options{findPorts: func() (ports, error) {
				p, err := freePorts()
				if looks++; looks <= 2 {
					steal(&p)
				}
				return p, err
			}})
			equal(t, s, "SELECT 1", "1")
			if looks != 3 {
				t.Errorf("looked for ports %d times, want 3", looks)
			}
			if err := s.Close(); err != nil {
				t.Error(err)
			}
			nothingLeft(t, dir)
		})
	}
}

// A server that cannot start says why, at once, and leaves nothing behind.
func TestStartFails(t *testing.T) {
	for name, c := range map[string]struct {
		options Options
		want    string
	}{
		"a statement":       {Options{Init: []string{"SELECT nonsense"}}, "UNKNOWN_IDENTIFIER"},
		"the configuration": {Options{ExtraConfig: "<unclosed>"}, "SAXParseException"},
		"the ports":         {Options{findPorts: func() (ports, error) { return ports{"127.0.0.1:1", "127.0.0.1:1"}, nil }}, errPortTaken.Error()},
	} {
		t.Run(name, func(t *testing.T) {
			dir := temporaryHere(t)
			s, err := Start(t.Context(), c.options)
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("gave %v and %v, want an error with %q", s, err, c.want)
			}
			nothingLeft(t, dir)
		})
	}
}
