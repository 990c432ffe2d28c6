package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"syscall"
	"time"
)

// child is a program that we started and will stop.
type child struct {
	cmd    *exec.Cmd
	name   string
	cancel context.CancelFunc
}

const (
	demoStart = 5 * time.Minute // the first start loads the sample data
	childStop = 30 * time.Second
)

// startChild starts a program. Its standard output is for the caller to read,
// its standard error goes to log.
func startChild(ctx context.Context, log io.Writer, program string, args ...string) (*child, io.Reader, error) {
	ctx, cancel := context.WithCancel(ctx)
	c := &child{cmd: exec.CommandContext(ctx, program, args...), name: program + " " + args[0], cancel: cancel}
	c.cmd.Stderr = log
	c.cmd.Cancel = func() error { return c.cmd.Process.Signal(syscall.SIGTERM) }
	c.cmd.WaitDelay = childStop
	out, err := c.cmd.StdoutPipe()
	if err == nil {
		err = c.cmd.Start()
	}
	if err != nil {
		cancel()
		return nil, nil, fmt.Errorf("%s: %w", c.name, err)
	}
	return c, out, nil
}

// pid is the process's id.
func (c *child) pid() int { return c.cmd.Process.Pid }

// stop asks the program to end and waits for it, by force in the end.
func (c *child) stop() error {
	c.cancel()
	if err := c.cmd.Wait(); err != nil && !errors.Is(err, context.Canceled) {
		return fmt.Errorf("%s: did not end well: %w", c.name, err)
	}
	return nil
}

// demo is what `porterhouse demo --json` says of itself.
type demo struct {
	MCP        string            `json:"mcp"`
	HTTP       string            `json:"http"`
	People     map[string]string `json:"people"` // their tokens
	ClickHouse struct {
		HTTP     string `json:"http"`
		Native   string `json:"native"`
		User     string `json:"user"`
		Password string `json:"password"`
	} `json:"clickhouse"`
	Audit string `json:"audit"`
	PID   int    `json:"pid"`
}

// startDemo starts the demo in dir, in an access mode, and waits until it is ready.
func startDemo(ctx context.Context, program, dir string, mode accessMode) (*child, demo, error) {
	c, out, err := startChild(ctx, os.Stderr, program, "demo", "--json", "--dir", dir, "--access", string(mode))
	if err != nil {
		return nil, demo{}, fmt.Errorf("%w; `make build` makes it", err)
	}
	late := time.AfterFunc(demoStart, c.cancel)
	defer late.Stop()
	var d demo
	line, err := bufio.NewReader(out).ReadBytes('\n')
	if err == nil {
		err = json.Unmarshal(line, &d)
	}
	if err == nil && (d.MCP == "" || d.ClickHouse.HTTP == "" || len(d.People) == 0) {
		err = errors.New("mcp, people or clickhouse is missing")
	}
	if err != nil {
		err = fmt.Errorf("%s: no line of JSON that says it is ready: %w", c.name, err)
		return nil, d, errors.Join(err, c.stop())
	}
	return c, d, nil
}
