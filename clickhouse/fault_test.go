package clickhouse_test

import (
	"errors"
	"io"
	"strings"
	"testing"
	"time"

	"porterhouse"
	"porterhouse/clickhouse"
)

// impatient lets a test wait less than a person would.
func impatient(c *clickhouse.Config) { c.HeaderTimeout = 200 * time.Millisecond }

// soon is a question that may not take long.
func soon(sql string) porterhouse.Query {
	q := question(sql)
	q.Limits.Time = 300 * time.Millisecond
	return q
}

// The engine itself goes away in every way there is, and serving resumes.
func TestEngineAway(t *testing.T) {
	h := open(t, impatient)
	h.read(t, question("SELECT 1"))

	t.Run("paused before the answer", func(t *testing.T) {
		h.signal(t, h.Pause)
		defer h.signal(t, h.Resume)
		_, err := read(t.Context(), h.Client, account(t, "alice"), soon("SELECT 1"))
		wantError(t, err, porterhouse.Timeout, "within the 300ms")
	})
	t.Run("paused in the middle of the answer", func(t *testing.T) {
		q := soon(talkative)
		q.Limits.Time = 3 * time.Second
		answer, err := h.Query(t.Context(), account(t, "alice"), q)
		if err != nil {
			t.Fatal(err)
		}
		defer answer.Body.Close()
		h.signal(t, h.Pause)
		defer h.signal(t, h.Resume)
		_, err = io.Copy(io.Discard, answer.Body)
		wantError(t, err, porterhouse.Timeout, "within the 3s")
		if s := answer.Summary(); s.Cut != porterhouse.CutError {
			t.Errorf("the summary is %+v", s)
		}
	})
	h.waitGone(t, talkative)
	h.resumes(t)

	t.Run("killed in the middle of the answer", func(t *testing.T) {
		answer, err := h.Query(t.Context(), account(t, "alice"), question(talkative))
		if err != nil {
			t.Fatal(err)
		}
		defer answer.Body.Close()
		h.signal(t, h.Kill)
		_, err = io.Copy(io.Discard, answer.Body)
		wantError(t, err, porterhouse.Unavailable, "not complete")
	})
	t.Run("gone", func(t *testing.T) {
		_, err := h.Query(t.Context(), account(t, "alice"), question("SELECT 1"))
		wantError(t, err, porterhouse.Unavailable, "cannot be reached")
		wantError(t, h.Ping(t.Context()), porterhouse.Unavailable, "cannot be reached")
		_, err = h.Check(t.Context(), "")
		wantError(t, err, porterhouse.Unavailable, "cannot be reached")
	})
	t.Run("back", func(t *testing.T) {
		if err := h.Restart(t.Context()); err != nil {
			t.Fatal(err)
		}
		for range 2 {
			h.read(t, question("SELECT 1"))
			if err := h.Restart(t.Context()); err != nil { // with an idle connection
				t.Fatal(err)
			}
		}
		h.read(t, question("SELECT 1"))
	})
}

func (h *house) signal(t *testing.T, send func() error) {
	t.Helper()
	if err := send(); err != nil {
		t.Fatal(err)
	}
}

// resumes waits until the engine answers again.
func (h *house) resumes(t *testing.T) {
	t.Helper()
	eventually(t, "serving resumes", func() bool {
		_, err := read(t.Context(), h.Client, account(t, "alice"), question("SELECT 1"))
		return err == nil
	})
}

// wantError checks an error, and that its public half names no host.
func wantError(t *testing.T, err error, kind porterhouse.Kind, public string) {
	t.Helper()
	e, ok := errors.AsType[*porterhouse.Error](err)
	if !ok || e.Kind != kind || !strings.Contains(e.Public, public) {
		t.Errorf("the error is %v, want %s: … %s", err, kind, public)
		return
	}
	if strings.Contains(e.Public, "127.0.0.1") || strings.Contains(e.Public, gateway) || strings.Contains(e.Public, "StackTrace") {
		t.Errorf("%q tells too much", e.Public)
	}
}
