package sandbox

import "testing"

func TestStart(t *testing.T) {
	s := ForTest(t, Options{Init: []string{"CREATE DATABASE app", "CREATE USER a IDENTIFIED WITH no_authentication", "GRANT IMPERSONATE ON a TO default"}})
	got, err := s.Text(t.Context(), "EXECUTE AS 'a' SELECT currentUser(), authenticatedUser()")
	if err != nil || got != "a\tdefault" {
		t.Fatal(got, err)
	}
	t.Log(s.Version, s.PID, s.HTTP, s.Native, s.Dir)
}
