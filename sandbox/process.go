package sandbox

import (
	"bufio"
	_ "embed" // of the script
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"syscall"
)

//go:embed warden.sh
var wardenScript string

// process is a server and the warden that is its parent.
type process struct {
	pid    int           // of the server
	ended  chan struct{} // closed when the server has ended
	err    error         // why it ended; to be read after ended
	warden *exec.Cmd
	leash  *os.File // the warden stops the server when this ends
}

// errPortTaken says that somebody else listens on a port that was free just now.
var errPortTaken = errors.New("the port was taken in the meantime")

// startProcess starts the command under a warden, which removes the directory
// temporary when we die before we say stop. What the server prints goes to log.
func startProcess(command []string, temporary string, log io.Writer) (*process, error) {
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
	cmd := exec.Command("sh", append([]string{"-c", wardenScript, "warden", temporary}, command...)...)
	cmd.Stdout, cmd.Stderr, cmd.ExtraFiles = outputEnd, outputEnd, []*os.File{leashEnd}
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
	go p.follow(lines, output, log)
	return p, nil
}

// readPID reads the warden's first line.
func readPID(lines *bufio.Reader) (int, error) {
	line, err := lines.ReadString('\n')
	if err != nil {
		return 0, fmt.Errorf("the warden did not tell the process id: %w", err)
	}
	return strconv.Atoi(strings.TrimSpace(line))
}

// follow passes on what the server prints until it ends.
func (p *process) follow(lines io.Reader, output io.Closer, log io.Writer) {
	last := &tail{}
	if log == nil {
		log = io.Discard
	}
	_, err := io.Copy(io.MultiWriter(last, log), lines)
	p.err = errors.Join(last.explain(), err, output.Close())
	close(p.ended)
}

// stop ends the server, when it has not ended yet, and the warden. It must be
// called once.
func (p *process) stop() error {
	_, err := io.WriteString(p.leash, "done\n")
	err = errors.Join(err, p.leash.Close(), p.warden.Wait())
	<-p.ended
	return err
}

// tail keeps the last bytes written to it.
type tail struct{ text []byte }

// Write implements io.Writer.
func (t *tail) Write(b []byte) (int, error) {
	const most = 4 << 10
	t.text = append(t.text, b...)
	t.text = t.text[max(0, len(t.text)-most):]
	return len(b), nil
}

// explain says why the server ended, in its own last words.
func (t *tail) explain() error {
	words := strings.TrimSpace(string(t.text))
	if strings.Contains(words, "Address already in use") {
		return fmt.Errorf("sandbox: ClickHouse ended: %w", errPortTaken)
	}
	return fmt.Errorf("sandbox: ClickHouse ended; its last words: %s", words)
}
