package gate

import (
	"fmt"

	"porterhouse"
	"porterhouse/statement"
)

// Door is what one door lets pass to one cluster, and how much of it.
type Door struct {
	Limits porterhouse.Limits // the widest that an answer can have; Time is needed, for rows all are
	Queue  Queue              // how many questions one person may have at once
	Rules  []Rule             // further limits: all that fit a question hold
	Allow  Allow              // what the operator lets pass the statement check
	Pass   Pass               // what passes at this door without being named
}

// Pass is what a door lets pass because somebody else decides on it. The zero Pass is
// for reads whose answer has a row format.
type Pass struct {
	Writes   bool           // statements that do more than read: ClickHouse's grants decide. Who gave no more than reading (Principal.ReadOnly) reads
	Sources  bool           // functions and tables that reach outside the cluster: its grants decide
	Format   bool           // FORMAT: the client reads the answer
	Settings statement.Risk // up to which risk settings may be set
}

// door is a Door, ready to be asked.
type door struct {
	Door
	rules rules
}

func (d Door) check() error {
	if l := d.Limits; l.Time <= 0 || !d.Pass.Format && (l.Rows <= 0 || l.Bytes <= 0 || l.Memory <= 0) {
		return fmt.Errorf("every limit must be positive, have %+v", l)
	}
	return d.Queue.check()
}
