package fake

import (
	"strconv"
	"strings"
	"time"
)

// The accounts that the set-ups of the personas make.
const (
	Gateway     = "porterhouse"
	Provisioner = "porterhouse_provisioner"
	Password    = "a password that every account of a persona has"
	Alice       = "alice" // a person: the gateway may act as her, where it may act at all
	Admin       = "boss"  // holds access management
)

// Persona is one sort of ClickHouse server.
type Persona struct {
	Name  string
	About string // in one sentence, what it stands for

	// Version is what version() says, and Build what stands behind it in exceptions,
	// such as " (official build)".
	Version string
	Build   string

	ExecuteAs Impersonation
	Tokens    bool           // Authorization: Bearer logs in
	Processor TokenProcessor // by which tokens; where Tokens

	// How it behaves on the wire.
	Delay          time.Duration // before each answer
	Flaps          bool          // hangs up on every other connection, without a word
	Stranger       bool          // it is no ClickHouse
	OldCertificate bool          // speaks TLS, by a certificate that ended yesterday

	Setup      []string // statements that an administrator of the real server runs before
	Provisions bool     // there is a Provisioner
	HasSecret  bool     // the real server is to have SecretConfig, and its native port can be had
}

// Impersonation is what becomes of EXECUTE AS.
type Impersonation int

// What becomes of it.
const (
	Works        Impersonation = iota
	DropsFormat                // it works, and a FORMAT in the text is ignored (#99572)
	SwitchedOff                // off, by the switch that is read from 26.2 on
	OldSwitchOff               // off, by the switch of 25.11 to 26.1
	NoSyntax                   // the server does not know the words
)

// since reports whether the persona is of a version, such as 23.9, or a later one.
func (p Persona) since(version string) bool {
	return number(p.Version) >= number(version)
}

// number makes the year and month of a version comparable.
func number(version string) int {
	parts := strings.SplitN(version, ".", 3)
	major, err := strconv.Atoi(parts[0])
	if err != nil || len(parts) < 2 {
		return 0
	}
	minor, err := strconv.Atoi(parts[1])
	if err != nil {
		return 0
	}
	return major*100 + minor
}
