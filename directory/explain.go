package directory

import (
	"context"
	"fmt"
	"time"

	"porterhouse"
)

// trail collects why an account is as it is. A nil trail collects nothing.
type trail struct{ lines []string }

func (t *trail) say(format string, args ...any) {
	if t != nil {
		t.lines = append(t.lines, fmt.Sprintf(format, args...))
	}
}

// binding says whose an account is, and which proof tells the groups.
func (t *trail) binding(b Binding, who porterhouse.Principal, c claim) {
	if t == nil {
		return
	}
	switch {
	case b.Shared:
		t.say("the account %q is shared", b.Account)
	case b.Since.IsZero():
		t.say("the account %q is nobody's yet: whoever comes first has it", b.Account)
	default:
		t.say("the account %q is that of this person since %s", b.Account, b.Since.Format(time.DateOnly))
	}
	if !c.groups {
		return
	}
	if b.Issued.IsZero() {
		t.say("no proof of this person has a date: what all of them tell are the groups %q", b.Groups)
	} else {
		t.say("the newest proof of this person is of %s and tells the groups %q", b.Issued.Format(time.RFC3339), b.Groups)
	}
	if b.Proof != who.Proof {
		t.say("these the processor %q told: of them only what this token tells as well counts here", b.Proof)
	}
	if kept := countable(who.Groups); len(kept) < len(who.Groups) {
		t.say("of %d groups %d count: there are too many, or names that are not UTF-8", len(who.Groups), len(kept))
	}
	if who.Issued.Before(b.Issued) {
		t.say("this token is older, of %s: what it tells of the groups does not count", who.Issued.UTC().Format(time.RFC3339))
	}
}

// Explain finds the account of who as Account does, and says in words each rule
// that fired on the way, also when it ends in an error. It changes nothing: no
// account is made or given to anybody, and nothing is recorded.
func (d *Directory) Explain(ctx context.Context, who porterhouse.Principal, at porterhouse.Entry) (porterhouse.Account, []string, error) {
	because := &trail{}
	if who.Issuer == "" || who.Subject == "" {
		return porterhouse.Account{}, nil, errNobody
	}
	m, err := d.place(who, because)
	if err != nil {
		return porterhouse.Account{}, because.lines, refusal(who, err)
	}
	w, err := d.want(ctx, m, inquiry{who: who, at: at, because: because, idle: true})
	return w.Account, because.lines, err
}
