package statement_test

import (
	"os"
	"strings"
	"sync"
)

// corpus returns the texts of testdata/corpus.sql: SQL as people, agents and
// attackers write it. A line "----" stands between two of them.
var corpus = sync.OnceValue(func() []string {
	file, err := os.ReadFile("testdata/corpus.sql")
	if err != nil {
		panic(err)
	}
	return strings.Split(strings.TrimSuffix(string(file), "\n"), "\n----\n")
})
