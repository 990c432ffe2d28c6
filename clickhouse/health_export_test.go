package clickhouse

// CheckSoon asks for a check of the server, as a statement does that has met trouble.
func (c *Client) CheckSoon() { c.health.doubt() }
