package clickhouse

import (
	"slices"
	"time"

	"porterhouse"
)

// Facts are what Probe found at a ClickHouse server: what is there and what works, in
// ClickHouse's own words where something fails. They say nothing of what to do.
type Facts struct {
	URL  string        `json:"url"`
	At   time.Time     `json:"at"` // when the look began
	Took time.Duration `json:"took_ns"`

	Reached Finding     `json:"reached"`          // somebody answers at URL, and it is ClickHouse. All else is Untried if not
	Lost    int         `json:"lost_connections"` // that were closed without a word; what they carried was asked again
	TLS     *TLSFact    `json:"tls,omitempty"`    // nil: plain, or never reached
	Server  ServerFacts `json:"server"`
	Traps   []Trap      `json:"traps"` // of this version: see Traps

	Gateway     AccountFacts  `json:"gateway"`               // Config.User
	Provisioner *AccountFacts `json:"provisioner,omitempty"` // Trial.Provisioner; nil: there is none
	OpenDefault Finding       `json:"open_default"`          // Works: the user `default` is let in without a password

	Person    string         `json:"person,omitempty"` // with whom the ways were tried; "": with nobody
	ExecuteAs ExecuteAsFacts `json:"execute_as"`
	Ticket    Finding        `json:"ticket"` // Works: the person was let in with a one-time ticket of Access.Mint
	Bearer    Finding        `json:"bearer"` // Works: ClickHouse reads tokens in Authorization: Bearer, and refused the one made up for the trial as a token
	Native    NativeFacts    `json:"native"`

	CustomSettings Finding `json:"custom_settings"` // Works: settings that begin with SQL_ exist (custom_settings_prefixes)
	QueryLog       Finding `json:"query_log"`       // Works: system.query_log is there; Said is why the gateway may not read it, if so. A server that has just begun makes it with its first lines
	SessionLog     Finding `json:"session_log"`     // the same
}

// Finding is what became of something that was tried. The zero Finding was not tried.
type Finding struct {
	Outcome Outcome `json:"outcome,omitempty"`
	Cause   Cause   `json:"cause,omitempty"` // of Fails and Untried
	Code    int     `json:"code,omitempty"`  // of ClickHouse's exception; 0: there was none
	Said    string  `json:"said,omitempty"`  // ClickHouse's or the network's own words: for the operator, it names hosts and accounts
}

// Outcome is how a trial ended.
type Outcome string

// The outcomes.
const (
	Untried Outcome = ""
	Works   Outcome = "works"
	Fails   Outcome = "fails"
)

// Works reports whether it was tried and worked.
func (f Finding) Works() bool { return f.Outcome == Works }

// Failed reports whether it failed because of one of those causes; of none, whether
// it failed at all.
func (f Finding) Failed(causes ...Cause) bool {
	if f.Outcome != Fails || len(causes) == 0 {
		return f.Outcome == Fails
	}
	return slices.Contains(causes, f.Cause)
}

// Cause is the sort of thing that stands in the way.
type Cause string

// Causes on the way to the server.
const (
	NoHost        Cause = "dns"                   // the name of the host leads nowhere
	NobodyListens Cause = "connection_refused"    // the host is there, and nobody listens on the port
	TooSlow       Cause = "timeout"               // no answer in time
	NoTLS         Cause = "tls"                   // the TLS handshake failed; the other side may speak none
	Expired       Cause = "certificate_expired"   // or is not valid yet
	Untrusted     Cause = "certificate_untrusted" // signed by nobody whom we trust
	WrongName     Cause = "certificate_name"      // made out to another host
	NotClickHouse Cause = "not_clickhouse"        // something else answered
	HungUp        Cause = "hung_up"               // the connection was closed without a word; so ClickHouse refuses a secret
	Broken        Cause = "network"               // any other failure on the way
)

// Causes that are ClickHouse's answer.
const (
	LoginRefused  Cause = "login"        // 516, and 192 to 194 of old servers: user, password or host
	NoSuchUser    Cause = "no_such_user" // 192: the person
	NotGranted    Cause = "not_granted"  // 497
	HeldToReading Cause = "readonly"     // 164: the account's own readonly does not let it
	SwitchedOff   Cause = "switched_off" // 344: allow_impersonate_user is not set
	CompiledOut   Cause = "compiled_out" // the version has it, and this build does not parse it
	Unknown       Cause = "unknown"      // the version does not have it: a syntax error, an unknown scheme, setting or table
	OtherError    Cause = "other"        // see Code and Said
)

// Causes why nothing was tried.
const (
	NotConfigured Cause = "not_configured" // the Config does not have what it takes
	NotReached    Cause = "not_reached"    // what it stands on had failed before
	NoPerson      Cause = "no_person"      // there is nobody to try it with: see Trial.Person
)

// TLSFact is what the server showed in the handshake.
type TLSFact struct {
	Version string    `json:"version"` // such as TLS 1.3
	Subject string    `json:"subject"` // of the certificate
	Issuer  string    `json:"issuer"`
	Names   []string  `json:"names"`     // hosts that it is for
	Until   time.Time `json:"not_after"` // the first end of validity in the chain that was shown
}

// Build is who has built a server, as far as it tells.
type Build string

// The builds.
const (
	Official Build = "official" // ClickHouse's own releases
	Other    Build = "other"    // it says nothing of who has built it
	Altinity Build = "altinity" // its stable builds: …altinitystable
	Antalya  Build = "antalya"  // Altinity's, with token processors: …altinityantalya
	Aiven    Build = "aiven"
	Cloud    Build = "cloud"
)

// ServerFacts are what a server tells about itself.
type ServerFacts struct {
	Version     string        `json:"version"` // such as 26.7.2.1; "": it told nobody
	Build       Build         `json:"build"`
	DisplayName string        `json:"display_name,omitempty"`
	Uptime      time.Duration `json:"uptime_ns"`
	Timezone    string        `json:"timezone"`
	Ahead       time.Duration `json:"ahead_ns"`     // of our clock, to half a round trip; less than 0: behind
	RoundTrip   time.Duration `json:"roundtrip_ns"` // of a question
}

// AccountFacts are what an account of ours is to the server.
type AccountFacts struct {
	User  string  `json:"user"`
	Login Finding `json:"login"`

	Grants   []Grant          `json:"grants"`          // with those of its roles where Complete
	Roles    []string         `json:"roles,omitempty"` // granted to it
	Complete bool             `json:"complete"`        // Grants has those of the roles, too: older servers cannot tell
	GrantsOf Finding          `json:"grants_of"`       // whether its grants could be read at all
	ReadOnly int              `json:"readonly"`        // its own setting: 0, 1 or 2
	Changed  []ChangedSetting `json:"changed"`         // by its profile: under EXECUTE AS these override the person's own
}

// ChangedSetting is a setting of which somebody has said what it is to be.
type ChangedSetting struct {
	Name  string `json:"name"`
	Value string `json:"value"`
	Const bool   `json:"const"` // the account cannot change it
}

// ExecuteAsFacts are what was found about EXECUTE AS, with harmless questions.
type ExecuteAsFacts struct {
	// Known is whether the server has it at all, and switched on: tried with a name that
	// nobody has.
	Known Finding `json:"known"`
	// Person is whether the gateway may act as the person.
	Person Finding `json:"person"`
	// FormatKept Fails where a FORMAT in the person's text is dropped (#99572).
	FormatKept Finding `json:"format_kept"`
}

// NativeFacts are what was found at Access.Native.
type NativeFacts struct {
	Reached Finding `json:"reached"` // and it speaks the protocol
	Login   Finding `json:"login"`   // of the gateway, with its password
	// Secret is whether a question was answered under the cluster's secret, as the person
	// or, if not, as the gateway's own user. Nothing less proves it: a ping succeeds with
	// a wrong one.
	Secret Finding `json:"secret"`
	// SecretPerson is the same as the person alone.
	SecretPerson Finding `json:"secret_person"`
}

// Trial is what Probe uses of a Config beside what a Client needs.
type Trial struct {
	// Person is whom the ways are tried with. Zero: the first one of whom the gateway's
	// own grants say IMPERSONATE by an exact name, if there is one.
	Person porterhouse.UserName

	Provisioner         string // its own account; "": there is none
	ProvisionerPassword porterhouse.Secret

	Within time.Duration // bounds the look as a whole; 0: two seconds
}
