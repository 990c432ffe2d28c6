package sandbox

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"time"
)

// TB is what ForTest needs of a *testing.T, *testing.B or *testing.F.
type TB interface {
	Helper()
	Context() context.Context
	Cleanup(func())
	Errorf(format string, args ...any)
	Fatalf(format string, args ...any)
}

// ForTest starts a server for one test and closes it when the test has ended. When
// the engine is to serve, and is missing or older than its source, it is built.
func ForTest(t TB, o Options) *Server {
	t.Helper()
	if program, err := find(o); err != nil || program.engine {
		if err := buildEngine(t.Context()); err != nil {
			t.Fatalf("building the engine: %v", err)
		}
	}
	server, err := Start(t.Context(), o)
	if err != nil {
		t.Fatalf("%v", err)
	}
	t.Cleanup(func() {
		if err := server.Close(); err != nil {
			t.Errorf("closing the sandbox: %v", err)
		}
	})
	return server
}

// buildEngine brings porterhouse-engine up to date with its source. Tests of many
// packages may do so at once: one builds, the others wait.
func buildEngine(ctx context.Context) error {
	if err := checkPlatform(); err != nil {
		return err
	}
	root, err := moduleRoot()
	if err != nil {
		return err
	}
	source := filepath.Join(root, "cmd", "porterhouse-engine")
	lock, err := os.Open(source)
	if err != nil {
		return err
	}
	defer lock.Close() // and thereby unlock
	if err := syscall.Flock(int(lock.Fd()), syscall.LOCK_EX); err != nil {
		return err
	}
	target := filepath.Join(root, enginePath)
	if stale, err := olderThan(target, filepath.Join(source, "*.go"), filepath.Join(root, "go.mod")); !stale {
		return err
	}
	// Renamed into place, because another test may be running the old one.
	fresh := target + ".new"
	build := exec.CommandContext(ctx, "go", "build", "-o", fresh, "./cmd/porterhouse-engine")
	build.Dir, build.Env = root, append(os.Environ(), "CGO_ENABLED=0")
	if output, err := build.CombinedOutput(); err != nil {
		return fmt.Errorf("%w\n%s", err, output)
	}
	return os.Rename(fresh, target)
}

// olderThan reports whether target is missing or older than a file that one of
// the patterns matches.
func olderThan(target string, patterns ...string) (bool, error) {
	var built time.Time
	if info, err := os.Stat(target); err == nil {
		built = info.ModTime()
	} else if !errors.Is(err, fs.ErrNotExist) {
		return false, err
	}
	for _, pattern := range patterns {
		files, err := filepath.Glob(pattern)
		if err != nil {
			return false, err
		}
		for _, file := range files {
			info, err := os.Stat(file)
			if err != nil {
				return false, err
			}
			if info.ModTime().After(built) {
				return true, nil
			}
		}
	}
	return false, nil
}
