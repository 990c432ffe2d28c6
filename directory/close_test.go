package directory_test

import (
	"context"
	"errors"
	"net/http"
	"path/filepath"
	"strings"
	"testing"

	"porterhouse/directory"
)

// The end of the process waits for an account that is being made, and leaves none
// half made; but no longer than it may.
func TestCloseWaits(t *testing.T) {
	e := settle(t)
	creating, goOn := make(chan struct{}), make(chan struct{})
	admin := between(t, e, func(sql string, _ http.ResponseWriter) bool {
		if strings.HasPrefix(sql, "CREATE USER") {
			close(creating)
			<-goOn
		}
		return false
	})
	p := e.another(t, filepath.Join(t.TempDir(), "audit.jsonl"), func(c *directory.ProvisionerConfig) { c.Admin = admin })
	made := make(chan error, 1)
	go func() { made <- p.Ensure(t.Context(), wanted(t, "ph_late", "analyst")) }()
	<-creating
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	if err := p.Close(ended); !errors.Is(err, context.Canceled) {
		t.Errorf("closed with %v while an account was being made", err)
	}
	closed := make(chan error, 1)
	go func() { closed <- p.Close(t.Context()) }()
	close(goOn)
	if err := <-closed; err != nil {
		t.Error(err)
	}
	if got, err := e.as(t, "ph_late", "SELECT count() FROM app.t"); err != nil || got != "3" { // its last step is the gateway's right
		t.Errorf("the account reads %q (%v)", got, err)
	}
	if err := <-made; err != nil {
		t.Error(err)
	}
}
