package directory

import (
	"time"

	"porterhouse"
	"porterhouse/audit"
	"porterhouse/kv"
)

// Config is the rules of one cluster, and what they are carried out with.
type Config struct {
	// Directories are the rules, each for the people of one token processor. They
	// are tried in order: the first whose Processor and Domains fit a person
	// decides, and whoever fits none is refused.
	Directories []Rules

	// Gateway is the ClickHouse user that the statements are sent by.
	Gateway string
	// Deny lists ClickHouse users that nobody acts as, by name or by prefix as
	// admin_*, however a name is written: letters are compared without regard to
	// case, width or style, though to ClickHouse Admin is not admin. Always denied
	// are default, Gateway and the Provisioner's own user.
	Deny []string
	// DenyRoles lists roles that no group leads to, in the same way. Always denied
	// are default and the Provisioner's marker role.
	DenyRoles []string

	// Provisioner makes the accounts. Nil: users and their roles are made by hand,
	// and are all local users; see Rules.LocalUsers.
	Provisioner *Provisioner
	// Store keeps which account is whose. It is needed unless all rules are
	// AllowShared.
	Store kv.Store
	// AllowOrphans gives an account that was made before, and that Store knows nobody
	// of, to the first to come: for a Store that forgets. Otherwise whoever comes there
	// is refused, until an operator releases it.
	AllowOrphans bool
	// State outlives the configuration. Nil: the Directory has one of its own.
	State *State
	// Audit records each account that is given to somebody or kept from them. Nil:
	// that is recorded nowhere.
	Audit *audit.Log
	// Lifetime is how long an account is as it was found, without asking Store or
	// ClickHouse again. A newer proof of the person ends it at once. 0: a minute.
	Lifetime time.Duration
	Now      func() time.Time // nil: time.Now
}

// Rules say which accounts people have. The fields from CommonRoles to
// RolesTransform, but for GroupRoles, are the keys of Antalya's
// <user_directories><token>, and mean the same.
type Rules struct {
	// Processor is the name of the token processor that must have proved the
	// person. "": any that no other rules name.
	Processor string

	// UserName is the template of the ClickHouse user name: any text with
	//
	//	{user}       the person's name, as the token tells it
	//	{localpart}  what precedes the @ of it; needs Domains
	//
	// "" is {user}.
	UserName string
	// Domains are the e-mail domains whose people are let in, such as
	// "example.com" (subdomains are others); the ASCII form of international
	// ones. Empty: people of any domain, and of none.
	Domains []string
	// LowerCase makes A–Z of the person's name a–z, so that names which differ in
	// nothing else are one account. Other letters stay as they are: lower-casing
	// them can make one name of two that look different.
	LowerCase bool
	// Allow lists the accounts that these rules may lead to, exact names or
	// prefixes as ph_*. Empty: any that is not denied.
	Allow []string
	// AllowUnicodeNames lets account names hold letters beyond ASCII, among
	// which there are some that look alike.
	AllowUnicodeNames bool
	// AllowShared accepts rules by which several people have one account: a
	// template without a placeholder, or {localpart} of several domains. Such an
	// account has CommonRoles and no role by group.
	AllowShared bool
	// LocalUsers lists the users of ClickHouse that were not made by us and that
	// these rules may lead to nevertheless: exact names, or prefixes as etl_*.
	// Whoever can choose their name at the identity provider becomes any of them.
	// Their roles and profile are left as they are.
	LocalUsers []string

	// CommonRoles are roles of everybody.
	CommonRoles []string
	// DefaultProfile is the settings profile of everybody; "": none.
	DefaultProfile string
	// GroupRoles lets groups give roles, as Antalya always does: the three fields
	// below say which.
	GroupRoles bool
	// RolesMapping gives groups another name before anything else is done.
	RolesMapping []Mapping
	// RolesFilter is a regular expression (RE2) that must match a whole group
	// name, as RolesMapping left it, for the group to count. "": all groups count.
	RolesFilter string
	// RolesTransform are replacements, s/pattern/replacement/ or …/g for all
	// matches, that turn the name of a group that counts into that of a role; one
	// after the other. A pattern matches anywhere (RE2).
	RolesTransform []string

	// Personas are the accounts of people's agents; the first that fits a client
	// is taken.
	Personas []Persona
}

// Mapping renames one group.
type Mapping struct{ From, To string }

// Persona is another account of the same person, with fewer rights, for some of
// the clients that act for them. Which client it is the verified token tells.
//
// To ClickHouse it is another user: row policies and quotas that ask
// currentUser() see alice#agent, and what is written for alice alone does not
// hold for it.
type Persona struct {
	// Suffix ends the account's name, such as #agent. Its first character is a
	// separator, which no other name may have.
	Suffix string
	// Clients are those that the persona is for. Except are those that it is not
	// for: all others get it, and tokens that name no client. At most one of the
	// two is given; neither: everything gets it.
	Clients, Except []string
	// Roles are those of the person's roles that the agent has too, by name or by
	// prefix as read_*; "*" for all. None other is ever added.
	Roles []string
	// Profile is the settings profile; "": the person's.
	Profile string
	// AllowWrites leaves out readonly = 2 CONST.
	AllowWrites bool
	// Limits are CONST settings of the account, as far as they are not zero.
	Limits porterhouse.Limits
}
