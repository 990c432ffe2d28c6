package mcpserver

import (
	"net/http"
	"sync"
	"time"

	"github.com/modelcontextprotocol/go-sdk/mcp"
)

// sessionHeader names the session of a request before 2026-07-28.
const sessionHeader = "Mcp-Session-Id"

// sessions bounds how many sessions people keep open. Beyond a bound the one
// that was idle for longest is closed: its client gets 404 and, as the protocol
// says, begins a new one. Busy sessions are never closed.
type sessions struct {
	limit  Sessions
	server *mcp.Server
	now    func() time.Time

	mu     sync.Mutex
	open   map[string]*session // by id; some may have ended without our knowing
	born   map[*session]bool   // those that have no id yet
	ending bool                // each is closed as soon as it is not busy
}

type session struct {
	owner string // Principal.Key
	used  time.Time
	busy  int // requests under way
}

func newSessions(limit Sessions, server *mcp.Server, now func() time.Time) *sessions {
	return &sessions{
		limit: limit, server: server, now: now,
		open: make(map[string]*session), born: make(map[*session]bool),
	}
}

// enter counts a request into its session. One that names no session is about
// to open one, so room is made for it. The caller tells leave the id that the
// answer gave the new session; "" when it gave none.
func (s *sessions) enter(r *http.Request, owner string) (leave func(id string), no *refusal) {
	if id := r.Header.Get(sessionHeader); id != "" {
		return s.visit(id, r.Method), nil
	}
	if r.Method != http.MethodPost {
		return func(string) {}, nil
	}
	fresh, oldest, no := s.reserve(owner)
	if oldest != "" {
		s.close(oldest)
	}
	return func(id string) { s.settle(fresh, id) }, no
}

// visit marks a session as busy until its request has left. A stream that a GET
// keeps open does not count: it may hang for as long as the client lives.
func (s *sessions) visit(id, method string) (leave func(string)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	known := s.open[id]
	if known == nil || method != http.MethodPost {
		return func(string) {}
	}
	known.busy++
	return func(string) {
		s.mu.Lock()
		known.busy--
		known.used = s.now()
		last := s.ending && known.busy == 0
		s.mu.Unlock()
		if last {
			s.close(id)
		}
	}
}

// reserve takes a place for a session of owner, and names the one that must be
// closed for it.
func (s *sessions) reserve(owner string) (fresh *session, oldest string, no *refusal) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.full(owner) {
		s.forgetEnded()
	}
	if s.full(owner) {
		if oldest = s.idlest(owner); oldest == "" {
			return nil, "", &refusal{
				status: http.StatusServiceUnavailable, code: "temporarily_unavailable",
				text: "too many sessions are open, and all of them are busy; end one (DELETE) or try again later",
			}
		}
		delete(s.open, oldest)
	}
	fresh = &session{owner: owner, used: s.now(), busy: 1}
	s.born[fresh] = true
	return fresh, oldest, nil
}

// settle files a new session under its id.
func (s *sessions) settle(fresh *session, id string) {
	s.mu.Lock()
	delete(s.born, fresh)
	if id != "" {
		fresh.busy, fresh.used = 0, s.now()
		s.open[id] = fresh
	}
	last := s.ending && id != ""
	s.mu.Unlock()
	if last {
		s.close(id)
	}
}

// full reports whether owner, or everybody together, has no place left.
func (s *sessions) full(owner string) bool {
	return len(s.open)+len(s.born) >= s.limit.All || s.of(owner) >= s.limit.Each
}

func (s *sessions) of(owner string) (n int) {
	for _, known := range s.open {
		if known.owner == owner {
			n++
		}
	}
	for fresh := range s.born {
		if fresh.owner == owner {
			n++
		}
	}
	return n
}

// idlest is the session that was idle for longest: of owner when they have all
// that one person may have, otherwise of anybody.
func (s *sessions) idlest(owner string) (oldest string) {
	own := s.of(owner) >= s.limit.Each
	for id, known := range s.open {
		if known.busy > 0 || own && known.owner != owner {
			continue
		}
		if oldest == "" || known.used.Before(s.open[oldest].used) {
			oldest = id
		}
	}
	return oldest
}

// forgetEnded drops sessions that ended on their own: by DELETE or by idling.
func (s *sessions) forgetEnded() {
	live := make(map[string]bool)
	for ss := range s.server.Sessions() {
		live[ss.ID()] = true
	}
	for id := range s.open {
		if !live[id] {
			delete(s.open, id)
		}
	}
}

// closeAll ends every session: those that are busy, which the SDK would cut off,
// when their last answer is out. It may be called again.
func (s *sessions) closeAll() {
	s.mu.Lock()
	s.ending = true
	var idle []string
	for id, known := range s.open {
		if known.busy == 0 {
			idle = append(idle, id)
		}
	}
	s.mu.Unlock()
	for _, id := range idle {
		s.close(id)
	}
}

// close ends the session with this id, if it is still there.
func (s *sessions) close(id string) {
	for ss := range s.server.Sessions() {
		if ss.ID() == id {
			_ = ss.Close() // it ends, whatever it says
		}
	}
}

// count is how many sessions are open.
func (s *sessions) count() (n int) {
	for ss := range s.server.Sessions() {
		if ss.ID() != "" {
			n++
		}
	}
	return n
}
