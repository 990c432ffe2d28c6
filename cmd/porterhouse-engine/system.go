package main

import (
	"crypto/rand"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
)

// prepareSystemDatabase gives the system database a place on disk, as a server
// does. clickhouse-local would keep it in memory, and the log tables of the last
// run would stay behind as directories that it refuses to use again.
func prepareSystemDatabase(path string) error {
	definition := filepath.Join(path, "metadata", "system.sql")
	if _, err := os.Stat(definition); !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	id := randomUUID()
	store := filepath.Join("store", id[:3], id)
	for _, directory := range []string{store, "metadata"} {
		if err := os.MkdirAll(filepath.Join(path, directory), 0o700); err != nil {
			return err
		}
	}
	link := filepath.Join(path, "metadata", "system")
	if err := os.Symlink(filepath.Join("..", store), link); err != nil && !errors.Is(err, fs.ErrExist) {
		return err
	}
	return os.WriteFile(definition, []byte("ATTACH DATABASE _ UUID '"+id+"'\nENGINE = Atomic\n"), 0o600)
}

// randomUUID returns a random UUID in its usual spelling (RFC 9562, version 4).
func randomUUID() string {
	var u [16]byte
	rand.Read(u[:]) // never fails: crypto/rand ends the program instead
	u[6], u[8] = u[6]&0x0f|0x40, u[8]&0x3f|0x80
	return fmt.Sprintf("%x-%x-%x-%x-%x", u[:4], u[4:6], u[6:8], u[8:10], u[10:])
}
