package statement_test

import (
	"os"
	"strings"
	"sync"
	"testing"

	"porterhouse/statement"
)

// corpus returns the texts of testdata/corpus.sql: what people, agents and
// attackers write, and what lexers trip over.
var corpus = sync.OnceValue(func() []string { return texts("testdata/corpus.sql") })

// ordinary returns the texts of testdata/ordinary.sql: the questions of people and
// agents, short and long, as most of them are.
var ordinary = sync.OnceValue(func() []string { return texts("testdata/ordinary.sql") })

// texts reads a file in which a line "----" stands between two texts.
func texts(name string) []string {
	file, err := os.ReadFile(name)
	if err != nil {
		panic(err)
	}
	return strings.Split(strings.TrimSuffix(string(file), "\n"), "\n----\n")
}

func TestOrdinaryQuestionsPass(t *testing.T) {
	for _, sql := range ordinary() {
		if r := statement.Check(sql); !r.Read || len(r.Hazards) > 0 {
			t.Errorf("%+v for\n%s", r, sql)
		}
	}
}
