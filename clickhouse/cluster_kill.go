package clickhouse

import (
	"strings"

	"porterhouse"
)

// maxKillIDs is how many ids in a KILL are looked for.
const maxKillIDs = 100

// running is the server where a statement runs that a KILL names: one of the user's own,
// or else anybody's. nil: none is known, or the KILL goes by something else. Drivers cancel
// so, each with the id of its own statement.
func (c *Cluster) running(user porterhouse.UserName, q *porterhouse.Query) *host {
	ids := make(map[string]bool)
	for _, value := range q.Params {
		ids[value] = true
	}
	for rest := q.SQL; len(ids) < maxKillIDs; {
		id, behind, found := nextLiteral(rest)
		if !found {
			break
		}
		ids[id], rest = true, behind
	}
	for i := range c.hosts {
		for id := range ids {
			if c.hosts[i].underway.has(user, id) {
				return &c.hosts[i]
			}
		}
	}
	for i := range c.hosts {
		if c.hosts[i].underway.hasAnybodys(ids) {
			return &c.hosts[i]
		}
	}
	return nil
}

// nextLiteral returns what stands between the next two quotes of a statement, without a
// look at escapes: what is meant is an id, and where it is none nothing is found by it.
func nextLiteral(sql string) (value, rest string, found bool) {
	_, behind, opens := strings.Cut(sql, "'")
	value, rest, closes := strings.Cut(behind, "'")
	return value, rest, opens && closes
}
