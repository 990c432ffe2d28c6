package authserver

import (
	"crypto/sha256"
	"encoding/base64"
	"time"

	"porterhouse"
)

// person is a Principal as it is written into the store.
type person struct {
	Issuer  string    `json:"issuer"`
	Subject string    `json:"subject"`
	User    string    `json:"user"`
	Login   string    `json:"login,omitempty"` // TokenID: what Recheck asks with
	Proof   string    `json:"proof"`
	Groups  []string  `json:"groups"` // null: the provider told none
	Issued  time.Time `json:"issued,omitzero"`
	Expires time.Time `json:"expires,omitzero"`
}

// newPerson is who, without what is not for the store.
func newPerson(who porterhouse.Principal) person {
	return person{
		Issuer: who.Issuer, Subject: who.Subject, User: who.User, Login: who.TokenID,
		Proof: who.Proof, Groups: who.Groups, Issued: who.Issued, Expires: who.Expires,
	}
}

// principal is what newPerson was given.
func (p person) principal() porterhouse.Principal {
	return porterhouse.Principal{
		Issuer: p.Issuer, Subject: p.Subject, User: p.User, TokenID: p.Login,
		Proof: p.Proof, Groups: p.Groups, Issued: p.Issued, Expires: p.Expires,
	}
}

// subjectHere is the person's id at this issuer. It tells nobody the provider's own id,
// and two providers cannot have the same one.
func subjectHere(who porterhouse.Principal) string {
	sum := sha256.Sum256([]byte(who.Key()))
	return base64.RawURLEncoding.EncodeToString(sum[:])
}
