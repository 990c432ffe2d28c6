package audit

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
)

// file is the live file of a record. Whole lines end at good; between good and
// end lies what a failed write or a crash left.
type file struct {
	*os.File
	good int64
	end  int64
	// kept says that what lies after good is evidence, not ours to cut off: it was
	// there when the file was opened.
	kept bool
	// foreign says that others wrote some of it while the file was open.
	foreign bool
	// unended says that the last whole line has no newline: the next line brings it.
	unended bool
}

// openFlags: every write goes to the end, and the last part of the path may not
// be a symbolic link, because rotation renames it.
const openFlags = os.O_RDWR | os.O_APPEND | syscall.O_NOFOLLOW

// openFile opens an existing file. fs.ErrNotExist says that there is none.
func openFile(path string) (*file, error) {
	f, err := os.OpenFile(path, openFlags, 0)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil, err
	case errors.Is(err, syscall.ELOOP):
		return nil, fmt.Errorf("audit: %s is a symbolic link: name the file itself", path)
	case err != nil:
		return nil, fmt.Errorf("audit: cannot open the record: %w", err)
	}
	info, err := f.Stat()
	if err == nil {
		err = private(path, info)
	}
	if err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return &file{File: f, end: info.Size()}, nil
}

// private refuses what is not an ordinary file of its owner alone.
func private(path string, info fs.FileInfo) error {
	switch mode := info.Mode(); {
	case !mode.IsRegular():
		return fmt.Errorf("audit: %s is not an ordinary file (%s): the record must be rotated and read again", path, mode)
	case mode.Perm()&0o077 != 0:
		return fmt.Errorf("audit: others than the owner may use %s (%s): chmod 600 it", path, mode)
	}
	return nil
}

// createFile makes the file, and makes sure that its name survives a power failure.
func createFile(path string) (*file, error) {
	f, err := os.OpenFile(path, openFlags|os.O_CREATE|os.O_EXCL, 0o600)
	if errors.Is(err, fs.ErrExist) {
		return nil, fmt.Errorf("audit: somebody put another %s in the place of the record: move it away", path)
	}
	if err != nil {
		return nil, fmt.Errorf("audit: cannot create the record: %w", err)
	}
	if err := syncDirectory(filepath.Dir(path)); err != nil {
		return nil, errors.Join(err, f.Close(), os.Remove(path))
	}
	return &file{File: f}, nil
}

// checkDirectory makes the directory when it is missing. One in which others may
// rename and remove files is refused: they could take the record away.
func checkDirectory(dir string) error {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return fmt.Errorf("audit: cannot make the directory of the record: %w", err)
	}
	info, err := os.Stat(dir)
	if err != nil {
		return fmt.Errorf("audit: cannot look at the directory of the record: %w", err)
	}
	if info.Mode().Perm()&0o022 != 0 {
		return fmt.Errorf("audit: others than the owner may change the directory %s (%s): chmod go-w it, or name a subdirectory, which is then made", dir, info.Mode())
	}
	return nil
}

// syncDirectory makes names in dir durable.
func syncDirectory(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return fmt.Errorf("audit: cannot open the directory of the record: %w", err)
	}
	err = d.Sync()
	if errors.Is(err, syscall.EINVAL) || errors.Is(err, syscall.ENOTSUP) {
		err = nil // a file system that has no such notion
	}
	if err = errors.Join(err, d.Close()); err != nil {
		return fmt.Errorf("audit: cannot sync the directory of the record: %w", err)
	}
	return nil
}

// add writes one line. When that fails it takes back what was written of it; if
// even this fails, the file is torn, unless only the newline is missing.
func (f *file) add(line []byte) error {
	start := f.end
	n, err := f.Write(line)
	f.end += int64(n)
	switch {
	case err == nil:
		f.good, f.kept, f.foreign, f.unended = f.end, false, false, false
		return nil
	case n > 0 && f.cutTo(start):
		f.end = start
	case n == len(line)-1:
		f.good, f.kept, f.foreign, f.unended = f.end, false, false, true
		return nil
	case n > 0 && f.unended: // the newline that was missing came first
		f.good, f.unended = f.good+1, false
	}
	return fmt.Errorf("audit: cannot write to the record: %w", err)
}

// cutTo shortens the file to size, unless somebody else has written to it.
func (f *file) cutTo(size int64) bool {
	info, err := f.Stat()
	return err == nil && info.Size() == f.end && f.Truncate(size) == nil
}

// torn reports whether the file ends with something that is no whole line.
func (f *file) torn() bool { return f.good != f.end }

// restore cuts off what our own failed write left, and reports whether the file
// ends with a whole line now.
func (f *file) restore() bool {
	if f.torn() && !f.kept && f.cutTo(f.good) {
		f.end = f.good
	}
	return !f.torn()
}

// debris reads what lies after good, and reports whether a newline ends it.
func (f *file) debris() (d debris, ended bool, err error) {
	lines := newLines(io.NewSectionReader(f.File, f.good, f.end-f.good))
	for {
		piece, whole, err := lines.next()
		if errors.Is(err, io.EOF) {
			return d, ended, nil
		}
		if err != nil {
			return d, false, fmt.Errorf("audit: cannot read the torn end of the record: %w", err)
		}
		d.add(piece, whole)
		ended = whole
	}
}

// resized returns by how much others made the file longer or shorter, and takes
// note of it. What they wrote is kept.
func (f *file) resized() (by int64) {
	info, err := f.Stat()
	if err != nil || info.Size() == f.end {
		return 0
	}
	by = info.Size() - f.end
	f.end, f.kept, f.foreign = info.Size(), true, f.foreign || by > 0
	return by
}

// isAt reports whether the path still leads to this file, as far as can be told.
func (f *file) isAt(path string) bool {
	there, err := os.Lstat(path)
	if errors.Is(err, fs.ErrNotExist) {
		return false
	}
	ours, unknown := f.Stat()
	return err != nil || unknown != nil || os.SameFile(ours, there)
}
