package porterhouse

import (
	"encoding/json"
	"errors"
	"go/ast"
	"go/parser"
	"go/token"
	"io"
	"io/fs"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// rooms is the table of doc/ARCHITECTURE.md: each package and which of ours it
// may import. Tests may import the sandbox everywhere.
var rooms = map[string][]string{
	"porterhouse":                        {},
	"porterhouse/statement":              {},
	"porterhouse/sandbox":                {},
	"porterhouse/cmd/porterhouse-engine": {},
	"porterhouse/identity":               {"porterhouse"},
	"porterhouse/blocks":                 {},
	"porterhouse/clickhouse":             {"porterhouse", "porterhouse/encoding", "porterhouse/blocks"},
	"porterhouse/audit":                  {"porterhouse"},
	"porterhouse/kv":                     {"porterhouse"},
	"porterhouse/ticket":                 {"porterhouse", "porterhouse/kv"},
	"porterhouse/authenticator":          {"porterhouse", "porterhouse/directory"},
	"porterhouse/sandbox/idp":            {},
	"porterhouse/sandbox/openid":         {},
	"porterhouse/sandbox/fake":           {},
	"porterhouse/seal":                   {"porterhouse"},
	"porterhouse/page":                   {"porterhouse"},
	"porterhouse/signin":                 {"porterhouse", "porterhouse/audit", "porterhouse/kv", "porterhouse/seal", "porterhouse/page"},
	"porterhouse/authserver":             {"porterhouse", "porterhouse/audit", "porterhouse/kv", "porterhouse/seal", "porterhouse/page"},
	"porterhouse/login":                  {"porterhouse"},
	"porterhouse/encoding":               {},
	"porterhouse/proxy":                  {"porterhouse", "porterhouse/gate", "porterhouse/encoding"},
	"porterhouse/directory":              {"porterhouse", "porterhouse/clickhouse", "porterhouse/audit", "porterhouse/kv"},
	"porterhouse/gate":                   {"porterhouse", "porterhouse/statement", "porterhouse/directory", "porterhouse/clickhouse", "porterhouse/audit"},
	"porterhouse/mcpserver":              {"porterhouse", "porterhouse/gate"},
	"porterhouse/doctor":                 {"porterhouse", "porterhouse/clickhouse"},
	"porterhouse/bench":                  {"porterhouse/sandbox"},
	"porterhouse/e2e":                    {},
	"porterhouse/cmd/porterhouse": {"porterhouse", "porterhouse/statement", "porterhouse/identity", "porterhouse/clickhouse", "porterhouse/blocks", "porterhouse/audit",
		"porterhouse/directory", "porterhouse/gate", "porterhouse/mcpserver", "porterhouse/sandbox",
		"porterhouse/kv", "porterhouse/ticket", "porterhouse/authenticator",
		"porterhouse/seal", "porterhouse/page", "porterhouse/signin", "porterhouse/authserver", "porterhouse/login", "porterhouse/sandbox/openid", "porterhouse/proxy", "porterhouse/doctor"},
}

// Nobody but these may link what they link: purego makes any binary dynamic.
var heavy = map[string]string{"github.com/ebitengine/purego": "porterhouse/cmd/porterhouse-engine"}

// Imports go one way, and every package has its place in the table.
func TestImportsGoOneWay(t *testing.T) {
	list := exec.Command("go", "list", "-json=ImportPath,Imports", "./...")
	out, err := list.Output()
	if err != nil {
		t.Fatalf("go list: %v", err)
	}
	for d := json.NewDecoder(strings.NewReader(string(out))); ; {
		var p struct {
			ImportPath string
			Imports    []string
		}
		if err := d.Decode(&p); errors.Is(err, io.EOF) {
			return
		} else if err != nil {
			t.Fatal(err)
		}
		may, placed := rooms[p.ImportPath]
		if !placed {
			t.Errorf("%s has no place in the table of rooms: give it one, in doc/ARCHITECTURE.md too", p.ImportPath)
		}
		for _, i := range p.Imports {
			if (i == "porterhouse" || strings.HasPrefix(i, "porterhouse/")) && !slices.Contains(may, i) {
				t.Errorf("%s imports %s, which it may not know", p.ImportPath, i)
			}
			if owner, ok := heavy[i]; ok && owner != p.ImportPath {
				t.Errorf("%s imports %s, which only %s may", p.ImportPath, i, owner)
			}
		}
	}
}

// The limits of size, in lines.
const (
	maxFile     = 500
	maxFunction = 70
	maxMethods  = 15
)

// Files, functions and receivers stay small enough to be read.
func TestSizes(t *testing.T) {
	methods := map[string]int{}
	err := filepath.WalkDir(".", func(path string, e fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if e.IsDir() && (e.Name() == "node_modules" || e.Name() == "build" || strings.HasPrefix(e.Name(), ".") && path != ".") {
			return fs.SkipDir
		}
		if strings.HasSuffix(path, ".go") && !strings.HasSuffix(path, "_test.go") {
			measure(t, path, methods)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	for receiver, n := range methods {
		if n > maxMethods {
			t.Errorf("%s has %d methods, more than %d", receiver, n, maxMethods)
		}
	}
}

func measure(t *testing.T, path string, methods map[string]int) {
	set := token.NewFileSet()
	file, err := parser.ParseFile(set, path, nil, parser.SkipObjectResolution)
	if err != nil {
		t.Fatal(err)
	}
	if lines := set.Position(file.End()).Line; lines > maxFile {
		t.Errorf("%s has %d lines, more than %d", path, lines, maxFile)
	}
	for _, d := range file.Decls {
		f, ok := d.(*ast.FuncDecl)
		if !ok {
			continue
		}
		if lines := set.Position(f.End()).Line - set.Position(f.Pos()).Line + 1; lines > maxFunction {
			t.Errorf("%s: %s has %d lines, more than %d", path, f.Name.Name, lines, maxFunction)
		}
		if f.Recv != nil {
			methods[filepath.Dir(path)+"."+receiver(f.Recv.List[0].Type)]++
		}
	}
}

func receiver(e ast.Expr) string {
	switch e := e.(type) {
	case *ast.StarExpr:
		return receiver(e.X)
	case *ast.IndexExpr:
		return receiver(e.X)
	case *ast.Ident:
		return e.Name
	}
	return "?"
}
