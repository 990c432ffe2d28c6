package clickhouse

import (
	"context"
	"time"

	"porterhouse"
)

// Compared returns what would be asked again of a question, and as whom; false: nothing.
func Compared(as porterhouse.Account, q porterhouse.Query) (porterhouse.Account, porterhouse.Query, bool) {
	c, ok := newComparison(as, q)
	return c.as, c.query, ok
}

// CompareLate compares a question that has waited in the queue for so long.
func (c *Client) CompareLate(ctx context.Context, as porterhouse.Account, q porterhouse.Query, waited time.Duration) {
	job, _ := newComparison(as, q)
	job.asked = time.Now().Add(-waited)
	c.shadow.settle(ctx, job)
}

// ShadowAsked is how many questions were sent to compare others.
func ShadowAsked(c *Client) uint64 {
	return c.shadow.sides[0].Stats().Queries + c.shadow.sides[1].Stats().Queries
}

// Varies reports whether a text names something that changes by itself.
var Varies = varies
