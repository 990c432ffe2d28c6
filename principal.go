package porterhouse

import "time"

// Principal is who asks, as a verified token proved it. Issuer and Subject
// together are the person's identity; User is only a name to show and to map.
type Principal struct {
	Issuer  string    // who vouches for the person
	Subject string    // the issuer's own, stable id of the person
	User    string    // the name that people know: an e-mail address, mostly
	Client  string    // the client that the token was issued to; "" when the token names none
	TokenID string    // public id of the credential, for the audit record and for revoking it
	Proof   string    // the configured name of the processor that proved it
	Groups  []string  // as the provider names them; nil: it told none
	Issued  time.Time // when the provider said all this; of two proofs the newer one tells the groups
	Expires time.Time // when the proof ends; zero: it does not
	// ReadOnly: the person gave whoever asks no more than reading, whatever the
	// account may do (our scope clickhouse:read without clickhouse:write).
	ReadOnly bool
	Audience []string // whom the token says it is for (aud), not to be changed; nil: it does not say, or is ours
	Login    string   // id of the sign-in here that a token of ours came from; "": none did
	Token    Secret   // the raw token; only an access mode that forwards it may look
}

// Key identifies the person among all issuers. It is never empty for a
// verified Principal, and two issuers cannot produce the same one.
func (p Principal) Key() string { return p.Issuer + "\x00" + p.Subject }

// Entry is where a person comes in: through which door, to which cluster.
type Entry struct {
	Cluster string
	Door    string
}
