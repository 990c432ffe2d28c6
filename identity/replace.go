package identity

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
)

// update changes the token file: under a lock that all processes share, and as
// a whole, so that a reader finds the old file or the new one and a crash
// leaves one of the two. This process sees the change at once.
func (t *Tokens) update(change func(*document) error) error {
	path, err := target(t.path)
	if err != nil {
		return fmt.Errorf("token file: %w", err)
	}
	directory, err := lockDirectory(filepath.Dir(path))
	if err != nil {
		return fmt.Errorf("token file: %w", err)
	}
	defer func() { _ = directory.Close() }() // also unlocks; nothing was written through it

	file, info, err := readDocument(path)
	if err != nil {
		return fmt.Errorf("token file: %w", err)
	}
	if err := change(&file); err != nil {
		return err
	}
	err = replace(path, info, directory, file)
	t.refresh()
	if err != nil {
		return fmt.Errorf("token file %s could not be replaced: %w", path, err)
	}
	return nil
}

// target is the file that a symbolic link at path stands for.
func target(path string) (string, error) {
	real, err := filepath.EvalSymlinks(path)
	if errors.Is(err, fs.ErrNotExist) {
		return path, nil
	}
	return real, err
}

// lockDirectory waits for the lock on a directory. The file itself cannot hold
// the lock, because it is replaced; and a lock file would be left behind, with
// an owner of its own.
func lockDirectory(path string) (*os.File, error) {
	directory, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	for {
		err = syscall.Flock(int(directory.Fd()), syscall.LOCK_EX)
		if !errors.Is(err, syscall.EINTR) {
			break
		}
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("lock %s: %w", path, err), directory.Close())
	}
	return directory, nil
}

// replace writes file beside path and moves it there. old is what it replaces;
// nil: nothing.
func replace(path string, old fs.FileInfo, directory *os.File, file document) error {
	text, err := file.text()
	if err != nil {
		return err
	}
	owner, err := ownerOf(old, directory)
	if err != nil {
		return err
	}
	beside, err := os.CreateTemp(filepath.Dir(path), "."+filepath.Base(path)+".*") // owner-only
	if err != nil {
		return err
	}
	_, err = beside.Write(text)
	if err == nil {
		err = beside.Chown(owner.uid, owner.gid)
	}
	if err == nil {
		err = beside.Sync()
	}
	err = errors.Join(err, beside.Close())
	if err == nil {
		err = os.Rename(beside.Name(), path)
	}
	if err != nil {
		return errors.Join(err, os.Remove(beside.Name()))
	}
	return directory.Sync()
}

// owner is who a file belongs to.
type owner struct{ uid, gid int }

// ownerOf decides whom the new file belongs to. Root gives it to the owner of
// what it replaces, or of the directory: else `sudo porterhouse token create`
// would lock the server out of its own tokens. Others can only write their own.
func ownerOf(old fs.FileInfo, directory *os.File) (owner, error) {
	we := owner{os.Geteuid(), os.Getegid()}
	isNew := old == nil
	if isNew {
		info, err := directory.Stat()
		if err != nil {
			return owner{}, err
		}
		old = info
	}
	stat, ok := old.Sys().(*syscall.Stat_t)
	if !ok {
		return owner{}, fmt.Errorf("this system does not tell whom %s belongs to", old.Name())
	}
	they := owner{int(stat.Uid), int(stat.Gid)}
	switch {
	case we.uid == 0:
		return they, nil
	case !isNew && they.uid != we.uid:
		return owner{}, fmt.Errorf("it belongs to user %d, who could not read it any more: run this as that user", they.uid)
	}
	return we, nil
}
