package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"path/filepath"

	"porterhouse/clickhouse"
)

// The clusters of a demo: the only one, or the first of two and the second.
const (
	demoOnly      = "demo"
	demoMain      = "main"
	demoSecond    = "archive"
	archiveSample = "films" // what is there
)

// demoArchive is the second cluster of a demo, a ClickHouse of its own: Alice reaches it,
// and to Bob and Carol it is not there.
type demoArchive struct{ demoCluster }

// startDemoArchive starts it, below dir; "": in a temporary directory.
func startDemoArchive(ctx context.Context, mode clickhouse.Mode, dir string, taken addresses) (_ *demoArchive, err error) {
	if dir != "" {
		dir = filepath.Join(dir, demoSecond)
	}
	a := &demoArchive{}
	if a.demoCluster, err = startDemoCluster(ctx, mode, dir, taken); err != nil {
		return nil, err
	}
	if err = a.sandbox.LoadSamples(ctx, "", archiveSample); err == nil {
		err = a.addPeople(ctx)
	}
	if err != nil {
		return nil, errors.Join(err, a.sandbox.Close())
	}
	return a, nil
}

// close ends it; there may be none.
func (a *demoArchive) close() error {
	if a == nil {
		return nil
	}
	return a.sandbox.Close()
}

// join adds it to the configuration of a demo; there may be none.
func (a *demoArchive) join(c *Config) {
	if a == nil {
		return
	}
	c.Clusters[demoMain] = c.Clusters[demoOnly]
	delete(c.Clusters, demoOnly)
	c.DefaultCluster = demoMain
	second := a.config()
	second.For.Users = []string{"alice@example.com"}
	c.Clusters[demoSecond] = second
}

// print says what to try with two clusters; there may be one only.
func (a *demoArchive) print(w io.Writer, s *server) {
	if a == nil {
		return
	}
	door := "http://" + s.config.ClickHouseHTTP.Listen
	fmt.Fprintf(w, "\nTwo clusters: %[1]s, and %[2]s, which only Alice reaches.\n"+
		"Ask as Alice: “Which clusters do I reach, and what is in %[2]s?” As Bob there is only %[1]s.\n"+
		"An agent that is to reach %[2]s and nothing else: %[3]s%[4]s/%[2]s\n"+
		"ClickHouse's own clients: %[5]s/%[2]s/?query=…, or the database %[2]s:%[6]s\n",
		demoMain, demoSecond, s.config.publicURL(), mcpPath, door, archiveSample)
}
