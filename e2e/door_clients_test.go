package e2e

import (
	"encoding/json"
	"fmt"
	"testing"
	"time"
)

// Clients that nobody of this project wrote work through the door as they do straight
// at ClickHouse, in every mode.
func TestClientsOfClickHouse(t *testing.T) {
	everyMode(t, func(t *testing.T, s *site) {
		for name, test := range map[string]func(*testing.T, *site){
			"node": nodeClient, "clickhouse-go": golangClient, "curl": curlLines, "tools": sameForTools, "refusals": refusedAsByClickHouse,
		} {
			t.Run(name, func(t *testing.T) { test(t, s.inTest(t)) })
		}
	})
}

// nodeClient runs clients/clickhouse.mjs both ways, and by HTTPS.
func nodeClient(t *testing.T, s *site) {
	run := func(url string, env ...string) map[string]any {
		var seen map[string]any
		if err := json.Unmarshal(runNode(t, append(env, "NODE_EXTRA_CA_CERTS="+s.ca), "clients/clickhouse.mjs", url), &seen); err != nil {
			t.Fatal(err)
		}
		return seen
	}
	want := run(s.straight.url, "CLICKHOUSE_USER="+s.straight.user, "CLICKHOUSE_PASSWORD="+s.straight.secret)
	s.exec("KILL QUERY WHERE query LIKE '%from_node_aborted%' SYNC") // straight, nobody told ClickHouse to watch
	if len(want) < 30 {
		t.Fatalf("it did only %d things: %v", len(want), want)
	}
	for _, url := range []string{s.plain, s.secure} {
		got := run(url, "CLICKHOUSE_TOKEN="+s.tokens["carol"])
		for name := range want {
			if w, g := fmt.Sprint(want[name]), fmt.Sprint(got[name]); w != g && !s.nodeMayDiffer(name) {
				t.Errorf("%s: %s: %s; straight: %s", url, name, g, w)
			}
		}
	}
	s.eventually("the aborted query has ended", 20*time.Second, func() bool { return s.running("from_node_aborted") == "0" })
}

// nodeMayDiffer tells what the door says in its own words, and what the mode execute_as
// does not carry: roles, tables in a session, and the inner query has an id of its own.
func (s *site) nodeMayDiffer(name string) bool {
	return name == "error of syntax" || s.mode == executeAs && (name == "query_id" || name == "role" || name == "roles" || name == "session with a temporary table")
}
