package main

import (
	"context"
	"debug/elf"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"porterhouse/sandbox/idp"
)

// The command line, as scripts: testdata/*.txtar. $ISSUER is an OpenID provider,
// and the tokens are its own.
func TestScripts(t *testing.T) {
	i := idp.StartIssuer(t, idp.Options{})
	claims := i.Claims(idp.Alice, "http://127.0.0.1:8080/mcp").With("client_id", "claude").With("azp", "claude")
	stranger := idp.Person{Subject: "u-6", Name: "eve", Email: "eve@evil.com", Groups: []string{"staff"}}
	tokens := map[string]string{
		"ALICE":     i.Sign(claims),
		"ENDED":     i.Sign(claims.With("exp", time.Now().Add(-time.Hour).Unix())),
		"ELSEWHERE": i.Sign(claims.With("aud", "https://elsewhere.example.com")),
		"STRANGER":  i.Sign(i.Claims(stranger, "http://127.0.0.1:8080/mcp")),
		"FORGED":    idp.NewKey(t, "RS256").Sign(claims),
	}
	testscript.Run(t, testscript.Params{Dir: "testdata", Cmds: map[string]func(*testscript.TestScript, bool, []string){"expand": expand}, Setup: func(e *testscript.Env) error {
		e.Setenv("ISSUER", i.URL)
		e.Setenv("IDP_SECRET", idp.App.Secret)
		for name, token := range tokens {
			e.Setenv(name, token)
		}
		return nil
	}})
}

// expand puts what $NAME stands for into a file.
func expand(s *testscript.TestScript, _ bool, files []string) {
	for _, name := range files {
		text := os.Expand(s.ReadFile(name), s.Getenv)
		s.Check(os.WriteFile(s.MkAbs(name), []byte(text), 0o600))
	}
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
	build := exec.Command("go", "build", "-trimpath", "-ldflags", "-s -w", "-o", path, ".") // as the Makefile does
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
