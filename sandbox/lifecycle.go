package sandbox

import (
	"context"
	"errors"
	"fmt"
	"os"
	"syscall"
)

// errStopped says that there is no process to do something with.
var errStopped = errors.New("sandbox: the server is stopped")

// Done is closed when the server's process has ended, whoever ended it. After
// Restart it is another channel.
func (s *Server) Done() <-chan struct{} {
	if s.process == nil {
		ended := make(chan struct{})
		close(ended)
		return ended
	}
	return s.process.ended
}

// Err says why the server's process has ended; nil while it runs.
func (s *Server) Err() error {
	if s.process == nil {
		return errStopped
	}
	select {
	case <-s.process.ended:
		return s.process.err
	default:
		return nil
	}
}

// Kill ends the server's process on the spot, as a crash would (SIGKILL), and
// waits until it is gone. Data, users and ports stay, for Restart.
func (s *Server) Kill() error {
	if s.Err() != nil {
		return nil // it has ended already
	}
	if err := s.signal(syscall.SIGKILL); err != nil && !errors.Is(err, syscall.ESRCH) {
		return err
	}
	<-s.process.ended
	return nil
}

// Pause stops the server's process in its tracks (SIGSTOP): connections are still
// accepted, by the kernel, and nothing answers until Resume.
func (s *Server) Pause() error { return s.signal(syscall.SIGSTOP) }

// Resume lets a paused server go on.
func (s *Server) Resume() error { return s.signal(syscall.SIGCONT) }

func (s *Server) signal(signal syscall.Signal) error {
	if s.process == nil {
		return errStopped
	}
	if err := syscall.Kill(s.process.pid, signal); err != nil {
		return fmt.Errorf("sandbox: sending the server %v: %w", signal, err)
	}
	return nil
}

// Restart stops the server, if it still runs, and starts it again on the same
// ports and the same data, with the same users and passwords.
func (s *Server) Restart(ctx context.Context) error {
	if s.process != nil {
		if err := s.stop(); err != nil {
			return err
		}
	}
	return s.start(ctx)
}

// stop ends the process in an orderly way.
func (s *Server) stop() error {
	s.client.CloseIdleConnections() // the server would wait for them
	stopping := s.process
	s.process = nil
	if err := stopping.stop(); err != nil {
		return fmt.Errorf("sandbox: stopping the server: %w", err)
	}
	return nil
}

// Close stops the server and removes its data, unless Options.Dir keeps it.
// Closing again does nothing.
func (s *Server) Close() error {
	var errs []error
	if s.process != nil {
		if s.temporary() != "" {
			errs = append(errs, s.Kill()) // there is nothing to be saved
		}
		errs = append(errs, s.stop())
	}
	if dir := s.temporary(); dir != "" {
		errs = append(errs, os.RemoveAll(dir))
	}
	return errors.Join(errs...)
}
