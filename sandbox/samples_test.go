package sandbox

import (
	"errors"
	"io/fs"
	"os"
	"regexp"
	"strings"
	"testing"
)

func TestSamples(t *testing.T) {
	s := ForTest(t, Options{})
	if err := s.LoadSamples(t.Context(), ""); err != nil {
		t.Fatal(err)
	}
	ours := "IN ('" + strings.Join(Samples(), "', '") + "')"

	t.Run("everything has a comment", func(t *testing.T) {
		equal(t, s, "SELECT name FROM system.databases WHERE comment = '' AND name "+ours, "")
		equal(t, s, "SELECT database, name FROM system.tables WHERE comment = '' AND database "+ours, "")
		equal(t, s, "SELECT database, table, name FROM system.columns WHERE comment = '' AND database "+ours, "")
		equal(t, s, "SELECT name FROM system.tables WHERE database = 'usage' AND NOT startsWith(comment, 'Synthetic data: ')", "")
	})
	t.Run("everything is there", func(t *testing.T) {
		for table, rows := range map[string]string{
			"flights.flights": "3000000", "flights.airports": "3376", "flights.birdstrikes": "10000",
			"nature.weather": "2922", "nature.earthquakes": "1707", "nature.co2": "741", "nature.global_temperature": "144",
			"films.movies": "3201", "usage.people": "36", "usage.members": "36", "usage.models": "5",
		} {
			equal(t, s, "SELECT count() FROM "+table, rows)
		}
	})
	t.Run("the values are right", func(t *testing.T) { checkValues(t, s) })
	t.Run("an incomplete one is made anew", func(t *testing.T) {
		run(t, s, "ALTER DATABASE films MODIFY COMMENT ''", "TRUNCATE TABLE films.movies", "TRUNCATE TABLE nature.co2")
		if err := s.LoadSamples(t.Context(), ""); err != nil {
			t.Fatal(err)
		}
		equal(t, s, "SELECT count() FROM films.movies", "3201")
		equal(t, s, "SELECT count() FROM nature.co2", "0")
	})
}

// checkValues looks at a few values where they might have been lost on the way.
func checkValues(t *testing.T, s *Server) {
	for _, c := range []struct{ sql, want string }{
		{"SELECT min(departed_at), max(departed_at), sum(delay), sum(distance), uniqExact(origin) FROM flights.flights",
			"2001-01-01 00:01:00\t2001-07-01 00:00:00\t20003603\t2194861208\t229"},
		{"SELECT count() FROM flights.flights WHERE origin NOT IN (SELECT iata FROM flights.airports)", "0"},
		{"SELECT min(month), max(month) FROM nature.co2", "1958-03-01\t2020-04-01"},
		{"SELECT max(magnitude), min(time) FROM nature.earthquakes", "6.4\t2018-01-31 01:49:59.650"},
		{"SELECT released FROM films.movies WHERE title = 'The Land Girls'", "1998-06-12"},
		{"SELECT max(worldwide_gross) FROM films.movies", "2767891499"},
		{"SELECT location, max(temp_max) FROM nature.weather GROUP BY location ORDER BY location", "New York\t37.8\nSeattle\t35.6"},
		// Ninety days up to yesterday, nobody without a team, and the cost is exact.
		{"SELECT uniqExact(toDate(minute)), max(toDate(minute)) = toDate(now('UTC')) - 1 FROM usage.events", "90\t1"},
		{"SELECT count() BETWEEN 1000000 AND 2000000, uniqExact(team), uniqExact(person), uniqExact(model) FROM usage.events", "1\t6\t36\t5"},
		{"SELECT countIf(cached_tokens > input_tokens OR errors > requests OR requests = 0) FROM usage.events", "0"},
		{"SELECT count() FROM usage.events AS e JOIN usage.models AS m USING (model) WHERE cost * 1000000 != " +
			"(input_tokens - cached_tokens) * input_price + cached_tokens * cached_price + output_tokens * output_price", "0"},
		{"SELECT (SELECT sum(cost) FROM usage.daily) = (SELECT sum(cost) FROM usage.events)", "1"},
	} {
		equal(t, s, c.sql, c.want)
	}
}

func TestSamplesMissing(t *testing.T) {
	s := ForTest(t, Options{})
	for _, dir := range []string{t.TempDir(), "/nowhere"} {
		err := s.LoadSamples(t.Context(), dir)
		if err == nil || !strings.Contains(err.Error(), "make deps") {
			t.Errorf("from %s: %v, want to be told what to do", dir, err)
		}
	}
	if err := s.LoadSamples(t.Context(), "", "secrets"); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("an unknown database: %v", err)
	}
}

// What npm installs is pinned, and from whichever registry the machine uses.
func TestLockNamesNoRegistry(t *testing.T) {
	for _, name := range []string{"npm/package-lock.json", "npm/package.json", "npm/.npmrc"} {
		text, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		if regexp.MustCompile(`"resolved"|registry\.|registry=`).Match(text) {
			t.Errorf("%s names a registry", name)
		}
		if regexp.MustCompile(`": "[\^~]`).Match(text) && name == "npm/package.json" {
			t.Errorf("%s pins no version", name)
		}
	}
}
