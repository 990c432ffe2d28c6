package e2e

import (
	"context"
	"encoding/base64"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"
)

// pair are two of the crowd in front of one door: what is Alice's is none of Mallory's.
type pair struct {
	*site
	alice, mallory way
}

// Nobody gets hold of what is somebody else's by knowing how it is called, in any mode:
// neither a statement that runs, nor a session, nor a name.
func TestTheft(t *testing.T) {
	everyMode(t, func(t *testing.T, s *site) {
		tokens := s.gatherCrowd()
		s.reconfigure("\ntokens:", "\nhttp: {header_timeout: 1s, body_timeout: 1s}\ntokens:")
		p := pair{s, way{s.plain, personOf(0), tokens[0]}, way{s.plain, personOf(1), tokens[1]}}
		for name, test := range map[string]func(*testing.T, pair){
			"a running statement": statementTheft, "a session": sessionTheft, "a name": nameTheft, "time and room": timeAndRoom,
		} {
			t.Run(name, func(t *testing.T) { p.site = s.inTest(t); test(t, p) })
		}
	})
}

// statementTheft: Mallory knows what Alice's statement is called, asks by that name, hangs
// up, stops it and replaces it; it goes on, until Alice herself leaves.
func statementTheft(t *testing.T, p pair) {
	const id = "alices-own-statement"
	ctx, leave := context.WithCancel(t.Context())
	defer leave()
	ended := make(chan struct{})
	go func() { defer close(ended); _, _ = p.alice.send(ctx, p.client(), post(longest, "query_id="+id)) }() // it is left
	there := func() bool { return p.text("SELECT count() FROM system.processes WHERE query_id = '"+id+"'") != "0" }
	p.eventually("Alice's statement runs", 20*time.Second, there)

	client := p.client()
	for range 20 { // before ClickHouse has refused it, and afterwards
		hasty, hangUp := context.WithTimeout(t.Context(), rand.N(30*time.Millisecond))
		_, _ = p.mallory.send(hasty, client, post(longest, "query_id="+id)) // whatever comes of it
		hangUp()
	}
	for name, r := range map[string]request{
		"the same name":           post("SELECT 1", "query_id="+id),
		"the same name, to write": post("INSERT INTO own.rows (n) SELECT 1", "query_id="+id),
		"replace":                 post("SELECT 1", "query_id="+id, "replace_running_query=1"),
		"replace in the text":     post("SELECT 1 SETTINGS replace_running_query = 1", "query_id="+id),
		"replace in a session":    post("SET replace_running_query = 1", "session_id=thief"),
		"KILL":                    post("KILL QUERY WHERE query_id = '" + id + "' SYNC"),
		"KILL of everything":      post("KILL QUERY WHERE 1"),
		"KILL as the gateway":     post("EXECUTE AS porterhouse KILL QUERY WHERE query_id = '" + id + "'"),
	} {
		got, err := p.mallory.send(t.Context(), client, r)
		if err != nil || got.status == http.StatusOK && (!strings.HasPrefix(name, "KILL") || strings.Contains(got.body, id)) {
			t.Errorf("%s: %d %q, %v", name, got.status, got.body, err)
		}
	}
	select {
	case <-ended:
		t.Error("Alice's statement was stopped")
	case <-time.After(time.Second): // a KILL would have had its effect
	}
	if !there() {
		t.Error("Alice's statement does not run any more")
	}
	leave()
	<-ended
	p.eventually("Alice's leaving stops it", 20*time.Second, func() bool { return !there() })
}

// sessionTheft: Mallory knows the id of Alice's session, and finds another one by it, or
// none; what she does there is not done in Alice's.
func sessionTheft(t *testing.T, p pair) {
	const id, size = "session_id=alices", 31_337
	client := p.client()
	say := func(w way, sql string, more ...string) reply {
		t.Helper()
		got, err := w.send(t.Context(), client, post(sql, append(more, id)...))
		p.must(err)
		return got
	}
	in := func(w way, who string) string { // writes what is set in the session that is there
		t.Helper()
		nonce := newNonce()
		got := say(w, fmt.Sprintf("INSERT INTO own.rows (nonce, n) SELECT %d, getSetting('max_block_size')", nonce), "session_check=1")
		return fmt.Sprintf("%s: %d %s", who, got.status, p.text(fmt.Sprintf("SELECT n FROM own.rows WHERE nonce = %d", nonce)))
	}
	if got := say(p.alice, fmt.Sprintf("SET max_block_size = %d", size), "session_timeout=60"); got.status != http.StatusOK {
		t.Fatalf("%d %s", got.status, got.body)
	}
	want := fmt.Sprintf("Alice: 200 %d", size)
	if got := in(p.alice, "Alice"); got != want {
		t.Fatalf("%s instead of %s", got, want)
	}
	if got := in(p.mallory, "Mallory"); got != "Mallory: 404 " && got != "Mallory: 500 " {
		t.Errorf("in the session that she does not have: %s", got)
	}
	for _, sql := range []string{"SET max_block_size = 1", "CREATE TEMPORARY TABLE mine (n UInt8)"} {
		say(p.mallory, sql, "session_timeout=60")
	}
	say(p.mallory, "SET max_block_size = 2", "close_session=1")
	if got := in(p.alice, "Alice"); got != want {
		t.Errorf("after Mallory was there: %s instead of %s", got, want)
	}
}

// nameTheft: Mallory's token with Alice's name, in all places where names can stand.
func nameTheft(t *testing.T, p pair) {
	token, alice := p.mallory.secret, p.alice.user
	basic := func(user, secret string) string {
		return "Authorization: Basic " + base64.StdEncoding.EncodeToString([]byte(user+":"+secret))
	}
	for name, r := range map[string]request{
		"Basic":                    post("SELECT 1").with(basic(alice, token)),
		"X-ClickHouse-User":        post("SELECT 1").with("X-ClickHouse-User: "+alice, "X-ClickHouse-Key: "+token),
		"beside a token":           post("SELECT 1").with("Authorization: Bearer "+token, "X-ClickHouse-User: "+alice),
		"the URL beside a token":   post("SELECT 1", "user="+alice).with("Authorization: Bearer " + token),
		"the URL":                  post("SELECT 1", "user="+alice, "password="+token),
		"two tokens":               post("SELECT 1").with("Authorization: Bearer "+token, "X-ClickHouse-Key: "+p.alice.secret),
		"two headers":              post("SELECT 1").with(basic(p.mallory.user, token), "Authorization: Bearer "+p.alice.secret),
		"in other capitals":        post("SELECT 1").with(basic(strings.ToUpper(alice), token)),
		"the gateway":              post("SELECT 1").with(basic(p.gateway.User, token)),
		"the gateway's password":   post("SELECT 1").with(basic(p.gateway.User, p.gateway.Password)),
		"default":                  post("SELECT 1").with(basic("default", "")),
		"nobody":                   post("SELECT 1"),
		"a made-up ticket":         post("SELECT 1").with(basic(alice, "pht_"+strings.Repeat("A", 43))),
		"a certificate":            post("SELECT 1").with("X-ClickHouse-SSL-Certificate-Auth: on", "X-ClickHouse-User: "+alice),
		"in the text":              post("EXECUTE AS " + alice + " SELECT 1").with(basic(p.mallory.user, token)),
		"in the text, for all":     post("EXECUTE AS " + alice).with(basic(p.mallory.user, token)),
		"in the text, in the text": post("SELECT * FROM (EXECUTE AS " + alice + " SELECT 1)").with(basic(p.mallory.user, token)),
	} {
		got, err := way{url: p.plain}.send(t.Context(), p.client(), r)
		if err != nil || got.status == http.StatusOK || !clear.MatchString(got.body) {
			t.Errorf("%s: %d %q, %v", name, got.status, got.body, err)
		}
	}
	// What the door itself says to ClickHouse is not for clients to say.
	got, err := p.mallory.send(t.Context(), p.client(), post("SELECT currentUser(), JSONExtractString(getSetting('log_comment'), 'user')").with(
		"X-Porterhouse-Query-Id: "+p.alice.user, "X-Forwarded-User: "+alice, "X-Remote-User: "+alice, "X-ClickHouse-Interserver: 1"))
	want := p.mallory.user
	if p.mode == static {
		want = p.gateway.User
	}
	if want += "\t" + p.mallory.user + "@example.com\n"; err != nil || got.body != want {
		t.Errorf("%q instead of %q, %v", got.body, want, err)
	}
}

// say sends text to the door, and returns what it says until it hangs up.
func (p pair) say(text string) (string, error) {
	c, err := net.DialTimeout("tcp", strings.TrimPrefix(p.plain, "http://"), 20*time.Second)
	if err != nil {
		return "", err
	}
	defer c.Close()
	if err := c.SetDeadline(time.Now().Add(20 * time.Second)); err != nil {
		return "", err
	}
	if _, err := io.WriteString(c, text); err != nil {
		return "", err
	}
	got, err := io.ReadAll(c)
	return string(got), err
}

// timeAndRoom: what comes too slowly is not waited for, and what is too large is not kept.
func timeAndRoom(t *testing.T, p pair) {
	head := fmt.Sprintf("POST /?query=%s HTTP/1.1\r\nHost: clickhouse\r\nX-ClickHouse-User: %s\r\nX-ClickHouse-Key: %s\r\n",
		escape("INSERT INTO own.rows (nonce, n) FORMAT TSV"), p.mallory.user, p.mallory.secret)
	slow := map[string]string{
		"nothing at all":    "",
		"half a line":       "POST / HT",
		"half a head":       head,
		"no body":           head + "Content-Length: 1000\r\n\r\n",
		"half a body":       head + "Content-Length: 1000\r\n\r\n77\t1\n",
		"half a chunk":      head + "Transfer-Encoding: chunked\r\n\r\n100\r\n77\t1\n",
		"half of what gzip": head + "Content-Encoding: gzip\r\nContent-Length: 1000\r\n\r\n" + zip("77\t1\n")[:10],
	}
	var all sync.WaitGroup
	for name, text := range slow {
		all.Go(func() {
			if got, err := p.say(text); err != nil || strings.HasPrefix(got, "HTTP/1.1 200") {
				t.Errorf("%s: %v, %.300q", name, err, got)
			}
		})
	}
	all.Wait()
	large := strings.Repeat("x", 2<<20)
	for name, r := range map[string]request{
		"a URL":       post("SELECT 1", "param_x="+large),
		"a header":    post("SELECT 1").with("X-Large: " + large),
		"a statement": post("SELECT '" + large + "'"),
		"a token":     post("SELECT 1").with("X-ClickHouse-Key: " + large),
	} {
		got, err := p.mallory.send(t.Context(), p.client(), r)
		if err == nil && got.status == http.StatusOK {
			t.Errorf("%s of %d bytes is answered: %.100q", name, len(large), got.body)
		}
	}
	if n := p.text("SELECT count() FROM own.rows WHERE nonce = 77"); n != "0" {
		t.Errorf("%s rows of half requests are there", n)
	}
	if !p.answers(p.mallory) {
		t.Error("the door does not serve any more")
	}
}
