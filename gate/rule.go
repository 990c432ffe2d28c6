package gate

import "time"

// Rule is a limit on a part of all questions. Every rule that fits a question holds,
// and each counts by itself.
type Rule struct {
	Name string // for the person who meets it and the operator who wrote it

	// Whom it fits: who is in one of the Groups, is one of the People (as
	// porterhouse.Principal.User), or comes by one of the Clients. An empty list fits
	// everybody.
	Groups, People, Clients []string
	Per                     Per // who shares what the rule allows

	Queue   Queue         // the zero Queue does not bound
	Queries int64         // that begin within Window; 0: not bound
	Bytes   int64         // that answers and uploads have within Window; 0: not bound
	Window  time.Duration // needed by Queries and Bytes
	Time    time.Duration // of one question; 0: not bound
	Answer  int64         // bytes of one answer; 0: not bound
}

// Per says who shares what a rule allows.
type Per string

// Who may share it.
const (
	PerPerson Per = "person" // nobody: each person has it
	PerGroup  Per = "group"  // who is in the same one of Groups
	PerClient Per = "client" // who comes by the same client
	PerRule   Per = "rule"   // everybody whom the rule fits
)
