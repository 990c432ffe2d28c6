package e2e

import (
	"bytes"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"
)

// suite is one of the test suites that the module clickhouse-go brings with it.
type suite struct {
	binary string // made by `make deps`
	folder string // below the module
	tests  string // which of them
	least  int    // that pass straight at the engine
}

const (
	driverTests   = "../build/clickhouse-go.test"
	standardTests = "../build/clickhouse-go-std.test"
)

// refusedToSuite are the tests of the driver that the mode execute_as does not pass,
// and why: doc/http-door.md says it too.
var refusedToSuite = map[string]string{
	"TestStdConnCheck/http_Protocol": "it sets idle_connection_timeout and tcp_keep_alive_timeout, which are of the gateway's connections",
}

// The driver's own tests come to the same verdicts through the door as straight at the
// engine, in as much as they speak HTTP. Here are those of database/sql and some more;
// TestSoakDriversOwnSuite runs all.
func TestDriversOwnSuite(t *testing.T) {
	const some = "^Test(Abort|Compression|Context|Exception|External|HTTP|Http|JSON|Query|Session|Tuple).*/(?i:http)"
	driversOwnSuite(t, suite{standardTests, "tests/std", ".*/(?i:http)", 70}, suite{driverTests, "tests", some, 20})
}

// TestSoakDriversOwnSuite is all of TestDriversOwnSuite.
func TestSoakDriversOwnSuite(t *testing.T) {
	if os.Getenv("PORTERHOUSE_SOAK") == "" {
		t.Skip("some minutes long: make soak")
	}
	driversOwnSuite(t, suite{driverTests, "tests", ".*/(?i:http)", 250})
}

func driversOwnSuite(t *testing.T, suites ...suite) {
	for _, mode := range []string{verify, executeAs} {
		t.Run(mode, func(t *testing.T) {
			t.Setenv("TZ", "UTC") // of the engine, too: some tests take the server's for their own
			s := openSite(t, mode, ", passwords: pass"+suiteSettings)
			s.letDriverIn()
			for _, suite := range suites {
				s.compareSuite(suite)
			}
		})
	}
}

// compareSuite runs a suite both ways.
func (s *site) compareSuite(suite suite) {
	s.t.Helper()
	straight, through := s.runSuite(suite, s.straight.url), s.runSuite(suite, s.plain)
	if n := count(straight, "PASS"); n < suite.least {
		s.t.Errorf("%s: only %d tests pass straight at the engine", suite.folder, n)
	}
	for _, name := range slices.Sorted(maps.Keys(straight)) {
		reason, known := refusedToSuite[name]
		known = known && s.mode == executeAs
		switch differs := straight[name] != through[name]; {
		case differs && !known:
			s.t.Errorf("%s: %s: %s straight, %q through the door", suite.folder, name, straight[name], through[name])
		case !differs && known:
			s.t.Errorf("%s: %s: the same verdict; it was another because %s", suite.folder, name, reason)
		}
	}
	s.t.Logf("%s: straight %s; through the door %s", suite.folder, counts(straight), counts(through))
}

// suiteSettings lets the suites set what they set with every request, and the mode
// execute_as does not know to be harmless.
const suiteSettings = ", allow: {settings: [database_replicated_enforce_synchronous_settings]}"

// letDriverIn makes the user that the suites log in as: it may do all that the admin
// may, and its password is its token, so that both ways take the same words.
func (s *site) letDriverIn() {
	s.t.Helper()
	s.tokens["driver"] = s.token("driver@example.com")
	s.exec("CREATE USER driver IDENTIFIED WITH plaintext_password BY "+quote(s.tokens["driver"])+", http SERVER 'porterhouse' SCHEME 'BASIC'",
		"GRANT CURRENT GRANTS ON *.* TO driver WITH GRANT OPTION")
	if s.mode == executeAs {
		s.exec("GRANT IMPERSONATE ON driver TO " + s.gateway.User)
	}
}

// Lines of `go test -v`: a test begins, and has a verdict.
var (
	runLine     = regexp.MustCompile(`^=== RUN   ([^/\s]+)`)
	verdictLine = regexp.MustCompile(`^\s*--- (PASS|FAIL|SKIP): (\S+)`)
)

// runSuite runs what of a suite speaks HTTP, to a URL, and returns the verdicts by the
// name of the test. A test that panics ends its whole run: then the others run again
// without it.
func (s *site) runSuite(suite suite, address string) map[string]string {
	s.t.Helper()
	verdicts, began := map[string]string{}, time.Now()
	for panicked := []string{"none"}; ; {
		out := s.runTests(suite, address, "^("+strings.Join(panicked, "|")+")$")
		running := ""
		for line := range bytes.Lines(out) {
			if found := runLine.FindSubmatch(line); found != nil {
				running = string(found[1])
			}
			if found := verdictLine.FindSubmatch(line); found != nil && strings.Contains(strings.ToLower(string(found[2])), "/http") {
				verdicts[string(found[2])] = string(found[1])
			}
		}
		switch {
		case !bytes.Contains(out, []byte("\npanic: ")):
			s.t.Logf("%s at %s took %v", suite.folder, address, time.Since(began).Round(time.Second))
			return verdicts
		case running == "" || slices.Contains(panicked, running):
			s.t.Fatalf("%s: no verdict:\n%s", suite.folder, out)
		}
		panicked, verdicts[running+"/HTTP"] = append(panicked, running), "FAIL"
	}
}

// runTests runs the binary of a suite without some of its tests, and returns what it prints.
func (s *site) runTests(suite suite, address, without string) []byte {
	s.t.Helper()
	binary, err := filepath.Abs(suite.binary)
	if err != nil {
		s.t.Fatal(err)
	}
	module, err := exec.Command("go", "list", "-m", "-f", "{{.Dir}}", "github.com/ClickHouse/clickhouse-go/v2").Output()
	if err != nil {
		s.t.Fatal(err)
	}
	_, native, _ := strings.Cut(s.db.Native, ":")
	name, port, _ := strings.Cut(host(address), ":")
	cmd := exec.CommandContext(s.t.Context(), binary, "-test.v", "-test.timeout=5m", "-test.run="+suite.tests, "-test.skip="+without)
	cmd.Dir = filepath.Join(strings.TrimSpace(string(module)), suite.folder)
	cmd.Env = append(os.Environ(), "CLICKHOUSE_USE_DOCKER=false", "CLICKHOUSE_HOST="+name, "CLICKHOUSE_HTTP_PORT="+port,
		"CLICKHOUSE_PORT="+native, "CLICKHOUSE_USERNAME=driver", "CLICKHOUSE_PASSWORD="+s.tokens["driver"])
	out, err := cmd.CombinedOutput()
	if cmd.ProcessState == nil {
		s.t.Fatalf("%v (run `make deps` when %s is not there)", err, suite.binary)
	}
	return out
}

// count is how many tests had a verdict.
func count(verdicts map[string]string, verdict string) (n int) {
	for _, v := range verdicts {
		if v == verdict {
			n++
		}
	}
	return n
}

func counts(verdicts map[string]string) string {
	return fmt.Sprintf("%d pass, %d fail, %d are skipped", count(verdicts, "PASS"), count(verdicts, "FAIL"), count(verdicts, "SKIP"))
}
