package porterhouse

import (
	"io"
	"time"
)

// Query is one question on its way to a ClickHouse cluster. A door fills in the
// first part; the gate checks it, tightens Limits and fills in the rest.
type Query struct {
	SQL      string            // exactly as the person wrote it; nobody changes a byte
	Params   map[string]string // values of {name:Type} in SQL, by name, with TSV's escapes as ClickHouse reads them
	Database string            // where unqualified tables are looked up; "": the account's default
	Format   Format            // how the answer travels
	Limits   Limits            // a zero field takes the gate's own limit; a larger one is lowered to it
	Via      Via               // where the question came in
	Passage  *Passage          // beside it, from a client that speaks ClickHouse's own interface; nil: Format is a row format

	ID      string // the query_id that ClickHouse logs: the client's own, or else the id of the audit record
	Comment string // the log_comment that joins ClickHouse's query log to the audit record
	Class   Class  // what the gate found the statement to be
}

// Via is how a question reached us.
type Via struct {
	Entry
	Tool    string // the MCP tool that asks; "" at other doors
	Call    string // one call of a tool may ask several questions: all carry its id
	Request string // id of the HTTP request, as the access log has it
}

// Limits bound one answer. Time and Memory are sent to ClickHouse, and Time is
// enforced again here; Rows and Bytes are counted here only, because whatever
// ClickHouse could be told of them lies (result_overflow_mode=break) or can be
// lifted by the statement.
type Limits struct {
	Rows   int64         // rows in the answer
	Bytes  int64         // bytes of the answer, as it travels
	Time   time.Duration // from sending the statement to the last byte
	Memory int64         // bytes that ClickHouse may use for it
}

// Class is what a statement does, as far as it decides the way to run it.
type Class struct {
	Verb   string // in upper case: INSERT for WITH … INSERT
	Read   bool   // it only reads, whatever the account may do
	State  bool   // it changes the session: SET, USE, a temporary table, SET ROLE
	Data   bool   // an INSERT whose data follows it
	Input  bool   // an INSERT that takes its data from input(…)
	Silent bool   // it does more than read, and answers without rows: no format is needed
	Format string // that it names itself (FORMAT), for its answer or its data; "": none

	FormatAt int // where that FORMAT begins, a 1-based byte of SQL; 0: nowhere
}

// Format names a ClickHouse output format.
type Format string

// The row formats: the answer's Columns are known before its first byte, and
// its Body has one line for each row. Any other Format is passed through.
const (
	TSVRows  Format = "TabSeparatedWithNamesAndTypes"
	JSONRows Format = "JSONCompactEachRowWithNamesAndTypes"
)

// IsRows reports whether f is one of the row formats.
func (f Format) IsRows() bool { return f == TSVRows || f == JSONRows }

// Answer is an open answer. Close Body in every case: closing before the end
// stops the statement in ClickHouse.
type Answer struct {
	Columns []Column // of a row format; nil otherwise
	Head    *Head    // of a Passage; nil otherwise
	// Body is the answer. For a row format it holds whole lines, one for each row
	// and at most Limits.Rows of them; names and types are in Columns instead. An
	// error of ClickHouse after the first byte comes out of Read as an *Error.
	//
	// Of a Passage it holds the bytes as ClickHouse sent them, an exception too, and
	// Read fails when not all of them came: then the client must see a broken answer.
	Body io.ReadCloser
	// Summary says how it went, once Body has ended or was closed.
	Summary func() Summary
}

// Column is the name and the ClickHouse type of one column.
type Column struct{ Name, Type string }

// Summary is what is known of an answer after its end.
type Summary struct {
	Rows      int64         // rows that left Body; of a row format only
	Bytes     int64         // bytes that left Body
	Cut       Cut           // why the answer is not all there is; "" when it is
	ReadRows  int64         // rows that ClickHouse read to answer, as far as it told
	ReadBytes int64         // bytes that ClickHouse read to answer
	Written   int64         // rows that ClickHouse wrote, as far as it told
	Sent      int64         // bytes of Passage.Data and Passage.Tables that were sent to ClickHouse
	Exception *Exception    // of a Passage: what ClickHouse reported in the body; nil: nothing, or nobody can tell
	Duration  time.Duration // from sending the statement to the end of Body
}

// Cut says what ended an answer early.
type Cut string

// The reasons why an answer ends early.
const (
	CutRows   Cut = "rows"   // Limits.Rows
	CutBytes  Cut = "bytes"  // Limits.Bytes
	CutCaller Cut = "caller" // the door closed Body before its end
	CutError  Cut = "error"  // an error, which Read has told
)
