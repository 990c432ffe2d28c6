package gate

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"slices"
	"strings"

	"porterhouse"
)

// Password is the Proof of a Principal who showed the password of a ClickHouse user,
// which is its Subject and its User; the Token is the password. It holds at the cluster
// that its Issuer names, see PasswordIssuer, and nowhere else.
const Password = "password"

// PasswordIssuer is the Issuer of such a Principal.
func PasswordIssuer(cluster string) string { return "clickhouse:" + cluster }

// alwaysDenied is an account that nobody reaches by a password: it has every right on a
// ClickHouse that nobody has hardened, and no password there.
const alwaysDenied = "default"

// account finds the account of who at the entry, with what it logs in with by itself.
func (c *Cluster) account(ctx context.Context, who *porterhouse.Principal, at porterhouse.Entry) (porterhouse.Account, error) {
	if who.Proof == Password {
		return c.byPassword(who, at.Cluster)
	}
	account, err := c.Directory.Account(ctx, *who, at)
	if err != nil {
		return account, withCode(withCode(err, porterhouse.Refused, codeUnknownUser), porterhouse.Unauthenticated, codeAuthentication)
	}
	return account, nil
}

// equip gives an account the token that goes on for its owner, where ClickHouse is shown
// such tokens. It comes last: somebody else may have to be asked for it.
func (c *Cluster) equip(ctx context.Context, who *porterhouse.Principal, account *porterhouse.Account) (err error) {
	if c.Token == nil || !slices.Contains(c.Forward, who.Proof) {
		return nil
	}
	account.Token, err = c.Token(ctx, *who)
	return withCode(err, porterhouse.Unauthenticated, codeAuthentication)
}

// byPassword is the account of somebody who showed its password, which goes on to
// ClickHouse. We may be where ClickHouse lets in whoever is near, so a password is
// needed whatever ClickHouse thinks, and who has more rights than a person is refused.
func (c *Cluster) byPassword(who *porterhouse.Principal, cluster string) (porterhouse.Account, error) {
	user, err := porterhouse.ParseUserName(who.Subject)
	denied := func(name string) bool { return strings.EqualFold(name, who.Subject) }
	if !c.Passwords || who.Issuer != PasswordIssuer(cluster) || who.Token.IsZero() || err != nil || denied(alwaysDenied) || slices.ContainsFunc(c.Deny, denied) {
		return porterhouse.Account{}, &porterhouse.Error{Kind: porterhouse.Unauthenticated, Code: codeAuthentication, Err: err,
			Public: "this user cannot come in with a password here: sign in, and bring a token"}
	}
	return porterhouse.Account{User: user, Password: who.Token}, nil
}

// owner tells apart whose a session is: the person's, at this cluster, as this account.
// The same person through a client that has fewer rights does not reach it.
func owner(who *porterhouse.Principal, cluster string, account porterhouse.UserName) string {
	return digest(cluster, who.Issuer, who.Subject, account.String())
}

// person tells people apart, whatever the cluster and the account.
func person(who *porterhouse.Principal) string { return digest(who.Issuer, who.Subject) }

// digest is one short name for several texts; others have another.
func digest(parts ...string) string {
	h := sha256.New()
	for _, part := range parts {
		var size [8]byte
		binary.BigEndian.PutUint64(size[:], uint64(len(part)))
		h.Write(size[:])
		h.Write([]byte(part))
	}
	return base64.RawURLEncoding.EncodeToString(h.Sum(nil)[:24])
}
