package main

import (
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"math"
	"net/netip"
	"os"
	"reflect"
	"runtime"
	"strconv"
	"strings"
	"time"

	"go.yaml.in/yaml/v3"

	"porterhouse"
)

// size is a number of bytes: "64 MiB" in the file.
type size int64

// scalars are the types that one YAML value becomes, and what is wanted when it
// does not.
var scalars = map[reflect.Type]string{
	reflect.TypeFor[string]():             "a text",
	reflect.TypeFor[bool]():               "true or false",
	reflect.TypeFor[int]():                "a whole number",
	reflect.TypeFor[int64]():              "a whole number",
	reflect.TypeFor[size]():               "a size, such as 64 MiB",
	reflect.TypeFor[share]():              "a share, such as 0.01",
	reflect.TypeFor[time.Duration]():      "a time, such as 30s, 5m or 7d",
	reflect.TypeFor[netip.Prefix]():       "an address or a network, such as 10.0.0.0/8",
	reflect.TypeFor[porterhouse.Secret](): "env:NAME, or file:PATH",
}

func isScalar(v reflect.Value) bool { return scalars[v.Type()] != "" }

// errSecretInFile is told without what was found there.
var errSecretInFile = errors.New("a secret does not stand in the file: put it into an environment variable and write env:NAME, or into a file that only we can read and write file:PATH")

// scalar reads one value into v.
func (d *decoder) scalar(node *yaml.Node, v reflect.Value, path string, tag reflect.StructTag) {
	if node.Kind != yaml.ScalarNode || node.Tag == "!!null" {
		d.fail(placeOf(node), "%s: %s is wanted here", path, scalars[v.Type()])
		return
	}
	var err error
	switch into := v.Addr().Interface().(type) {
	case *string:
		*into, err = d.text(node, tag)
	case *bool:
		if node.Tag != "!!bool" {
			err = errors.New("want true or false, without quotes")
		}
		*into = strings.EqualFold(node.Value, "true")
	case *int:
		var number int64
		number, err = parseInt(node.Value, math.MaxInt32)
		*into = int(number)
	case *int64:
		*into, err = parseInt(node.Value, math.MaxInt64)
	case *size:
		*into, err = parseSize(node.Value)
	case *share:
		*into, err = parseShare(node.Value)
	case *time.Duration:
		*into, err = parseDuration(node.Value)
	case *netip.Prefix:
		*into, err = parseNetwork(node.Value)
	case *porterhouse.Secret:
		*into, err = d.secretAt(node, path, tag)
	}
	if err != nil {
		d.fail(placeOf(node), "%s: %v", path, err)
	}
}

// text reads a string: a path, one of a few words, or any.
func (d *decoder) text(node *yaml.Node, tag reflect.StructTag) (string, error) {
	if node.Tag != "!!str" {
		return "", errors.New("want a text: put it in quotes")
	}
	if node.Value == "" {
		return "", errors.New("there is nothing between the quotes; leave the key out instead")
	}
	if tag.Get("kind") == "path" {
		return d.resolve(node.Value), nil
	}
	words := strings.Fields(tag.Get("oneof"))
	for _, word := range words {
		if word == node.Value {
			return word, nil
		}
	}
	if len(words) > 0 {
		return "", fmt.Errorf("want one of %s", strings.Join(words, ", "))
	}
	return node.Value, nil
}

func parseInt(text string, most int64) (int64, error) {
	n, err := strconv.ParseInt(strings.ReplaceAll(text, "_", ""), 10, 64)
	if err != nil || n < 0 || n > most {
		return 0, fmt.Errorf("want a whole number from 0 to %d", most)
	}
	return n, nil
}

// units are those of a size, the longest first, so that MiB is not taken for B.
var units = []struct {
	name  string
	bytes int64
}{
	{"KiB", 1 << 10}, {"MiB", 1 << 20}, {"GiB", 1 << 30}, {"TiB", 1 << 40},
	{"kB", 1e3}, {"MB", 1e6}, {"GB", 1e9}, {"TB", 1e12}, {"B", 1},
}

// parseSize reads a number of bytes with its unit.
func parseSize(text string) (size, error) {
	for _, unit := range units {
		number, ok := strings.CutSuffix(text, unit.name)
		if !ok {
			continue
		}
		n, err := parseInt(strings.TrimRight(number, " "), math.MaxInt64/unit.bytes)
		if err != nil {
			return 0, err
		}
		return size(n * unit.bytes), nil
	}
	return 0, errors.New("want a size with its unit: B, KiB, MiB, GiB, TiB, kB, MB, GB or TB")
}

// parseDuration reads a time as Go writes it, such as 1h30m, and days, such as 7d.
func parseDuration(text string) (time.Duration, error) {
	const mostDays = 36500
	wrong := errors.New("want a time with its unit: 500ms, 30s, 5m, 12h or 7d")
	if days, ok := strings.CutSuffix(text, "d"); ok {
		n, err := parseInt(days, mostDays)
		if err != nil {
			return 0, wrong
		}
		return time.Duration(n) * oneDay, nil
	}
	d, err := time.ParseDuration(text)
	if err != nil {
		return 0, wrong
	}
	return d, nil
}

// parseNetwork reads a network, or one address as a network of its own.
func parseNetwork(text string) (netip.Prefix, error) {
	if address, err := netip.ParseAddr(text); err == nil && address.Zone() == "" {
		return netip.PrefixFrom(address.Unmap(), address.Unmap().BitLen()), nil
	}
	network, err := netip.ParsePrefix(text)
	switch {
	case err != nil:
		return netip.Prefix{}, errors.New("want an address or a network, such as 10.0.0.0/8")
	case network != network.Masked():
		return netip.Prefix{}, fmt.Errorf("the address has bits beyond its network: %s is meant, or /%d", network.Masked(), network.Addr().BitLen())
	case network.Addr().Is4In6():
		return netip.Prefix{}, errors.New("write the network in its IPv4 form")
	}
	return network, nil
}

// unneeded stands for a secret that was not looked for. It is random, so that it
// opens nothing by mistake.
var unneeded = porterhouse.NewSecret(rand.Text() + rand.Text())

// secretAt reads a secret, if it is needed. Where its key is ClickHouse's own it
// may stand in the file itself, as there.
func (d *decoder) secretAt(node *yaml.Node, path string, tag reflect.StructTag) (porterhouse.Secret, error) {
	if d.needed != nil && !d.needed(path) {
		return unneeded, nil
	}
	secret, err := d.secret(node.Value)
	if tag.Get("kind") != "inline" || !errors.Is(err, errSecretInFile) || node.Value == "" {
		return secret, err
	}
	if err := isPrivate(d.file); err != nil {
		return porterhouse.Secret{}, fmt.Errorf("a secret stands in the file itself, and %w; or write env:NAME or file:PATH", err)
	}
	d.inline = append(d.inline, path)
	return porterhouse.NewSecret(node.Value), nil
}

// isPrivate refuses a configuration file that others can read: it holds a secret.
func isPrivate(path string) error {
	file, err := openPrivate(path)
	if err != nil {
		return err
	}
	return file.Close()
}

// secret finds what env:NAME or file:PATH stands for.
func (d *decoder) secret(text string) (porterhouse.Secret, error) {
	value := ""
	if name, ok := strings.CutPrefix(text, "env:"); ok {
		if !isName(name) {
			return porterhouse.Secret{}, errors.New("env: is followed by the name of an environment variable")
		}
		if value, ok = d.env(name); !ok {
			return porterhouse.Secret{}, fmt.Errorf("the environment variable %s is not set", name)
		}
		if value == "" {
			return porterhouse.Secret{}, fmt.Errorf("the environment variable %s is empty", name)
		}
		return porterhouse.NewSecret(value), nil
	}
	path, ok := strings.CutPrefix(text, "file:")
	if !ok || path == "" {
		return porterhouse.Secret{}, errSecretInFile
	}
	path = d.resolve(path)
	d.files = append(d.files, path)
	return readSecret(path)
}

// maxSecret is the longest secret in a file, in bytes.
const maxSecret = 64 << 10

// readSecret reads a file that holds a secret and, at most, one line end.
func readSecret(path string) (porterhouse.Secret, error) {
	file, err := openPrivate(path)
	if err != nil {
		return porterhouse.Secret{}, err
	}
	defer func() { _ = file.Close() }() // only read
	text, err := io.ReadAll(io.LimitReader(file, maxSecret+1))
	if err != nil {
		return porterhouse.Secret{}, err
	}
	value := strings.TrimSuffix(strings.TrimSuffix(string(text), "\n"), "\r")
	switch {
	case len(text) > maxSecret:
		return porterhouse.Secret{}, fmt.Errorf("%s has more than %d bytes: it is not a secret", path, maxSecret)
	case value == "":
		return porterhouse.Secret{}, fmt.Errorf("%s is empty", path)
	}
	return porterhouse.NewSecret(value), nil
}

// readUnshared reads a file that nobody but its owner can write: whoever writes a
// configuration decides who is let in. Everybody may read it.
func readUnshared(path string) ([]byte, error) {
	file, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer func() { _ = file.Close() }() // only read
	info, err := file.Stat()
	if err != nil {
		return nil, err
	}
	if mode := info.Mode().Perm(); mode&0o022 != 0 && runtime.GOOS != "windows" { // which has no such modes
		return nil, &sharedFile{path, mode}
	}
	return io.ReadAll(file)
}

// sharedFile is one that others than its owner can write.
type sharedFile struct {
	path string
	mode os.FileMode
}

// Error implements error.
func (f *sharedFile) Error() string {
	return fmt.Sprintf("%s can be written by others than its owner (mode %04o), who would decide who is let in: chmod go-w it", f.path, f.mode)
}

// openPrivate opens a file that holds a secret or a private key, and refuses one
// that everybody can read, or others can write: then it is no secret any more.
// Its group may read it, as orchestrators hand secrets to a process that is not
// their owner.
func openPrivate(path string) (*os.File, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() {
		return nil, fmt.Errorf("%s is not a regular file", path)
	}
	if mode := info.Mode().Perm(); mode&0o027 != 0 {
		return nil, fmt.Errorf("%s can be read by everybody, or written by others (mode %04o): chmod 600 it, and change the secret if others have access to this machine", path, mode)
	}
	return os.Open(path)
}

// meant tells which of the known keys was meant by an unknown one.
func meant(key string, known []string) string {
	best, least := "", 1+max(2, len(key)/3)
	for _, name := range known {
		if n := distance(key, name); n < least {
			best, least = name, n
		}
	}
	if best == "" {
		return "there are " + strings.Join(known, ", ")
	}
	return "did you mean " + best + "?"
}

// distance is the Levenshtein distance: how many characters must be changed,
// added or left out to make one of the other.
func distance(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			change := diagonal
			if a[i] != b[j] {
				change++
			}
			diagonal = row[j+1]
			row[j+1] = min(change, row[j+1]+1, row[j]+1)
		}
	}
	return row[len(b)]
}
