package clickhouse

import (
	"context"
	"errors"
	"fmt"
	"syscall"
	"time"

	"porterhouse"
)

// interserverPerson is what ClickHouse has said of a person.
type interserverPerson struct {
	version string         // of the server
	zone    *time.Location // of their sessions
}

// whoIsThis is the question that proves a name to be somebody's. The comment is for
// whoever finds it in ClickHouse's query log.
const whoIsThis = "SELECT currentUser(), version(), timezone() /* Porterhouse makes sure who this is */"

// meet asks who a person is, over a connection. What fails before this has ended has
// done nothing. Only the person's own statement has its log_comment.
func (w *bySecret) meet(ctx context.Context, c *keptConn, name string) (interserverPerson, error) {
	if known, ok := w.people.get(name); ok {
		return known, nil
	}
	found, err := askTexts(ctx, c, name, whoIsThis, "")
	if exception, ok := errors.AsType[*nativeException](err); ok && failedLogin[int(exception.code)] {
		return interserverPerson{}, w.unknown(name, err) // as a connection says that has served before
	}
	if err != nil {
		return interserverPerson{}, err
	}
	if err := prove(name, found); err != nil {
		c.sound = false
		return interserverPerson{}, err
	}
	zone, err := time.LoadLocation(found[2])
	if err != nil {
		return interserverPerson{}, unknownZone(found[2], err)
	}
	person := interserverPerson{version: found[1], zone: zone}
	w.people.put(name, person)
	return person, nil
}

// unknownZone says that nobody here knows how late it is somewhere.
func unknownZone(name string, err error) error {
	return &porterhouse.Error{
		Kind: porterhouse.Unavailable,
		Public: fmt.Sprintf("the time zone %q is not known to Porterhouse, so it cannot print the times of an answer; "+
			"tell the operator to install the system's time zones (the package tzdata)", name),
		Err: err,
	}
}

// What is told of a connection that ClickHouse closes without a word.
const (
	secretRefused = "ClickHouse closed the connection without a word: most likely the cluster's name or its secret is not (any more) the one in " +
		"<remote_servers> of its configuration, or it does not know the gateway's account, or not from this host; tell the operator (access.cluster, access.secret, user)"
	personRefused = "ClickHouse has no account %q, or does not let it in from Porterhouse's address (HOST of the user); ask the operator to create or change it"
)

// refusedBy finds out what it means that the server hung up on a person: whether it lets
// the gateway's own account in, with the same secret.
func (w *bySecret) refusedBy(ctx context.Context, name string, cause error) error {
	ctx, cancel := context.WithTimeout(ctx, checkTime)
	defer cancel()
	if _, err := w.ask(ctx, w.client.cleaner.gateway, CheckSQL, ""); err != nil {
		w.client.auto.doubt(porterhouse.UserName{})
		return &porterhouse.Error{Kind: porterhouse.Unavailable, Public: secretRefused, Err: errors.Join(cause, err)}
	}
	return w.unknown(name, cause)
}

// notLetIn says of an error that it was one before anything was sent, where another server
// may not have it.
func notLetIn(err error) error {
	e, ok := errors.AsType[*porterhouse.Error](err)
	if !ok || e.Kind != porterhouse.Unavailable {
		return err
	}
	told := *e
	told.Err = unsent{e.Err}
	return &told
}

// unknown says that ClickHouse does not let a person in.
func (w *bySecret) unknown(name string, cause error) error {
	w.people.forget(name)
	return &porterhouse.Error{Kind: porterhouse.Denied, Public: fmt.Sprintf(personRefused, name), Err: cause}
}

// isReset reports whether the server closed a connection that had something to be read.
func isReset(err error) bool {
	return errors.Is(err, syscall.ECONNRESET) || errors.Is(err, syscall.EPIPE)
}
