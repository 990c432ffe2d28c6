package idp

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"
)

// program is a provider that is a process of its own. It reads lines of JSON and
// answers each with a line, and ends when its stdin does, also if the test is killed.
type program struct {
	mu  sync.Mutex // one line and its answer at a time
	in  io.WriteCloser
	out *bufio.Reader
	log *tail
}

// startProgram runs the command in the directory sandbox/idp, tells it config and
// returns its issuer.
func startProgram(t testing.TB, config any, name string, arguments ...string) (*program, string) {
	t.Helper()
	p := &program{log: &tail{}}
	cmd := exec.Command(name, arguments...)
	cmd.Stderr = p.log
	stdin, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatalf("%v: run `make deps`, which installs the providers", err)
	}
	p.in, p.out = stdin, bufio.NewReader(stdout)
	t.Cleanup(func() {
		// It may have ended by itself, or take its time: neither is the test's affair.
		_ = stdin.Close()
		dead := time.AfterFunc(10*time.Second, func() { _ = cmd.Process.Kill() })
		defer dead.Stop()
		_ = cmd.Wait()
	})
	answer, err := p.tell(config)
	issuer, ready := strings.CutPrefix(answer, "READY ")
	if err != nil || !ready {
		t.Fatalf("%s did not come up: %q, %v (run `make deps` when it is not installed)\n%s", name, answer, err, p.log)
	}
	return p, issuer
}

// tell sends one line and returns the answer.
func (p *program) tell(what any) (string, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	line, err := json.Marshal(what)
	if err != nil {
		return "", err
	}
	if _, err := p.in.Write(append(line, '\n')); err != nil {
		return "", fmt.Errorf("%w\n%s", err, p.log)
	}
	answer, err := p.out.ReadString('\n')
	return strings.TrimSpace(answer), err
}

// tail keeps the last of what a program says on stderr.
type tail struct {
	mu   sync.Mutex
	text []byte
}

func (l *tail) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.text = append(l.text, p...)
	l.text = l.text[max(0, len(l.text)-8<<10):]
	return len(p), nil
}

func (l *tail) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return string(l.text)
}

// root is the directory of Porterhouse's module, above the one the test runs in.
func root(t testing.TB) string {
	t.Helper()
	directory, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	for {
		if _, err := os.Stat(filepath.Join(directory, "sandbox", "idp", "doc.go")); err == nil {
			return directory
		} else if !errors.Is(err, os.ErrNotExist) || directory == filepath.Dir(directory) {
			t.Fatalf("the test runs outside of Porterhouse's directory: %v", err)
		}
		directory = filepath.Dir(directory)
	}
}

// node is the Node.js of the end-to-end tests, or else that of the machine.
func node(t testing.TB) string {
	t.Helper()
	installed := filepath.Join(root(t), "e2e", "npm", "node_modules", ".bin", "node")
	if _, err := os.Stat(installed); err == nil {
		return installed
	}
	return "node"
}
