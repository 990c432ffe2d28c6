package main

import (
	"bytes"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"
	"unsafe"

	"golang.org/x/sys/unix"
)

// A patch replaces bytes of the loaded library in memory; the file is never
// touched. Addresses are those of the ELF file: relative to where it is loaded.
type patch struct {
	name string
	at   uint64
	was  []byte // what must be there, else nothing at all is patched
	is   []byte
	code bool // whether it lies among the instructions
}

// code replaces instructions, both given in hexadecimal.
func code(name string, at uint64, was, is string) patch {
	return patch{name: name, at: at, was: unhex(was), is: unhex(is), code: true}
}

// slot replaces a pointer in a table of virtual functions. Both pointers are
// still relative: relocate adds where the library is loaded.
func slot(name string, table uint64, index int, was, is uint64) patch {
	return patch{name: name, at: table + 8*uint64(index),
		was: byteOrder.AppendUint64(nil, was), is: byteOrder.AppendUint64(nil, is)}
}

// thunk puts "add rdi, 0x40; jmp target" into padding between functions: a call
// to an object becomes a call to its member at offset 0x40.
func thunk(name string, at, target uint64) patch {
	const length = 9
	is := []byte{0x48, 0x83, 0xc7, 0x40, 0xe9}
	is = byteOrder.AppendUint32(is, uint32(target-(at+length)))
	return patch{name: name, at: at, was: bytes.Repeat([]byte{0xcc}, length), is: is, code: true}
}

// unhex reads the table's own constants: a slip in them is a slip in the program.
func unhex(digits string) []byte {
	b, err := hex.DecodeString(strings.ReplaceAll(digits, " ", ""))
	if err != nil {
		panic(fmt.Sprintf("patches.go: %s: %v", digits, err))
	}
	return b
}

// relocate returns the patch as it is for a library loaded at base.
func (p patch) relocate(base uint64) patch {
	p.at += base
	if !p.code {
		p.was = byteOrder.AppendUint64(nil, base+byteOrder.Uint64(p.was))
		p.is = byteOrder.AppendUint64(nil, base+byteOrder.Uint64(p.is))
	}
	return p
}

// applyPatches compares every byte first and changes nothing unless all match.
func applyPatches(library string, patches []patch) error {
	if len(patches) == 0 {
		return nil
	}
	base, err := loadedAt(library)
	if err != nil {
		return err
	}
	for _, p := range patches {
		p = p.relocate(base)
		if found := memory(p.at, len(p.was)); !bytes.Equal(found, p.was) {
			return fmt.Errorf("%s: found % x at %#x instead of % x", p.name, found, p.at-base, p.was)
		}
	}
	for _, p := range patches {
		if err := p.relocate(base).apply(); err != nil {
			return fmt.Errorf("%s: %w", p.name, err)
		}
	}
	return nil
}

// apply writes a relocated patch and leaves the pages protected as they were.
func (p patch) apply() error {
	page := uint64(os.Getpagesize())
	first := p.at &^ (page - 1)
	last := (p.at + uint64(len(p.is)) + page - 1) &^ (page - 1)
	pages := memory(first, int(last-first))
	protection := unix.PROT_READ
	if p.code {
		protection |= unix.PROT_EXEC
	}
	if err := unix.Mprotect(pages, protection|unix.PROT_WRITE); err != nil {
		return err
	}
	copy(memory(p.at, len(p.is)), p.is)
	return unix.Mprotect(pages, protection)
}

// loadedAt tells where the first byte of the library lies in our memory.
func loadedAt(library string) (uint64, error) {
	maps, err := os.ReadFile("/proc/self/maps")
	if err != nil {
		return 0, err
	}
	for line := range strings.Lines(string(maps)) {
		// 7f0000000000-7f0000001000 r--p 00000000 fe:00 1234 /path/libchdb.so
		fields := strings.Fields(line)
		if len(fields) == 6 && fields[5] == library && strings.Trim(fields[2], "0") == "" {
			first, _, _ := strings.Cut(fields[0], "-")
			return strconv.ParseUint(first, 16, 64)
		}
	}
	return 0, errors.New("it is not in /proc/self/maps")
}

// memory is n bytes of our own memory, which the library was mapped into.
func memory(at uint64, n int) []byte {
	address := uintptr(at)
	return unsafe.Slice((*byte)(*(*unsafe.Pointer)(unsafe.Pointer(&address))), n)
}
