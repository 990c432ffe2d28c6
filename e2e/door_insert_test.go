package e2e

import (
	"net/http"
	"strings"
	"testing"
)

// Data in every format that ClickHouse both reads and writes arrives through the door
// as it does straight, in each mode: in the URL's statement, and behind the statement
// in the body.
func TestInsertFormats(t *testing.T) { everyMode(t, insertFormats) }

func insertFormats(t *testing.T, s *site) {
	client, arrived := s.client(), map[string]bool{}
	for name := range strings.Lines(s.text("SELECT name FROM system.formats WHERE is_input AND is_output ORDER BY name")) {
		name = strings.TrimSpace(name)
		data, err := s.straight.send(t.Context(), client, post("SELECT * FROM "+source, "output_format_write_statistics=0&default_format="+name))
		if err != nil {
			t.Fatal(err)
		}
		if data.status != http.StatusOK {
			continue // it needs a schema, or one column
		}
		statement := "INSERT INTO scratch.arrived FORMAT " + name
		for how, r := range map[string]request{
			"URL":       post(data.body, "query="+escape(statement)),
			"body":      post(statement + "\n" + data.body),
			"in chunks": {target: "/?query=" + escape(statement), body: data.body, stream: true},
		} {
			want, got := s.inserted(client, s.straight, r), s.inserted(client, s.through, r)
			if want != got {
				t.Errorf("%s, %s: %s; straight: %s", name, how, got, want)
			}
			arrived[name] = arrived[name] || strings.HasPrefix(got, "200 1000\t")
		}
	}
	all := 0
	for _, whole := range arrived {
		if whole {
			all++
		}
	}
	if t.Logf("data arrives whole in %d formats", all); all < 15 {
		t.Errorf("data arrives whole in %d formats only: %v", all, arrived)
	}
}

// source is what the formats carry.
const source = "(SELECT toUInt32(number) AS n, concat('row ', toString(number), '\\t\\'\"<,;') AS s, toDate(number) AS d, [number % 3, 1]::Array(UInt8) AS a, number % 2 = 0 ? NULL : number::Float64 AS f FROM numbers(1000))"

// inserted empties the table, sends an INSERT, and tells its status and what is there.
func (s *site) inserted(client *http.Client, w way, r request) string {
	s.t.Helper()
	s.exec("CREATE OR REPLACE TABLE scratch.arrived (n UInt32, s String, d Date, a Array(UInt8), f Nullable(Float64)) ENGINE = MergeTree ORDER BY n")
	got, err := w.send(s.t.Context(), client, r)
	if err != nil {
		s.t.Fatalf("%s: %v\n%s", r.target, err, s.lastLine())
	}
	there := s.text("SELECT count(), sum(cityHash64(*)) FROM scratch.arrived")
	if got.status != http.StatusOK {
		code, _, _ := strings.Cut(got.body, ". ")
		return strings.Join([]string{http.StatusText(got.status), code, there}, " ")
	}
	return "200 " + there
}
