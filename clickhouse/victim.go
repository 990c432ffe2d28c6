package clickhouse

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"strings"
	"time"

	"porterhouse"
)

// victim is a statement to be stopped.
type victim struct {
	id     string // its query_id
	record string // the id of our record, as far as log_comment tells
	user   string // whom ClickHouse lists as the one who asks
	mark   string // the condition by which ClickHouse tells it from all others
	hands  []hand // who may stop it: the first that ClickHouse allows to
	remedy string // what to do if none may

	known  bool          // ClickHouse has known it: when it does not any more, it has ended
	misses int           // KILLs that did not find it, while it was not known
	since  time.Time     // when it was abandoned
	end    time.Time     // when to give up
	gone   chan struct{} // closed when it is dead, or given up
}

// hand is somebody who may stop a statement.
type hand struct {
	name  string // tells one from another
	login func(ctx context.Context, queryID string) (string, error)
}

// company tells which victims one KILL can stop.
func (v *victim) company() string { return v.hands[0].name + " " + v.user }

// victim makes a victim of the call's statement.
func (k *call) victim() *victim {
	v := &victim{id: k.ID, user: k.way.user(k.account), mark: k.mark(), record: recordIn(k.Comment)}
	target := &k.client.target
	if target.login != "" {
		v.hands = append(v.hands, hand{"the gateway", func(ctx context.Context, _ string) (string, error) { return target.asGateway(ctx) }})
	}
	if k.client.cleaner.gateway != v.user {
		v.hands = append(v.hands, hand{"the account", func(ctx context.Context, id string) (string, error) { return k.way.login(ctx, k.account, id) }})
	}
	v.remedy = remedy(v.user == k.client.cleaner.gateway, k.prefix != "")
	return v
}

// remedy says what grants are missing.
func remedy(own, prefixed bool) string {
	switch {
	case prefixed:
		return "GRANT SELECT(query, query_id, user) ON system.processes TO the gateway's account"
	case own:
		return "GRANT SELECT(query, query_id, user, Settings) ON system.processes TO the gateway's account"
	}
	return "give the gateway an account of its own in ClickHouse (user, password), and GRANT KILL QUERY ON *.* " +
		"and SELECT(query, query_id, user, Settings) ON system.processes to it"
}

// mark returns the condition by which ClickHouse tells the statement from all others.
//
// The query_id alone does not: clients choose it, and who chose that of somebody
// else's running statement, and hung up, would stop theirs. Under EXECUTE AS the
// prefix says whose it is; ClickHouse lists it also where it hides secrets in the
// text. Elsewhere the log_comment does, which holds the id of our record.
func (k *call) mark() string {
	sql := quote([]byte("query_id = "), k.ID)
	sql = quote(append(sql, " AND user = "...), k.way.user(k.account))
	if k.prefix != "" {
		sql = quote(append(sql, " AND startsWith(query, "...), k.prefix)
		return string(append(sql, ')'))
	}
	sum := sha256.Sum256([]byte(k.Comment))
	sql = quote(append(sql, " AND hex(SHA256(Settings['log_comment'])) = "...), strings.ToUpper(hex.EncodeToString(sum[:])))
	return string(sql)
}

// once tells ClickHouse to stop the victims, which are of one company, and returns
// which query ids it knew. It does not wait for their end.
func (k *killer) once(ctx context.Context, victims []*victim) (running []string, err error) {
	marks := make([]string, len(victims))
	for i, v := range victims {
		marks[i] = v.mark
	}
	comment, err := json.Marshal(killComment{Record: victims[0].record, Kill: true})
	if err != nil {
		return nil, err
	}
	id := "kill-" + rand.Text()
	login := func(ctx context.Context) (string, error) { return victims[0].hands[0].login(ctx, id) }
	answer, err := k.client.control.askAs(ctx, login, statement{Query: porterhouse.Query{
		SQL: "KILL QUERY WHERE " + strings.Join(marks, " OR ") + " ASYNC", ID: id,
		Comment: string(comment), Format: "TabSeparated", Limits: porterhouse.Limits{Time: killTime},
	}})
	for line := range strings.Lines(answer) {
		_, rest, _ := strings.Cut(line, "\t") // status, id, user, query
		id, _, _ := strings.Cut(rest, "\t")
		running = append(running, tsvValue(id))
	}
	return running, err
}

// killComment is the log_comment of a KILL: the record that it belongs to. When it
// stops several statements, the others are in its text.
type killComment struct {
	Record string `json:"rid"`
	Kill   bool   `json:"kill"`
}

// recordIn finds the id of our record in a log_comment; "" when it has none.
func recordIn(comment string) string {
	var c killComment
	if json.Unmarshal([]byte(comment), &c) != nil {
		return ""
	}
	return c.Record
}
