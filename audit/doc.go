// Package audit keeps the record: who asked for what, through which client, and
// how it ended. No record, no query: Begin has handed the opening line to the
// operating system before it returns, and the caller sends the statement only
// then.
//
//	Begin ──▶ open line ──▶ Entry ── End ──▶ close line     one question
//	Account ─▶ account line                               before a change
//	Reload ──▶ reload line                 before a configuration is in force
//	Refuse ─▶ refuse line, or beyond a rate: counted ──▶ folded line
//	Unauthenticated ─▶ a sample of lines; all are counted ──▶ one line a minute
//	                     │
//	                   writer ── chain: each line holds the MAC of the one before
//	                     │
//	                   audit.jsonl ── rotate ──▶ audit-<time>-<seq>.jsonl
//
//	Verify ◀── the files, the key, and a head that was logged earlier
//
// The rule: a line is either wholly in the file and in the chain, or it is not
// there and the caller was told. A full disk stops questions, not the process:
// the next Begin tries again. What ends while the disk is full is kept in memory
// and written first when there is room; nothing new is asked before that, so what
// is kept is never more than what was open.
//
// doc/audit.md describes every line and field, doc/decisions/004-audit-chain.md
// what the chain proves and what it does not.
package audit
