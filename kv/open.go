package kv

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"syscall"
	"time"

	"go.etcd.io/bbolt"
	bolterrors "go.etcd.io/bbolt/errors"
)

// OpenFile opens the store at path, or makes it. The file must be its owner's
// alone (0600), in a directory that nobody else may change; a missing directory is
// made. A second process that opens it gets an error at once.
func OpenFile(path string, c FileConfig) (*File, error) {
	if c.MaxBytes < 0 {
		return nil, fmt.Errorf("kv: a file of %d bytes cannot be: 0 is the default", c.MaxBytes)
	}
	if c.MaxBytes == 0 {
		c.MaxBytes = defaultFileBytes
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	if err := checkDirectory(filepath.Dir(path)); err != nil {
		return nil, err
	}
	f := &File{path: path, now: c.Now}
	f.batch = newBatch(f.commit)
	err := guard(func() (err error) {
		if f.db, err = bbolt.Open(path, 0o600, &bbolt.Options{
			Timeout:      time.Nanosecond, // the first try for the lock is the last
			FreelistType: bbolt.FreelistMapType,
			MaxSize:      int(c.MaxBytes),
			OpenFile:     openPrivate,
			NoStatistics: true,
		}); err != nil {
			return err
		}
		return f.db.Update(prepare)
	})
	if err != nil {
		if f.db != nil {
			err = errors.Join(err, f.db.Close())
		}
		return nil, explained(path, err)
	}
	return f, nil
}

// ErrInUse is of a file that another process has open.
var ErrInUse = errors.New("is in use by another Porterhouse")

// explained says what to do about a file that cannot be opened.
func explained(path string, err error) error {
	switch {
	case errors.Is(err, bolterrors.ErrTimeout):
		return fmt.Errorf("kv: %s %w: the file has one process, so stop that one, name another file, or use Redis for several", path, ErrInUse)
	case errors.Is(err, bolterrors.ErrInvalid), errors.Is(err, bolterrors.ErrVersionMismatch), errors.Is(err, bolterrors.ErrChecksum), errors.Is(err, errForeign):
		return fmt.Errorf("kv: %s is not a store of Porterhouse, or it is damaged: name another file, or move this one away: %w", path, err)
	case errors.Is(err, errDamaged):
		return fmt.Errorf("kv: %s is damaged: move it away, or put a copy in its place: %w", path, err)
	}
	return fmt.Errorf("kv: cannot open %s: %w", path, err)
}

var errForeign = errors.New("it holds other data")

// prepare makes the buckets of a new file, and refuses one of another program.
func prepare(tx *bbolt.Tx) error {
	if meta := tx.Bucket(bucketMeta); meta != nil {
		if found := meta.Get(keyFormat); string(found) != format {
			return fmt.Errorf("%w: its format is %.50q instead of %q", errForeign, found, format)
		}
		if tx.Bucket(bucketEntries) == nil || tx.Bucket(bucketEnds) == nil {
			return fmt.Errorf("%w: a bucket is missing", errForeign)
		}
		return nil
	}
	if name, _ := tx.Cursor().First(); name != nil {
		return fmt.Errorf("%w: there is a bucket %.50q", errForeign, name)
	}
	for _, name := range [][]byte{bucketEntries, bucketEnds, bucketMeta} {
		if _, err := tx.CreateBucket(name); err != nil {
			return err
		}
	}
	return tx.Bucket(bucketMeta).Put(keyFormat, []byte(format))
}

// checkDirectory makes the directory when it is missing. One in which others may
// rename and remove files is refused: they could put another file there.
func checkDirectory(dir string) error {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return fmt.Errorf("kv: cannot make the directory of the store: %w", err)
	}
	info, err := os.Stat(dir)
	if err != nil {
		return fmt.Errorf("kv: cannot look at the directory of the store: %w", err)
	}
	if info.Mode().Perm()&0o022 != 0 {
		return fmt.Errorf("kv: others than the owner may change the directory %s (%s): chmod go-w it, or name a subdirectory, which is then made", dir, info.Mode())
	}
	return nil
}

// openPrivate opens an ordinary file of its owner alone, which no symbolic link
// leads to.
func openPrivate(path string, flags int, mode os.FileMode) (*os.File, error) {
	// Without O_NONBLOCK a pipe would wait for its other end.
	file, err := os.OpenFile(path, flags|syscall.O_NOFOLLOW|syscall.O_NONBLOCK, mode)
	if errors.Is(err, syscall.ELOOP) {
		return nil, errors.New("it is a symbolic link: name the file itself")
	}
	if err != nil {
		return nil, err
	}
	info, err := file.Stat()
	switch {
	case err != nil:
	case !info.Mode().IsRegular():
		err = fmt.Errorf("it is not an ordinary file (%s)", info.Mode())
	case info.Mode().Perm()&0o077 != 0:
		err = fmt.Errorf("others than the owner may use it (%s): chmod 600 it", info.Mode())
	}
	if err != nil {
		return nil, errors.Join(err, file.Close())
	}
	return file, nil
}
