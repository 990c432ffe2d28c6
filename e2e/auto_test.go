package e2e

import (
	"testing"
	"time"
)

// In the mode auto people are themselves by the best way that works; when that is gone,
// and another works for them, they go on without a restart, and nothing is looked for in
// between.
func TestAuto(t *testing.T) {
	t.Parallel()
	s := openSite(t, "auto", "")
	client := s.client()
	carolIs := func() reply {
		t.Helper()
		got, err := s.through.send(t.Context(), client, post("SELECT currentUser(), authenticatedUser()"))
		if err != nil {
			t.Fatal(err)
		}
		return got
	}
	const looks = "porterhouse_clickhouse_looks_total"
	if n := s.metric(looks); n != 0 {
		t.Errorf("%v looks before the first question", n)
	}
	for range 10 {
		if got := carolIs(); got.body != "carol\tcarol\n" { // by a ticket, as herself
			t.Fatalf("%d %s", got.status, got.body)
		}
	}
	if n := s.metric(looks); n != 1 {
		t.Errorf("%v looks for ten questions", n)
	}

	s.exec("ALTER USER carol IDENTIFIED WITH plaintext_password BY 'none of ours'", "GRANT IMPERSONATE ON carol TO "+s.gateway.User)
	var got reply
	for end := time.Now().Add(time.Minute); time.Now().Before(end) && got.body != "carol\t"+s.gateway.User+"\n"; time.Sleep(100 * time.Millisecond) {
		got = carolIs()
	}
	if got.body != "carol\t"+s.gateway.User+"\n" { // by EXECUTE AS
		t.Errorf("without a ticket: %d %s", got.status, got.body)
	}
}
