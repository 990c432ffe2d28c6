package main

import (
	"context"
	"slices"
	"time"
)

// row is what the turns of a cell come to: one line of the table. A figure that
// could not be had is 0.
type row struct {
	Target      string  `json:"target"`
	Workload    string  `json:"workload"`
	Concurrency int     `json:"concurrency"`
	Calls       int     `json:"calls"`           // those timed
	PerSecond   float64 `json:"per_second"`      // median of the rounds
	Ratio       float64 `json:"ratio"`           // median of the rounds' own ratios to the reference
	RatioLeast  float64 `json:"ratio_least"`     // of any round
	RatioMost   float64 `json:"ratio_most"`      //
	P50         float64 `json:"p50_ms"`          // over all rounds, as P99
	P99         float64 `json:"p99_ms"`          //
	ServerCPU   float64 `json:"server_cpu_ms"`   // per call, as the next two
	DatabaseCPU float64 `json:"database_cpu_ms"` // of ClickHouse
	OwnCPU      float64 `json:"own_cpu_ms"`      // of the generator
	Bytes       int     `json:"answer_bytes"`
	Queries     int     `json:"queries"`       // that came in to ClickHouse during the timed calls
	InnerOnes   int     `json:"inner_queries"` // that EXECUTE AS made of them
	Connections int     `json:"connections"`   // that ClickHouse accepted during the timed calls

	ours  bool
	all   int      // calls, those that only warm up included
	known counters // the target's own account of Queries and Connections
}

// summarize makes the row of each cell. The first cell of a block is the reference.
func summarize(ctx context.Context, db *database, blocks []block) ([]row, error) {
	var rows []row
	for _, b := range blocks {
		for _, c := range b {
			r := c.row(b[0])
			var err error
			if r.Queries, r.InnerOnes, err = db.queries(ctx, c.turns); err != nil {
				return nil, err
			}
			rows = append(rows, r)
		}
	}
	return rows, nil
}

// row sums up the turns of c, and holds them against those of the reference.
func (c *cell) row(reference *cell) row {
	r := row{Target: c.target.name, Workload: c.workload.name, Concurrency: c.concurrency, ours: c.target.ours, all: c.calls}
	var latencies []time.Duration
	var speeds, ratios []float64
	var used usage
	for i, t := range c.turns {
		latencies = append(latencies, t.latencies...)
		speeds = append(speeds, t.perSecond())
		ratios = append(ratios, t.perSecond()/reference.turns[i].perSecond())
		used = used.plus(t.used)
		r.Connections += t.counted.connections
		r.known = r.known.plus(t.counted.told)
		r.Bytes = t.bytes
	}
	slices.Sort(latencies)
	r.Calls = len(latencies)
	r.PerSecond, r.Ratio = median(speeds), median(ratios)
	r.RatioLeast, r.RatioMost = slices.Min(ratios), slices.Max(ratios)
	r.P50, r.P99 = milliseconds(percentile(latencies, 50)), milliseconds(percentile(latencies, 99))
	each := func(d time.Duration) float64 { return milliseconds(d) / float64(max(r.Calls, 1)) }
	r.ServerCPU, r.DatabaseCPU, r.OwnCPU = each(used.server), each(used.database), each(used.own)
	return r
}

func milliseconds(d time.Duration) float64 { return float64(d) / float64(time.Millisecond) }

// percentile is the nearest-rank percentile of what is sorted; 0 of nothing.
func percentile(sorted []time.Duration, p int) time.Duration {
	if len(sorted) == 0 {
		return 0
	}
	rank := (len(sorted)*p + 99) / 100
	return sorted[max(rank, 1)-1]
}

// median is the middle value, or the mean of the two in the middle; 0 of nothing.
func median(values []float64) float64 {
	sorted := slices.Sorted(slices.Values(values))
	n := len(sorted)
	if n == 0 {
		return 0
	}
	return (sorted[(n-1)/2] + sorted[n/2]) / 2
}
