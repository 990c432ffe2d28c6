package audit

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"time"

	"porterhouse"
)

// Check says what Verify is to look at.
type Check struct {
	// Files are those of one record, oldest first. A single one stands for more:
	// the live file for the whole record, a rotated one for itself and all after it.
	Files []string
	Key   porterhouse.Secret // the one that the record was written with
	Head  string             // one that was logged; "": none, then a cut end cannot be seen
}

// Verify reads a record from beginning to end and reports whether it is as it was
// written. It needs memory for the open questions only, and may run while the
// record is being written. The error says that it could not be checked at all: a
// file that cannot be read, a head that is none, a key with which no line verifies.
func Verify(check Check) (Report, error) {
	chain, err := newChain(check.Key)
	if err != nil {
		return Report{}, err
	}
	sought, err := parseHead(check.Head)
	if err != nil {
		return Report{}, err
	}
	files, err := sources(check.Files)
	if err != nil {
		return Report{}, err
	}
	c := newChecker(chain, sought)
	size, err := c.sources(files)
	if err != nil {
		return Report{}, err
	}
	switch {
	case size == 0:
		return Report{}, fmt.Errorf("audit: %s is empty: there is nothing to verify", check.Files[0])
	case c.report.Records == 0:
		return Report{}, fmt.Errorf("audit: no line of %s verifies: is this the key of that file?", check.Files[0])
	}
	return c.finish(), nil
}

// source is one file to read.
type source struct {
	path string
	file *os.File // nil: opened when its turn comes
}

// sources lists the files that paths stand for.
func sources(paths []string) ([]source, error) {
	switch len(paths) {
	case 0:
		return nil, errors.New("audit: no file to verify")
	case 1:
		return wholeRecord(filepath.Clean(paths[0]))
	}
	var list []source
	for _, path := range paths {
		list = append(list, source{path: path})
	}
	return list, nil
}

// wholeRecord lists the files of the record from path on. A rotation under way can
// make the list look as if something were missing, so such a list is made anew; what
// looks so again and again is for the checker to judge.
func wholeRecord(path string) ([]source, error) {
	live, from, rotated := splitRotated(path)
	if !rotated {
		live = path
	} else if _, err := os.Stat(path); err != nil {
		return nil, fmt.Errorf("audit: cannot open the record: %w", err)
	}
	for try := 1; ; try++ {
		list, settled, err := listRecord(live, from)
		if rotated && errors.Is(err, fs.ErrNotExist) {
			err = nil
		}
		if settled || try == 20 || err != nil && !errors.Is(err, fs.ErrNotExist) {
			return list, err
		}
		if err := closeAll(list); err != nil {
			return nil, err
		}
		time.Sleep(5 * time.Millisecond)
	}
}

// listRecord lists the rotated files from a number on, and the live file, open. The
// list is settled when the live file is there and begins after all the others; if it
// is not there, the error is fs.ErrNotExist.
func listRecord(live string, from uint64) (list []source, settled bool, err error) {
	file, missing := os.Open(live)
	if missing != nil && !errors.Is(missing, fs.ErrNotExist) {
		return nil, false, fmt.Errorf("audit: cannot open the record: %w", missing)
	}
	last := source{live, file}
	begins := last.firstNumber()
	settled = begins > 0
	older, err := rotatedFiles(live)
	if err != nil {
		return nil, false, errors.Join(err, last.close())
	}
	for _, path := range older {
		_, ends, _ := splitRotated(path)
		if ends >= from {
			list = append(list, source{path: path})
		}
		settled = settled && ends < begins
	}
	if missing != nil {
		return list, false, fmt.Errorf("audit: cannot open the record: %w", missing)
	}
	return append(list, last), settled, nil
}

// firstNumber reads the number of the first record of an open file; 0: none can be
// read, which is for the checker to judge.
func (s *source) firstNumber() uint64 {
	if s.file == nil {
		return 0
	}
	beginning := make([]byte, len(seqField)+20)
	n, _ := s.file.ReadAt(beginning, 0)
	text, _ := bytes.CutPrefix(beginning[:n], []byte(seqField))
	number, _, _ := bytes.Cut(text, []byte(","))
	seq, err := strconv.ParseUint(string(number), 10, 64)
	if err != nil {
		return 0
	}
	return seq
}

// close lets go of the file, when it is open.
func (s *source) close() error {
	if s.file == nil {
		return nil
	}
	f := s.file
	s.file = nil
	return f.Close()
}

// closeAll lets go of all files that are open.
func closeAll(list []source) (err error) {
	for i := range list {
		err = errors.Join(err, list[i].close())
	}
	return err
}

// sources reads the files one after the other, and returns their size.
func (c *checker) sources(files []source) (size int64, err error) {
	defer func() { err = errors.Join(err, closeAll(files)) }()
	for i := range files {
		s := &files[i]
		if s.file == nil {
			if s.file, err = os.Open(s.path); err != nil {
				return size, fmt.Errorf("audit: cannot open the record: %w", err)
			}
		}
		if err := c.file(s.path, s.file); err != nil {
			return size, err
		}
		size += c.size
		if err := s.close(); err != nil {
			return size, fmt.Errorf("audit: cannot close %s: %w", s.path, err)
		}
	}
	return size, nil
}
