package sandbox

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
)

// process is a server and the warden that is its parent.
type process struct {
	pid    int           // of the server
	ended  chan struct{} // closed when the server has ended
	err    error         // why it ended; to be read after ended
	warden *exec.Cmd
	leash  *os.File     // the warden stops the server when this ends
	stop   func() error // ends the server, if it has not ended yet, and the warden
}

// errPortTaken says that somebody else listens on a port that was free just now.
var errPortTaken = errors.New("the port was taken in the meantime")

// startProcess runs warden.sh, which lies at script, with the arguments: a temporary
// directory and the server's command. The lock is kept until the server has ended.
// What the server prints goes to log.
func startProcess(script string, arguments []string, lock *os.File, log io.Writer) (*process, error) {
	leashEnd, leash, err := os.Pipe()
	if err != nil {
		return nil, err
	}
	defer leashEnd.Close()
	output, outputEnd, err := os.Pipe()
	if err != nil {
		return nil, errors.Join(err, leash.Close())
	}
	defer outputEnd.Close()
	cmd := exec.Command("sh", append([]string{script}, arguments...)...)
	cmd.Stdout, cmd.Stderr, cmd.ExtraFiles = outputEnd, outputEnd, []*os.File{leashEnd, lock}
	cmd.Env = append(os.Environ(), "CLICKHOUSE_WATCHDOG_ENABLE=0") // the warden is enough
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}          // Ctrl-C is for the owner alone
	if err := cmd.Start(); err != nil {
		return nil, errors.Join(err, leash.Close(), output.Close())
	}
	p := &process{ended: make(chan struct{}), warden: cmd, leash: leash}
	outputEnd.Close() // else the output would not end with the server
	lines := bufio.NewReader(output)
	if p.pid, err = readPID(lines); err != nil {
		return nil, errors.Join(err, p.leash.Close(), p.warden.Wait(), output.Close())
	}
	p.stop = sync.OnceValue(p.release)
	go p.follow(lines, output, log)
	return p, nil
}

// readPID reads the first line, which is the server's process id.
func readPID(lines *bufio.Reader) (int, error) {
	line, err := lines.ReadString('\n')
	if err != nil {
		return 0, fmt.Errorf("the warden did not tell the process id: %w", err)
	}
	return strconv.Atoi(strings.TrimSpace(line))
}

// follow passes on what the server prints until it ends.
func (p *process) follow(lines io.Reader, output io.Closer, log io.Writer) {
	printed := &printed{log: log}
	_, err := io.Copy(printed, lines)
	p.err = errors.Join(printed.explain(), err, output.Close())
	close(p.ended)
}

// failure says why the server has ended; nil while it runs.
func (p *process) failure() error {
	select {
	case <-p.ended:
		return p.err
	default:
		return nil
	}
}

// signal sends a running server a signal.
func (p *process) signal(signal syscall.Signal) error {
	if err := p.failure(); err != nil {
		return err
	}
	if err := syscall.Kill(p.pid, signal); err != nil {
		return fmt.Errorf("sandbox: sending the server %v: %w", signal, err)
	}
	return nil
}

// stands reports whether no thread of the server runs, as far as Linux tells.
func (p *process) stands() bool {
	threads, err := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/stat", p.pid))
	if err != nil {
		return true
	}
	for _, thread := range threads {
		stat, err := os.ReadFile(thread)
		if err != nil {
			continue // it has ended
		}
		if _, state, _ := bytes.Cut(stat[bytes.LastIndexByte(stat, ')')+1:], []byte(" ")); !bytes.HasPrefix(state, []byte("T")) {
			return false
		}
	}
	return true
}

// kill ends the server on the spot, and waits until it has ended.
func (p *process) kill() error {
	if p.failure() != nil {
		return nil
	}
	if err := p.signal(syscall.SIGKILL); err != nil && !errors.Is(err, syscall.ESRCH) {
		return err
	}
	<-p.ended
	return nil
}

// release lets go of the leash, with the word that says that we live, and waits
// until the warden has done its work.
func (p *process) release() error {
	_, err := io.WriteString(p.leash, "done\n")
	err = errors.Join(err, p.leash.Close(), p.warden.Wait())
	<-p.ended
	return err
}

// printed is what a server prints: it goes to log, and the end of it is kept.
type printed struct {
	log  io.Writer // nil: nowhere
	last []byte
}

// Write implements io.Writer. A log that cannot be written to is no reason to stop
// the server: it gets nothing more.
func (p *printed) Write(b []byte) (int, error) {
	const most = 16 << 10
	p.last = append(p.last, b...)
	p.last = p.last[max(0, len(p.last)-most):]
	if p.log != nil {
		if _, err := p.log.Write(b); err != nil {
			p.log = nil
		}
	}
	return len(b), nil
}

// explain says why the server ended, in its own last words.
func (p *printed) explain() error {
	if bytes.Contains(p.last, []byte("Address already in use")) {
		return fmt.Errorf("sandbox: ClickHouse ended: %w", errPortTaken)
	}
	const enough = 2 << 10
	words := bytes.TrimSpace(p.last[max(0, len(p.last)-enough):])
	return fmt.Errorf("sandbox: ClickHouse ended; its last words: %s", words)
}
