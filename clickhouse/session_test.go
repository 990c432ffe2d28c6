package clickhouse_test

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"porterhouse"
	"porterhouse/clickhouse"
	"porterhouse/sandbox"
)

// lane is a ClickHouse and its session lane.
type lane struct {
	*sandbox.Server
	clickhouse.Lane
}

// openLane starts a ClickHouse where alice may write, and has roles and a password of
// her own; and the session lane to it.
func openLane(t testing.TB, changes ...func(*clickhouse.Config)) *lane {
	t.Helper()
	server := sandbox.ForTest(t, sandbox.Options{Init: []string{
		fmt.Sprintf("CREATE USER %s IDENTIFIED BY '%s'", gateway, strings.NewReplacer(`\`, `\\`, `'`, `\'`).Replace(gatewayPassword)),
		"CREATE USER alice IDENTIFIED BY 'a'", "CREATE USER `bob's \\\\` IDENTIFIED BY 'b'",
		"GRANT IMPERSONATE ON alice TO " + gateway, "GRANT IMPERSONATE ON `bob's \\\\` TO " + gateway,
		"CREATE DATABASE app", "CREATE DATABASE other",
		"CREATE TABLE app.t (a Int32, word String) ENGINE = MergeTree ORDER BY a",
		"CREATE ROLE reader", "CREATE ROLE writer", "CREATE ROLE stranger",
		"GRANT SELECT ON app.* TO reader", "GRANT INSERT ON app.* TO writer",
		"GRANT reader, writer TO alice",
		"GRANT CREATE TABLE, DROP TABLE ON app.* TO alice", "GRANT CREATE TEMPORARY TABLE, TABLE ENGINE ON *.* TO alice",
		"GRANT SELECT ON system.numbers, SELECT ON other.* TO alice",
		"GRANT INSERT ON app.* TO `bob's \\\\`",
	}})
	return &lane{server, newLane(t, server, changes...)}
}

// newLane makes a session lane to the server, which is closed when the test has ended.
func newLane(t testing.TB, server *sandbox.Server, changes ...func(*clickhouse.Config)) clickhouse.Lane {
	t.Helper()
	config := clickhouse.Config{
		URL: server.HTTP, User: gateway, Password: porterhouse.NewSecret(gatewayPassword),
		Access: clickhouse.Access{Native: server.Native},
	}
	for _, change := range changes {
		change(&config)
	}
	l, err := clickhouse.NewLane(config)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
		defer cancel()
		if err := l.Close(ctx); err != nil {
			t.Error(err)
		}
	})
	return l
}

// change makes a Query that does more than read.
func change(verb, sql string) porterhouse.Query {
	q := question(sql)
	q.Format = ""
	q.Passage = &porterhouse.Passage{Size: -1}
	q.Class = porterhouse.Class{Verb: verb, State: verb == "SET" || verb == "USE" || strings.HasPrefix(sql, "CREATE TEMPORARY")}
	return q
}

// insert makes a Query of an INSERT and its data, of a known length.
func insert(sql, data string) porterhouse.Query {
	q := change("INSERT", sql)
	q.Class.Data = true
	q.Passage.Data, q.Passage.Size = strings.NewReader(data), int64(len(data))
	return q
}

// in makes it a statement of alice's session.
func in(id string, q porterhouse.Query) porterhouse.Query {
	q.Passage.Session = &porterhouse.Session{ID: id, Owner: "alice@example.com"}
	return q
}

// said is an answer that was read to its end.
type said struct {
	Status  int
	Fields  map[string]string
	Text    string
	Summary porterhouse.Summary
}

// as asks q as somebody.
func (l *lane) as(ctx context.Context, t testing.TB, name string, q porterhouse.Query) (said, error) {
	t.Helper()
	answer, err := l.Run(ctx, account(t, name), q)
	if err != nil {
		return said{}, err
	}
	defer answer.Body.Close()
	text, err := io.ReadAll(answer.Body)
	if err != nil {
		t.Fatal(err)
	}
	s := said{Status: answer.Head.Status, Fields: map[string]string{}, Text: string(text), Summary: answer.Summary()}
	for _, f := range answer.Head.Fields {
		s.Fields[f.Name] = f.Value
	}
	return s, nil
}

// does asks q as alice, and fails the test unless it ends well.
func (l *lane) does(t testing.TB, q porterhouse.Query) said {
	t.Helper()
	s := l.says(t, q)
	if s.Status != http.StatusOK || s.Text != "" {
		t.Fatalf("%.100s: status %d, %s", q.SQL, s.Status, s.Text)
	}
	return s
}

// says asks q as alice, and fails the test unless ClickHouse answers.
func (l *lane) says(t testing.TB, q porterhouse.Query) said {
	t.Helper()
	s, err := l.as(t.Context(), t, "alice", q)
	if err != nil {
		t.Fatalf("%.100s: %v", q.SQL, err)
	}
	return s
}

// refuses asks q as alice, and checks what we say against it.
func (l *lane) refuses(t *testing.T, q porterhouse.Query, kind porterhouse.Kind, public string) {
	t.Helper()
	_, err := l.as(t.Context(), t, "alice", q)
	wantError(t, err, kind, public)
}

// text asks as the admin.
func (l *lane) text(t testing.TB, sql string) string {
	t.Helper()
	text, err := l.Text(t.Context(), sql)
	if err != nil {
		t.Fatal(err)
	}
	return strings.TrimSpace(text)
}

// whose proves a statement to run as the account: it succeeds for nobody else.
const whose = "INSERT INTO app.t SELECT throwIf(currentUser() != 'alice'), 'whose'"

func TestLaneIsThePerson(t *testing.T) {
	l := openLane(t)
	l.does(t, change("INSERT", whose))
	q := change("INSERT", whose)
	l.does(t, q)
	isLogged(t, l.Server, "SELECT user, initial_user, authenticated_user, log_comment, interface FROM system.query_log WHERE type = 'QueryFinish' AND query_id = '"+q.ID+"'",
		"alice\talice\t"+gateway+"\t"+q.Comment+"\t1")
	_, err := l.as(t.Context(), t, `bob's \`, change("INSERT", strings.Replace(whose, "'alice'", `'bob\'s \\'`, 1)))
	if err != nil {
		t.Error(err)
	}
	for name, want := range map[string]string{
		"nobody":  "does not let Porterhouse act as",
		"default": "does not let Porterhouse act as",
		gateway:   "Porterhouse's own",
	} {
		_, err := l.as(t.Context(), t, name, change("INSERT", whose))
		if k, public := porterhouse.Explain(err); !strings.Contains(public, want) || k != porterhouse.Denied && k != porterhouse.Refused {
			t.Errorf("%s: the error is %v", name, err)
		}
	}
	if _, err := l.Run(t.Context(), porterhouse.Account{}, change("INSERT", whose)); err == nil {
		t.Error("nobody was let in")
	}
}
