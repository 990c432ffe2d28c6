package clickhouse

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"porterhouse"
)

// refusal is an exception that is about the gateway and not about the statement.
type refusal struct{ *nativeException }

// ownConn is a connection that is an account's, and was proved to be. Nobody's
// statement goes over another.
type ownConn struct {
	*nativeConn
	database string // in which it is; "": see home
}

// open makes a connection that is the account's, for as long as it lasts: there is no
// way back to the gateway. prefix is what executeAs returned for the account.
//
// Everything up to the account's first statement is sent at once, and takes one round
// trip. That statement waits until the server has said whose the connection is.
//
// The error is a *refusal when ClickHouse does not let the gateway in or act, and a
// *nativeException when what it has to say is for the account.
func (t *nativeTarget) open(ctx context.Context, user porterhouse.UserName, prefix, database, quotaKey string) (*ownConn, error) {
	c, err := t.dial(ctx)
	if err != nil {
		return nil, err
	}
	defer context.AfterFunc(ctx, c.cut)()
	c.quotaKey = quotaKey
	found, err := t.become(c, prefix, database)
	if err == nil {
		err = prove(user.String(), found)
	}
	if err != nil {
		c.cut()
		return nil, err
	}
	c.server.version = found[1]
	return &ownConn{nativeConn: c, database: found[2]}, nil
}

// whoAmI is the question that proves a connection to be somebody's. The comment is
// for whoever finds it in ClickHouse's query log.
const whoAmI = "SELECT currentUser(), version(), currentDatabase() /* Porterhouse makes sure whose connection this is */"

// become logs in and acts as the account, and returns what is found then.
func (t *nativeTarget) become(c *nativeConn, prefix, database string) (found []string, err error) {
	if err := c.plain.SetDeadline(time.Now().Add(2 * t.timeout)); err != nil {
		return nil, err
	}
	if err := t.secured(c); err != nil {
		return nil, err
	}
	act, ask := &nativeQuery{sql: prefix}, &nativeQuery{sql: whoAmI, values: readTexts(&found)}
	opening := slices.Concat(t.hello(database), act.whole(""), ask.whole(c.quotaKey))
	if _, err := c.Write(opening); err != nil {
		return nil, err
	}
	if err := c.welcome(); err != nil {
		return nil, refusalOf(err, unknownDatabase)
	}
	if err := c.plain.SetDeadline(time.Time{}); err != nil {
		return nil, err
	}
	if err := c.hear(act); err != nil {
		return nil, refusalOf(err, 0)
	}
	err = c.hear(ask) // which sets found
	return found, err
}

// refusalOf makes a refusal of an exception, unless it has the code that is for the account.
func refusalOf(err error, but int32) error {
	if exception, ok := errors.AsType[*nativeException](err); ok && exception.code != but {
		return &refusal{exception}
	}
	return err
}

// prove compares who the connection says that it is. Without a proof no statement of
// anybody's is sent.
func prove(name string, found []string) error {
	if len(found) == 3 && name != "" && found[0] == name {
		return nil
	}
	return &porterhouse.Error{
		Kind:   porterhouse.Unavailable,
		Public: "ClickHouse did not act as the account it was told to, so nothing was asked of it; tell the operator",
		Err:    fmt.Errorf("after EXECUTE AS for %q the connection says that it is %q", name, found),
	}
}

// home returns the database in which the session is. It is known until somebody says
// USE; then the server is asked, because only it reads what they said.
func (c *ownConn) home(ctx context.Context) (string, error) {
	if c.database != "" {
		return c.database, nil
	}
	found, err := c.texts(ctx, "SELECT currentDatabase()")
	switch {
	case err != nil:
		return "", err
	case len(found) != 1:
		c.sound = false
		return "", fmt.Errorf("the session is in %d databases", len(found))
	}
	c.database = found[0]
	return c.database, nil
}

// texts asks for one row of texts.
func (c *ownConn) texts(ctx context.Context, sql string) ([]string, error) {
	var found []string
	err := c.ask(ctx, &nativeQuery{sql: sql, values: readTexts(&found)})
	return found, err
}

// readTexts reads columns of text, of one row.
func readTexts(into *[]string) columnReader {
	return func(r *wireReader, kind string, rows uint64) {
		if kind != "String" || rows != 1 {
			r.fail(fmt.Errorf("%d values of the type %s instead of one text", rows, kind))
		}
		*into = append(*into, r.text("a text", maxNativeText))
	}
}

// act makes the account act with those of its roles, and no others.
func (c *ownConn) act(ctx context.Context, roles []string) error {
	quoted := make([]string, len(roles))
	for i, role := range roles {
		quoted[i] = quoteName(role)
	}
	return c.ask(ctx, &nativeQuery{sql: "SET ROLE " + strings.Join(quoted, ", ")})
}

// use goes to a database.
func (c *ownConn) use(ctx context.Context, database string) error {
	return c.ask(ctx, &nativeQuery{sql: "USE " + quoteName(database)})
}

// quoteName quotes the name of a role or a database: ClickHouse reads back exactly name.
func quoteName(name string) string {
	return "`" + strings.NewReplacer("\\", "\\\\", "`", "\\`").Replace(name) + "`"
}
