package clickhouse_test

import (
	"bytes"
	"context"
	"crypto/tls"
	"log/slog"
	"strings"
	"testing"

	"porterhouse"
	"porterhouse/clickhouse"
)

func TestNew(t *testing.T) {
	password := porterhouse.NewSecret("a very secret password")
	mint := func(context.Context, porterhouse.UserName, string) (porterhouse.Secret, error) { return password, nil }
	for _, test := range []struct {
		config clickhouse.Config
		err    string // "": none
	}{
		{clickhouse.Config{URL: "http://127.0.0.1:8123", User: "gw"}, ""},
		{clickhouse.Config{URL: "http://[::1]:8123/", User: "gw"}, ""},
		{clickhouse.Config{URL: "http://localhost:8123", User: "gw"}, ""},
		{clickhouse.Config{URL: "https://clickhouse.example.com:8443", User: "gw"}, ""},
		{clickhouse.Config{URL: "http://10.0.0.1:8123", User: "gw", AllowPlainHTTP: true}, ""},
		{clickhouse.Config{URL: "http://10.0.0.1:8123", User: "gw"}, "AllowPlainHTTP"},
		{clickhouse.Config{URL: "http://clickhouse:8123", User: "gw"}, "AllowPlainHTTP"},
		{clickhouse.Config{URL: "http://localhost.example.com:8123", User: "gw"}, "AllowPlainHTTP"},
		{clickhouse.Config{URL: "http://0.0.0.0:8123", User: "gw"}, "AllowPlainHTTP"},
		{clickhouse.Config{URL: "", User: "gw"}, "begins with"},
		{clickhouse.Config{URL: "clickhouse:9000", User: "gw"}, "begins with"},
		{clickhouse.Config{URL: "https://", User: "gw"}, "names no host"},
		{clickhouse.Config{URL: "https://gw:secret@host", User: "gw"}, "User and Password"},
		{clickhouse.Config{URL: "https://host/?user=x", User: "gw"}, "more than"},
		{clickhouse.Config{URL: "https://host/path", User: "gw"}, "more than"},
		{clickhouse.Config{URL: "https://ho st", User: "gw"}, "cannot be read"},
		{clickhouse.Config{URL: "https://host"}, "User is empty"},
		{clickhouse.Config{URL: "https://host", User: "g:w"}, "colon"},
		{clickhouse.Config{URL: "https://host", User: "gw", Access: clickhouse.Access{Mode: "execute_as"}}, ""},
		{clickhouse.Config{URL: "https://host", User: "gw", Access: clickhouse.Access{Mode: "static"}}, ""},
		{clickhouse.Config{URL: "https://host", Access: clickhouse.Access{Mode: "static"}}, "User is empty"},
		{clickhouse.Config{URL: "https://host", Access: clickhouse.Access{Mode: "forward"}}, "no User whose it is"},
		{clickhouse.Config{URL: "https://host", User: "gw", Access: clickhouse.Access{Mode: "forward"}}, ""},
		{clickhouse.Config{URL: "https://host", User: "gw", Access: clickhouse.Access{Mode: "verify"}}, "Mint"},
		{clickhouse.Config{URL: "https://host", User: "gw", Access: clickhouse.Access{Mode: "verify", Mint: mint}}, ""},
		{clickhouse.Config{URL: "https://host", User: "gw", Access: clickhouse.Access{Mode: "Static"}}, "is none of"},
		{clickhouse.Config{URL: "https://host", User: "gw", MaxConnections: -1}, "negative"},
		{clickhouse.Config{URL: "https://host", User: "gw", DialTimeout: -1}, "negative"},
		{clickhouse.Config{URL: "https://host", User: "gw", HeaderTimeout: -1}, "negative"},
	} {
		test.config.Password = password
		_, err := clickhouse.New(test.config)
		switch {
		case test.err == "" && err != nil:
			t.Errorf("%+v: %v", test.config, err)
		case test.err != "" && (err == nil || !strings.Contains(err.Error(), test.err)):
			t.Errorf("%+v: %v, want %q", test.config, err, test.err)
		case err != nil && strings.Contains(err.Error(), "secret"):
			t.Errorf("%v tells a password", err)
		}
	}
}

// Every weakening is logged at start.
func TestWeakeningsAreLogged(t *testing.T) {
	for name, config := range map[string]clickhouse.Config{
		"AllowPlainHTTP":     {URL: "http://10.0.0.1:8123", User: "gw", AllowPlainHTTP: true},
		"InsecureSkipVerify": {URL: "https://10.0.0.1:8443", User: "gw", TLS: &tls.Config{InsecureSkipVerify: true}},
	} {
		var log bytes.Buffer
		config.Log = slog.New(slog.NewTextHandler(&log, nil))
		if _, err := clickhouse.New(config); err != nil || !strings.Contains(log.String(), name) {
			t.Errorf("%s: %v; the log says %q", name, err, &log)
		}
	}
}
