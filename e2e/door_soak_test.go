package e2e

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"porterhouse/identity"
)

// Two hundred clients of fifty people at the HTTP door, in each mode, while everything
// around them fails.
func TestDoorUnderFaults(t *testing.T) { stress(t, 10*time.Second) }

// TestSoakDoor is the long form of TestDoorUnderFaults, for `make soak`.
func TestSoakDoor(t *testing.T) {
	if os.Getenv("PORTERHOUSE_SOAK") == "" {
		t.Skip("takes about a quarter of an hour: run `make soak`")
	}
	stress(t, 200*time.Second)
}

// clientsOfEach is how many clients each of the crowd has.
const clientsOfEach = 4

func stress(t *testing.T, long time.Duration) {
	for _, mode := range modes {
		t.Run(mode, func(t *testing.T) { openSite(t, mode, "").stress(long) })
	}
}

// stress makes everything fail around its clients for as long.
func (s *site) stress(long time.Duration) {
	tokens := s.gatherCrowd()
	byHTTP, byNative := newRelay(s.t, strings.TrimPrefix(s.db.HTTP, "http://")), newRelay(s.t, s.db.Native)
	s.reconfigure(s.db.HTTP, "http://"+byHTTP.address(), `native: "`+s.db.Native, `native: "`+byNative.address(),
		"\ntokens:", "\nhttp: {idle_timeout: 3s}\ntokens:")
	goroutines, heap := s.metric("go_goroutines"), s.metric("go_memstats_heap_inuse_bytes")

	book := &ledger{outcomes: map[string]int{}, inserts: map[uint64]insert{}}
	ctx, end := context.WithCancel(s.t.Context())
	defer end()
	var work sync.WaitGroup
	for i := range clientsOfEach * crowdSize {
		v := newVisitor(s, book, i, tokens[i%crowdSize])
		work.Go(func() { v.visit(ctx) })
	}
	since := time.Now()
	rounds := s.injectFaults(long, byHTTP, byNative)
	end()
	work.Wait()

	s.t.Logf("%v, in which everything failed %d times: %v", time.Since(since).Round(time.Second), rounds, book.outcomes)
	book.check(s)
	s.nothingLeftAfterFaults(goroutines, heap)
	s.eventually("no connection to ClickHouse is left", 20*time.Second, func() bool { return byHTTP.open.Load()+byNative.open.Load() == 0 })
	s.everyRecordIsClosed()
}

// gatherCrowd makes the people of the crowd, who may write what is theirs, and returns
// their tokens, which hold from the next start on.
func (s *site) gatherCrowd() []string {
	s.t.Helper()
	store, err := identity.NewTokens(identity.TokensConfig{Path: filepath.Join(s.dir, "tokens.json")})
	if err != nil {
		s.t.Fatal(err)
	}
	names, tokens := make([]string, crowdSize), make([]string, crowdSize)
	for i := range tokens {
		names[i] = personOf(i)
		secret, _, err := store.Create(identity.Grant{User: personOf(i) + "@example.com", Expires: time.Now().Add(24 * time.Hour)})
		if err != nil {
			s.t.Fatal(err)
		}
		tokens[i] = secret.Reveal()
	}
	s.exec("CREATE DATABASE own",
		"CREATE TABLE own.rows (who String DEFAULT currentUser(), nonce UInt64, n UInt32) ENGINE = MergeTree ORDER BY nonce",
		"CREATE USER "+strings.Join(names, ", ")+" IDENTIFIED WITH http SERVER 'porterhouse' SCHEME 'BASIC'",
		"GRANT SELECT, INSERT ON own.* TO "+s.gateway.User+", "+strings.Join(names, ", "),
		"GRANT IMPERSONATE ON person*, KILL QUERY ON *.* TO "+s.gateway.User)
	return tokens
}

// reconfigure stops Porterhouse, replaces parts of its configuration (what it says, what
// it is to say, and so on; what is not there is left out), lets the crowd in, and starts
// it again.
func (s *site) reconfigure(change ...string) {
	s.t.Helper()
	s.stop()
	text, err := os.ReadFile(s.config)
	if err != nil {
		s.t.Fatal(err)
	}
	const allowed = "local_users: {allow: ["
	if !strings.Contains(string(text), allowed) {
		s.t.Fatalf("there is no %q where the crowd could be let in:\n%s", allowed, text)
	}
	change = append(change, allowed, allowed+`"person*", `)
	s.write("porterhouse.yaml", strings.NewReplacer(change...).Replace(string(text)))
	s.url = ""
	s.start(settings{})
}

// ledger is what all visitors have seen.
type ledger struct {
	mu       sync.Mutex
	wrong    int
	outcomes map[string]int    // how many of each kind
	inserts  map[uint64]insert // by their nonce
}

// insert is one that was begun.
type insert struct {
	who    string
	rows   string // count, least and greatest n, as ClickHouse prints them
	surely bool   // ClickHouse has said that it is done
}

func (l *ledger) note(outcome string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.outcomes[outcome]++
}

func (l *ledger) keep(nonce uint64, i insert) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.inserts[nonce] = i
}

// fault reports what must not be; a few of them are enough.
func (l *ledger) fault(t *testing.T, format string, args ...any) {
	t.Helper()
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.wrong++; l.wrong <= 10 {
		t.Errorf(format, args...)
	}
}

// check compares what was inserted with what is there: each insert whole or not at all,
// never twice, and as the one who inserted it.
func (l *ledger) check(s *site) {
	s.t.Helper()
	there := map[uint64]string{}
	for line := range strings.Lines(s.text("SELECT nonce, groupUniqArray(who)[1], uniqExact(who), count(), min(n), max(n) FROM own.rows GROUP BY nonce")) {
		nonce, rest, _ := strings.Cut(strings.TrimSpace(line), "\t")
		n, err := strconv.ParseUint(nonce, 10, 64)
		s.must(err)
		there[n] = rest
	}
	whole := 0
	for nonce, i := range l.inserts {
		got, want := there[nonce], i.who+"\t1\t"+i.rows
		delete(there, nonce)
		if got == want {
			whole++
		} else if got != "" || i.surely {
			l.fault(s.t, "of %d (%q; surely: %v) there is %q", nonce, want, i.surely, got)
		}
	}
	for nonce, got := range there {
		l.fault(s.t, "nobody inserted %d: %q", nonce, got)
	}
	for _, kind := range []string{"question right", "stream right", "insert right", "session right", "wrong token told"} {
		if l.outcomes[kind] == 0 {
			s.t.Errorf("nothing of the kind %q: %v", kind, l.outcomes)
		}
	}
	s.t.Logf("%d of %d inserts are there; %d things went wrong", whole, len(l.inserts), l.wrong)
}

// nothingLeftAfterFaults waits until nothing runs, nobody waits, and the server has about
// as many goroutines and as much memory as before.
func (s *site) nothingLeftAfterFaults(goroutines, heap float64) {
	s.t.Helper()
	var left string
	for what, quiet := range map[string]func() bool{
		"questions": func() bool {
			left = s.text("SELECT user, elapsed, query FROM system.processes WHERE user NOT IN ('default', '')")
			return left == "" && s.metric("porterhouse_clickhouse_running") == 0 && s.metric("porterhouse_questions_running") == 0 && s.metric("porterhouse_questions_waiting") == 0
		},
		"goroutines": func() bool {
			now := s.metric("go_goroutines")
			left = fmt.Sprintf("%v before, %v now", goroutines, now)
			return now < goroutines+20
		},
		"memory": func() bool {
			now := s.metric("go_memstats_heap_inuse_bytes")
			left = fmt.Sprintf("%.0f MB before, %.0f MB now", heap/1e6, now/1e6)
			return now < heap+64e6
		},
	} {
		for end := time.Now().Add(40 * time.Second); !quiet() && time.Now().Before(end); {
			pause(s.t.Context(), 50*time.Millisecond)
		}
		if s.t.Logf("%s: %s", what, left); !quiet() {
			s.t.Errorf("something is left over of %s: %s", what, left)
		}
	}
	s.t.Logf("%v connections opened, %v statements killed, %v not", s.metric("porterhouse_clickhouse_connections_opened_total"),
		s.metric("porterhouse_clickhouse_kills_total"), s.metric("porterhouse_clickhouse_kill_failures_total"))
}

// everyRecordIsClosed stops the server and reads the record: each question in it has one
// end, and its chain is whole.
func (s *site) everyRecordIsClosed() {
	s.t.Helper()
	s.stop()
	if strings.Contains(s.log.String(), "panic") {
		s.t.Errorf("it panicked:\n%s", s.log.String())
	}
	if out, err := s.run("audit", "verify", "--config", s.config); err != nil {
		s.t.Errorf("the record is not whole: %v\n%s", err, out)
	}
	ends := map[any]int{}
	for _, line := range s.records() {
		switch line["kind"] {
		case "open":
			ends[line["id"]]--
		case "close":
			ends[line["id"]]++
		}
	}
	open := 0
	for id, n := range ends {
		if n != 0 {
			if open++; open < 5 {
				s.t.Errorf("question %v has %+d ends too many", id, n)
			}
		}
	}
	s.t.Logf("%d questions in the record", len(ends))
}
