package clickhouse_test

import "testing"

// Whoever goes on in a session at the client that has taken over is told once that it has
// ended; nobody else is, and a statement that needs what was set does not run without it.
func TestHandOver(t *testing.T) {
	l := openLane(t)
	l.does(t, in("s", change("SET", "SET max_threads = 3")))
	next := &lane{l.Server, newLane(t, l.Server)}
	l.Lane.HandOver(next.Lane)
	l.does(t, in("s", change("INSERT", isSet))) // what was begun is not disturbed

	other := in("s", change("SET", "SET max_threads = 3"))
	other.Passage.Session.Owner = "bob@example.com"
	next.does(t, other)
	next.does(t, in("s2", change("SET", "SET max_threads = 3")))
	wantCode(t, next.err(t, in("s", change("INSERT", "INSERT INTO app.t VALUES (1, '')"))), 372, "the operator changed how Porterhouse reaches ClickHouse")
	next.does(t, in("s", change("SET", "SET max_threads = 3")))
	l.Lane.HandOver(next.Lane)
	next.does(t, in("s", change("INSERT", isSet)))
}
