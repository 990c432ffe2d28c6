package main

import (
	"bufio"
	"encoding/json"
	"reflect"
	"slices"
	"strings"
	"testing"

	"porterhouse"
)

// The same configuration has the same fingerprint, and another one has another: whichever
// value differs, in a list as well, a secret or the content of a file.
func TestFingerprint(t *testing.T) {
	full := func() (c Config) {
		fill(reflect.ValueOf(&c).Elem())
		return c
	}
	of := map[string]string{full().fingerprint(): "all"}
	if again := full().fingerprint(); of[again] != "all" {
		t.Error("the same has another fingerprint")
	}
	expect := func(name string, c Config) {
		t.Helper()
		if twin, is := of[c.fingerprint()]; is {
			t.Errorf("%s has the fingerprint of %s", name, twin)
		}
		of[c.fingerprint()] = name
	}
	everyValue(reflect.ValueOf(new(full())).Elem(), "", func(path string, change func(reflect.Value)) {
		c := full()
		change(reflect.ValueOf(&c).Elem())
		expect(path, c)
	})
	if len(of) < 150 {
		t.Errorf("only %d values were found", len(of))
	}
	c := full()
	c.contents = map[string]digest{"identity.ca": {1}}
	expect("a file", c)
	c.contents = map[string]digest{"identity.ca": {2}}
	expect("another content", c)
	if print := c.fingerprint(); len(print) != 64 {
		t.Errorf("a fingerprint is %s", print)
	}
}

// everyValue calls each with the path of every value of v, and with what makes it another
// in a copy of v.
func everyValue(v reflect.Value, path string, each func(path string, change func(reflect.Value))) {
	within := func(name string, part reflect.Value, at func(reflect.Value) reflect.Value) {
		everyValue(part, path+name, func(path string, change func(reflect.Value)) {
			each(path, func(v reflect.Value) { change(at(v)) })
		})
	}
	switch {
	case v.Type() == reflect.TypeFor[porterhouse.Secret]():
		each(path, func(v reflect.Value) { v.Set(reflect.ValueOf(porterhouse.NewSecret("y"))) })
	case v.Kind() == reflect.Pointer:
		within("*", v.Elem(), func(v reflect.Value) reflect.Value { return v.Elem() })
	case v.Kind() == reflect.Slice:
		within("[]", v.Index(0), func(v reflect.Value) reflect.Value { return v.Index(0) })
		each(path+" twice", func(v reflect.Value) { v.Set(reflect.Append(v, v.Index(0))) })
	case v.Kind() == reflect.Map:
		each(path+" by another name", func(v reflect.Value) {
			v.SetMapIndex(reflect.ValueOf("OTHER"), v.MapIndex(reflect.ValueOf("NAME")))
			v.SetMapIndex(reflect.ValueOf("NAME"), reflect.Value{})
		})
	case v.Kind() == reflect.Struct && !isScalar(v):
		for field, part := range v.Fields() {
			if field.IsExported() {
				within("."+field.Name, part, func(v reflect.Value) reflect.Value { return v.FieldByIndex(field.Index) })
			}
		}
	default:
		each(path, func(v reflect.Value) { v.SetZero() })
	}
}

// Who reads the record knows what was in force, and when: each configuration by its
// fingerprint, what changed by its keys, and that another one was not put in force. No value
// is there, wherever it stood.
func TestReloadIsRecorded(t *testing.T) {
	r := startRig(t)
	first := r.recorded("start")[0]["configuration"]
	r.write("corp.key", strings.ToUpper(auditKey))
	r.reload()
	r.write("porterhouse.yaml", edit("[alice, bob]", "[alice, mallory]", "listen: 127.0.0.1:0", "listen: 127.0.0.1:1"))
	r.reload()
	r.write("porterhouse.yaml", rigConfig+"tokens: {file: [quoted-by-mistake\n")
	r.reload()
	r.write("porterhouse.yaml", rigConfig)
	r.write("corp.key", auditKey)
	r.reload()
	r.reload() // as it was: no line

	lines := r.recorded("reload")
	if len(lines) != 4 {
		t.Fatalf("%d lines: %v", len(lines), lines)
	}
	second := lines[0]["after"]
	for i, want := range []map[string]any{
		{"before": first, "after": second, "changed": []any{"token_processors.corp.static_key"}},
		{"before": second, "after": lines[1]["after"], "changed": []any{"listen", "users.local_users.allow"}, "restart": []any{"listen"}, "failed": true},
		{"before": second, "failed": true},
		{"before": second, "after": first, "changed": []any{"token_processors.corp.static_key"}},
	} {
		got := lines[i]
		for _, of := range []string{"seq", "time", "kind", "prev", "mac"} {
			delete(got, of)
		}
		want["reason"] = hungUp
		if !reflect.DeepEqual(got, want) {
			t.Errorf("line %d:\n got %v\nwant %v", i, got, want)
		}
	}
	if first == nil || second == nil || first == second || slices.Contains([]any{first, second, nil}, lines[1]["after"]) {
		t.Errorf("the fingerprints are %v, %v and %v", first, second, lines[1]["after"])
	}
	text := readText(t, r.path("audit.jsonl"))
	for _, value := range []string{auditKey, strings.ToUpper(auditKey), "mallory", "quoted-by-mistake"} {
		if strings.Contains(text, value) {
			t.Errorf("the record holds %s", value)
		}
	}
}

// recorded returns the lines of a kind.
func (r *rig) recorded(kind string) (lines []map[string]any) {
	r.Helper()
	for s := bufio.NewScanner(strings.NewReader(readText(r.T, r.path("audit.jsonl")))); s.Scan(); {
		var line map[string]any
		r.must(json.Unmarshal(s.Bytes(), &line))
		if line["kind"] == kind {
			lines = append(lines, line)
		}
	}
	return lines
}

// What the record cannot tell of is not put in force.
func TestNoRecordNoReload(t *testing.T) {
	r := startRig(t)
	before := r.generation()
	r.must(r.server.process.audit.Close())
	r.write("porterhouse.yaml", edit("[alice, bob]", "[alice]"))
	if said := r.reload(); !strings.Contains(said, "level=ERROR") || !strings.Contains(said, "audit record cannot be written") {
		t.Errorf("the log says %s", said)
	}
	if r.generation() != before {
		t.Error("a configuration is in force of which the record says nothing")
	}
}
