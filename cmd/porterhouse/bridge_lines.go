package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"sync"
)

// lineWriter writes whole lines, one at a time.
type lineWriter struct {
	mu sync.Mutex
	to io.Writer
}

// write writes text as one line; JSON that spans several is put into one.
func (w *lineWriter) write(text []byte) error {
	if bytes.ContainsAny(text, "\r\n") {
		var one bytes.Buffer
		if err := json.Compact(&one, text); err != nil {
			return fmt.Errorf("a message of several lines that is no JSON: %w", err)
		}
		text = one.Bytes()
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	if _, err := w.to.Write(append(text, '\n')); err != nil {
		return fmt.Errorf("writing to the client: %w", err)
	}
	return nil
}

// errTooLong is a message that is longer than any should be.
var errTooLong = errors.New("a message is longer than 64 MiB")

// scan makes a scanner of lines, each at most one message long.
func scan(in io.Reader) *bufio.Scanner {
	s := bufio.NewScanner(in)
	s.Buffer(make([]byte, 0, 64<<10), maxMessage)
	return s
}

// scanned is how a scanner has ended.
func scanned(s *bufio.Scanner) error {
	if errors.Is(s.Err(), bufio.ErrTooLong) {
		return errTooLong
	}
	return s.Err()
}

// readLines hands on the lines of in that are not empty, until it or ctx ends.
func readLines(ctx context.Context, in io.Reader, lines chan<- []byte) error {
	s := scan(in)
	for s.Scan() {
		line := bytes.TrimSpace(s.Bytes())
		if len(line) == 0 {
			continue
		}
		select {
		case lines <- bytes.Clone(line):
		case <-ctx.Done():
			return nil
		}
	}
	return scanned(s)
}

// readEvents hands the data of each event of a stream to take, until that wants no
// more or the stream ends (HTML, 9.2.6). Events with a name are not MCP's.
func readEvents(in io.Reader, take func(data []byte) (more bool, err error)) error {
	s := scan(in)
	var data []byte
	var named bool
	size := 0
	for s.Scan() {
		field, value, _ := bytes.Cut(s.Bytes(), []byte(":"))
		value = bytes.TrimPrefix(value, []byte(" "))
		switch {
		case len(s.Bytes()) == 0:
			if len(data) > 0 && !named {
				if more, err := take(bytes.TrimSuffix(data, []byte("\n"))); err != nil || !more {
					return err
				}
			}
			data, named, size = nil, false, 0
		case string(field) == "data":
			if size += len(value); size > maxMessage {
				return errTooLong
			}
			data = append(append(data, value...), '\n')
		case string(field) == "event":
			named = len(value) > 0 && string(value) != "message"
		}
	}
	return scanned(s)
}
