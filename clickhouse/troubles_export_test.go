package clickhouse

import "context"

// SignOfLife makes one check of the server.
func (c *Client) SignOfLife(ctx context.Context) error { return signOfLife(c)(ctx) }

// Trouble is what the server's troubles weigh for somebody, by the name of the account.
func (c *Client) Trouble(name string) int64 { return c.troubles.weight(hashOf(name)) }
