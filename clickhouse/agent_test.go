package clickhouse

import (
	"strings"
	"testing"

	"porterhouse"
)

// ClickHouse's log has what the client calls itself; a name that would begin a header of
// its own goes nowhere.
func TestAgent(t *testing.T) {
	head := string((&target{host: "h"}).head("a=1", "driver/1 (x; y)", ""))
	if !strings.Contains(head, "\r\nUser-Agent: driver/1 (x; y)\r\n") {
		t.Errorf("%q", head)
	}
	if head := string((&target{host: "h"}).head("a=1", "", "")); !strings.Contains(head, "\r\nUser-Agent: porterhouse\r\n") {
		t.Errorf("%q", head)
	}
	for _, agent := range []string{"x\r\nX-ClickHouse-User: default", "x\n", "x\x00", "ü"} {
		if err := checkPassage(&porterhouse.Passage{Agent: agent}); err == nil {
			t.Errorf("%q goes on to ClickHouse", agent)
		}
	}
}
