package e2e

import (
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"testing"
)

// exchange is what a client says to ClickHouse, one request after the other.
type exchange struct {
	name  string
	steps []request
}

// one is an exchange of a single request.
func one(name string, r request) exchange { return exchange{name, []request{r}} }

// known says of exchanges, by the beginning of their names, why the door does not
// answer as ClickHouse does.
type known map[string]string

// reason finds why an exchange may differ.
func (k known) reason(name string) (string, bool) {
	for prefix, reason := range k {
		if strings.HasPrefix(name, prefix) {
			return reason, true
		}
	}
	return "", false
}

// A client cannot tell the door from ClickHouse: the same person gets the same status,
// headers and bytes either way.
func TestDoorIsClickHouse(t *testing.T) {
	t.Parallel()
	for _, mode := range []string{verify, static} {
		t.Run(mode, func(t *testing.T) {
			t.Parallel()
			s := openSite(t, mode, "")
			client, all := s.client(), s.exchanges()
			if len(all) < 150 {
				t.Errorf("only %d exchanges", len(all))
			}
			different := 0
			for _, e := range all {
				differs := s.inTest(t).compare(client, e)
				reason, may := decided[mode].reason(e.name)
				switch {
				case differs != "" && !may:
					t.Errorf("%s: %s", e.name, differs)
				case differs == "" && may:
					t.Errorf("%s: no difference any more; it was there because %s", e.name, reason)
				case may:
					different++
				}
			}
			t.Logf("of %d exchanges %d differ as decided", len(all), different)
		})
	}
}

// compare sends an exchange both ways, and tells how the answers differ.
func (s *site) compare(client *http.Client, e exchange) string {
	s.t.Helper()
	want := s.speak(client, s.straight, e)
	got := s.speak(client, s.through, e)
	for i := range e.steps {
		if differs := differences(want[i], got[i]); differs != "" {
			return fmt.Sprintf("request %d: %s", i+1, differs)
		}
	}
	return ""
}

// speak sends the requests of an exchange one way.
func (s *site) speak(client *http.Client, w way, e exchange) (replies []reply) {
	s.t.Helper()
	for i, r := range e.steps {
		got, err := w.say(s.t.Context(), client, r)
		if err != nil {
			s.t.Fatalf("%s, request %d, to %s: %v\n%s", e.name, i+1, w.url, err, s.lastLine())
		}
		replies = append(replies, got)
	}
	return replies
}

// exchanges are all of them.
func (s *site) exchanges() (all []exchange) {
	s.t.Helper()
	for _, list := range [][]exchange{s.formats(), s.codings(), shapes(), parameters(), failures(), failuresInTheMiddle(), statements(), sessionsOfClickHouse(), externalTables()} {
		all = append(all, list...)
	}
	return all
}

// formats asks in every format that ClickHouse can write.
func (s *site) formats() (all []exchange) {
	const rows = "SELECT number AS n, concat('row ', toString(number), '\t<&>') AS s, [number, 1] AS a, number % 2 = 0 ? NULL : toDate(number) AS d FROM numbers(3)"
	for name := range strings.Lines(s.text("SELECT name FROM system.formats WHERE is_output ORDER BY name")) {
		name = strings.TrimSpace(name)
		all = append(all,
			one("format "+name+" by default_format", post(rows, "output_format_write_statistics=0&default_format="+name)),
			one("format "+name+" by FORMAT, one column", post("SELECT number AS n FROM numbers(5) FORMAT "+name, "output_format_write_statistics=0")),
		)
	}
	return all
}

// codings compresses answers and requests in every way that ClickHouse knows.
func (s *site) codings() (all []exchange) {
	const many = "SELECT number, toString(number) FROM numbers(50000)"
	for _, coding := range []string{"gzip", "deflate", "br", "zstd", "lz4", "xz", "snappy"} {
		encoded := s.encoded(coding, "SELECT 'as "+coding+"', 1 + 1")
		all = append(all,
			one("coding "+coding+" of the answer", post(many, "enable_http_compression=1").with("Accept-Encoding: "+coding)),
			one("coding "+coding+" of the answer, not enabled", post(many).with("Accept-Encoding: "+coding)),
			one("coding "+coding+" of an error", post("SELECT nonsense", "enable_http_compression=1").with("Accept-Encoding: "+coding)),
			one("coding "+coding+" of the request", post(encoded).with("Content-Encoding: "+coding)),
			one("coding "+coding+" of the request, in chunks", request{target: "/?enable_http_compression=1", body: encoded, stream: true, headers: []string{"Content-Encoding: " + coding}}),
			one("coding "+coding+" of the request, cut", post(encoded[:len(encoded)/2]).with("Content-Encoding: "+coding)),
			one("coding "+coding+" of the request, nothing of the sort", post("SELECT 1").with("Content-Encoding: "+coding)),
		)
	}
	for _, accept := range []string{"gzip, deflate, br", "br;q=1.0, gzip;q=0.5", "*", "identity", "gzip;q=0", "compress", "zstd, gzip"} {
		all = append(all, one("coding "+accept+" is accepted", post(many, "enable_http_compression=1").with("Accept-Encoding: "+accept)))
	}
	blocks := s.encoded("", "SELECT 'in blocks', 1 + 1")
	return append(all,
		one("coding: level", post(many, "enable_http_compression=1&http_zlib_compression_level=9").with("Accept-Encoding: gzip")),
		one("coding: blocks of the answer", post(many, "compress=1")),
		one("coding: blocks of the answer in zstd", post(many, "compress=1&network_compression_method=ZSTD")),
		one("coding: blocks of Native", post(many, "compress=1&default_format=Native&client_protocol_version=54460")),
		one("coding: blocks of the request", post(blocks, "decompress=1")),
		one("coding: blocks of the request, wrong checksum", post("x"+blocks[1:], "decompress=1")),
		one("coding: blocks of the request, cut", post(blocks[:len(blocks)-3], "decompress=1")),
		one("coding: blocks inside gzip", post(many, "compress=1&enable_http_compression=1").with("Accept-Encoding: gzip")),
		one("coding of the request that nobody knows", post("SELECT 1").with("Content-Encoding: rot13")),
		one("coding identity of the request", post("SELECT 1").with("Content-Encoding: identity")),
	)
}

// encoded has ClickHouse encode text as coding says; "": in its own blocks.
func (s *site) encoded(coding, text string) string {
	s.t.Helper()
	r := post("SELECT "+quote(text)+" FORMAT RawBLOB", "compress=1")
	if coding != "" {
		r = post(r.body, "enable_http_compression=1").with("Accept-Encoding: " + coding)
	}
	got, err := s.straight.send(s.t.Context(), s.client(), r)
	if err != nil || got.status != http.StatusOK || got.headers.Get("Content-Encoding") != coding {
		s.t.Fatalf("encoding as %q: %v, %+v", coding, err, got)
	}
	return got.body
}

// quote is text as a string literal of ClickHouse's.
func quote(text string) string {
	return "'" + strings.NewReplacer(`\`, `\\`, `'`, `\'`).Replace(text) + "'"
}

// escape is text as it stands in a URL.
func escape(text string) string { return url.QueryEscape(text) }
