package sandbox

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// standIn writes a clickhouse binary that tells the given version, and that serves
// by way of the engine what a real server is meant to serve.
func standIn(t *testing.T, version string) string {
	t.Helper()
	if err := buildEngine(t.Context()); err != nil {
		t.Fatal(err)
	}
	engine, err := findEngine(Options{})
	if err != nil {
		t.Fatal(err)
	}
	script := fmt.Sprintf(`#!/bin/sh
set -e
test "$#" = 2 && test "$1" = server
if [ "$2" = --version ]; then
	echo 'ClickHouse server version %s (official build).'
	exit
fi
config=${2#--config-file=}
dir=${config%%/config.xml}
# The engine cannot log in to itself with a password: set it later.
cp "$dir/users.xml" "$dir/users.seen"
password=$(sed -n 's|.*<password>\(.*\)</password>.*|\1|p' "$dir/users.xml")
sed -i 's|<password>.*</password>|<password/>|' "$dir/users.xml"
echo "ALTER USER default IDENTIFIED BY '$password';" > "$dir/stand-in.sql"
exec '%s' -lib '%s' -config "$config" -path "$dir/data" -start "$dir/stand-in.sql"
`, version, engine.path, engine.library)
	path := filepath.Join(t.TempDir(), "clickhouse")
	if err := os.WriteFile(path, []byte(script), 0o755); err != nil {
		t.Fatal(err)
	}
	return path
}

// A real server gets its own configuration, and keeps its users itself.
func TestClickHouseServer(t *testing.T) {
	s := ForTest(t, Options{ClickHouse: standIn(t, "25.11.2.24"), Dir: t.TempDir(), ExtraConfig: "<display_name>here</display_name>"})
	run(t, s, "CREATE USER ann")
	equal(t, s, "SELECT 1", "1")
	for _, c := range []struct{ file, want string }{
		{"config.xml", "<listen_host>127.0.0.1</listen_host>"},
		{"config.xml", "<http_port>" + s.HTTP[len("http://127.0.0.1:"):] + "</http_port>"},
		{"config.xml", "<tcp_port>" + s.Native[len("127.0.0.1:"):] + "</tcp_port>"},
		{"config.xml", "<path>" + s.Dir + "/data/</path>"},
		{"config.xml", "<local_directory><path>" + s.Dir + "/data/access/</path></local_directory>"},
		{"config.xml", "\n    <allow_impersonate_user>1</allow_impersonate_user>"},
		{"config.xml", "\n        <allow_impersonate_user>1</allow_impersonate_user>"},
		{"config.xml", "<custom_settings_prefixes>SQL_</custom_settings_prefixes>"},
		{"config.xml", "<display_name>here</display_name>"},
		{"users.seen", "<password>" + s.Password + "</password>"},
	} {
		got, err := os.ReadFile(filepath.Join(s.Dir, c.file))
		if err != nil || !strings.Contains(string(got), c.want) {
			t.Errorf("%s (%v) lacks %s:\n%s", c.file, err, c.want, got)
		}
	}
	for _, file := range []string{journalFile, startFile} {
		if _, err := os.Stat(filepath.Join(s.Dir, file)); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("%s, which only the engine needs: %v", file, err)
		}
	}
}

func TestFind(t *testing.T) {
	engine, recent, old := "porterhouse-engine", standIn(t, "26.1.1.1"), standIn(t, "25.10.9.9")
	for name, c := range map[string]struct {
		options  Options
		variable string // PORTERHOUSE_CLICKHOUSE
		path     string // holds a clickhouse
		want     string // how the program's path ends
		problem  string // or what the error says
	}{
		"the engine when there is no clickhouse":    {want: engine},
		"clickhouse on PATH":                        {path: recent, want: recent},
		"the engine when clickhouse is too old":     {path: old, want: engine},
		"the engine when it is chosen":              {path: recent, options: Options{Engine: os.Args[0]}, want: os.Args[0]},
		"clickhouse from the environment":           {variable: recent, path: old, want: recent},
		"clickhouse from the options":               {options: Options{ClickHouse: recent}, variable: old, want: recent},
		"a chosen clickhouse must be recent enough": {options: Options{ClickHouse: old}, problem: "25.10; 25.11 or later is needed"},
		"a chosen clickhouse must be there":         {variable: "/nowhere", problem: "/nowhere"},
		"a chosen clickhouse must be one":           {variable: "/bin/true", problem: "no version number"},
		"a missing engine":                          {options: Options{Engine: "/nowhere"}, problem: "make build"},
		"a missing library":                         {options: Options{Library: "/nowhere"}, problem: "make deps"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Setenv(clickhouseVariable, c.variable)
			t.Setenv("PATH", "/usr/bin:/bin")
			if c.path != "" {
				t.Setenv("PATH", filepath.Dir(c.path)+":/usr/bin:/bin")
			}
			found, err := find(c.options)
			switch {
			case c.problem != "" && (err == nil || !strings.Contains(err.Error(), c.problem)):
				t.Errorf("gave %+v and %v, want an error with %q", found, err, c.problem)
			case c.problem == "" && (err != nil || !strings.HasSuffix(found.path, c.want)):
				t.Errorf("gave %+v and %v, want %s", found, err, c.want)
			}
		})
	}
}

// Far from the module there is nothing to be found but advice.
func TestFindNothing(t *testing.T) {
	t.Chdir(t.TempDir())
	if found, err := find(Options{}); err == nil || !strings.Contains(err.Error(), "make build") {
		t.Errorf("gave %+v and %v", found, err)
	}
}

func TestParseVersion(t *testing.T) {
	for text, want := range map[string]version{
		"ClickHouse server version 25.11.2.24 (official build).": {25, 11},
		"ClickHouse local version 26.3.1.18.":                    {26, 3},
		"26.7.2.1":                                               {26, 7},
	} {
		if got, err := parseVersion(text); err != nil || got != want {
			t.Errorf("%q gave %v, %v, want %v", text, got, err, want)
		}
	}
	if got, err := parseVersion("version 3"); err == nil {
		t.Errorf("found %v where there is none", got)
	}
	for _, c := range []struct {
		a, b version
		want bool
	}{{version{25, 10}, oldest, true}, {oldest, oldest, false}, {version{26, 1}, oldest, false}, {version{24, 12}, oldest, true}} {
		if got := c.a.before(c.b); got != c.want {
			t.Errorf("%v before %v: %v", c.a, c.b, got)
		}
	}
}
