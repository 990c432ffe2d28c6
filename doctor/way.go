package doctor

import (
	"slices"

	"porterhouse/clickhouse"
)

// configured is the mode that the configuration names; "": it leaves that to what
// works.
func (e *exam) configured() clickhouse.Mode {
	if e.Access.Mode == clickhouse.Auto {
		return ""
	}
	return e.Access.Mode
}

// way finds how people get in, and says what is in the way.
func (e entry) way() {
	best, why := clickhouse.Choose(e.Facts, e.Access)
	e.plan.Mode, e.plan.Why = best, why
	switch mode := e.configured(); {
	case mode != "":
		e.plan.Mode, e.plan.Why = mode, "the configuration says so"
		if best != "" && best != mode {
			e.fine("auto", "access.mode auto would take %s: %s", best, why)
		}
	case best != "":
	case e.Facts.ExecuteAs.Known.Failed(clickhouse.SwitchedOff):
		e.plan.Mode, e.plan.Why = clickhouse.ExecuteAs, "EXECUTE AS is there, and works once it is switched on; nothing else works yet"
	case !e.Facts.Gateway.Login.Works():
		e.plan.Why = "the gateway cannot log in, so nobody knows yet what works; the SQL is for execute_as"
	default:
		e.plan.Why = "nothing works yet"
	}
	if e.maySwitchToVerify() && e.plan.Mode != clickhouse.Verify {
		e.fine("ticket", ticketUntried)
	}
	switch e.plan.Mode {
	case clickhouse.ExecuteAs:
		e.executeAs()
	case clickhouse.Verify:
		e.verify()
	case clickhouse.Forward:
		e.forward()
	case clickhouse.Interserver:
		e.interserver()
	case clickhouse.Static:
		e.add(Finding{Careful, "way", "to ClickHouse everybody is " + e.Facts.Gateway.User + ": whatever this user may read, everybody reads", "use a mode in which people are themselves: auto says which ones work here", ""})
	default:
		e.noWay()
	}
}

// executeAs says whether the gateway can act as people.
func (e entry) executeAs() {
	f := e.Facts.ExecuteAs
	e.executeAsKnown(f.Known)
	person := e.Facts.Person
	switch {
	case f.Person.Works():
		e.fine("person", "the gateway may act as %s, and ClickHouse then says that it is %s who asks", person, person)
	case f.Person.Failed(clickhouse.NotGranted) && slices.Contains(e.LocalUsers, person): // see rights
	case f.Person.Failed(clickhouse.NotGranted) && f.Known.Works() && !e.leadsToStaff(person, false) && e.ruling() == "":
		e.add(Finding{Wrong, "person", "the gateway may not act as " + person, "run the GRANT IMPERSONATE below", f.Person.Said})
		e.runs(e.grant(need{right: "IMPERSONATE", on: clickhouse.QuoteName(person), why: "so that the gateway may act as " + person}))
	case f.Person.Failed(clickhouse.NoSuchUser):
		e.add(Finding{Wrong, "person", "the gateway may act as " + person + ", whom ClickHouse does not have", "make that user, or take it out of users.local_users.allow", f.Person.Said})
	case f.Known.Works() && !f.Person.Failed():
		e.fine("person", "there is nobody yet as whom the gateway may act, so it could not be tried")
	}
	if f.FormatKept.Failed(clickhouse.OtherError) {
		e.add(Finding{Careful, "format", "a FORMAT in a person's own SQL has no effect here, without an error", "upgrade to 26.3.14.32, 26.4.1.220 or later; clients that name the format beside the SQL are not concerned", f.FormatKept.Said})
	}
	e.native("all but reads needs it: without it people can read, and that is all")
}

// executeAsKnown says whether the server has EXECUTE AS.
func (e entry) executeAsKnown(f clickhouse.Finding) {
	const others = "use access.mode verify, where the server's configuration can be changed (see the authenticator), or interserver, where its operator gives the cluster's secret"
	switch {
	case f.Works():
		e.fine("execute-as", "EXECUTE AS is there and switched on")
	case f.Failed(clickhouse.SwitchedOff):
		e.add(Finding{Wrong, "execute-as", "EXECUTE AS is switched off", "put the file below into the configuration of each server, start it anew, and then run the SQL: GRANT IMPERSONATE is refused as long as it is off", f.Said})
		e.switchOn()
	case f.Failed(clickhouse.CompiledOut):
		e.add(Finding{Wrong, "execute-as", "this build has no EXECUTE AS, although its version would", others, f.Said})
	case f.Failed(clickhouse.Unknown):
		e.add(Finding{Wrong, "execute-as", "this version has no EXECUTE AS, which came with 25.11", others + "; or upgrade", f.Said})
	case f.Failed(clickhouse.HeldToReading):
		e.add(Finding{Wrong, "execute-as", "the gateway is held to reading, and EXECUTE AS is no read to ClickHouse", "take readonly off its profile: what people may do is bounded by their own accounts", f.Said})
	case f.Failed():
		e.add(Finding{Wrong, "execute-as", "EXECUTE AS could not be tried", "see what ClickHouse says", f.Said})
	}
}

// ticketUntried is said where nobody can hand out tickets.
const ticketUntried = "whether ClickHouse takes one-time tickets (verify) shows in porterhouse serve only, which hands them out"

// maySwitchToVerify reports whether the server, which can try tickets, may take verify
// by itself where we found another mode.
func (e *exam) maySwitchToVerify() bool {
	return e.configured() == "" && e.Authenticator != "" && e.Facts.Ticket.Outcome == clickhouse.Untried
}

// verify says whether ClickHouse asks us who is there.
func (e entry) verify() {
	switch f := e.Facts.Ticket; {
	case f.Works():
		e.fine("ticket", "%s was let in with a one-time ticket: ClickHouse asks us", e.Facts.Person)
	case f.Failed(clickhouse.LoginRefused):
		e.add(Finding{Wrong, "ticket", "a one-time ticket of " + e.Facts.Person + " is refused: ClickHouse does not ask us, or this user does not log in by our word",
			"put the file below into the configuration of each server, run the ALTER USER, and see in our log whether ClickHouse knocks", f.Said})
		e.askUs()
	case f.Failed():
		e.add(Finding{Wrong, "ticket", "a one-time ticket could not be tried", "see what ClickHouse says", f.Said})
	default:
		e.fine("ticket", ticketUntried)
	}
}

// forward says whether ClickHouse takes tokens.
func (e entry) forward() {
	if f := e.Facts.Bearer; f.Works() {
		e.fine("bearer", "ClickHouse reads tokens, and refuses a made-up one")
	} else {
		e.add(Finding{Wrong, "bearer", "this ClickHouse takes no tokens", "use a build that does (ClickHouse Cloud, Altinity's Antalya with token_processors), or another access.mode: auto says which one works", f.Said})
	}
	e.tokens()
}

// switchable says that EXECUTE AS could be had where something with more power is used.
func (e entry) switchable() {
	if f := e.Facts.ExecuteAs.Known; f.Failed(clickhouse.SwitchedOff) {
		e.add(Finding{Careful, "execute-as", "EXECUTE AS is there and switched off; it would need no secret, and the gateway could act as people by name only",
			"put the file below into the configuration of each server, start it anew, and say access.mode execute_as, or auto", f.Said})
		e.switchOn()
	}
}

// interserver says whether the cluster's secret lets us in.
func (e entry) interserver() {
	e.switchable()
	if !e.native("this mode has nothing else") {
		return
	}
	switch f := e.Facts.Native.Secret; {
	case f.Works():
		e.fine("secret", "a question as %s, under the cluster's secret, was answered", e.Facts.Person)
		e.add(Finding{Careful, "secret-holder", "whoever has the cluster's secret is anybody there, an administrator too", "keep the secret with as few as possible; move to execute_as or verify when the servers have them", ""})
	case f.Failed():
		e.add(Finding{Wrong, "secret", "a question under the cluster's secret was not answered: the secret or the cluster's name is another, or ClickHouse does not have the user " + e.Facts.Person,
			"compare <secret> below remote_servers in the server's configuration with ours, and the name of the cluster; the server's log says which it is", f.Said})
	default:
		e.add(Finding{Careful, "secret", "the cluster's secret could not be tried, because there is nobody to try it with", "name somebody in users.local_users.allow who is a user of this ClickHouse", ""})
	}
}

// native says whether the native port can be had; why is what for. It reports whether
// it can.
func (e entry) native(why string) bool {
	f, key := e.Facts.Native, "access.native"
	if len(e.Others) > 0 {
		key = "its native in hosts"
	}
	switch {
	case f.Reached.Works():
		e.fine("native", "the native port answers")
		return true
	case f.Reached.Failed():
		o := e.obstacleOf(f.Reached)
		e.add(Finding{Wrong, "native", "the native port: " + o.text, "check " + key + " and native_tls (9000 is plain, 9440 TLS, mostly); " + why, f.Reached.Said})
	default:
		e.add(Finding{Careful, "native", "no native port is configured", "say access.native: host:9000, or host:9440 with native_tls: true; " + why, ""})
	}
	return false
}

// noWay says what could be done where nothing works.
func (e entry) noWay() {
	if !e.Facts.Gateway.Login.Works() {
		return // which is told, and comes first
	}
	known := e.Facts.ExecuteAs.Known
	why := "this version has no EXECUTE AS, which came with 25.11"
	if known.Failed(clickhouse.CompiledOut) {
		why = "this build has no EXECUTE AS, although its version would"
	}
	e.add(Finding{Wrong, "way", "nobody can be themselves here as it is: " + why + ", and nothing else works yet",
		"where the server's configuration can be changed, let ClickHouse ask us (authenticator, access.mode verify: from 25.3 on); where its operator gives the cluster's secret, use interserver (from 22.9 on); " +
			"where it takes tokens, use forward; where everybody may be one account, static, with any version; or upgrade", known.Said})
}
