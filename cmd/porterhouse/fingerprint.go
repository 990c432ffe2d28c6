package main

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"hash"
	"maps"
	"net/netip"
	"reflect"
	"slices"
	"strings"

	"porterhouse"
)

// fingerprint stands for c in the record: it is the same for the same values, secrets and
// contents of files included, and nobody without the record's key can try out guesses at
// them. It is that of the values, not of the file: a remark changes nothing.
func (c Config) fingerprint() string {
	sum := hmac.New(sha256.New, []byte(c.Audit.Key.Reveal()))
	fmt.Fprint(sum, "porterhouse configuration\n") // no line of the record begins so
	all := leaves(c)
	for _, key := range slices.Sorted(maps.Keys(all)) {
		fmt.Fprintf(sum, "%q=", key)
		addValue(sum, reflect.ValueOf(all[key].value))
	}
	for _, key := range slices.Sorted(maps.Keys(c.contents)) {
		fmt.Fprintf(sum, "%q:%x", key, c.contents[key])
	}
	return hex.EncodeToString(sum.Sum(nil))
}

// addValue adds a value to sum, in such a way that different ones never add the same.
func addValue(sum hash.Hash, v reflect.Value) {
	switch value := v.Interface().(type) {
	case porterhouse.Secret:
		fmt.Fprintf(sum, "%q,", value.Reveal())
		return
	case netip.Prefix:
		fmt.Fprintf(sum, "%s,", value)
		return
	}
	switch v.Kind() {
	case reflect.Pointer:
		fmt.Fprintf(sum, "*%t,", v.IsNil())
		if !v.IsNil() {
			addValue(sum, v.Elem())
		}
	case reflect.Slice:
		fmt.Fprintf(sum, "[%d,", v.Len())
		for i := range v.Len() {
			addValue(sum, v.Index(i))
		}
	case reflect.Map:
		fmt.Fprintf(sum, "{%d,", v.Len())
		for _, key := range slices.SortedFunc(slices.Values(v.MapKeys()), byText) {
			fmt.Fprintf(sum, "%q:", key.String())
			addValue(sum, v.MapIndex(key))
		}
	case reflect.Struct:
		for _, field := range v.Fields() {
			addValue(sum, field)
		}
	default:
		fmt.Fprintf(sum, "%#v,", v.Interface())
	}
}

func byText(a, b reflect.Value) int { return strings.Compare(a.String(), b.String()) }
