package sandbox

import (
	"strings"
	"testing"
)

func TestStart(t *testing.T) {
	s := ForTest(t, Options{Init: []string{"CREATE DATABASE app", "CREATE USER a IDENTIFIED WITH no_authentication", "GRANT IMPERSONATE ON a TO default"}})
	got, err := s.Text(t.Context(), "EXECUTE AS 'a' SELECT currentUser(), authenticatedUser()")
	if err != nil || got != "a\tdefault" {
		t.Fatal(got, err)
	}
	t.Log(s.Version, s.PID, s.HTTP, s.Native, s.Dir)
}

func TestRestart(t *testing.T) {
	s := ForTest(t, Options{})
	for _, x := range []string{"CREATE DATABASE app", "CREATE TABLE app.t (x Int64) ORDER BY x", "INSERT INTO app.t VALUES (1)", "CREATE USER a IDENTIFIED WITH no_authentication", "GRANT SELECT ON app.* TO a"} {
		if err := s.Exec(t.Context(), x); err != nil {
			t.Fatal(err)
		}
	}
	if err := s.Kill(); err != nil {
		t.Fatal(err)
	}
	t.Log(s.Err())
	if err := s.Restart(t.Context()); err != nil {
		t.Fatal(err)
	}
	t.Log(s.Text(t.Context(), "EXECUTE AS 'a' SELECT * FROM app.t"))
	if err := s.Restart(t.Context()); err != nil {
		t.Fatal(err)
	}
	t.Log(s.Text(t.Context(), "EXECUTE AS 'a' SELECT * FROM app.t"))
	x, err := s.Text(t.Context(), "SELECT query FROM system.query_log ORDER BY event_time_microseconds")
	t.Log(strings.Count(x, "\n"), err)
}

func TestStolen(t *testing.T) {
	o := Options{}
	other := ForTest(t, Options{})
	for _, taken := range []ports{other.ports, {"127.0.0.1:0", other.ports.native}} {
		n := 0
		o.findPorts = func() (ports, error) {
			n++
			p, err := freePorts()
			if n == 1 {
				if taken.http != "127.0.0.1:0" {
					p.http = taken.http
				} else {
					p.native = taken.native
				}
			}
			return p, err
		}
		s := ForTest(t, o)
		t.Log(n, s.HTTP)
	}
}
