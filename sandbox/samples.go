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
		if err := (sample{s, name, dir}).load(ctx); err != nil {
			return fmt.Errorf("loading the sample database %s: %w", name, err)
		}
	}
	return nil
}

// sample is one sample database on its way into a server.
type sample struct {
	server *Server
	name   string
	dir    string // of the data
}

// load runs the database's script, unless it ran to its end before: the last
// statement gives the database its comment.
func (s sample) load(ctx context.Context) error {
	script, err := scripts.ReadFile("samples/" + s.name + ".sql")
	if err != nil {
		return err
	}
	complete, err := s.server.Text(ctx, "SELECT count() FROM system.databases WHERE name = '"+s.name+"' AND comment != ''")
	if err != nil || complete == "1" {
		return err
	}
	if err := s.server.Exec(ctx, "DROP DATABASE IF EXISTS "+s.name); err != nil {
		return err
	}
	for _, statement := range split(string(script)) {
		if err := s.run(ctx, statement); err != nil {
			return err
		}
	}
	return nil
}

// run runs one statement. When it begins with "-- data: FILE", the file follows it.
func (s sample) run(ctx context.Context, statement string) error {
	first, rest, _ := strings.Cut(strings.TrimSpace(statement), "\n")
	file, ok := strings.CutPrefix(first, "-- data: ")
	if !ok {
		return s.server.Exec(ctx, statement)
	}
	data, err := os.Open(filepath.Join(s.dir, file))
	if err != nil {
		return fmt.Errorf("no sample data, run `make deps`: %w", err)
	}
	defer data.Close()
	_, err = s.server.ask(ctx, rest, data)
	return err
}

// split splits a script of ours into its statements: each ends a line with ";".
func split(script string) []string {
	return strings.Split(strings.TrimSuffix(script, ";\n"), ";\n")
}
