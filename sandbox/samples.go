package sandbox

import (
	"context"
	"embed"
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

// Samples names the sample databases. The first three hold real data; usage is
// synthetic, and says so in every comment on a table.
func Samples() []string { return []string{"flights", "nature", "films", "usage"} }

//go:embed samples/*.sql
var scripts embed.FS

// samplesPath is where npm puts the data, below a root.
const samplesPath = "sandbox/npm/node_modules/vega-datasets/data"

// LoadSamples makes the sample databases that are not there yet, all or only those
// named. dir is the directory data of npm's vega-datasets; "" looks where
// `make deps` puts it.
func (s *Server) LoadSamples(ctx context.Context, dir string, names ...string) error {
	dir, err := locate(dir, samplesPath)
	if err != nil {
		return fmt.Errorf("sandbox: no sample data, run `make deps`: %w", err)
	}
	if len(names) == 0 {
		names = Samples()
	}
	for _, name := range names {
		if err := s.loadSample(ctx, name, dir); err != nil {
			return fmt.Errorf("loading the sample database %s: %w", name, err)
		}
	}
	return nil
}

// loadSample runs the script of one database, unless it ran to its end before:
// its last statement gives the database its comment.
func (s *Server) loadSample(ctx context.Context, name, dir string) error {
	script, err := scripts.ReadFile("samples/" + name + ".sql")
	if err != nil {
		return err
	}
	complete, err := s.Text(ctx, "SELECT count() FROM system.databases WHERE name = '"+name+"' AND comment != ''")
	if err != nil || complete == "1" {
		return err
	}
	if err := s.Exec(ctx, "DROP DATABASE IF EXISTS "+name); err != nil {
		return err
	}
	for _, statement := range split(string(script)) {
		if err := s.runSample(ctx, statement, dir); err != nil {
			return err
		}
	}
	return nil
}

// split splits a script of ours into its statements: each ends a line with ";".
func split(script string) []string {
	return strings.Split(strings.TrimSuffix(script, ";\n"), ";\n")
}

// runSample runs one statement. When it begins with "-- data: FILE", the file
// follows it.
func (s *Server) runSample(ctx context.Context, statement, dir string) error {
	statement = strings.TrimSpace(statement)
	first, rest, _ := strings.Cut(statement, "\n")
	name, ok := strings.CutPrefix(first, "-- data: ")
	if !ok {
		return s.Exec(ctx, statement)
	}
	file, err := os.Open(filepath.Join(dir, name))
	if err != nil {
		return fmt.Errorf("no sample data, run `make deps`: %w", err)
	}
	defer file.Close()
	_, err = s.ask(ctx, rest, file)
	return err
}
