package clickhouse

import "time"

// CodeNames returns the names of the codes in the table of rules.
func CodeNames() map[int]string {
	names := map[int]string{}
	for code, r := range rules {
		names[code] = r.name
	}
	return names
}

// ParseGrants reads the answer to SHOW GRANTS.
var ParseGrants = parseGrants

// ProbeComment is the log_comment of what Probe asks.
const ProbeComment = probeComment

// Hurry makes Run look more often than it does. Call it before.
func (c *Client) Hurry() { c.auto.every, c.auto.pause = 50*time.Millisecond, time.Millisecond }
