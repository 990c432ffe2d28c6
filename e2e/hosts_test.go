package e2e

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"porterhouse/sandbox/fake"
)

// Fifty people at both doors of a cluster of three servers, of which one goes and comes
// back, and one drains: no write is doubled, reads go on, sessions of the server that goes
// are told so, each server has its share, draining loses nothing, and a KILL finds its
// statement.
func TestHosts(t *testing.T) {
	t.Parallel()
	for _, mode := range []string{verify, executeAs, interserver} {
		t.Run(mode, func(t *testing.T) {
			t.Parallel()
			openStreet(t, mode).day()
		})
	}
}

// street is a site whose ClickHouse seems to be three servers.
type street struct {
	*site
	tokens   []string
	sessions int              // that somebody begins, so many that each server has some; none in interserver, which has none
	relays   [][2]*fake.Relay // HTTP and native, of each server
	reads    atomic.Int64
	cut      atomic.Int64
	writes   atomic.Int64 // and the nonces of INSERTs
	mu       sync.Mutex
	settled  map[int64]bool // whether an INSERT was answered well
}

func openStreet(t *testing.T, mode string) *street {
	s := &street{site: openSite(t, mode, ""), settled: map[int64]bool{}, sessions: 36}
	if mode == interserver {
		s.sessions = 0
	}
	s.tokens = s.gatherCrowd()
	for range 3 {
		var pair [2]*fake.Relay
		for i, upstream := range []string{strings.TrimPrefix(s.db.HTTP, "http://"), s.db.Native} {
			relay, err := fake.StartRelay(upstream)
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { relay.Close() })
			pair[i] = relay
		}
		s.relays = append(s.relays, pair)
	}
	s.reconfigure(fmt.Sprintf("    url: %q\n", s.db.HTTP), "    hosts: "+s.hosts(-1)+"\n", fmt.Sprintf(", native: %q", s.db.Native), "")
	return s
}

// hosts is the list of servers, of which one drains; -1: none.
func (s *street) hosts(drains int) string {
	var all []string
	for i, pair := range s.relays {
		native := ""
		if s.mode != verify {
			native = fmt.Sprintf(", native: %q", pair[1].Address)
		}
		all = append(all, fmt.Sprintf("{url: %q%s, drain: %t}", "http://"+pair[0].Address, native, i == drains))
	}
	return "[" + strings.Join(all, ", ") + "]"
}

// of is a number that is counted for one server.
func (s *street) of(name string, i int) float64 {
	return s.metric(fmt.Sprintf(`porterhouse_clickhouse_host_%s{cluster="main",host="%s"}`, name, s.relays[i][0].Address))
}

// day is what happens.
func (s *street) day() {
	if s.mode != executeAs { // which carries no KILL
		s.exec("GRANT SELECT ON system.processes TO " + personOf(1) + ", " + personOf(3))
		s.killFindsIt(1)
		s.killFindsIt(3)
	}
	ctx, end := context.WithCancel(s.t.Context())
	var work sync.WaitGroup
	defer func() { end(); work.Wait() }()
	s.crowd(ctx, &work)
	s.eventually("everybody asks", time.Minute, func() bool { return s.reads.Load() > 150 })
	s.oneGoesAndComesBack()
	if s.sessions > 0 {
		s.sessionIsToldOf()
	}
	s.oneDrains()
	end()
	work.Wait()
	s.t.Logf("%d reads, %d writes", s.reads.Load(), s.writes.Load())
	if cut, logged := s.cut.Load(), int64(strings.Count(s.log.String(), midAnswer)); cut > logged {
		s.t.Errorf("%d of %d answers were cut, and only %d of them in their middle", cut, s.reads.Load(), logged)
	}
	s.nothingTwice()
}

// crowd lets everybody ask and write until ctx ends, half of them at each door.
func (s *street) crowd(ctx context.Context, work *sync.WaitGroup) {
	r := &reloads{site: s.site, tokens: s.tokens}
	for i, token := range s.tokens {
		ask := r.byHTTP(i, token)
		if i%2 == 0 {
			a, err := r.agent(token, stateless)
			if err != nil {
				s.t.Fatal(err)
			}
			ask = r.byMCP(a)
		}
		work.Go(func() {
			for ctx.Err() == nil {
				s.reads.Add(1)
				who, err := ask()
				if isRepeated(err) { // the three are one ClickHouse, which has not ended the first yet
					continue
				}
				if isCut(err) {
					s.cut.Add(1)
				} else if err != nil || who != personOf(i) {
					s.t.Errorf("%s was %q: %v", personOf(i), who, err)
				}
				if i%2 == 1 {
					s.insertOne(i, token)
				}
				pause(ctx, 300*time.Millisecond)
			}
		})
	}
}

// isCut reports whether an answer broke in its middle, as it did at ClickHouse: an agent is
// told so, and a client of ClickHouse's sees its connection end.
func isCut(err error) bool {
	var told *toolError
	if errors.As(err, &told) {
		return strings.Contains(told.text, midAnswer)
	}
	var network *net.OpError
	return errors.As(err, &network) || errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF)
}

// isRepeated reports whether a read came again, with its id, where it was before.
func isRepeated(err error) bool {
	return err != nil && strings.Contains(err.Error(), "QUERY_WITH_SAME_ID_IS_ALREADY_RUNNING")
}

// midAnswer is what is told, or logged, of an answer that broke in its middle.
const midAnswer = "in the middle of the answer"

// insertOne inserts a row, once.
func (s *street) insertOne(i int, token string) {
	nonce := s.writes.Add(1)
	got, err := way{s.plain, personOf(i), token}.send(s.t.Context(), s.site.client(), post(fmt.Sprintf("INSERT INTO own.rows (nonce, n) FORMAT TSV\n%d\t1\n", nonce)))
	s.mu.Lock()
	defer s.mu.Unlock()
	s.settled[nonce] = err == nil && got.status == http.StatusOK && !got.broken
}

// evenly makes sure that each server has its share.
func (s *street) evenly() {
	var all [3]float64
	sum := 0.0
	for i := range all {
		all[i] = s.of("queries_total", i)
		sum += all[i]
	}
	for i, n := range all {
		if n < sum/8 {
			s.t.Errorf("server %d was asked %v of %v times: %v", i, n, sum, all)
		}
	}
}

func (s *street) stop(i int) {
	for _, relay := range s.relays[i] {
		relay.Stop()
	}
}

func (s *street) resume(i int) {
	s.t.Helper()
	for _, relay := range s.relays[i] {
		s.must(relay.Resume())
	}
	s.eventually("the server is back in service", time.Minute, func() bool { return s.of("in_service", i) == 1 })
}

// oneGoesAndComesBack takes the first server away for some seconds.
func (s *street) oneGoesAndComesBack() {
	s.stop(0)
	s.eventually("it is seen that the server is away", time.Minute, func() bool { return s.of("in_service", 0) == 0 })
	if status, text := s.get("/readyz"); status != http.StatusOK {
		s.t.Errorf("one of three is away, and /readyz says %d %s", status, text)
	}
	before := s.reads.Load()
	s.eventually("people go on asking", time.Minute, func() bool { return s.reads.Load() > before+100 })
	s.resume(0)
	asked := s.of("queries_total", 0)
	s.eventually("it is asked again", time.Minute, func() bool { return s.of("queries_total", 0) > asked+10 })
}

// sessionIsToldOf takes each server away in turn: whoever has a session there is told so,
// once, and everybody else has theirs.
func (s *street) sessionIsToldOf() {
	told := 0
	for i := range s.sessions {
		if said := s.set(i); said != "" {
			s.t.Errorf("setting says %s", said)
		}
	}
	s.stop(1)
	s.eventually("it is seen that the server is away", time.Minute, func() bool { return s.of("in_service", 1) == 0 })
	for i := range s.sessions {
		said := s.set(i)
		if strings.Contains(said, "Code: 372") && strings.Contains(said, "What was set in it is gone") {
			told++
			said = s.set(i)
		}
		if said != "" {
			s.t.Errorf("setting says %s", said)
		}
	}
	if told == 0 || told == s.sessions {
		s.t.Errorf("one of three servers is away, and %d of %d sessions were told so", told, s.sessions)
	}
	s.resume(1)
}

// oneDrains lets the last server drain: it takes nothing new, and sessions stay where they
// are. Taken out, it gets nothing any more, and whoever had a session there is told so.
func (s *street) oneDrains() {
	text, err := os.ReadFile(s.config)
	s.must(err)
	r := &reloads{site: s.site}
	put := func(hosts string) {
		r.replace(strings.Replace(string(text), s.hosts(-1), hosts, 1), "porterhouse_config_reloads_total")
	}
	put(s.hosts(2))
	s.eventually("nothing runs there", time.Minute, func() bool { return s.of("running", 2) == 0 })
	asked, before := s.of("queries_total", 2), s.reads.Load()
	s.eventually("people go on asking", time.Minute, func() bool { return s.reads.Load() > before+50 })
	if more := s.of("queries_total", 2) - asked; more > 0 {
		s.t.Errorf("a server that drains was asked %v more times", more)
	}
	for i := range s.sessions {
		if said := s.set(i); said != "" {
			s.t.Errorf("in a session, setting says %s", said)
		}
	}
	there := s.of("queries_total", 2) - asked // as each of the sessions there has asked once
	s.evenly()
	put(s.withoutLast())
	told := 0.0
	for i := range s.sessions {
		switch said := s.set(i); {
		case strings.Contains(said, "Code: 372") && strings.Contains(said, "was taken out of the cluster"):
			told++
		case said != "":
			s.t.Errorf("in a session, setting says %s", said)
		}
	}
	if told != there || told == 0 && s.sessions > 0 {
		s.t.Errorf("of %d sessions %v were at the server that was taken out, and %v were told so", s.sessions, there, told)
	}
}

// withoutLast is the list of servers without the last one.
func (s *street) withoutLast() string {
	all := s.hosts(-1)
	return all[:strings.LastIndex(all, ", {")] + "]"
}

// set sets something in the i-th session. They are of two people, as one may not have so many.
func (s *street) set(i int) string {
	s.t.Helper()
	person := 1 + i%2
	got, err := way{s.plain, personOf(person), s.tokens[person]}.send(s.t.Context(), s.site.client(), post("SET max_threads = 3", fmt.Sprint("session_id=mine", i)))
	if err != nil {
		s.t.Fatal(err)
	}
	return got.body
}

// nothingTwice makes sure that no row is there twice, and each that was promised once.
func (s *street) nothingTwice() {
	if twice := strings.TrimSpace(s.site.text("SELECT count() FROM (SELECT nonce FROM own.rows GROUP BY nonce HAVING count() > 1)")); twice != "0" {
		s.t.Errorf("%s rows are there twice", twice)
	}
	there := map[string]bool{}
	for line := range strings.Lines(s.site.text("SELECT nonce FROM own.rows")) {
		there[strings.TrimSpace(line)] = true
	}
	good := 0
	for nonce, ok := range s.settled {
		if ok {
			good++
		}
		if ok && !there[fmt.Sprint(nonce)] {
			s.t.Errorf("the row %d was promised, and is not there", nonce)
		}
	}
	if good < len(s.settled)*9/10 {
		s.t.Errorf("%d of %d INSERTs went well", good, len(s.settled))
	}
}
