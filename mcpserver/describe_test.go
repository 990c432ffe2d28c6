package mcpserver

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"porterhouse"
)

func TestParseTableName(t *testing.T) {
	for text, want := range map[string]tableName{
		"shop.orders":     {"shop", "orders"},
		"orders":          {"", "orders"},
		" shop.orders ":   {"shop", "orders"},
		"`a.b`.`c d`":     {"a.b", "c d"},
		"`a.b`":           {"", "a.b"},
		"a.`b`":           {"a", "b"},
		"":                {},
		".":               {},
		"a.":              {},
		".a":              {},
		"a.b.c":           {},
		"`a":              {},
		"``.b":            {},
		"`a`b":            {"a", "b"}, // no dot, but no doubt either
		"a; DROP TABLE b": {"", "a; DROP TABLE b"},
	} {
		if got, err := parseTableName(text); got != want || (err == nil) == (want == tableName{}) {
			t.Errorf("parseTableName(%q) = %v, %v", text, got, err)
		}
	}
}

// TestDescribeOddNames: names with anything in them are found, quoted as SQL
// needs them, and cannot become SQL.
func TestDescribeOddNames(t *testing.T) {
	h := newHouse(t)
	h.exec(t, warehouse...)
	a := h.agent(t, "alice", true)
	text, failed := a.call("describe_tables", map[string]any{"samples": true, "tables": []string{
		"warehouse.`odd name`", "shop.orders' OR '1", "shop.orders\\", "shop.orders\tx", "shop.`orders\nx`", "{wanted:String}",
	}})
	for _, want := range []string{"warehouse.`odd name` (Memory", "  `a.b` String — line break\n", "  `c\\`d` String\n", "sample of 0 rows:\na.b\tc`d\n"} {
		if !strings.Contains(text, want) || failed {
			t.Errorf("no %q in %s", want, text)
		}
	}
	if got := strings.Count(text, "there is no such table that you may see"); got != 5 {
		t.Errorf("%d unknown tables, want 5:\n%s", got, text)
	}
}

// TestDescribeByRights: Bob sees one column, and no sample of what he cannot read
// whole.
func TestDescribeByRights(t *testing.T) {
	h := newHouse(t)
	text, failed := h.agent(t, "bob", false).call("describe_tables", map[string]any{"tables": []string{"shop.orders", "shop.teams"}, "samples": true})
	if failed || strings.Contains(text, "price") || !strings.Contains(text, "  id UInt64 — order number\n") {
		t.Error(text)
	}
	if !strings.Contains(text, "team\ttokens\nbob\t20\n") || strings.Contains(text, "alice") {
		t.Errorf("not his own row alone: %s", text)
	}
}

// TestDescribeIsBounded: many wide tables fill the answer, and it says what is
// not in it.
func TestDescribeIsBounded(t *testing.T) {
	h := newHouse(t, func(c *Config) { c.Bytes = 4000 })
	var columns []string
	for i := range 100 {
		columns = append(columns, fmt.Sprintf("column_%d String COMMENT 'a comment of some length, number %d'", i, i))
	}
	h.exec(t, warehouse...)
	for i := range 3 {
		h.exec(t, fmt.Sprintf("CREATE TABLE IF NOT EXISTS warehouse.wide_%d (%s) ENGINE = Memory", i, strings.Join(columns, ", ")))
	}
	text, _ := h.agent(t, "alice", true).call("describe_tables", map[string]any{"tables": []string{"warehouse.wide_0", "warehouse.wide_1", "wide_2"}, "samples": true})
	for _, want := range []string{"NOT ALL: ", " further columns have no room", "warehouse.wide_1: NOT SHOWN", "warehouse.wide_2: NOT SHOWN"} {
		if !strings.Contains(text, want) {
			t.Errorf("no %q", want)
		}
	}
	if len(text) > 5000 {
		t.Errorf("%d bytes", len(text))
	}
}

// TestSlowSample: a sample that takes too long is told of, and holds up nothing else.
func TestSlowSample(t *testing.T) {
	h := newHouse(t, func(c *Config) { c.SampleTime = time.Second })
	text, failed := h.agent(t, "alice", true).call("describe_tables", map[string]any{"tables": []string{"shop.slow_start", "shop.teams"}, "samples": true})
	for _, want := range []string{"  no sample (timeout): ", "maximum: 1000 ms", "shop.teams (MergeTree"} {
		if !strings.Contains(text, want) || failed {
			t.Errorf("no %q in %s", want, text)
		}
	}
}

// TestSlowLookup: a question of a tool's own ends long before a person's may.
func TestSlowLookup(t *testing.T) {
	h := newHouse(t, func(c *Config) { c.LookupTime = time.Second })
	v := &visit{server: h.Server, door: Door, request: "the-id", gone: t.Context()}
	v.who, _ = verify(t.Context(), tokenOf("alice"))
	c := newCall(v, "search_schema")
	defer c.end()
	check(t, c.choose("", ""))
	_, _, err := c.lookup(t.Context(), slowSQL("lookup"), nil)
	if kind, text := porterhouse.Explain(err); kind != porterhouse.Timeout || !strings.Contains(text, "maximum: 1000 ms") {
		t.Errorf("it ended with %v", err)
	}
}

// TestWhoami: two people, two answers.
func TestWhoami(t *testing.T) {
	h := newHouse(t)
	for person, want := range map[string][]string{
		"alice": {`You are alice@example.com (id "alice" at "test").`, "Your client is test-client.", "you are the user alice with the roles analyst;", "shop"},
		"bob":   {"you are the user bob", "5000 rows (200 unless asked), 1000000 bytes of text (about 20000 tokens unless asked), 1m0s, 1.0 GiB of memory"},
	} {
		text, failed := h.agent(t, person, false).call("whoami", nil)
		for _, w := range want {
			if failed || !strings.Contains(text, w) {
				t.Errorf("%s: no %q in %s", person, w, text)
			}
		}
		for _, hidden := range []string{"vault", "porterhouse", "127.0.0.1"} {
			if strings.Contains(text, hidden) {
				t.Errorf("%s sees %q in %s", person, hidden, text)
			}
		}
	}
}
