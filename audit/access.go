package audit

import "porterhouse"

// AccessEvent is something that decides who may ask: a person signs in or out,
// agrees, or a client gets, renews or loses a token.
type AccessEvent struct {
	ID      string                // of the request
	Action  string                // signin, signout, recheck; register, consent, code, token, refresh, exchange, revoke, reuse, device; forward
	Who     porterhouse.Principal // of whom it is; zero: not known
	Client  string                // id of the OAuth client; "": none has a part in it
	Remote  string                // address that it came from
	Scopes  []string              // asked for, agreed to, or given
	For     string                // resource that the token is for
	Cluster string                // whose ClickHouse is shown a provider's token
	Token   string                // public id of what was given or taken: jti, or a session's id
	Reason  string                // why, for a reader of the record
	Err     error                 // nil: it is about to be done; else why it was refused or failed
}

// Access writes what is about to be decided, before anything is given: when the
// error, a *porterhouse.Error of kind Unavailable, is not nil, nothing may be. A
// refusal of nobody in particular has a line as long as there are few, and is counted.
func (l *Log) Access(e AccessEvent) error {
	if e.ofNobody() {
		return e.sample(l)
	}
	if err := (event{kindAccess, e.write}).record(l); err != nil {
		return notGiven(err)
	}
	return nil
}

// ofNobody reports whether somebody was refused of whom nothing is known: not who it
// is, nor through which client. Whoever likes can make as many of these as they like.
func (e *AccessEvent) ofNobody() bool {
	return e.Err != nil && e.Client == "" && e.Who.Subject == "" && e.Who.User == ""
}

// sample counts such a refusal and records some of them, as of attempts at a door;
// apart from these, so that a flood at one hides nothing at the other.
func (e AccessEvent) sample(l *Log) error {
	l.mu.Lock()
	now := l.now()
	l.stats.Unauthenticated++
	sampled := l.strangers.sample(Attempt{Door: e.Action, Remote: e.Remote}, now)
	if !sampled {
		l.strangers.fold.add(now, e.Action, 1)
	}
	l.mu.Unlock()
	if !sampled {
		return nil
	}
	err := (event{kindAccess, e.write}).record(l)
	if err == nil {
		return nil
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.strangers.fold.add(now, e.Action, 1)
	return notGiven(err)
}

func notGiven(err error) error {
	return &porterhouse.Error{
		Kind:   porterhouse.Unavailable,
		Public: "the audit record cannot be written, so nobody is let in and no token is given; tell the operator, and try again later",
		Err:    err,
	}
}

// write adds the event to a line.
func (e *AccessEvent) write(body *fields) {
	body.text("id", e.ID)
	body.text("action", e.Action)
	writePerson(body, e.Who)
	body.text("proof", e.Who.Proof)
	body.text("client", e.Client)
	body.text("remote", e.Remote)
	body.list("scopes", e.Scopes)
	body.text("resource", e.For)
	body.text("cluster", e.Cluster)
	body.text("given", e.Token)
	reason, _ := mask(e.Reason)
	body.text("reason", reason)
	if e.Err != nil {
		writeError(body, e.Err)
		body.text("failure", reasonOf(e.Err))
	}
}
