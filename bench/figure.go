package main

import (
	"fmt"
	"slices"
)

// figure is one number that Porterhouse has promised, and what was measured.
type figure struct {
	Name     string  `json:"name"`
	Measured float64 `json:"measured"`
	Goal     float64 `json:"goal"`
	Unit     string  `json:"unit"`
	AtLeast  bool    `json:"at_least"` // the goal is a floor; otherwise a ceiling
	Note     string  `json:"note,omitempty"`
}

func (f figure) met() bool {
	if f.AtLeast {
		return f.Measured >= f.Goal
	}
	return f.Measured <= f.Goal
}

// The goals. Throughput is a share of the plain statement's, by concurrency;
// CPU is Porterhouse's own, in milliseconds per call, by workload.
type goals struct {
	share map[int]float64
	cpu   map[string]float64

	idleMemory  float64 // MB
	peakMemory  float64 // MB, during an answer of a million rows that is cut at the limit
	ready       float64 // ms from start until it answers, with ClickHouse up
	programSize float64 // MB
	tokens      float64 // of 500 rows × 10 columns, counted as o200k
}

func theGoals() goals {
	return goals{
		share:       map[int]float64{1: 0.60, 8: 0.65},
		cpu:         map[string]float64{"select1": 0.5, "rows500": 1.2},
		idleMemory:  30,
		peakMemory:  64,
		ready:       100,
		programSize: 30,
		tokens:      28_000,
	}
}

// loadFigures are those that the rows of Porterhouse tell. life is how many
// requests ClickHouse answers on one connection.
func (g goals) loadFigures(rows []row, life int) []figure {
	var ours []row
	for _, r := range rows {
		if r.ours {
			ours = append(ours, r)
		}
	}
	if len(ours) == 0 {
		return nil
	}
	return slices.Concat(g.shares(ours), g.cpuTimes(ours), exactness(ours, life))
}

func (g goals) shares(ours []row) []figure {
	var all []figure
	for _, r := range ours {
		if goal, ok := g.share[r.Concurrency]; ok {
			name := fmt.Sprintf("%s, %s, concurrency %d: throughput", r.Target, r.Workload, r.Concurrency)
			all = append(all, figure{Name: name, Measured: r.Ratio, Goal: goal, Unit: "× plain", AtLeast: true})
		}
	}
	return all
}

// cpuTimes takes the worse concurrency of each target and workload.
func (g goals) cpuTimes(ours []row) []figure {
	var all []figure
	for _, r := range ours {
		goal, ok := g.cpu[r.Workload]
		if !ok || r.ServerCPU == 0 {
			continue
		}
		name := fmt.Sprintf("%s, %s: CPU per call", r.Target, r.Workload)
		if i := slices.IndexFunc(all, func(f figure) bool { return f.Name == name }); i >= 0 {
			all[i].Measured = max(all[i].Measured, r.ServerCPU)
			continue
		}
		all = append(all, figure{Name: name, Measured: r.ServerCPU, Goal: goal, Unit: "ms"})
	}
	return all
}

// exactness is about what ClickHouse had to do: one query for each answer, and
// no new connection but for those that it ended itself, after life requests.
func exactness(ours []row, life int) []figure {
	var answers, all, queries, connections int
	var known counters
	for _, r := range ours {
		answers += r.Calls
		all += r.all
		queries += r.Queries
		connections += r.Connections
		known = known.plus(r.known)
	}
	one := figure{Name: "ClickHouse queries beyond one for each answer", Measured: float64(abs(queries - answers)), Unit: "queries",
		Note: fmt.Sprintf("%d answers, %d queries in ClickHouse's query_log", answers, queries)}
	none := figure{Name: "new connections to ClickHouse while answering", Measured: float64(connections), Unit: "connections",
		Goal: float64(all / max(life, 1)), Note: fmt.Sprintf("ClickHouse ends a connection after %d requests", life)}
	if known.known {
		one.Note += fmt.Sprintf(", %d in our /metrics", known.queries)
		none.Note += fmt.Sprintf("; our /metrics: %d", known.connections)
	}
	return []figure{one, none}
}

func abs(n int) int { return max(n, -n) }
