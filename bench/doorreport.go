package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
)

// doorGoals are those of the HTTP door. Shares are of the same statement straight to
// ClickHouse in the same access mode, by concurrency.
//
// How fast a machine wakes a process that waits decides most of what a proxy costs there,
// so ours is held against the thinnest one in the same run, too: chproxy, where the goals
// come from, had beside and besideCPU of what that had.
type doorGoals struct {
	static, person     map[int]float64
	beside             map[int]float64 // shares of what the thin proxy reaches, in the mode static
	cpu                float64         // microseconds for each answer in front of the stub
	besideCPU          float64         // of what the thin proxy takes
	download, insert   transferGoals
	idlePlain, idleTLS float64 // MB
}

// transferGoals are those of a large answer or INSERT; 0: it is only measured.
type transferGoals struct {
	share float64 // of the reference
	cpu   float64 // seconds for each GB
	peak  float64 // MB
}

func theDoorGoals() doorGoals {
	return doorGoals{
		static:    map[int]float64{1: 0.83, 8: 0.74, 32: 0.75},
		person:    map[int]float64{1: 0.85, 8: 0.75, 32: 0.75},
		beside:    map[int]float64{1: 0.83 / 1.0, 8: 0.74 / 0.79, 32: 0.75 / 0.81},
		cpu:       95,
		besideCPU: 95.0 / 63,
		download:  transferGoals{share: 0.85, cpu: 0.6, peak: 64},
		insert:    transferGoals{share: 0.8},
		idlePlain: 150,
		idleTLS:   250,
	}
}

// doorReport is what was found of the HTTP door.
type doorReport struct {
	Rows  []row     `json:"rows"`
	Moves []moveRow `json:"transfers"`
}

// measureDoor adds what is measured of the HTTP door to r.
func (s *site) measureDoor(ctx context.Context, o options, r *report, log io.Writer) (err error) {
	d, err := s.openDoors(ctx, o, log)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, d.close()) }()
	if d.verify == nil {
		r.Skipped = append(r.Skipped, "the HTTP door in the access mode verify, which needs -door")
	}
	groups, err := d.modeTargets(ctx)
	if err != nil {
		return err
	}
	rows, figures, err := d.rates(ctx, groups)
	if err != nil {
		return err
	}
	moves, err := d.moves(ctx, groups)
	if err != nil {
		return err
	}
	for _, m := range moves {
		figures = append(figures, m.figures()...)
	}
	more, err := d.counts(ctx, groups)
	if err != nil {
		return err
	}
	r.Door = &doorReport{rows, moves}
	r.Figures = append(r.Figures, append(figures, more...)...)
	return nil
}

// moves measures all transfers.
func (d *doorSite) moves(ctx context.Context, groups [][]*target) ([]moveRow, error) {
	all, err := d.transfers(ctx, groups)
	if err == nil {
		err = d.moveAll(ctx, all)
	}
	var rows []moveRow
	for _, t := range all {
		rows = append(rows, t.row())
	}
	return rows, err
}

// counts are the memory for idle clients, and the answers that break.
func (d *doorSite) counts(ctx context.Context, groups [][]*target) ([]figure, error) {
	plain, err := d.idleMemory(ctx, false)
	if err != nil {
		return nil, err
	}
	overTLS, err := d.idleMemory(ctx, true)
	if err != nil {
		return nil, err
	}
	var ours []*target
	for _, group := range groups {
		ours = append(ours, group[1])
	}
	fmt.Fprintf(d.log, "HTTP door: %d requests\n", d.requests)
	spoiled, err := broken(ctx, d.requests, ours)
	return []figure{plain, overTLS, spoiled}, err
}

// rateFigures are what the goals of a target say of its row.
func rateFigures(t *target, r row) []figure {
	var all []figure
	if goal := t.shares[r.Concurrency]; goal > 0 {
		name := fmt.Sprintf("HTTP door, %s, %s, concurrency %d: throughput", r.Target, r.Workload, r.Concurrency)
		all = append(all, figure{Name: name, Measured: r.Ratio, Goal: goal, Unit: "× direct", AtLeast: true})
	}
	if t.cpu > 0 {
		all = append(all, figure{Name: "HTTP door, " + r.Target + ": CPU per answer", Measured: r.ServerCPU * 1000, Goal: t.cpu, Unit: "µs"})
	}
	return all
}

// besideFigures are what the goals say of a row beside that of the thin proxy in the
// same block.
func (g doorGoals) besideFigures(c, thin *cell) []figure {
	if c.target.name == thin.target.name {
		return nil
	}
	name := "HTTP door, " + c.target.name + ", beside " + thin.target.name
	if c.target.cpu > 0 {
		cpu := c.row(thin).ServerCPU / thin.row(thin).ServerCPU
		return []figure{{Name: name + ": CPU per answer", Measured: cpu, Goal: g.besideCPU, Unit: "× its"}}
	}
	if goal := g.beside[c.concurrency]; goal > 0 && c.target.shares != nil {
		name = fmt.Sprintf("%s, %s, concurrency %d: throughput", name, c.workload.name, c.concurrency)
		return []figure{{Name: name, Measured: c.row(thin).Ratio, Goal: goal, Unit: "× its", AtLeast: true}}
	}
	return nil
}

// figures are what the goals of a transfer say of its row.
func (m moveRow) figures() []figure {
	name := fmt.Sprintf("HTTP door, %s, %s of %.2g GB: ", m.Target, m.Kind, float64(m.Bytes)/1e9)
	var all []figure
	if m.goals.share > 0 {
		all = append(all, figure{Name: name + "throughput", Measured: m.Ratio, Goal: m.goals.share, Unit: "× direct", AtLeast: true})
	}
	if m.goals.cpu > 0 {
		all = append(all, figure{Name: name + "our CPU", Measured: m.CPU, Goal: m.goals.cpu, Unit: "s per GB"})
	}
	if m.goals.peak > 0 {
		all = append(all, figure{Name: name + "peak memory (RSS)", Measured: m.Peak, Goal: m.goals.peak, Unit: "MB"})
	}
	return all
}

// tables writes the rows.
func (d *doorReport) tables(b *strings.Builder) {
	b.WriteString("\n| HTTP door, SELECT 1 | at once | answers/s | × direct | p50 ms | p99 ms | CPU µs | ClickHouse CPU µs |\n" +
		"| --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: |\n")
	for _, r := range d.Rows {
		fmt.Fprintf(b, "| %s | %d | %.0f | %.2f (%.2f–%.2f) | %.2f | %.2f | %.0f | %.0f |\n",
			r.Target, r.Concurrency, r.PerSecond, r.Ratio, r.RatioLeast, r.RatioMost, r.P50, r.P99, r.ServerCPU*1000, r.DatabaseCPU*1000)
	}
	b.WriteString("\n| HTTP door, one large transfer | | MB/s | × direct | CPU s per GB | peak MB |\n| --- | --- | ---: | ---: | ---: | ---: |\n")
	for _, m := range d.Moves {
		fmt.Fprintf(b, "| %s | %s | %.0f | %.2f | %.2f | %.0f |\n", m.Target, m.Kind, m.PerSecond/1e6, m.Ratio, m.CPU, m.Peak)
	}
}
