package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

const megabyte = 1e6

// figures starts servers afresh and measures what a goal of g is about.
func (f *fresh) figures(ctx context.Context, g goals, clients string) (figures []figure, err error) {
	size, err := os.Stat(f.program)
	if err != nil {
		return nil, err
	}
	starts, last, err := f.startOften(ctx)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, last.stop()) }()
	if err := wait(ctx, freshRest); err != nil {
		return nil, err
	}
	rest, err := memory(last.pid(), residentNow)
	if err != nil {
		return nil, err
	}
	peak, err := f.peak(ctx, last, g)
	if err != nil {
		return nil, err
	}
	tokens, err := f.tokens(ctx, last, g, clients)
	if err != nil {
		return nil, err
	}
	return []figure{
		{Name: "start to ready, ClickHouse up", Measured: median(starts), Goal: g.ready, Unit: "ms", Note: fmt.Sprintf("median of %d", freshTries)},
		{Name: "memory at rest (RSS)", Measured: float64(rest) / megabyte, Goal: g.idleMemory, Unit: "MB"},
		peak,
		tokens,
		{Name: "size of the program", Measured: float64(size.Size()) / megabyte, Goal: g.programSize, Unit: "MB"},
	}, nil
}

// startOften starts one server after another, and returns the milliseconds that
// each took to be ready, and the last one, which still runs.
func (f *fresh) startOften(ctx context.Context) (took []float64, last *instance, err error) {
	for i := range freshTries {
		if last, err = f.start(ctx); err != nil {
			return nil, nil, err
		}
		took = append(took, milliseconds(last.ready))
		if i == freshTries-1 {
			break
		}
		if err := last.stop(); err != nil {
			return nil, nil, err
		}
	}
	return took, last, nil
}

func wait(ctx context.Context, d time.Duration) error {
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-time.After(d):
		return nil
	}
}

const millionRows = 1_000_000

// peak asks for a million rows and takes what they give: the answer is cut at
// the server's limit. The figure is the most memory that it ever had.
func (f *fresh) peak(ctx context.Context, s *instance, g goals) (figure, error) {
	text, err := f.ask(ctx, s, tenColumns+"numbers("+strconv.Itoa(millionRows)+")", millionRows)
	if err != nil {
		return figure{}, fmt.Errorf("asking for a million rows: %w", err)
	}
	rows := strings.Count(text, "\n")
	if rows < fewRows || rows >= millionRows {
		return figure{}, fmt.Errorf("asking for a million rows: %d lines came, which is no answer cut at the limit: %.200q", rows, text)
	}
	peak, err := memory(s.pid(), residentPeak)
	return figure{Name: "peak memory (RSS), a million rows cut at the limit", Measured: float64(peak) / megabyte, Goal: g.peakMemory, Unit: "MB",
		Note: fmt.Sprintf("%d lines, %.1f MB of text came", rows, float64(len(text))/megabyte)}, err
}

// tokens counts what 500 rows of 10 columns cost a model.
func (f *fresh) tokens(ctx context.Context, s *instance, g goals, clients string) (figure, error) {
	text, err := f.ask(ctx, s, tenColumns+"numbers("+strconv.Itoa(fewRows)+")", fewRows)
	if err != nil {
		return figure{}, err
	}
	n, err := countTokens(ctx, clients, text)
	return figure{Name: "500 rows × 10 columns, as a model reads them", Measured: float64(n), Goal: g.tokens, Unit: "tokens (o200k)",
		Note: fmt.Sprintf("%d bytes of text", len(text))}, err
}

// ask makes one call of the tool query, and returns the text of the answer.
func (f *fresh) ask(ctx context.Context, s *instance, sql string, maxRows int) (string, error) {
	c := newClient(ourTarget("fresh", stateless, s.endpoint, []string{f.token}, maxRows), 0)
	defer c.wire.close()
	if err := c.prepare(ctx, sql); err != nil {
		return "", err
	}
	return c.text(ctx)
}

// countScript prints the number of tokens of its standard input. Text that looks
// like a special token counts as the text it is.
const countScript = `import {countTokens} from 'gpt-tokenizer/encoding/o200k_base'
import {readFileSync} from 'node:fs'
console.log(countTokens(readFileSync(0, 'utf8'), {disallowedSpecial: new Set()}))`

// countTokens counts the tokens of text with the gpt-tokenizer that is installed
// in dir, run by the Node that is there too, or else by any.
func countTokens(ctx context.Context, dir, text string) (int, error) {
	node, err := filepath.Abs(filepath.Join(dir, "node_modules", ".bin", "node"))
	if err != nil {
		return 0, err
	}
	if _, err := os.Stat(node); err != nil {
		node = "node"
	}
	cmd := exec.CommandContext(ctx, node, "--input-type=module", "--eval", countScript)
	cmd.Dir = dir
	cmd.Stdin = strings.NewReader(text)
	var complaint bytes.Buffer
	cmd.Stderr = &complaint
	out, err := cmd.Output()
	if err != nil {
		return 0, fmt.Errorf("cannot count tokens in %s (`make deps` installs what it needs): %w: %.500s", dir, err, complaint.String())
	}
	return strconv.Atoi(strings.TrimSpace(string(out)))
}
