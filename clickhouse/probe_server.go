package clickhouse

import (
	"context"
	"strings"
	"sync"
)

// customSettings tries whether settings that begin with SQL_ exist.
func (v visitor) customSettings(ctx context.Context) Finding {
	_, found := v.ask(ctx, probeQuestion{sql: "SELECT 1", setting: "SQL_porterhouse_probe=1"})
	return found
}

// table tries whether a table is there, which an account that may not read it is told
// as well.
func (v visitor) table(ctx context.Context, name string) Finding {
	_, found := v.ask(ctx, probeQuestion{sql: "SELECT 1 FROM " + name + " LIMIT 0"})
	if found.Failed(NotGranted) {
		found.Outcome = Works
	}
	return found
}

// builders are recognized by a word in the version, or in what is said behind it.
var builders = []struct {
	word  string
	build Build
}{
	{"antalya", Antalya}, {"altinity", Altinity}, {"aiven", Aiven}, {"cloud", Cloud}, {"official", Official},
}

// build finds who has built the server: by its version, by the words that exceptions
// have behind the version, such as (version 26.7.2.1 (official build)), and by a
// setting that is on in the Cloud only.
func (v visitor) build(ctx context.Context, version string) Build {
	var mode probeAnswer
	var wrong Finding
	var wg sync.WaitGroup
	wg.Go(func() {
		mode, _ = v.ask(ctx, probeQuestion{sql: "SELECT value FROM system.settings WHERE name = 'cloud_mode'"})
	})
	wg.Go(func() { _, wrong = v.ask(ctx, probeQuestion{sql: "SELECT porterhouse_looks_for_no_such_column"}) })
	wg.Wait()
	if strings.TrimSpace(mode.text) == "1" {
		return Cloud
	}
	_, behind, _ := strings.Cut(wrong.Said, "(version ")
	text := strings.ToLower(version + " " + behind)
	for _, b := range builders {
		if strings.Contains(text, b.word) {
			return b.build
		}
	}
	return Other
}
