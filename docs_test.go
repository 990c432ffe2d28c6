package porterhouse

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// pages are the documents for people, by their path.
func pages(t *testing.T) map[string]string {
	t.Helper()
	texts := map[string]string{}
	for _, pattern := range []string{"*.md", "doc/*.md", "doc/decisions/*.md"} {
		paths, err := filepath.Glob(pattern)
		if err != nil || len(paths) == 0 {
			t.Fatalf("no %s: %v", pattern, err)
		}
		for _, path := range paths {
			text, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			texts[path] = string(text)
		}
	}
	return texts
}

var (
	named   = regexp.MustCompile("`((?:Test|Fuzz|Benchmark)[A-Z][A-Za-z0-9_]*)`")
	inPlace = regexp.MustCompile("`([a-z0-9/]+)`: (?:`[A-Za-z0-9_]+`(?:, )?)*$")
	rooming = regexp.MustCompile("(?m)^#.*\\(packages? ((?:`[a-z0-9/]+`(?:, )?)+)\\)")
	code    = regexp.MustCompile("`([a-z0-9/]+)`")
)

// Every test that a document names is there, in the package that stands before
// it, as `clickhouse`: `TestQuery`, or else in one of those that the heading above names.
func TestNamedTestsExist(t *testing.T) {
	tests, found := testsByPackage(t), 0
	for path, text := range pages(t) {
		for _, at := range named.FindAllStringSubmatchIndex(text, -1) {
			name, line := text[at[2]:at[3]], text[strings.LastIndexByte(text[:at[0]], '\n')+1:at[0]]
			found++
			if packages := packagesOf(line, text[:at[0]]); !exists(tests, packages, name) {
				t.Errorf("%s names the test %s, which is in none of the packages %q", path, name, packages)
			}
		}
	}
	if found < 15 {
		t.Errorf("the documents name only %d tests: this test does not find them", found)
	}
}

// packagesOf returns the packages that a test is said to be in: line is what
// stands before it in its line, above all that stands before it.
func packagesOf(line, above string) (packages []string) {
	if place := inPlace.FindStringSubmatch(line); place != nil {
		return place[1:]
	}
	headings := rooming.FindAllStringSubmatch(above, -1)
	if len(headings) == 0 {
		return nil
	}
	for _, name := range code.FindAllStringSubmatch(headings[len(headings)-1][1], -1) {
		packages = append(packages, name[1])
	}
	return packages
}

func exists(tests map[string]map[string]bool, packages []string, name string) bool {
	for _, p := range packages {
		if tests[p][name] {
			return true
		}
	}
	return false
}

// testsByPackage are the names of all functions in _test.go files, by directory.
func testsByPackage(t *testing.T) map[string]map[string]bool {
	t.Helper()
	tests := map[string]map[string]bool{}
	err := filepath.WalkDir(".", func(path string, e fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if e.IsDir() && (e.Name() == "node_modules" || e.Name() == "build" || strings.HasPrefix(e.Name(), ".") && path != ".") {
			return fs.SkipDir
		}
		if !strings.HasSuffix(path, "_test.go") {
			return nil
		}
		file, err := parser.ParseFile(token.NewFileSet(), path, nil, parser.SkipObjectResolution)
		if err != nil {
			return err
		}
		directory := filepath.Dir(path)
		if tests[directory] == nil {
			tests[directory] = map[string]bool{}
		}
		for _, d := range file.Decls {
			if f, ok := d.(*ast.FuncDecl); ok && f.Recv == nil {
				tests[directory][f.Name.Name] = true
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return tests
}

var (
	link    = regexp.MustCompile(`\]\(([^)\s]+)\)`)
	heading = regexp.MustCompile(`(?m)^#+ +(.+)$`)
	fenced  = regexp.MustCompile("(?ms)^```.*?^```$")
)

// Every relative link in the documents leads to a file, and to a heading in it
// where it names one.
func TestLinksLeadSomewhere(t *testing.T) {
	texts, found := pages(t), 0
	for path, text := range texts {
		for _, l := range link.FindAllStringSubmatch(fenced.ReplaceAllString(text, ""), -1) {
			if strings.Contains(l[1], "://") || strings.HasPrefix(l[1], "mailto:") {
				continue
			}
			found++
			target, anchor, _ := strings.Cut(l[1], "#")
			if target = filepath.Join(filepath.Dir(path), target); strings.HasPrefix(l[1], "#") {
				target = path
			}
			if _, err := os.Stat(target); err != nil {
				t.Errorf("%s links to %s: %v", path, l[1], err)
			} else if anchor != "" && !anchors(texts[target])[anchor] {
				t.Errorf("%s links to %s, where there is no such heading", path, l[1])
			}
		}
	}
	if found < 8 {
		t.Errorf("the documents have only %d links: this test does not find them", found)
	}
}

// anchors are the names that a reader in a browser gives the headings of a page.
func anchors(text string) map[string]bool {
	names := map[string]bool{}
	for _, h := range heading.FindAllStringSubmatch(text, -1) {
		name := strings.Map(func(r rune) rune {
			switch {
			case r >= 'a' && r <= 'z' || r >= '0' && r <= '9' || r == '-' || r == '_':
				return r
			case r == ' ':
				return '-'
			}
			return -1
		}, strings.ToLower(h[1]))
		names[name] = true
	}
	return names
}
