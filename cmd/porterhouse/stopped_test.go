package main

import (
	"bytes"
	"context"
	"net/http"
	"net/http/httptest"
	"testing"
)

// A command that was stopped, by Ctrl-C mostly, says so in words.
func TestStoppedCommand(t *testing.T) {
	ctx, stop := context.WithCancel(t.Context())
	asked := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { stop() }))
	defer asked.Close()
	var problems bytes.Buffer
	env := map[string]string{"XDG_CONFIG_HOME": t.TempDir(), "PORTERHOUSE_KEYRING": "off"}
	code := run(ctx, terminal{
		stdin: &bytes.Buffer{}, stdout: &bytes.Buffer{}, stderr: &problems,
		env: func(name string) (string, bool) { value, ok := env[name]; return value, ok },
	}, []string{"login", asked.URL})
	if code != 1 || problems.String() != "porterhouse login: stopped before it was done\n" {
		t.Errorf("exit code %d: %s", code, problems.String())
	}
}
