package main

import (
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"
)

// What tells operators of the configuration, held to the configuration.
const example, manual, processorManual = "../../doc/porterhouse.example.yaml", "../../doc/configuration.md", "../../doc/token-processors.md"

func readText(t *testing.T, path string) string {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// keysOf are the paths of all keys of a type, with NAME for any name.
func keysOf(v reflect.Type, path string) []string {
	isList := v.Kind() == reflect.Slice && v.Elem().Kind() == reflect.Struct && scalars[v.Elem()] == ""
	if v.Kind() == reflect.Pointer || isList {
		return keysOf(v.Elem(), path)
	}
	if scalars[v] != "" || reflect.PointerTo(v).Implements(reflect.TypeFor[shaped]()) {
		return []string{path}
	}
	if v.Kind() == reflect.Map {
		return keysOf(v.Elem(), path+".NAME")
	}
	if v.Kind() != reflect.Struct {
		return []string{path}
	}
	var keys []string
	for i := range v.NumField() {
		if name, isKey := v.Field(i).Tag.Lookup("yaml"); isKey {
			keys = append(keys, keysOf(v.Field(i).Type, join(path, name))...)
		}
	}
	return keys
}

func TestTheExampleLoads(t *testing.T) {
	c, err := loadConfig(example, environment)
	if err != nil {
		t.Fatal(err)
	}
	if c.Clusters["main"].Password.Reveal() != "hunter2" || c.Tokens.File != filepath.Join("../../doc", "tokens.json") {
		t.Errorf("loaded %+v", c)
	}
}

// uncomment takes the # from before each key. A second # is before what does not
// go together with the rest.
func uncomment(text string) string {
	return regexp.MustCompile(`(?m)^( *)#(\S|  +(?:- |#\s*)?\w+:)`).ReplaceAllString(text, "$1$2")
}

// The example shows every key, and loads with all of them.
func TestTheExampleShowsEveryKey(t *testing.T) {
	text := uncomment(readText(t, example))
	text = strings.Replace(text, "behind_tls_proxy: false", "behind_tls_proxy: true", 1) // trusted_proxies need it
	path := filepath.Join(t.TempDir(), "porterhouse.yaml")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := loadConfig(path, environment); err != nil {
		t.Fatalf("with all keys: %v\n%s", err, text)
	}
	d := &decoder{file: path, env: environment, found: map[string]place{}}
	d.decode(d.parse([]byte(uncomment(text))), new(Config))
	if err := d.err(); err != nil {
		t.Errorf("with what does not go together: %v", err)
	}
	shown := map[string]bool{}
	for key := range d.found {
		shown[strings.ReplaceAll(key, "[0]", "")] = true
	}
	for _, key := range keysOf(reflect.TypeFor[Config](), "") {
		if !shown[strings.Replace(key, "NAME", "main", 1)] {
			t.Errorf("the example does not show %s", key)
		}
	}
}

// row is a key in a table of the manual, with its default.
var row = regexp.MustCompile("(?m)^\\| `([a-zA-Z_.0-9]+)` \\| (.*?) \\| .* \\| `(.*)` \\|$")

// The manual explains every key, and no other; its defaults are the defaults,
// and its examples are accepted.
func TestTheManualExplainsEveryKey(t *testing.T) {
	rows := map[string][]string{}
	for _, r := range row.FindAllStringSubmatch(readText(t, manual), -1) {
		rows[r[1]] = r
	}
	all := keysOf(reflect.TypeFor[Config](), "")
	for _, r := range row.FindAllStringSubmatch(readText(t, processorManual), -1) {
		rows[inFull(r[1], all)] = r
	}
	plain, _ := mustLoad(t, least)
	with := func(key, value string) (Config, error) {
		var tree map[string]any
		if err := yaml.Unmarshal([]byte(least), &tree); err != nil {
			t.Fatal(err)
		}
		var parsed any = value
		if !strings.HasPrefix(value, "{") {
			if err := yaml.Unmarshal([]byte(value), &parsed); err != nil {
				t.Fatal(err)
			}
		}
		put(tree, strings.Split(strings.Replace(key, "NAME", "main", 1), "."), parsed)
		text, err := yaml.Marshal(tree)
		if err != nil {
			t.Fatal(err)
		}
		d := &decoder{file: filepath.Join(filepath.Dir(plain.Tokens.File), "porterhouse.yaml"), env: environment, found: map[string]place{}}
		c := defaultConfig()
		d.decode(d.parse(text), &c)
		return c, d.err()
	}
	for _, key := range all {
		r, explained := rows[key]
		if !explained {
			t.Errorf("the manual does not explain %s", key)
			continue
		}
		delete(rows, key)
		if _, err := with(key, r[3]); err != nil && !strings.Contains(r[3], "file:") {
			t.Errorf("the manual's example of %s: %v", key, err)
		}
		value, has := strings.CutPrefix(r[2], "`")
		if !has || key == "clusters.NAME.max_connections" { // that default is the room's own
			continue
		}
		if c, err := with(key, strings.TrimSuffix(value, "`")); err != nil || !reflect.DeepEqual(c, plain) {
			t.Errorf("the manual's default of %s is %s, which is another configuration: %v", key, value, err)
		}
	}
	for key := range rows {
		t.Errorf("the manual explains %s, and there is no such key", key)
	}
}

// inFull is the path of a key of which only the end is written, where the page is
// about nothing else.
func inFull(key string, all []string) string {
	for _, prefix := range []string{"", "token_processors.NAME.", "user_directories.token."} {
		if slices.Contains(all, prefix+key) {
			return prefix + key
		}
	}
	return key
}

// put sets the value at a path of keys.
func put(tree map[string]any, path []string, value any) {
	for _, key := range path[:len(path)-1] {
		below, ok := tree[key].(map[string]any)
		if !ok {
			below = map[string]any{}
			tree[key] = below
		}
		tree = below
	}
	tree[path[len(path)-1]] = value
}

// The smallest file of the manual is served as it stands.
func TestTheManualsFirstFile(t *testing.T) {
	_, after, _ := strings.Cut(readText(t, manual), "```yaml\n")
	text, _, _ := strings.Cut(after, "```")
	path := filepath.Join(t.TempDir(), "porterhouse.yaml")
	for name, content := range map[string]string{"porterhouse.yaml": text, "clickhouse.password": "hunter2\n", "audit.key": auditKey + "\n"} {
		if err := os.WriteFile(filepath.Join(filepath.Dir(path), name), []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := loadConfig(path, environment); err != nil {
		t.Error(err)
	}
}
