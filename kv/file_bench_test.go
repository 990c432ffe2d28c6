package kv

import (
	"fmt"
	"sync/atomic"
	"testing"
	"time"
)

// One caller pays for a sync; many at once share one.
func BenchmarkFileSwap(b *testing.B) {
	for _, callers := range []int{1, 16, 128} {
		b.Run(fmt.Sprintf("callers=%d", callers), func(b *testing.B) {
			f, err := OpenFile(b.TempDir()+"/kv/store", FileConfig{})
			if err != nil {
				b.Fatal(err)
			}
			defer f.Close()
			value := make([]byte, 500)
			var n atomic.Uint64
			b.SetParallelism(callers) // times GOMAXPROCS
			b.RunParallel(func(pb *testing.PB) {
				for pb.Next() {
					if won, err := f.Swap(b.Context(), fmt.Sprint("key/", n.Add(1)), nil, value, time.Minute); err != nil || !won {
						b.Error(won, err)
					}
				}
			})
		})
	}
}
