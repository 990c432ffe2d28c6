package mcpserver

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/modelcontextprotocol/go-sdk/mcp"
)

// progress tells a waiting client that its call is alive. The zero value is of
// a client that did not ask for it.
type progress struct {
	token  any
	notify func(context.Context, *mcp.ProgressNotificationParams) error
}

func progressOf(req *mcp.CallToolRequest) progress {
	return progress{token: req.Params.GetProgressToken(), notify: req.Session.NotifyProgress}
}

// every notes the time gone by, and the rows that have come, once in each gap
// until stop is called.
func (p progress) every(ctx context.Context, gap time.Duration, rows *atomic.Int64) (stop func()) {
	if p.token == nil {
		return func() {}
	}
	ctx, cancel := context.WithCancel(ctx)
	var noting sync.WaitGroup
	noting.Go(func() {
		since, ticks := time.Now(), time.NewTicker(gap)
		defer ticks.Stop()
		for {
			select {
			case <-ctx.Done():
				return
			case <-ticks.C:
				gone := time.Since(since)
				if p.notify(ctx, &mcp.ProgressNotificationParams{
					ProgressToken: p.token,
					Progress:      gone.Seconds(),
					Message:       fmt.Sprintf("running for %.0f s, %d rows so far", gone.Seconds(), rows.Load()),
				}) != nil {
					return // the client is gone, or its stream is: the call itself will notice
				}
			}
		}
	})
	return func() { cancel(); noting.Wait() }
}
