package main

import (
	"bytes"
	"cmp"
	"encoding/hex"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// mapped puts the bytes into memory the way a library gets there, and returns the
// file's path and the memory.
func mapped(t *testing.T, content []byte) (string, []byte) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "library")
	if err := os.WriteFile(path, content, 0o600); err != nil {
		t.Fatal(err)
	}
	file, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	pages, err := unix.Mmap(int(file.Fd()), 0, len(content), unix.PROT_READ, unix.MAP_PRIVATE)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := unix.Munmap(pages); err != nil {
			t.Error(err)
		}
	})
	return path, pages
}

func TestApplyPatches(t *testing.T) {
	content := make([]byte, 3*os.Getpagesize())
	border := uint64(os.Getpagesize() - 2) // so that the patch lies on two pages
	copy(content[border:], unhex("01020304"))
	copy(content[100:], bytes.Repeat([]byte{0xcc}, 9))
	path, memory := mapped(t, content)

	good := []patch{code("over a border", border, "01020304", "aabbccdd"), thunk("a thunk", 100, 0x50)}
	bad := code("not there", border+1, "0203ff", "000000")
	if err := applyPatches(path, append(slices.Clone(good), bad)); err == nil || !strings.Contains(err.Error(), "not there") {
		t.Fatalf("the wrong bytes gave %v", err)
	}
	if !bytes.Equal(memory, content) {
		t.Fatal("something was patched although one patch did not fit")
	}
	if err := applyPatches(path, good); err != nil {
		t.Fatal(err)
	}
	// The jump is relative to its own end, at 109: 0x50 - 109 = -29.
	copy(content[border:], unhex("aabbccdd"))
	copy(content[100:], unhex("48 83c740 e9 e3ffffff"))
	if !bytes.Equal(memory, content) {
		t.Errorf("patched to % x and % x", memory[border:border+4], memory[100:109])
	}
}

// A slot holds a pointer, which depends on where the library is.
func TestApplySlot(t *testing.T) {
	content := make([]byte, os.Getpagesize())
	path, memory := mapped(t, content)
	base, err := loadedAt(path)
	if err != nil {
		t.Fatal(err)
	}
	slots := []patch{slot("a slot", 64, 2, -base, 0x30)} // 0 in the file: base-base
	if err := applyPatches(path, slots); err != nil {
		t.Fatal(err)
	}
	if got := byteOrder.Uint64(memory[80:]); got != base+0x30 {
		t.Errorf("the slot holds %#x, want %#x", got, base+0x30)
	}
}

// The table is sound in itself: patches keep their length and touch nothing twice.
func TestPatchesOf(t *testing.T) {
	for id, patches := range patchesOf {
		if raw, err := hex.DecodeString(id); err != nil || len(raw) != 20 {
			t.Errorf("%q is no build-id", id)
		}
		patches = slices.SortedFunc(slices.Values(patches), func(a, b patch) int { return cmp.Compare(a.at, b.at) })
		for i, p := range patches {
			if p.name == "" || len(p.was) == 0 || len(p.was) != len(p.is) || bytes.Equal(p.was, p.is) {
				t.Errorf("%+v is no patch", p)
			}
			if i > 0 && patches[i-1].at+uint64(len(patches[i-1].is)) > p.at {
				t.Errorf("%s and %s overlap", patches[i-1].name, p.name)
			}
		}
	}
}

// A library that nobody knows is refused by name, and so is what is no library.
func TestUnknownLibrary(t *testing.T) {
	shell, err := filepath.EvalSymlinks("/bin/sh")
	if err != nil {
		t.Fatal(err)
	}
	id, err := buildID(shell)
	if err != nil {
		t.Skip("the shell has no build-id here:", err)
	}
	text := filepath.Join(t.TempDir(), "text")
	if err := os.WriteFile(text, bytes.Repeat([]byte("no library "), 100), 0o600); err != nil {
		t.Fatal(err)
	}
	for path, want := range map[string]string{shell: id, text: "bad magic number", "/nowhere": "no such file"} {
		if _, err := loadLibrary(path); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s gave %v, want an error with %q", path, err, want)
		}
	}
}
