package sandbox

import (
	"context"
	"errors"
	"fmt"
	"os"
	"syscall"
	"time"
)

// Done is closed when the server's process has ended, whoever ended it. After
// Restart it is another channel.
func (s *Server) Done() <-chan struct{} { return s.process.ended }

// Err says why the server's process has ended; nil while it runs.
func (s *Server) Err() error { return s.process.failure() }

// Kill ends the server's process on the spot, as a crash would (SIGKILL), and
// waits until it is gone. Data, users and ports stay, for Restart.
func (s *Server) Kill() error { return s.process.kill() }

// Pause stops the server's process in its tracks (SIGSTOP): the kernel still
// accepts connections, but nothing answers until Resume. Where /proc tells of threads,
// it returns when the last one stands.
func (s *Server) Pause() error {
	if err := s.process.signal(syscall.SIGSTOP); err != nil {
		return err
	}
	for end := time.Now().Add(pauseTime); !s.process.stands(); time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			return fmt.Errorf("sandbox: the server still runs %v after it was told to pause", pauseTime)
		}
	}
	return nil
}

// pauseTime is how long the threads of a server may take until all of them stand.
const pauseTime = 5 * time.Second

// Resume lets a paused server go on.
func (s *Server) Resume() error { return s.process.signal(syscall.SIGCONT) }

// Restart stops the server, if it still runs, and starts it again on the same
// ports and the same data, with the same users and passwords. Nothing else may use
// the Server meanwhile.
func (s *Server) Restart(ctx context.Context) error {
	if err := s.stop(); err != nil {
		return err
	}
	return s.start(ctx)
}

// stop ends the process in an orderly way.
func (s *Server) stop() error {
	s.client.CloseIdleConnections() // the server would wait for them
	if err := s.process.stop(); err != nil {
		return fmt.Errorf("sandbox: stopping the server: %w", err)
	}
	return nil
}

// Close stops the server and removes its data, unless Options.Dir keeps it.
// Closing again does nothing.
func (s *Server) Close() error { return s.close() }

// end is what Close does once.
func (s *Server) end() error {
	var errs []error
	if s.process != nil && s.temporary != "" {
		errs = append(errs, s.Kill()) // there is nothing to be saved
	}
	if s.process != nil {
		errs = append(errs, s.stop())
	}
	errs = append(errs, s.lock.Close(), os.RemoveAll(s.temporary))
	return errors.Join(errs...)
}
