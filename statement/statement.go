package statement

// Report is what a SQL text is. Positions are 1-based bytes of the text.
type Report struct {
	Statements int      // how many, separated by ';'; 0: nothing but space and comments, or Unsure of its very tokens
	Verb       string   // the word that decides, in upper case: INSERT for WITH … INSERT; "" when there is none
	Read       bool     // every statement only reads: nothing to be granted but reading
	State      bool     // it changes the session: SET, USE, SET ROLE, a temporary table, a transaction
	Silent     bool     // it does more than read, and answers without rows
	Input      bool     // it takes what is sent along from input(…)
	Format     string   // behind FORMAT, of its answer or its data, as it is written; "": none
	Hazards    []Hazard // what may not pass unasked, in order of position
}

// Kind is a sort of hazard.
type Kind string

// The hazards that Check finds.
const (
	Unsure        Kind = "unsure"         // cannot be read with certainty; Reason says why
	Empty         Kind = "empty"          // no statement: under EXECUTE AS it would switch the session
	Multiple      Kind = "multiple"       // a second statement
	Write         Kind = "write"          // the verb is not a read
	ExecuteAs     Kind = "execute_as"     // EXECUTE AS
	ParallelWith  Kind = "parallel_with"  // PARALLEL WITH
	IntoOutfile   Kind = "into_outfile"   // INTO OUTFILE
	FormatClause  Kind = "format"         // FORMAT x
	Setting       Kind = "setting"        // a guarded name in SETTINGS, at any depth
	FromInfile    Kind = "from_infile"    // INSERT … FROM INFILE
	TableFunction Kind = "table_function" // a table function that is not known to stay inside
	Source        Kind = "source"         // an engine, a dictionary's source, a disk or a backup that is not known to stay inside
	Function      Kind = "function"       // a scalar function that reaches outside
)

// Hazard is one thing in the text that may not pass unasked.
type Hazard struct {
	Kind   Kind
	At     int    // where it begins
	Name   string // of a setting or a source, as it is written; of a function, in lower case; "" otherwise
	Reason string // a sentence for the person: what it is and what to do instead
}

// Check reads sql as ClickHouse 26.7 does and reports what it is. It never
// fails and never changes the text: what it is not sure of is a hazard.
func Check(sql string) Report {
	var buffer [320]word // enough for a text of 1.5 KB, which so needs no memory
	words, doubt := readWords(sql, buffer[:0])
	if doubt != nil {
		return Report{Hazards: []Hazard{{Kind: Unsure, At: doubt.at + 1, Reason: doubt.reason}}}
	}
	found := findings{Report{Read: true}}
	checkText(sql, words, &found)
	return found.inOrder()
}
