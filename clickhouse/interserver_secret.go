package clickhouse

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"io"
	"strconv"
	"time"

	"porterhouse"
)

// clusterSecret is how a connection logged in that is nobody's: each statement over it
// names its user, and proves that whoever sent it knows the secret of the cluster.
type clusterSecret struct {
	cluster string
	secret  porterhouse.Secret
	salt    string // ours
	nonce   string // the server's, in digits; "" from one before 23.3
}

// clusterUser logs in as nobody, with the name of a cluster and a salt behind it.
const clusterUser = " INTERSERVER SECRET "

// interserverRevision is the version of the native protocol that is spoken here: the first
// one in which the server has a part in the proof. Those from revision on will do.
const interserverRevision = 54462

// openCluster makes a connection that is nobody's, in a database. Whether the secret is
// right shows with the first statement only.
func (t *nativeTarget) openCluster(ctx context.Context, cluster string, secret porterhouse.Secret, database string) (*nativeConn, error) {
	c, err := t.dial(ctx)
	if err != nil {
		return nil, err
	}
	defer context.AfterFunc(ctx, c.cut)()
	c.secret = &clusterSecret{cluster: cluster, secret: secret, salt: rand.Text()}
	if err := t.greet(c, c.secret.hello(database)); err != nil {
		c.cut()
		return nil, err
	}
	c.sound = true
	return c, nil
}

// greet says hello, and hears who answers.
func (t *nativeTarget) greet(c *nativeConn, hello []byte) error {
	if err := c.plain.SetDeadline(time.Now().Add(2 * t.timeout)); err != nil {
		return err
	}
	if err := t.secured(c); err != nil {
		return err
	}
	if _, err := c.Write(hello); err != nil {
		return err
	}
	if err := c.welcome(); err != nil {
		return err
	}
	return c.plain.SetDeadline(time.Time{})
}

// hello is the packet that logs in, and what follows when the server has answered.
func (s *clusterSecret) hello(database string) []byte {
	b := binary.AppendUvarint(nil, clientHello)
	b = appendClient(b, interserverRevision)
	b = appendText(b, database)
	b = appendText(b, clusterUser)
	b = appendText(b, "") // no password
	b = appendText(b, s.cluster)
	b = appendText(b, s.salt)
	return appendText(b, "") // no key of quotas: each statement has its own
}

// maxPasswordRules bounds what a server tells about passwords to be chosen.
const maxPasswordRules = 1000

// welcome reads what a server adds to its greeting.
func (s *clusterSecret) welcome(r *wireReader, revision uint64) {
	if revision >= 54461 {
		for range r.number("the rules for passwords", maxPasswordRules) {
			r.text("a pattern of passwords", maxNativeText)
			r.text("the words for it", maxNativeText)
		}
	}
	if revision >= interserverRevision {
		low, high := uint32(r.int32()), uint32(r.int32())
		s.nonce = strconv.FormatUint(uint64(high)<<32|uint64(low), 10)
	}
}

// initialUser is who asks a statement, on a connection that is nobody's.
type initialUser struct {
	name    string
	address string // from which they ask: ClickHouse compares it with the HOST of the user
	proof   []byte // that whoever sends the statement knows the cluster's secret
}

// proven returns the proof as it travels; "" where there is nobody to be proved.
func (u *initialUser) proven() string {
	if u == nil {
		return ""
	}
	return string(u.proof)
}

// errNobody keeps a statement back that names no user: ClickHouse would run it with
// everybody's rights.
var errNobody = errors.New("a statement that names no user is never sent with the cluster's secret")

// prove proves a statement: its text, its id and whose it is. Its data is read once more
// for that, and so can be read from its beginning again.
func (s *clusterSecret) prove(q *nativeQuery) error {
	if q.initial == nil || q.initial.name == "" || s.secret.IsZero() {
		return errNobody
	}
	h := sha256.New()
	for _, part := range []string{s.salt, s.nonce, s.secret.Reveal(), q.sql} {
		_, _ = io.WriteString(h, part) // which never fails
	}
	if q.data != nil {
		again, ok := q.data.(io.ReadSeeker)
		if !ok {
			return errors.New("the data of a statement can be read only once")
		}
		if _, err := io.Copy(h, again); err != nil {
			return err
		}
		if _, err := again.Seek(0, io.SeekStart); err != nil {
			return err
		}
	}
	_, _ = io.WriteString(h, q.id+q.initial.name)
	q.initial.proof = h.Sum(nil)
	return nil
}
