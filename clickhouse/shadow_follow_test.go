package clickhouse_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"porterhouse"
	"porterhouse/clickhouse"
)

// What found ClickHouse or a quota at its end is not asked four times more, however that was
// told; any other exception is compared.
func TestShadowRepeatsNoOverload(t *testing.T) {
	w := newTwoWays(t, person("quoted"), "CREATE QUOTA used_up FOR INTERVAL 100 year MAX queries = 1 TO quoted", "GRANT IMPERSONATE ON quoted TO "+gateway, "GRANT reader TO quoted")
	c := w.client(t, clickhouse.ExecuteAs, clickhouse.Interserver)
	throw := func(rows, code int) string {
		return fmt.Sprintf("SELECT throwIf(number = %d, 'at its end', toInt16(%d)) FROM numbers(100000) SETTINGS allow_custom_error_code_in_throwif = 1, max_block_size = 1000", rows, code)
	}
	for code, want := range map[int]clickhouse.ShadowOutcome{
		241: clickhouse.ShadowDropped, 201: clickhouse.ShadowDropped, 202: clickhouse.ShadowDropped, 159: clickhouse.ShadowDropped, 160: clickhouse.ShadowDropped,
		209: clickhouse.ShadowDropped, 394: clickhouse.ShadowDropped, 745: clickhouse.ShadowDropped, 158: clickhouse.ShadowSame, 47: clickhouse.ShadowSame,
	} {
		for _, rows := range []int{0, 99_000} {
			for of, ask := range map[string]func(string) porterhouse.Query{"an agent": reading, "a client": ofClient} {
				if o := outcome(t, c, "alice", ask(throw(rows, code))); o != want {
					t.Errorf("the code %d of %s behind %d rows: %s, want %s", code, of, rows, o, want)
				}
			}
		}
	}
	asks(t.Context(), c, account(t, "quoted"), writing("SELECT a FROM app.t", nil, 0)) // which uses it up, and is not compared
	before := clickhouse.ShadowAsked(c)
	for range 3 {
		if o := outcome(t, c, "quoted", reading("SELECT a FROM app.t")); o != clickhouse.ShadowDropped {
			t.Errorf("a quota that is used up: %s", o)
		}
	}
	if n := clickhouse.ShadowAsked(c) - before; n != 0 {
		t.Errorf("a quota that is used up was asked %d times", n)
	}
}

// A comparison has half a minute in all, and asks nothing behind that.
func TestShadowEndsInTime(t *testing.T) {
	w := newTwoWays(t)
	c := dial(t, w.HTTP, func(c *clickhouse.Config) { // nobody compares but the test
		c.Access = clickhouse.Access{Mode: clickhouse.Verify, Mint: w.mint}
		c.Shadow = clickhouse.Shadow{Mode: clickhouse.ExecuteAs, Share: 1}
	})
	for range 20 {
		c.CompareLate(t.Context(), account(t, "alice"), reading("SELECT 1"), 31*time.Second)
	}
	if n := clickhouse.ShadowAsked(c); n != 0 {
		t.Errorf("%d questions behind the time", n)
	}
	began := time.Now()
	c.CompareLate(t.Context(), account(t, "alice"), reading("SELECT sum(cityHash64(number)) FROM system.numbers"), 29*time.Second)
	if r, _ := c.Shadow(); r.Counts[clickhouse.ShadowDropped] != 21 || time.Since(began) > 8*time.Second {
		t.Errorf("%v, in %v of one second", r.Counts, time.Since(began))
	}
}

// Who may read from a queue takes away what they read: nothing of theirs is asked again, and
// nothing that says so itself. Where it is switched off a queue is like any other table.
func TestShadowTakesNothingAway(t *testing.T) {
	const direct = "stream_like_engine_allow_direct_select"
	w := newTwoWays(t, "CREATE TABLE app.queue (a String) ENGINE = Kafka('127.0.0.1:1', 'topic', 'group', 'TSV')", "GRANT SELECT ON app.queue TO reader",
		person("taker")+" SETTINGS "+direct+" = 1", person("held")+" SETTINGS "+direct+" = 1 CONST",
		"GRANT IMPERSONATE ON taker TO "+gateway, "GRANT IMPERSONATE ON held TO "+gateway, "GRANT reader TO taker, held")
	for _, modes := range [][2]clickhouse.Mode{{clickhouse.ExecuteAs, clickhouse.Interserver}, {clickhouse.Interserver, clickhouse.Verify}} {
		c := w.client(t, modes[0], modes[1])
		for _, name := range []string{"taker", "held"} {
			if o := outcome(t, c, name, reading("SELECT a FROM app.t")); o != clickhouse.ShadowSkipped {
				t.Errorf("%v, %s: %s, %+v", modes, name, o, last(c))
			}
		}
		if o := outcome(t, c, "alice", reading("SELECT a FROM app.queue")); o != clickhouse.ShadowSame {
			t.Errorf("%v, a queue that cannot be read: %s, %+v", modes, o, last(c))
		}
		beside := ofClient("SELECT a FROM app.t")
		beside.Passage.Settings = []porterhouse.Setting{{Name: strings.ToUpper(direct), Value: "1"}}
		for _, q := range []porterhouse.Query{reading("SELECT a FROM (SELECT a FROM app.t SETTINGS " + direct + " = 1)"), beside} {
			if _, _, ok := clickhouse.Compared(account(t, "alice"), q); ok {
				t.Errorf("%s is compared", q.SQL)
			}
		}
	}
}
