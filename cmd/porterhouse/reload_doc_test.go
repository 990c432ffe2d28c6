package main

import (
	"net/netip"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"

	"porterhouse"
)

const reloadManual = "../../doc/reload.md"

// reloadTags says of each key of a type how a change of it is put in force, with NAME for
// any name.
func reloadTags(v reflect.Type, path, reload string, all map[string]string) {
	isList := v.Kind() == reflect.Slice && v.Elem().Kind() == reflect.Struct && scalars[v.Elem()] == ""
	switch {
	case scalars[v] != "" || reflect.PointerTo(v).Implements(reflect.TypeFor[shaped]()):
		all[path] = reload
	case v.Kind() == reflect.Pointer || isList:
		reloadTags(v.Elem(), path, reload, all)
	case v.Kind() == reflect.Map:
		reloadTags(v.Elem(), path+".NAME", reload, all)
	case v.Kind() != reflect.Struct:
		all[path] = reload
	default:
		for i := range v.NumField() {
			tag := v.Field(i).Tag
			if name, isKey := tag.Lookup("yaml"); isKey {
				reloadTags(v.Field(i).Type, join(path, name), reload+tag.Get("reload"), all)
			}
		}
	}
}

// The table of the manual says of every key what its tag says, and of no other key.
func TestTheManualTellsWhatAReloadDoes(t *testing.T) {
	rows := map[string]string{}
	for _, line := range regexp.MustCompile("(?m)^\\| (`[^|]*`) \\| ([^|]*) \\|$").FindAllStringSubmatch(readText(t, reloadManual), -1) {
		for key := range strings.SplitSeq(line[1], ", ") {
			rows[strings.Trim(key, "`")] = line[2]
		}
	}
	tags, used := map[string]string{}, map[string]bool{}
	reloadTags(reflect.TypeFor[Config](), "", "", tags)
	for key, tag := range tags {
		row := key
		for rows[row] == "" && strings.Contains(row, ".") {
			row = row[:strings.LastIndexByte(row, '.')]
		}
		used[row] = true
		want := map[string]string{"": "at once", "content": "at once, its file too", "restart": "from the next start on"}[tag]
		if says := rows[row]; want == "" || !strings.HasPrefix(says, want) || strings.Contains(says, "its file too") != (tag == "content") {
			t.Errorf("of %s (%q) the manual says %q", key, tag, says)
		}
	}
	for row := range rows {
		if !used[row] {
			t.Errorf("the manual tells of %s, and there is no such key", row)
		}
	}
}

// fill puts something that is not zero everywhere into v.
func fill(v reflect.Value) {
	switch into := v.Addr().Interface().(type) {
	case *porterhouse.Secret:
		*into = porterhouse.NewSecret("x")
		return
	case *netip.Prefix:
		*into = netip.MustParsePrefix("10.0.0.0/8")
		return
	}
	switch v.Kind() {
	case reflect.Bool:
		v.SetBool(true)
	case reflect.String:
		v.SetString("x")
	case reflect.Int, reflect.Int64:
		v.SetInt(1)
	case reflect.Float64:
		v.SetFloat(1)
	case reflect.Pointer:
		v.Set(reflect.New(v.Type().Elem()))
		fill(v.Elem())
	case reflect.Slice:
		v.Set(reflect.MakeSlice(v.Type(), 1, 1))
		fill(v.Index(0))
	case reflect.Map:
		element := reflect.New(v.Type().Elem()).Elem()
		fill(element)
		v.Set(reflect.MakeMap(v.Type()))
		v.SetMapIndex(reflect.ValueOf("NAME"), element)
	case reflect.Struct:
		for i := range v.NumField() {
			if v.Type().Field(i).IsExported() {
				fill(v.Field(i))
			}
		}
	default:
		panic("no way to fill " + v.Type().String())
	}
}

// Whichever key is another, it is found, and found to need a restart when its tag says so;
// when none is, none is found.
func TestChangesFindEveryKey(t *testing.T) {
	var full, same Config
	fill(reflect.ValueOf(&full).Elem())
	fill(reflect.ValueOf(&same).Elem())
	if found := changesOf(full, same); !found.none() {
		t.Errorf("without a change: %v", found.keys)
	}
	tags, all := map[string]string{}, leaves(full)
	reloadTags(reflect.TypeFor[Config](), "", "", tags)
	for key, tag := range tags {
		at := key
		for all[at].value == nil && strings.Contains(at, ".") { // a list is one
			at = at[:strings.LastIndexByte(at, '.')]
		}
		found := changesOf(Config{}, full)
		if !slices.Contains(found.keys, at) || slices.Contains(found.restart, at) != (tag == "restart") || all[at].reload != tag {
			t.Errorf("%s (%q): found %t, for a restart %t", at, tag, slices.Contains(found.keys, at), slices.Contains(found.restart, at))
		}
	}
	full.contents = map[string]digest{"identity.ca": {1}}
	if found := changesOf(full, same); !slices.Equal(found.keys, []string{"identity.ca"}) {
		t.Errorf("another file: %v", found.keys)
	}
}
