package mcpserver

import (
	"fmt"
	"slices"
	"strings"
	"testing"
)

func TestStems(t *testing.T) {
	for text, want := range map[string]string{
		"daily token usage":                   "daily token usage",
		"Daily TOKENS, usages!":               "daily token usage",
		"inputTokens output_tokens":           "input token output",
		"customerIDs2 v2Beta":                 "customer ids2 v2 beta",
		"companies addresses boxes branches":  "compan address box branch",
		"status analysis class bus gas its":   "status analysis class bus gas its",
		"Größe straße цены":                   "größe straße цены",
		"one two three four five six 7 8 9 0": "one two three four five six 7 8",
		" ,;'\"\\ ":                           "",
		"a' OR 1=1 --":                        "a or 1",
	} {
		if got := strings.Join(stems(text), " "); got != want {
			t.Errorf("stems(%q) = %q, want %q", text, got, want)
		}
	}
}

// warehouse is a database with names that are hard to rank.
var warehouse = []string{
	"CREATE DATABASE IF NOT EXISTS warehouse",
	"CREATE TABLE IF NOT EXISTS warehouse.stock (sku String, itemCount UInt32 COMMENT 'pieces') ENGINE = Memory COMMENT 'What lies on the shelves'",
	"CREATE TABLE IF NOT EXISTS warehouse.stock_moves (sku String, pieces Int32) ENGINE = Memory COMMENT 'Movements of stock: one row per move'",
	"CREATE TABLE IF NOT EXISTS warehouse.laughingstock (joke String) ENGINE = Memory",
	"CREATE TABLE IF NOT EXISTS warehouse.`odd name` (`a.b` String COMMENT 'line\nbreak', `c``d` String) ENGINE = Memory COMMENT 'oddities in stock'",
	"GRANT SELECT ON warehouse.* TO alice",
}

// TestSearchRanking: the word itself before whole words before insides, and what
// has more of the words before everything.
func TestSearchRanking(t *testing.T) {
	h := newHouse(t)
	h.exec(t, warehouse...)
	a := h.agent(t, "alice", true)
	for words, want := range map[string][]string{
		"stock":       {"warehouse.stock", "warehouse.stock_moves", "warehouse.`odd name`", "warehouse.laughingstock"},
		"stock moves": {"warehouse.stock_moves"},
		"item counts": {"warehouse.stock"},
		"STOCKS":      {"warehouse.stock"},
		"odd":         {"warehouse.`odd name`"},
	} {
		text, failed := a.call("search_schema", map[string]any{"words": words, "database": "warehouse"})
		if failed {
			t.Fatal(text)
		}
		var tables []string
		for line := range strings.Lines(text) {
			if name, _, ok := strings.Cut(line, " ("); ok && strings.HasPrefix(line, "warehouse.") {
				tables = append(tables, name)
			}
		}
		if len(tables) < len(want) || !slices.Equal(tables[:len(want)], want) {
			t.Errorf("%q finds %q, want %q first\n%s", words, tables, want, text)
		}
	}
	text, _ := a.call("search_schema", map[string]any{"words": "break"})
	if !strings.Contains(text, "  `a.b` String — line break\n") {
		t.Errorf("an odd column: %s", text)
	}
}

// TestSearchSeesWhatThePersonMay: the same words, other answers.
func TestSearchSeesWhatThePersonMay(t *testing.T) {
	h := newHouse(t)
	for person, c := range map[string]struct{ finds, hides []string }{
		"alice": {[]string{"shop.orders", "price"}, []string{"payroll", "vault", "salary"}},
		"bob":   {[]string{"shop.orders", "id UInt64"}, []string{"price", "payroll", "vault", "salary"}},
	} {
		text, _ := h.agent(t, person, true).call("search_schema", map[string]any{"words": "order price owner salary payroll"})
		found := text[strings.Index(text, "\n"):] // behind the line that repeats the words
		for _, name := range c.finds {
			if !strings.Contains(found, name) {
				t.Errorf("%s does not find %s in %s", person, name, text)
			}
		}
		for _, name := range c.hides {
			if strings.Contains(found, name) {
				t.Errorf("%s finds %s in %s", person, name, text)
			}
		}
	}
}

// TestSearchPages: every match is on one page, and none on two.
func TestSearchPages(t *testing.T) {
	h := newHouse(t)
	h.exec(t, "CREATE DATABASE IF NOT EXISTS many", "GRANT SELECT ON many.* TO alice")
	for i := range 2*pageSize + 3 {
		h.exec(t, fmt.Sprintf("CREATE TABLE IF NOT EXISTS many.page_test_%02d (x UInt8) ENGINE = Memory", i))
	}
	a := h.agent(t, "alice", false)
	seen := make(map[string]int)
	for page := 1; page <= 4; page++ {
		text, failed := a.call("search_schema", map[string]any{"words": "page tests", "page": page})
		if failed {
			t.Fatal(text)
		}
		if next := strings.Contains(text, fmt.Sprintf("Next: page %d.", page+1)); next != (page < 3) {
			t.Errorf("page %d: %.200s", page, text)
		}
		for line := range strings.Lines(text) {
			if strings.HasPrefix(line, "many.") {
				seen[line]++
			}
		}
	}
	for line, times := range seen {
		if times != 1 {
			t.Errorf("%q is on %d pages", line, times)
		}
	}
	if len(seen) != 2*pageSize+3 {
		t.Errorf("%d tables on all pages", len(seen))
	}
}

// TestSearchAttacks: words are words, whatever is in them.
func TestSearchAttacks(t *testing.T) {
	h := newHouse(t)
	a := h.agent(t, "alice", true)
	for _, words := range []string{"' OR 1=1 --", "{words:String}", `\' UNION ALL SELECT name FROM system.users`, "a\x00b\tc\nd", `%_\`, "日本語"} {
		for _, database := range []string{"", "shop' OR '1", `shop\`, "sh\top\n"} {
			text, failed := a.call("search_schema", map[string]any{"words": "x " + words, "database": database})
			if failed {
				t.Errorf("%q in %q: %s", words, database, text)
			}
			if database != "" && !strings.HasPrefix(text, "No match") {
				t.Errorf("%q in %q: %s", words, database, text)
			}
		}
	}
}
