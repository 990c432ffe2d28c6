package clickhouse

import (
	"context"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

const (
	writeSetting    = "http_write_exception_in_output_format"
	decimalsSetting = "output_format_json_quote_decimals"
)

// What is missing is left out for a minute, because the server may be another by then.
func TestLacks(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var l lacks
		refuses := func(context.Context, string) bool { return true }
		first := l.learn(t.Context(), writeSetting, refuses)
		second := l.learn(t.Context(), decimalsSetting, refuses)
		if !first.has(writeSetting) || first.has(decimalsSetting) || !second.has(writeSetting) || !second.has(decimalsSetting) || l.get() != second {
			t.Errorf("%+v, then %+v", first, second)
		}
		if got := second.from(everyFormat + jsonFormat); got != "&output_format_json_quote_64bit_integers=1&output_format_json_quote_denormals=1" {
			t.Errorf("%q is left", got)
		}
		time.Sleep(lackTime + time.Second)
		if l.get() != nil {
			t.Error("it is left out for ever")
		}
	})
}

// However many statements name a setting, it is asked about once in a while, whatever the
// answer is; and somebody who goes away does not decide for others.
func TestLacksAsksOnce(t *testing.T) {
	t.Parallel()
	for _, missing := range []bool{true, false} {
		synctest.Test(t, func(t *testing.T) {
			var l lacks
			var asked atomic.Int32
			gone, leave := context.WithCancel(t.Context())
			leave()
			crowd := func() {
				var all sync.WaitGroup
				for range 100 {
					all.Go(func() {
						now := l.learn(gone, writeSetting, func(ctx context.Context, name string) bool {
							asked.Add(1)
							return missing && ctx.Err() == nil && name == writeSetting
						})
						if now.has(writeSetting) != missing {
							t.Errorf("missing %v: %+v", missing, now)
						}
					})
				}
				all.Wait()
			}
			crowd()
			crowd()
			if n := asked.Load(); n != 1 {
				t.Errorf("missing %v: asked %d times", missing, n)
			}
			time.Sleep(lackTime)
			if crowd(); asked.Load() != 2 {
				t.Errorf("missing %v: asked %d times", missing, asked.Load())
			}
		})
	}
}
