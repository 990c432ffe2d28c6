package main

import (
	"context"
	"debug/elf"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"
)

// The command line, as scripts: testdata/*.txtar.
func TestScripts(t *testing.T) {
	testscript.Run(t, testscript.Params{Dir: "testdata"})
}

func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){
		"porterhouse": func() {
			os.Exit(run(context.Background(), terminal{os.Stdin, os.Stdout, os.Stderr, os.LookupEnv}, os.Args[1:]))
		},
	})
}

// The program runs anywhere: it asks for no dynamic linker and no library.
func TestStaticBinary(t *testing.T) {
	path := filepath.Join(t.TempDir(), "porterhouse")
	build := exec.Command("go", "build", "-o", path, ".")
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	file, err := elf.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	for _, p := range file.Progs {
		if p.Type == elf.PT_INTERP || p.Type == elf.PT_DYNAMIC {
			t.Errorf("the binary is dynamic: it has a segment %v", p.Type)
		}
	}
	const most = 30 << 20
	if info, err := os.Stat(path); err != nil || info.Size() > most {
		t.Errorf("the binary has %d bytes, more than %d: %v", info.Size(), most, err)
	}
}
