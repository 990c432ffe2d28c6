package mcpserver

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// kindsOfText are what answers are made of.
func kindsOfText() map[string]string {
	random := rand.New(rand.NewPCG(1, 2))
	rows := func(format string, value func(i int) []any) string {
		var b strings.Builder
		for i := range 400 {
			fmt.Fprintf(&b, format+"\n", value(i)...)
		}
		return b.String()
	}
	return map[string]string{
		"single digits": rows("%d\t%d\t%d", func(i int) []any { return []any{i % 10, i * 7 % 10, i * 3 % 10} }),
		"integers":      rows("%d\t%d\t%d", func(i int) []any { return []any{i, i * 7919, i * 104729 * 1e6} }),
		"floats":        rows("%g\t%g", func(int) []any { return []any{random.Float64() * 1e6, random.Float64()} }),
		"times":         rows("2026-01-%02d\t2026-01-02 03:%02d:00", func(i int) []any { return []any{1 + i%28, i % 60} }),
		"hashes":        rows("%x\t%x", func(int) []any { return []any{random.Uint64(), random.Uint64()} }),
		"ids":           rows("%08x-%04x-7%03x-8%03x-%012x", func(i int) []any { return []any{random.Uint32(), i, i % 4096, i * 7 % 4096, random.Uint64() >> 16} }),
		"nothing":       rows("%s\t%[1]s\t%[1]s", func(int) []any { return []any{`\N`} }),
		"capitals":      rows("%s\tXCVBNM\tQWRTZP", func(int) []any { return []any{"KJHGFD"} }),
		"words":         rows("The quick brown fox jumps over the lazy dog near the river bank\t%s", func(int) []any { return []any{"another sentence with words"} }),
		"structures":    rows(`{"a":%d,"b":[1,2,{"c":"x"}]}`+"\t['a','b']", func(i int) []any { return []any{i} }),
		"addresses":     rows("%d\tuser_%[1]d@example.com\thttps://example.com/path/%[1]d?q=%x", func(i int) []any { return []any{i, random.Uint64()} }),
		"russian": rows("%s", func(int) []any {
			return []any{"Съешь же ещё этих мягких французских булок\tда выпей чаю"}
		}),
		"chinese": rows("%s", func(int) []any { return []any{"敏捷的棕色狐狸跳过懒狗\t数据库查询"} }),
		"emoji":   rows("%s", func(int) []any { return []any{"😀🎉🚀\t👩‍💻"} }),
	}
}

// The estimate is held against a real tokenizer: never far below it, and not so
// far above that answers would be cut for nothing.
func TestTokensEqualATokenizer(t *testing.T) {
	texts := kindsOfText()
	counted := countTokens(t, texts)
	for kind, text := range texts {
		ratio := float64(tokens([]byte(text))) / float64(counted[kind])
		t.Logf("%-14s %6d bytes, %6d tokens, estimated × %.2f", kind, len(text), counted[kind], ratio)
		if ratio < 0.95 || ratio > 1.9 {
			t.Errorf("%s: %d tokens, estimated × %.2f", kind, counted[kind], ratio)
		}
	}
}

// An answer that the caller set no bounds to fits into a model's context, whatever
// it is made of; a caller that names max_rows gets more.
func TestDefaultAnswerFitsAModel(t *testing.T) {
	h := newHouse(t)
	a := h.agent(t, "alice", false)
	values := map[string]string{
		"digits": "arrayMap(x -> (number + x) % 10, range(300))",
		"times":  "arrayMap(x -> toDateTime(number * x), range(20))",
		"hashes": "arrayMap(x -> lower(hex(sipHash64(number, x))), range(15))",
		"words":  "repeat('the porter lets everybody in by name ', 10)",
	}
	for kind, value := range values {
		texts := map[string]string{}
		sql := "SELECT number, " + value + " AS value FROM numbers(1000)"
		var failed bool
		if texts["default"], failed = a.call("query", map[string]any{"sql": sql}); failed {
			t.Fatal(texts["default"])
		}
		if texts["asked"], failed = a.call("query", map[string]any{"sql": sql, "max_rows": 1000}); failed {
			t.Fatal(texts["asked"])
		}
		counted := countTokens(t, texts)
		t.Logf("%s: %d tokens by default, %d with max_rows", kind, counted["default"], counted["asked"])
		if counted["default"] > 20_000 || counted["default"] < 8_000 || counted["asked"] > 40_000 {
			t.Errorf("%s: %d tokens by default, %d with max_rows; it begins %.200s", kind, counted["default"], counted["asked"], texts["default"])
		}
		if !strings.Contains(texts["default"], "NOT ALL. Cut at ") {
			t.Errorf("%s: the answer does not say that it is cut: %.200s", kind, texts["default"])
		}
	}
}

// countTokens counts with a real tokenizer, by name.
func countTokens(t *testing.T, texts map[string]string) (counted map[string]int) {
	t.Helper()
	input, err := json.Marshal(texts)
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "texts.json")
	if err := os.WriteFile(file, input, 0o600); err != nil {
		t.Fatal(err)
	}
	out := runNode(t, []string{"TEXTS=" + file}, "tokens.mjs")
	if err := json.Unmarshal(out, &counted); err != nil {
		t.Fatalf("%v in %s", err, out)
	}
	return counted
}

func BenchmarkTokens(b *testing.B) {
	text := []byte(kindsOfText()["addresses"])
	b.SetBytes(int64(len(text)))
	for b.Loop() {
		tokens(text)
	}
}
