package directory

import (
	"porterhouse"
)

// Wanted is an account as the rules want it: what the Provisioner sees to, and
// all that it is told of the rules.
type Wanted struct {
	Account     porterhouse.Account // name, roles and profile; never a local user's
	Who         porterhouse.Principal
	At          porterhouse.Entry
	Persona     bool        // the account of somebody's agent
	Shared      bool        // several people have it, and Who is one of them
	Constraints Constraints // what the account itself must keep to
}

// Constraints are settings of an account that no statement of it can lift. The
// zero Constraints are none.
type Constraints struct {
	ReadOnly bool               // readonly = 2 CONST: no writes, yet our own settings pass
	Limits   porterhouse.Limits // each that is not zero, CONST
}

// Origin is who made a ClickHouse user, as the Provisioner finds it.
type Origin string

// The origins of a user.
const (
	Missing    Origin = "missing"    // there is no such user
	Ours       Origin = "ours"       // we made it: it has the marker role
	Local      Origin = "local"      // somebody else did
	Privileged Origin = "privileged" // it holds access management or may impersonate: nobody acts as it
)
