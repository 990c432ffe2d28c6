package main

import (
	"errors"
	"fmt"
	"os"
	"os/signal"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// serverDefaults takes back what clickhouse-local changes in every session.
const serverDefaults = `
ALTER SETTINGS PROFILE default ADD SETTINGS
    implicit_select = 0,
    allow_introspection_functions = 0,
    storage_file_read_method = 'pread',
    output_format_arrow_use_native_writer = 1;
`

// listen makes the engine serve, for as long as its last query runs. That query
// reads standard input, a pipe that we hold open until it is time to stop. HTTP
// comes last: whoever has an answer over HTTP knows that both ports are open.
const listen = `
SYSTEM START LISTEN TCP;
SYSTEM START LISTEN HTTP;
SELECT count() FROM file('-', 'LineAsString', 'line String') SETTINGS log_queries = 0 FORMAT Null
`

// patience is how long the engine may wait for clients that keep their
// connections open. What they wrote is on disk before they are answered.
const patience = 2 * time.Second

// serve runs the engine until a signal asks it to stop.
func serve(o options) error {
	// Before any foreign code runs: it would take the handlers over.
	signal.Ignore(syscall.SIGPIPE)
	stop := make(chan os.Signal, 1)
	signal.Notify(stop, syscall.SIGTERM, syscall.SIGINT)

	input, err := replaceStandardInput()
	if err != nil {
		return fmt.Errorf("giving the engine its standard input: %w", err)
	}
	start, err := os.ReadFile(o.start)
	if err != nil {
		return err
	}
	engine, err := loadLibrary(o.library)
	if err != nil {
		return err
	}
	ended := make(chan error, 1)
	go func() {
		ended <- engine.run([]string{"clickhouse-local", "--config-file=" + o.config, "--path=" + o.path,
			"--log-level=information", // it does not read the one in config.xml
			"--query=" + serverDefaults + string(start) + listen})
	}()
	select {
	case err := <-ended:
		return unexpected(err)
	case <-stop:
	}
	return finish(input, ended)
}

// unexpected explains an engine that ended although nobody asked it to.
func unexpected(err error) error {
	if err == nil {
		return errors.New("the engine ended by itself")
	}
	return fmt.Errorf("the engine ended: %w", err)
}

// finish lets the engine end. The process then ends without the library's
// destructors: they would wait for the clients.
func finish(input *os.File, ended <-chan error) error {
	if err := input.Close(); err != nil {
		return err
	}
	select {
	case err := <-ended:
		return err
	case <-time.After(patience):
		return nil
	}
}

// replaceStandardInput makes file descriptor 0 the reading end of a new pipe and
// returns the writing end.
func replaceStandardInput() (*os.File, error) {
	reader, writer, err := os.Pipe()
	if err != nil {
		return nil, err
	}
	defer reader.Close()
	return writer, unix.Dup3(int(reader.Fd()), 0, 0)
}
