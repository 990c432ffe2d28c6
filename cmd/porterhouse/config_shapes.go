package main

import (
	"errors"
	"net/url"
	"reflect"
	"strconv"
	"strings"
	"time"

	"go.yaml.in/yaml/v3"

	"porterhouse"
)

// The shapes of values that ClickHouse's own configuration has, beside ours. What
// is configured there with Antalya's words is written here in the same way:
//
//	XML of ClickHouse                          YAML, there and here
//	<jwks_cache_lifetime>60</…>                jwks_cache_lifetime: 60      a number of seconds
//	<allow_no_expiration>1</…>                 allow_no_expiration: 1       a yes
//	<token>…</token> once, or several times    token: {…}, or [{…}, {…}]
//	<common_roles><reader/><writer/></…>       common_roles: {reader: , writer: }

// shaped is a type that reads its YAML by itself.
type shaped interface {
	read(d *decoder, node *yaml.Node, path string)
}

// yes is a bool that may also be written as 1 or 0.
type yes bool

func (y *yes) read(d *decoder, node *yaml.Node, path string) {
	switch strings.ToLower(node.Value) {
	case "true", "1":
		*y = true
	case "false", "0":
		*y = false
	default:
		d.fail(placeOf(node), "%s: want true or false", path)
	}
}

// seconds is a time that may also be written as a number of seconds.
type seconds time.Duration

func (s *seconds) read(d *decoder, node *yaml.Node, path string) {
	text := node.Value
	if _, err := strconv.ParseUint(text, 10, 32); err == nil {
		text += "s"
	}
	value, err := parseDuration(text)
	if err != nil || node.Kind != yaml.ScalarNode {
		d.fail(placeOf(node), "%s: want a time with its unit, such as 60s or 5m, or a number of seconds", path)
		return
	}
	*s = seconds(value)
}

// orNone is a time for rooms where 0 stands for their own default, and less than
// 0 for none at all; nil: the key is not there.
func (s *seconds) orNone() time.Duration {
	switch {
	case s == nil:
		return 0
	case *s == 0:
		return -1
	}
	return time.Duration(*s)
}

// texts is a list that may also be written as its only text.
type texts []string

func (t *texts) read(d *decoder, node *yaml.Node, path string) {
	if node.Kind == yaml.ScalarNode && node.Tag != "!!null" {
		text, err := d.text(node, "")
		if err != nil {
			d.fail(placeOf(node), "%s: %v", path, err)
		}
		*t = texts{text}
		return
	}
	d.sequence(node, reflect.ValueOf((*[]string)(t)).Elem(), path, "")
}

// names is a list that may also be written as a mapping of its names to nothing.
type names []string

func (n *names) read(d *decoder, node *yaml.Node, path string) {
	if node.Kind != yaml.MappingNode {
		d.sequence(node, reflect.ValueOf((*[]string)(n)).Elem(), path, "")
		return
	}
	for i := 0; i < len(node.Content); i += 2 {
		name, value := node.Content[i], node.Content[i+1]
		if value.Kind != yaml.ScalarNode || value.Value != "" && value.Tag != "!!null" {
			d.fail(placeOf(value), "%s: a list of names is wanted here, or each name as a key with nothing behind the colon", path)
			return
		}
		*n = append(*n, name.Value)
	}
}

// list is a list of something that may also be written as its only item.
type list[T any] []T

func (l *list[T]) read(d *decoder, node *yaml.Node, path string) {
	if node.Kind == yaml.MappingNode {
		*l = make([]T, 1)
		d.value(node, reflect.ValueOf(&(*l)[0]).Elem(), path, "")
		return
	}
	d.sequence(node, reflect.ValueOf((*[]T)(l)).Elem(), path, "")
}

// values are settings of ClickHouse: a text or a number for each name.
type values map[string]string

func (v *values) read(d *decoder, node *yaml.Node, path string) {
	*v = values{}
	d.mapping(node, path, func(key, value *yaml.Node) {
		if err := isValue(value); err != nil {
			d.fail(placeOf(value), "%s: %v", join(path, key.Value), err)
			return
		}
		(*v)[key.Value] = value.Value
	})
}

func isValue(node *yaml.Node) error {
	if node.Kind != yaml.ScalarNode || node.Tag == "!!null" {
		return errors.New("a number or a text is wanted here")
	}
	return nil
}

// proxyURL is an address, or the name of a secret when a password is part of it.
type proxyURL struct{ porterhouse.Secret }

func (p *proxyURL) read(d *decoder, node *yaml.Node, path string) {
	text := node.Value
	if strings.HasPrefix(text, "env:") || strings.HasPrefix(text, "file:") {
		if d.needed != nil && !d.needed(path) {
			return
		}
		secret, err := d.secret(text)
		if err != nil {
			d.fail(placeOf(node), "%s: %v", path, err)
			return
		}
		text = secret.Reveal()
	} else if strings.Contains(text, "@") {
		d.fail(placeOf(node), "%s: %v", path, errSecretInFile)
		return
	}
	if u, err := url.Parse(text); err != nil || u.Scheme != "http" || u.Hostname() == "" {
		d.fail(placeOf(node), "%s: want the address of a proxy, http://host:port, or env:NAME of one with a password", path)
		return
	}
	p.Secret = porterhouse.NewSecret(text)
}
