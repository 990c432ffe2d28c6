package audit

import (
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"syscall"
	"time"
)

// lock makes sure that a record has one writer. It is a file beside the record,
// so that it stays where it is when the record is rotated; its text names the
// holder. The operating system lets go of it when the process ends, in any way.
type lock struct{ *os.File }

// acquire takes the lock of the record at path, or says who has it.
func acquire(path, replica string, now time.Time) (lock, error) {
	name := path + ".lock"
	f, err := os.OpenFile(name, os.O_RDWR|os.O_CREATE|syscall.O_NOFOLLOW, 0o600)
	if err != nil {
		return lock{}, fmt.Errorf("audit: cannot open the lock of the record: %w", err)
	}
	err = syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
	if errors.Is(err, syscall.EWOULDBLOCK) {
		err = fmt.Errorf("audit: %s is being written by %s: a record has one writer, so stop that one or give this one a file of its own", path, holder(f))
	} else if err != nil {
		err = fmt.Errorf("audit: cannot lock %s: %w", name, err)
	}
	if err != nil {
		return lock{}, errors.Join(err, f.Close())
	}
	return lock{f}, describe(f, fmt.Sprintf("process %d, replica %s, since %s", os.Getpid(), replica, now.UTC().Format(time.RFC3339)))
}

// describe writes who holds the lock. On a full disk the lock has no name, and is
// a lock all the same.
func describe(f *os.File, who string) error {
	err := f.Truncate(0)
	if err == nil {
		_, err = f.WriteAt([]byte(who+"\n"), 0)
	}
	if err == nil || outOfSpace(err) {
		return nil
	}
	return errors.Join(fmt.Errorf("audit: cannot write the lock of the record: %w", err), f.Close())
}

// outOfSpace reports an error that ends when somebody makes room.
func outOfSpace(err error) bool {
	return errors.Is(err, syscall.ENOSPC) || errors.Is(err, syscall.EDQUOT) || errors.Is(err, syscall.EFBIG)
}

// holder reads who holds the lock.
func holder(f *os.File) string {
	text, err := io.ReadAll(io.NewSectionReader(f, 0, maxText))
	if who := strings.TrimSpace(string(text)); err == nil && who != "" {
		return "another Porterhouse (" + who + ")"
	}
	return "another process"
}
