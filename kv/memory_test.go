package kv

import (
	"errors"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"porterhouse"
)

// When memory is full it refuses, and no entry that is good goes; what has ended
// makes room.
func TestMemoryFull(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for name, c := range map[string]MemoryConfig{
			"entries": {MaxEntries: 10},
			"bytes":   {MaxBytes: 10 * (entryCost + 2)},
		} {
			m := openMemory(t, c)
			for i := range 10 {
				put(t, m, fmt.Sprint(i), []byte("v"), time.Duration(1+i)*time.Minute)
			}
			isKind(t, name, m.Put(t.Context(), "x", []byte("v"), 0), porterhouse.Limited)
			isKind(t, name, second(m.Swap(t.Context(), "x", nil, []byte("v"), 0)), porterhouse.Limited)
			keysAre(t, m, "", "0", "1", "2", "3", "4", "5", "6", "7", "8", "9")
			put(t, m, "9", []byte("w"), 20*time.Minute) // in the place of what was there
			time.Sleep(time.Minute)
			put(t, m, "x", []byte("v"), 0)
			isKind(t, name, m.Put(t.Context(), "y", []byte("v"), 0), porterhouse.Limited)
			if _, err := m.Consume(t.Context(), "5"); err != nil {
				t.Fatal(err)
			}
			put(t, m, "y", []byte("v"), 0)
			time.Sleep(time.Hour)
			keysAre(t, m, "", "x", "y")
			if len(m.ends) != 0 || len(m.entries) != 2 || m.bytes != 2*(entryCost+2) {
				t.Errorf("%s: %d deadlines, %d entries, %d bytes", name, len(m.ends), len(m.entries), m.bytes)
			}
		}
	})
}

// Entries end one by one, in whatever order they came.
func TestMemoryEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := openMemory(t, MemoryConfig{})
		for i := range 1000 {
			put(t, m, fmt.Sprint(i), nil, time.Duration(1+i*617%1000)*time.Second)
		}
		for i := range 1000 {
			keys, err := m.Keys(t.Context(), "")
			if err != nil || len(keys) != 1000-i {
				t.Fatalf("after %d s: %d keys, %v", i, len(keys), err)
			}
			time.Sleep(time.Second)
		}
	})
}

func TestMemoryConfig(t *testing.T) {
	for _, c := range []MemoryConfig{{MaxEntries: -1}, {MaxBytes: -1}} {
		if _, err := OpenMemory(c); err == nil {
			t.Errorf("%+v was accepted", c)
		}
	}
}

// What a write and a Consume cost, in each store.
func BenchmarkPutConsume(b *testing.B) {
	for name, open := range map[string]func() Store{
		"memory": func() Store { return openMemory(b, MemoryConfig{}) },
		"file":   func() Store { return openFile(b, b.TempDir()+"/kv/store", FileConfig{}) },
		"redis":  func() Store { return openRedis(b, startRedis(b)) },
	} {
		b.Run(name, func(b *testing.B) {
			s, value := open(), make([]byte, 33)
			b.ReportAllocs()
			for b.Loop() {
				put(b, s, "ticket", value, 10*time.Second)
				if _, err := s.Consume(b.Context(), "ticket"); err != nil && !errors.Is(err, ErrNotFound) {
					b.Fatal(err)
				}
			}
		})
	}
}
