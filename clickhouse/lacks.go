package clickhouse

import (
	"context"
	"errors"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// lacks is what a server was found not to know of our settings, and is left out from then
// on if it can be. It costs a look at a pointer where nothing is missing.
//
//	an exception names one ─▶ a question of our own ─ refused ─▶ lacking, for a minute
//	                              └ anything else: not asked again for a moment
//
// Nothing is learnt from what a person's statement makes ClickHouse say: it only has us
// ask. What was found is forgotten soon, because the server may be another by then.
type lacks struct {
	now   atomic.Pointer[lacking]
	turn  sync.Mutex           // of who asks; others wait for what is found
	known map[string]time.Time // when a setting was not found to be missing
}

// lacking is the content of lacks. It is made once and never changed.
type lacking struct {
	names []string
	until time.Time
}

// lackTime is how long something is left out until it is tried again.
const lackTime = time.Minute

// get returns what is missing now; nil: nothing.
func (l *lacks) get() *lacking {
	if now := l.now.Load(); now != nil && time.Now().Before(now.until) {
		return now
	}
	return nil
}

// learn finds out, by refuses, whether a setting of ours is missing, unless that was found
// out before. It returns all that are missing, or nil where this one is not. Whoever goes
// away meanwhile leaves the answer to others.
func (l *lacks) learn(ctx context.Context, name string, refuses func(context.Context, string) bool) *lacking {
	l.turn.Lock()
	defer l.turn.Unlock()
	now := l.get()
	switch {
	case now.has(name):
		return now
	case time.Since(l.known[name]) < lookAgain:
		return nil
	case !refuses(context.WithoutCancel(ctx), name):
		if l.known == nil {
			l.known = map[string]time.Time{}
		}
		l.known[name] = time.Now()
		return nil
	}
	more := &lacking{names: []string{name}, until: time.Now().Add(lackTime)}
	if now != nil {
		more.names = append(more.names, now.names...)
	}
	l.now.Store(more)
	return more
}

// refuses asks ClickHouse, as the gateway, whether it knows a setting, and reports whether
// it does not: the text is all ours, so its exception is. A Client without an account of
// its own asks nobody; the modes that need none need a ClickHouse that knows all settings.
func (e errands) refuses(ctx context.Context, setting string) bool {
	login := e.client.target.login
	if login == "" {
		return false
	}
	_, err := e.bare(ctx, login, "SELECT 1 SETTINGS "+setting+" = 0"+probeText)
	text, _ := errors.AsType[exceptionText](err)
	s, found := unknownSent(text)
	if !found || s.name != setting {
		return false
	}
	e.client.log.Debug("ClickHouse does not know a setting of ours; what can do without it is sent without it for a minute", "setting", setting)
	return true
}

// has reports whether a setting is missing.
func (l *lacking) has(name string) bool { return l != nil && slices.Contains(l.names, name) }

// from returns parameters, each with & before it, without those that are missing.
func (l *lacking) from(parameters string) string {
	if l == nil {
		return parameters
	}
	var left strings.Builder
	for parameter := range strings.SplitSeq(parameters[len("&"):], "&") {
		if name, _, _ := strings.Cut(parameter, "="); !l.has(name) {
			left.WriteString("&" + parameter)
		}
	}
	return left.String()
}
