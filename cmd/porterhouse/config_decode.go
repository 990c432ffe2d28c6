package main

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"
)

// decoder reads one YAML document into a Config. It is stricter than the YAML
// library, and says of each mistake where it is and what was meant. No message
// quotes a value that could be a secret in the wrong place.
type decoder struct {
	file     string
	env      func(string) (string, bool)
	needed   func(secret string) bool // which secrets are looked for; nil: all
	found    map[string]place         // of every key that the file has, by its path, such as "tls.cert"
	inline   []string                 // paths of the secrets that stand in the file itself
	files    []string                 // in which secrets were looked for
	unshared bool                     // nobody but its owner may write the file
	problems []problem
}

// place is where something stands in the file; zero: nowhere.
type place struct{ line, column int }

// problem is one mistake.
type problem struct {
	place
	text string
}

func (d *decoder) fail(at place, format string, args ...any) {
	d.problems = append(d.problems, problem{at, fmt.Sprintf(format, args...)})
}

// err is all problems, in the order of the file, one on each line.
func (d *decoder) err() error {
	slices.SortStableFunc(d.problems, func(a, b problem) int { return a.line - b.line })
	var errs []error
	for _, p := range d.problems {
		switch {
		case p.line == 0:
			errs = append(errs, fmt.Errorf("%s: %s", d.file, p.text))
		case p.column == 0:
			errs = append(errs, fmt.Errorf("%s:%d: %s", d.file, p.line, p.text))
		default:
			errs = append(errs, fmt.Errorf("%s:%d:%d: %s", d.file, p.line, p.column, p.text))
		}
	}
	return errors.Join(errs...)
}

func placeOf(n *yaml.Node) place { return place{n.Line, n.Column} }

// parse returns the root of the one document in text, or nil after a problem.
func (d *decoder) parse(text []byte) *yaml.Node {
	parser := yaml.NewDecoder(bytes.NewReader(text))
	var document, second yaml.Node
	err := parser.Decode(&document)
	switch {
	case errors.Is(err, io.EOF):
		d.fail(place{}, "the file is empty; doc/porterhouse.example.yaml is a beginning")
		return nil
	case err != nil:
		d.fail(tellSyntax(err, text))
		return nil
	}
	switch err := parser.Decode(&second); {
	case errors.Is(err, io.EOF):
		return document.Content[0]
	case err != nil:
		d.fail(tellSyntax(err, text))
	default:
		d.fail(placeOf(&second), "a second document begins here: the configuration is one, without ---")
	}
	return nil
}

// tellSyntax puts an error of the YAML library into our words, as a place, a
// format and its argument.
func tellSyntax(err error, text []byte) (at place, format, detail string) {
	detail = strings.TrimPrefix(err.Error(), "yaml: ")
	// The library quotes the name: it could be a secret that begins with a star.
	if strings.Contains(detail, "unknown anchor") {
		return place{}, "%s", "an alias (*name) stands somewhere: there are none here; put a value that begins with * in quotes"
	}
	if _, scanErr := fmt.Sscanf(detail, "line %d:", &at.line); scanErr == nil {
		_, detail, _ = strings.Cut(detail, ": ")
	}
	if line, ok := tabbed(text); ok {
		return place{line, 1}, "%s", "the line is indented by a tab: YAML wants spaces"
	}
	return at, "not YAML: %s", detail
}

// tabbed finds the first line that a tab indents.
func tabbed(text []byte) (line int, found bool) {
	for l := range bytes.Lines(text) {
		line++
		if indent := l[:len(l)-len(bytes.TrimLeft(l, " \t"))]; bytes.ContainsRune(indent, '\t') {
			return line, true
		}
	}
	return 0, false
}

// loadBy reads the file of d as a whole, and checks what it says.
func loadBy(d *decoder) (Config, error) {
	read := os.ReadFile
	if d.unshared {
		read = readUnshared
	}
	text, err := read(d.file)
	if err != nil {
		return Config{}, fmt.Errorf("configuration: %w", err)
	}
	if d.unshared && len(text) > 0 && text[len(text)-1] != '\n' {
		return Config{}, fmt.Errorf("configuration: %s does not end with a line break, so it may have been cut off: write it whole", d.file)
	}
	config := defaultConfig()
	if root := d.parse(text); root != nil {
		d.decode(root, &config)
	}
	if len(d.problems) == 0 {
		config.inline = d.inline
		check{&config, d}.all()
	}
	if err := d.err(); err != nil {
		return Config{}, err
	}
	return config, nil
}

// decode reads the document's root into the struct that into points to.
func (d *decoder) decode(root *yaml.Node, into any) {
	d.value(root, reflect.ValueOf(into).Elem(), "", "")
}

// value reads node into v, which is at path. tag is that of its field.
func (d *decoder) value(node *yaml.Node, v reflect.Value, path string, tag reflect.StructTag) {
	if !d.isPlain(node, path) {
		return
	}
	if s, ok := v.Addr().Interface().(shaped); ok {
		s.read(d, node, path)
		return
	}
	if isScalar(v) {
		d.scalar(node, v, path, tag)
		return
	}
	switch v.Kind() {
	case reflect.Pointer:
		if v.IsNil() && node.Tag != "!!null" {
			v.Set(reflect.New(v.Type().Elem()))
			d.value(node, v.Elem(), path, tag)
		}
	case reflect.Struct:
		d.mapping(node, path, func(key, value *yaml.Node) { d.field(key, value, v, path) })
	case reflect.Map:
		d.mapping(node, path, func(key, value *yaml.Node) { d.entry(key, value, v, path) })
	case reflect.Slice:
		d.sequence(node, v, path, tag)
	default:
		panic("configuration: no way to read " + v.Type().String())
	}
}

// isPlain refuses what YAML can do and a configuration does not need.
func (d *decoder) isPlain(node *yaml.Node, path string) bool {
	switch {
	case node.Kind == yaml.AliasNode:
		d.fail(placeOf(node), "%s: an alias (*name): there are none here; put a value that begins with * in quotes", path)
	case node.Anchor != "":
		d.fail(placeOf(node), "%s: an anchor (&name): there are none here; put a value that begins with & in quotes", path)
	case node.Style&yaml.TaggedStyle != 0:
		d.fail(placeOf(node), "%s: a tag (!name): there are none here; put a value that begins with ! in quotes", path)
	default:
		return true
	}
	return false
}

// mapping calls each with every key and value of node. Nothing after the colon
// is an empty mapping: its keys may be commented out.
func (d *decoder) mapping(node *yaml.Node, path string, each func(key, value *yaml.Node)) {
	if node.Kind == yaml.ScalarNode && node.Tag == "!!null" {
		return
	}
	if node.Kind != yaml.MappingNode {
		d.fail(placeOf(node), "%s keys and their values are wanted here, one on each line", prefix(path))
		return
	}
	for i := 0; i < len(node.Content); i += 2 {
		key, value := node.Content[i], node.Content[i+1]
		switch {
		// A secret can get here: in {password:secret} all of it is one key.
		case key.Kind != yaml.ScalarNode || !isName(key.Value):
			d.fail(placeOf(key), "%s a key is wanted here, of letters, digits, _ and -, then a colon and a space", prefix(path))
		case d.found[join(path, key.Value)] != place{}:
			d.fail(placeOf(key), "%s: the key is there twice, first on line %d", join(path, key.Value), d.found[join(path, key.Value)].line)
		default:
			d.found[join(path, key.Value)] = placeOf(value)
			each(key, value)
		}
	}
}

// field reads value into that field of v whose key it is.
func (d *decoder) field(key, value *yaml.Node, v reflect.Value, path string) {
	var known []string
	for i := range v.NumField() {
		field := v.Type().Field(i)
		name, isKey := field.Tag.Lookup("yaml")
		if !isKey {
			continue
		}
		if name == key.Value {
			d.value(value, v.Field(i), join(path, name), field.Tag)
			return
		}
		known = append(known, name)
	}
	d.fail(placeOf(key), "%s: there is no such key; %s", join(path, key.Value), meant(key.Value, known))
}

// entry adds value to the map v, under any name.
func (d *decoder) entry(key, value *yaml.Node, v reflect.Value, path string) {
	if v.IsNil() {
		v.Set(reflect.MakeMap(v.Type()))
	}
	entry := reflect.New(v.Type().Elem()).Elem()
	d.value(value, entry, join(path, key.Value), "")
	v.SetMapIndex(reflect.ValueOf(key.Value), entry)
}

// sequence reads a list; tag is that of its field, and counts for each item.
func (d *decoder) sequence(node *yaml.Node, v reflect.Value, path string, tag reflect.StructTag) {
	if node.Kind == yaml.ScalarNode && node.Tag == "!!null" {
		return
	}
	if node.Kind != yaml.SequenceNode {
		d.fail(placeOf(node), "%s: a list is wanted here: [one, two]", path)
		return
	}
	v.Set(reflect.MakeSlice(v.Type(), len(node.Content), len(node.Content)))
	for i, item := range node.Content {
		at := fmt.Sprintf("%s[%d]", path, i)
		d.found[at] = placeOf(item)
		d.value(item, v.Index(i), at, tag)
	}
}

// join is the path of a key under path.
func join(path, key string) string {
	if path == "" {
		return key
	}
	return path + "." + key
}

// prefix begins a message about what is at path, which may be the whole file.
func prefix(path string) string {
	if path == "" {
		return "the file:"
	}
	return path + ":"
}

// isName reports whether a key may be quoted in a message.
func isName(key string) bool {
	return key != "" && len(key) <= 64 && strings.Trim(key, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-") == ""
}

// resolve makes a path of the file absolute, or relative to where we run.
func (d *decoder) resolve(path string) string {
	if filepath.IsAbs(path) {
		return filepath.Clean(path)
	}
	return filepath.Join(filepath.Dir(d.file), path)
}
