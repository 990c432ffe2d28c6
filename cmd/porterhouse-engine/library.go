package main

import (
	"debug/elf"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"path/filepath"
	"runtime"
	"unsafe"

	"github.com/ebitengine/purego"
)

// library is libchdb.so, loaded and patched.
type library struct {
	commandLine func(argc int32, argv unsafe.Pointer) uintptr // chdb_query_cmdline
	errorOf     func(result uintptr) string                   // chdb_result_error
}

// loadLibrary loads the library at path and applies the patches of its build.
// It refuses an unknown build.
func loadLibrary(path string) (*library, error) {
	path, err := filepath.EvalSymlinks(path)
	if err != nil {
		return nil, fmt.Errorf("no library: %w", err)
	}
	id, err := buildID(path)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	patches, known := patchesOf[id]
	if !known {
		return nil, fmt.Errorf("%s has the build-id %s, for which no patches are known: install the version that package.json names", path, id)
	}
	handle, err := purego.Dlopen(path, purego.RTLD_NOW|purego.RTLD_GLOBAL)
	if err != nil {
		return nil, fmt.Errorf("loading %s: %w", path, err)
	}
	if err := applyPatches(path, patches); err != nil {
		return nil, fmt.Errorf("patching %s: %w", path, err)
	}
	l := &library{}
	purego.RegisterLibFunc(&l.commandLine, handle, "chdb_query_cmdline")
	purego.RegisterLibFunc(&l.errorOf, handle, "chdb_result_error")
	return l, nil
}

// run runs clickhouse-local with the arguments until its queries have ended.
func (l *library) run(arguments []string) error {
	runtime.LockOSThread() // never unlocked: the thread belongs to foreign code now
	argv := make([]*byte, len(arguments)+1)
	for i, argument := range arguments {
		argv[i] = unsafe.SliceData(append([]byte(argument), 0))
	}
	result := l.commandLine(int32(len(arguments)), unsafe.Pointer(&argv[0]))
	runtime.KeepAlive(argv)
	if result == 0 {
		return errors.New("chdb_query_cmdline gave no result")
	}
	if message := l.errorOf(result); message != "" {
		return errors.New(message)
	}
	return nil
}

// buildID returns the GNU build-id of the ELF file at path, in hexadecimal.
func buildID(path string) (string, error) {
	file, err := elf.Open(path)
	if err != nil {
		return "", err
	}
	defer file.Close()
	section := file.Section(".note.gnu.build-id")
	if section == nil {
		return "", errors.New("it has no GNU build-id")
	}
	note, err := section.Data()
	if err != nil {
		return "", err
	}
	// A note: the lengths of name and description, a type, then both, each
	// padded to four bytes. The description is the build-id.
	const header = 12
	if len(note) < header {
		return "", errors.New("its build-id note is too short")
	}
	name := (uint64(file.ByteOrder.Uint32(note)) + 3) &^ 3
	end := header + name + uint64(file.ByteOrder.Uint32(note[4:]))
	if uint64(len(note)) < end {
		return "", errors.New("its build-id note is cut")
	}
	return hex.EncodeToString(note[header+name : end]), nil
}

// byteOrder is that of linux-x64, the one machine that the library is made for.
var byteOrder = binary.LittleEndian
