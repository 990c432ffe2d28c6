package mcpserver

import (
	"context"
	"encoding/json"
	"strings"
	"time"

	"porterhouse"
)

// whoamiInput is what the tool whoami takes.
type whoamiInput struct {
	Cluster string `json:"cluster"`
}

// runWhoami tells the person who they are here and at ClickHouse.
func runWhoami(ctx context.Context, c *call, arguments json.RawMessage) error {
	in, err := decode[whoamiInput](arguments)
	if err != nil {
		return err
	}
	if err := c.choose(in.Cluster, ""); err != nil {
		return err
	}
	account, err := c.server.config.Gate.Account(ctx, c.who, c.entry())
	if err != nil {
		return err
	}
	rows, _, err := c.lookup(ctx, `SELECT currentUser(), arrayStringConcat(arraySort(currentRoles()), ', '), version(), timezone(),
			(SELECT arrayStringConcat(arraySort(groupArray(name)), ', ') FROM system.databases
				WHERE name NOT IN ('INFORMATION_SCHEMA', 'information_schema'))`, nil)
	if err != nil {
		return err
	}
	if len(rows) != 1 || rows[0][0] != account.User.String() {
		return porterhouse.Errorf(porterhouse.Internal, "ClickHouse answered as somebody else than %q", account.User)
	}
	c.printf("You are %s (id %q at %q).\n", plain(c.who.User), c.who.Subject, c.who.Issuer)
	if c.who.Client != "" {
		c.printf("Your client is %s.\n", plain(c.who.Client))
	}
	if !c.who.Expires.IsZero() {
		c.printf("Your token ends at %s.\n", c.who.Expires.UTC().Format(time.RFC3339))
	}
	row := rows[0]
	if reached := c.reached(); len(reached) > 1 {
		c.printf("ClickHouse clusters that you reach: %s. What follows is %s.\n", strings.Join(reached, ", "), c.cluster)
	}
	c.printf("At ClickHouse %s (time zone %s) you are the user %s", plain(row[2]), plain(row[3]), plain(row[0]))
	if row[1] != "" {
		c.printf(" with the roles %s", plain(row[1]))
	}
	c.printf("; it lets you read what that user may read.\nDatabases you may see: %s.\n", plain(row[4]))
	most := c.server.config.Gate.Limits(c.entry())
	c.printf("Limits of one answer: %d rows (%d unless asked), %d bytes of text (about %d tokens unless asked), %s, %s of memory. Only statements that read.\n",
		most.Rows, min(most.Rows, c.server.config.Rows), c.server.config.MaxBytes, c.server.config.Tokens, most.Time, size(uint64(most.Memory)))
	return nil
}
