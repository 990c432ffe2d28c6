package e2e

import (
	"bufio"
	"encoding/json"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// desk is a machine at which programs sign in: its xdg-open tells what was to be
// opened, and its home directory is empty at first.
type desk struct {
	t      *testing.T
	dir    string
	opened string // file: one address in each line
	read   int    // of its lines
}

func newDesk(t *testing.T) *desk {
	t.Helper()
	d := &desk{t: t, dir: t.TempDir()}
	d.opened = filepath.Join(d.dir, "opened")
	script := "#!/bin/sh\nprintf '%s\\n' \"$1\" >>'" + d.opened + "'\n"
	if err := os.WriteFile(filepath.Join(d.dir, "xdg-open"), []byte(script), 0o755); err != nil {
		t.Fatal(err)
	}
	return d
}

// env is the environment of the desk's programs. BROWSER is for those that bring an
// xdg-open of their own.
func (d *desk) env() []string {
	return []string{
		"HOME=" + d.dir, "XDG_CONFIG_HOME=" + filepath.Join(d.dir, "config"), "DISPLAY=", "NO_COLOR=1",
		"BROWSER=" + filepath.Join(d.dir, "xdg-open"),
		"MCP_AUTO_OPEN_ENABLED=true", "MCP_INSPECTOR_SECRET_STORE=file",
		"PATH=" + d.dir + ":" + filepath.Dir(npmProgram(d.t, "node")) + ":" + os.Getenv("PATH"),
	}
}

// next waits for the next address that a program opens, while it runs.
func (d *desk) next(p *running) string {
	d.t.Helper()
	for end := time.Now().Add(time.Minute); ; time.Sleep(20 * time.Millisecond) {
		text, err := os.ReadFile(d.opened)
		if lines := strings.Split(string(text), "\n"); err == nil && len(lines) > d.read+1 {
			d.read++
			return lines[d.read-1]
		}
		if p.ended() || time.Now().After(end) {
			d.t.Fatalf("%s opened no browser\n%s", p.name, p.said())
		}
	}
}

// running is a program of the desk.
type running struct {
	t           *testing.T
	name        string
	cmd         *exec.Cmd
	in          io.WriteCloser
	lines       chan string // of its standard output
	out, notice lockedBuffer
	done        chan struct{}
	err         error
}

// start runs a program of npm's with arguments, a script below npm being the first.
func (d *desk) start(env []string, arguments ...string) *running {
	d.t.Helper()
	cmd := exec.Command(npmProgram(d.t, "node"), arguments...)
	cmd.Dir, cmd.Env = "npm", append(append(os.Environ(), d.env()...), env...)
	return d.run(cmd, filepath.Base(arguments[0]))
}

// run starts a command of which the test reads what it says.
func (d *desk) run(cmd *exec.Cmd, name string) *running {
	d.t.Helper()
	p := &running{t: d.t, name: name, cmd: cmd, lines: make(chan string, 1000), done: make(chan struct{})}
	out, into := io.Pipe()
	cmd.Stdout, cmd.Stderr = io.MultiWriter(&p.out, into), &p.notice
	var err error
	if p.in, err = cmd.StdinPipe(); err != nil {
		d.t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		d.t.Fatalf("%s: %v (run `make deps` when it is not there)", name, err)
	}
	go func() {
		p.err = cmd.Wait()
		_ = into.Close() // of a pipe in memory
		close(p.done)
	}()
	go func() {
		defer close(p.lines)
		for scanner := bufio.NewScanner(out); scanner.Scan(); {
			p.lines <- scanner.Text()
		}
		_, _ = io.Copy(io.Discard, out) // a line too long for us must not stop the program
	}()
	d.t.Cleanup(func() {
		_ = cmd.Process.Kill() // it has mostly ended
		<-p.done
	})
	return p
}

func (p *running) ended() bool {
	select {
	case <-p.done:
		return true
	default:
		return false
	}
}

func (p *running) said() string { return p.notice.String() + p.out.String() }

// wait waits until it has ended well, and returns what it printed.
func (p *running) wait() string {
	p.t.Helper()
	select {
	case <-p.done:
	case <-time.After(2 * time.Minute):
		p.t.Fatalf("%s does not end\n%s", p.name, p.said())
	}
	if p.err != nil {
		p.t.Fatalf("%s: %v\n%s", p.name, p.err, p.said())
	}
	return p.out.String()
}

// line waits for the next line of its output, a JSON document.
func (p *running) line(into any) {
	p.t.Helper()
	select {
	case text, more := <-p.lines:
		if !more {
			p.t.Fatalf("%s said no more\n%s", p.name, p.said())
		}
		if err := json.Unmarshal([]byte(text), into); err != nil {
			p.t.Fatalf("%s: %v in %s", p.name, err, text)
		}
	case <-time.After(time.Minute):
		p.t.Fatalf("%s says nothing\n%s", p.name, p.said())
	}
}

// tell writes a line to its input, a JSON document.
func (p *running) tell(what any) {
	p.t.Helper()
	text, err := json.Marshal(what)
	if err != nil {
		p.t.Fatal(err)
	}
	if _, err := p.in.Write(append(text, '\n')); err != nil {
		p.t.Fatalf("%s: %v\n%s", p.name, err, p.said())
	}
}

// npmProgram is the path of a program of npm's.
func npmProgram(t *testing.T, name string) string {
	t.Helper()
	path, err := filepath.Abs(filepath.Join("npm", "node_modules", ".bin", name))
	if err != nil {
		t.Fatal(err)
	}
	return path
}
