package clickhouse

import (
	"context"
	"errors"
	"fmt"
	"strings"

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

// become makes the connection the account's, for as long as it lasts: there is no
// way back to the gateway. prefix is what executeAs returned for the account.
func (c *nativeConn) become(ctx context.Context, user porterhouse.UserName, prefix string) (*ownConn, error) {
	err := c.ask(ctx, &nativeQuery{sql: prefix})
	if exception, ok := errors.AsType[*nativeException](err); ok {
		return nil, &refusal{exception}
	}
	if err != nil {
		return nil, err
	}
	return c.prove(ctx, user.String())
}

// whoAmI is the question that proves a connection to be somebody's. The comment is
// for whoever finds it in ClickHouse's query log.
const whoAmI = "SELECT currentUser(), version(), currentDatabase() /* Porterhouse makes sure whose connection this is */"

// prove asks whose the connection is, and compares. Without a proof no statement of
// anybody's is sent.
func (c *nativeConn) prove(ctx context.Context, name string) (*ownConn, error) {
	found, err := c.texts(ctx, whoAmI)
	switch {
	case err != nil:
		return nil, err
	case len(found) != 3 || name == "" || found[0] != name:
		return nil, &porterhouse.Error{
			Kind:   porterhouse.Unavailable,
			Public: "ClickHouse did not act as the account it was told to, so nothing was asked of it; tell the operator",
			Err:    fmt.Errorf("after EXECUTE AS for %q the connection says that it is %q", name, found),
		}
	}
	c.server.version = found[1]
	return &ownConn{nativeConn: c, database: found[2]}, nil
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
func (c *nativeConn) texts(ctx context.Context, sql string) ([]string, error) {
	var found []string
	err := c.ask(ctx, &nativeQuery{sql: sql, values: func(r *wireReader, kind string, rows uint64) {
		if kind != "String" || rows != 1 {
			r.fail(fmt.Errorf("%d values of the type %s instead of one text", rows, kind))
		}
		found = append(found, r.text("a text", maxNativeText))
	}})
	return found, err
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
