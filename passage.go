package porterhouse

import (
	"io"
	"iter"
	"time"
)

// Passage is what a client that speaks ClickHouse's own interface sends beside its
// statement, and how it wants the answer. A door reads its request into this shape;
// what has no place in it goes nowhere.
type Passage struct {
	// Data is what follows Query.SQL: the rest of the statement, or the data of an
	// INSERT, decoded. The gate moves the border, until SQL is the whole statement
	// and Data is data: then one line break belongs between them (statement.Head). It
	// is read once; nil: nothing follows.
	Data io.Reader
	Size int64 // bytes of Data, -1: nobody knows
	// Stop ends a Read of Data, or of a table, that waits for the client: nobody needs
	// more of it. It may be called at any time. Nil: no Read waits for long.
	Stop func()
	// Tables are external tables, in the order in which they come. Each is read
	// before the next is asked for, and after Data. Nil: there are none.
	Tables iter.Seq2[Table, error]

	Settings []Setting // of ClickHouse, in the order given
	Own      []Setting // of those in the statement's SETTINGS, the ones that shape the answer: beside a statement inside another one, only they do
	Options  []Setting // of its interface, which are no settings: compress, wait_end_of_query … in the order given
	Roles    []string  // to act with, of those that the account has; nil: its default roles
	QuotaKey string    // the client's own word for quotas that are keyed
	Person   string    // who asks, whatever the cluster and the account: whose part of what all clusters share
	Owner    string    // who asks, as the gate tells people apart: the key of such quotas where all are one account
	Session  *Session  // nil: none
	Comment  string    // the client's own log_comment
	ReadOnly bool      // the client asks for a read and nothing else (GET); behind the gate: nothing else may pass

	Agent    string            // what the client calls itself, for ClickHouse's log; "": nothing
	Accept   string            // the codings that the answer may have, as HTTP's Accept-Encoding; "": none
	Progress func(line string) // is told of progress, in ClickHouse's JSON, before the first byte of the answer; nil: the client asks for none
}

// Setting is the name of something and its value, both as the client wrote them.
type Setting struct{ Name, Value string }

// Session is a session of ClickHouse's that the client wants to begin or go on with.
type Session struct {
	ID      string        // the client's own name for it
	Owner   string        // whose it is, as the gate tells people apart: two people with one ID have two sessions
	Timeout time.Duration // how long it may be idle; 0: the server's default
	Check   bool          // it must be there already
	Close   bool          // it ends with this statement
	Life    int           // how many with this name were lost before: none of them is found again. Doors leave it 0
}

// Table is an external table.
type Table struct {
	Name   string
	File   string    // the name of the file, as the client gave it
	Fields []Setting // what describes it: format, structure or types
	Data   io.Reader
}

// Head is what ClickHouse says before the first byte of an answer to a Passage. What
// ClickHouse itself refuses is such an answer, too; an error of Query is a refusal of
// ours, or says that ClickHouse did not answer.
type Head struct {
	Status int       // the number by which its interface tells success from failure
	Fields []Setting // of those that a client may see, in ClickHouse's spelling and order
}
