package main

import (
	"cmp"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"runtime"
	"strings"
	"time"
)

// report is everything that one run found.
type report struct {
	Machine machine  `json:"machine"`
	Method  string   `json:"method"`
	Rows    []row    `json:"rows"`
	Figures []figure `json:"figures"`
	Skipped []string `json:"skipped,omitempty"` // figures that could not be measured, and why

	Door  *doorReport `json:"http_door,omitempty"`
	Modes []row       `json:"access_modes,omitempty"`
}

// machine is what the figures were measured on, and when.
type machine struct {
	Date       string `json:"date"`
	Cores      int    `json:"cores"`
	CPU        string `json:"cpu"`
	Go         string `json:"go"`
	ClickHouse string `json:"clickhouse"`
	Busy       string `json:"load_average"`      // of the minute before
	Version    string `json:"version,omitempty"` // of Porterhouse
}

func newMachine() machine {
	return machine{
		Date:  time.Now().Format(time.DateOnly),
		Cores: runtime.NumCPU(),
		CPU:   cpuModel(),
		Go:    runtime.Version(),
		Busy:  loadAverage(),
	}
}

// loadAverage is how many programs wanted to run in the last minute: what others
// did on the machine is in the figures too.
func loadAverage() string {
	text, err := os.ReadFile("/proc/loadavg")
	if err != nil {
		return "unknown"
	}
	minute, _, _ := strings.Cut(string(text), " ")
	return minute
}

// cpuModel is the name that /proc/cpuinfo gives, or else the architecture.
func cpuModel() string {
	info, err := os.ReadFile("/proc/cpuinfo")
	if err != nil {
		return runtime.GOARCH
	}
	for line := range strings.Lines(string(info)) {
		if name, value, ok := strings.Cut(line, ":"); ok && strings.TrimSpace(name) == "model name" {
			return strings.TrimSpace(value)
		}
	}
	return runtime.GOARCH
}

// markdown writes the report as it stands in the README.
func (r *report) markdown(w io.Writer) error {
	var b strings.Builder
	m := r.Machine
	fmt.Fprintf(&b, "Measured on %s: %d cores of %s (load average before: %s), ClickHouse %s, ", m.Date, m.Cores, m.CPU, m.Busy, m.ClickHouse)
	fmt.Fprintf(&b, "%s.\n%s\n\n", cmp.Or(m.Version, m.Go), r.Method)
	if len(r.Rows) > 0 {
		table(&b, r.Rows)
	}
	if r.Door != nil {
		r.Door.tables(&b)
	}
	if len(r.Modes) > 0 {
		b.WriteString("\nMCP in the access modes:\n\n")
		table(&b, r.Modes)
	}
	if len(r.Figures) > 0 {
		b.WriteString("\n| figure | measured | goal | |\n| --- | ---: | ---: | :-: |\n")
		for _, f := range r.Figures {
			b.WriteString(f.line())
		}
	}
	for _, s := range r.Skipped {
		fmt.Fprintf(&b, "\nNot measured: %s\n", s)
	}
	_, err := io.WriteString(w, b.String())
	return err
}

// table writes the rows. The generator's own CPU stands below it: it is a part
// of the machine that nobody else had.
func table(b *strings.Builder, rows []row) {
	b.WriteString("| workload | at once | target | answers/s | × plain | p50 ms | p99 ms | CPU ms | ClickHouse CPU ms | queries per answer | new connections | bytes |\n" +
		"| --- | ---: | --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: |\n")
	var own float64
	for _, r := range rows {
		queries := fmt.Sprintf("%.3f", float64(r.Queries)/float64(max(r.Calls, 1)))
		fmt.Fprintf(b, "| %s | %d | %s | %.0f | %.2f (%.2f–%.2f) | %.2f | %.2f | %s | %s | %s | %d | %d |\n",
			r.Workload, r.Concurrency, r.Target, r.PerSecond, r.Ratio, r.RatioLeast, r.RatioMost, r.P50, r.P99,
			known(r.ServerCPU), known(r.DatabaseCPU), queries, r.Connections, r.Bytes)
		own = max(own, r.OwnCPU)
	}
	fmt.Fprintf(b, "\nThe generator itself took at most %.2f ms of CPU for a call, on the same cores.\n", own)
}

// known prints a CPU time, or a dash for one that nobody could read.
func known(ms float64) string {
	if ms == 0 {
		return "–"
	}
	return fmt.Sprintf("%.2f", ms)
}

// line is the figure's line of the second table.
func (f figure) line() string {
	sign, mark := "≤", "✗"
	if f.AtLeast {
		sign = "≥"
	}
	if f.met() {
		mark = "✓"
	}
	name := f.Name
	if f.Note != "" {
		name += " (" + f.Note + ")"
	}
	return fmt.Sprintf("| %s | %s %s | %s %s | %s |\n", name, f.number(f.Measured), f.Unit, sign, f.number(f.Goal), mark)
}

// number prints as many digits as are worth reading.
func (f figure) number(v float64) string {
	switch {
	case f.AtLeast || f.Unit == "ms" && f.Goal < 10:
		return fmt.Sprintf("%.2f", v)
	case v == float64(int(v)) || v >= 1000:
		return fmt.Sprintf("%.0f", v)
	}
	return fmt.Sprintf("%.1f", v)
}

// writeJSON writes the report to a file.
func (r *report) writeJSON(file string) error {
	text, err := json.MarshalIndent(r, "", "  ")
	if err != nil {
		return err
	}
	return os.WriteFile(file, append(text, '\n'), 0o644)
}
