package main

import (
	"cmp"
	"crypto/sha256"
	"errors"
	"fmt"
	"reflect"
)

// digest stands for the content of a file.
type digest = [sha256.Size]byte

// leaf is one value of a configuration.
type leaf struct {
	value  any
	reload string // of the tag of its field, or of one above
}

// leaves are the values of a configuration by the path of their key; a list is one. What
// is zero has none.
func leaves(c Config) map[string]leaf {
	all := make(map[string]leaf)
	addLeaves(all, reflect.ValueOf(c), "", "")
	return all
}

func addLeaves(all map[string]leaf, v reflect.Value, path, reload string) {
	_, isShaped := reflect.New(v.Type()).Interface().(shaped)
	switch {
	case v.IsZero():
	case isScalar(v) || isShaped || v.Kind() == reflect.Slice:
		all[path] = leaf{v.Interface(), reload}
	case v.Kind() == reflect.Pointer:
		all[path] = leaf{true, reload}
		addLeaves(all, v.Elem(), path, reload)
	case v.Kind() == reflect.Map:
		for name, value := range v.Seq2() {
			addLeaves(all, value, join(path, name.String()), reload)
		}
	case v.Kind() == reflect.Struct:
		for i := range v.NumField() {
			tag := v.Type().Field(i).Tag
			if name, isKey := tag.Lookup("yaml"); isKey {
				addLeaves(all, v.Field(i), join(path, name), cmp.Or(reload, tag.Get("reload")))
			}
		}
	}
}

// readContents notes what is in the files that are read once, and returns their paths. One
// that cannot be read has no content; whoever needs it says so. One that others can write is
// an error: keys of providers and authorities decide who is let in, as the configuration does.
func (c *Config) readContents() (files []string, err error) {
	c.contents = make(map[string]digest)
	for key, at := range leaves(*c) {
		path, isPath := at.value.(string)
		if at.reload != "content" || !isPath || path == "" {
			continue
		}
		files = append(files, path)
		text, unread := readUnshared(path)
		if shared, ok := errors.AsType[*sharedFile](unread); ok {
			err = errors.Join(err, fmt.Errorf("%s: %w", key, shared))
		}
		if unread == nil {
			c.contents[key] = sha256.Sum256(text)
		}
	}
	return files, err
}
