package sandbox

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"syscall"
	"time"
)

// lockTimeout is how long a directory may still be in use: when its last owner was
// killed, the server takes a moment to stop.
const lockTimeout = 15 * time.Second

// openDirectory makes dir, or a temporary directory when it is "", and locks it.
// Two servers in one directory would overwrite each other's users.
func openDirectory(ctx context.Context, dir string) (string, *os.File, error) {
	dir, err := makeDirectory(dir)
	if err != nil {
		return "", nil, err
	}
	file, err := os.Open(dir)
	if err != nil {
		return "", nil, err
	}
	if err := lock(ctx, file); err != nil {
		return "", nil, errors.Join(fmt.Errorf("%s is in use by another server: %w", dir, err), file.Close())
	}
	return dir, file, nil
}

func makeDirectory(dir string) (string, error) {
	if dir == "" {
		return os.MkdirTemp("", "porterhouse-sandbox-")
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return "", err
	}
	return filepath.Abs(dir)
}

// lock locks file until it is closed, here and in the processes that inherit it.
func lock(ctx context.Context, file *os.File) error {
	ctx, cancel := context.WithTimeout(ctx, lockTimeout)
	defer cancel()
	for {
		err := syscall.Flock(int(file.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
		if !errors.Is(err, syscall.EWOULDBLOCK) {
			return err
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(20 * time.Millisecond):
		}
	}
}
