// Package statement says what a SQL text is, before it goes anywhere: how many
// statements, which verb decides, whether it only reads, and what in it may not
// pass unasked. It knows nothing of users, limits or servers, and never changes
// a byte.
//
//	sql ──Lexer──▶ tokens ──readWords──▶ words ──checker──▶ findings ──▶ Report
//	        │                                           │
//	cuts where ClickHouse cuts,        clause.go    what a keyword begins
//	byte for byte; each sort of        call.go      what a bracket calls
//	token has a file: number.go,       settings.go  what SETTINGS sets
//	quote.go, heredoc.go …
//
// A text may go on with the data of an INSERT. [ReadHead] finds the border, and only
// what is before it is checked:
//
//	text, all of it or its beginning ──ReadHead──▶ Head ──text[:End]──▶ Check
//	                                        └────text[From:], never looked at
//
// The checker asks what it must know. The words of a statement answer alone, in
// sentence.go and verb.go, or with the brackets around them, in position.go.
//
// The rules:
//
//   - The Lexer agrees with ClickHouse 26.7 about every token. What other versions
//     cut differently (a comment in a comment, a heredoc that is not closed) and
//     what ClickHouse refuses is [Unsure].
//   - There is no parser. The words of a statement are read once, with the bracket
//     that each stands in; ClickHouse has no reserved words, so where a word could
//     be a name or a clause, it is the clause.
//   - What is not known is refused: a first word that is not known to begin a read;
//     a name before a bracket where a table may stand, that is not a table function
//     known to stay inside; a setting that is not known to be harmless.
//   - Scalar functions alone are refused by name, when they are known to reach
//     outside: there are too many good ones, and operators add their own.
//   - Whether a person may write is not decided here: statements that write are looked
//     through like reads, for what else they do (class.go, write.go).
//   - Data is where ClickHouse is sure to read data. Where it might read SQL, the text
//     is SQL to the check, too.
//
// The tables are in tables.go, functions.go, settings.go and risks.go; tests hold them
// against what a real ClickHouse says it has.
package statement
