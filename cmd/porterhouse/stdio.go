package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/modelcontextprotocol/go-sdk/mcp"

	"porterhouse"
	"porterhouse/clickhouse"
)

// stdioToken is where stdio finds the person's token: an argument would be seen
// by everybody who lists processes.
const stdioToken = "PORTERHOUSE_TOKEN"

const stdioUsage = "--url URL | --config FILE"

// stdioCommand speaks MCP on standard input and output: as the person who is signed
// in at a server, or without a server, as the person of $PORTERHOUSE_TOKEN. Logs go
// to standard error: standard output belongs to the protocol.
func stdioCommand(ctx context.Context, t terminal, args []string) error {
	f := t.flags("stdio", stdioUsage)
	url := f.String("url", "", "the `URL` of a server at which you are signed in (porterhouse login)")
	path := f.String("config", "porterhouse.yaml", "without a server: the configuration `file`")
	if _, err := parse(f, args, 0, 0); err != nil {
		return err
	}
	if *url != "" {
		return bridgeTo(ctx, t, *url)
	}
	return stdioAlone(ctx, t, *path)
}

// stdioAlone is the server and its client in one.
func stdioAlone(ctx context.Context, t terminal, path string) error {
	c, err := loadConfig(path, t.env)
	if err != nil {
		return err
	}
	if err := canBeAlone(c); err != nil {
		return err
	}
	token, ok := t.env(stdioToken)
	if !ok || token == "" {
		return errors.New("there is no $" + stdioToken + ": set it to the API token of the person who asks (porterhouse token create)")
	}
	if c.KV.file(c.Audit) != "" {
		c.KV = KVConfig{Memory: true} // the file is the server's
	}
	c.Audit.File = ownRecord(c.Audit.File, fmt.Sprintf("stdio-%d", os.Getpid()))
	log, err := c.Log.logger(t.stderr)
	if err != nil {
		return err
	}
	p, err := openProcess(c, log, time.Now)
	if err != nil {
		return err
	}
	err = serveStdio(ctx, c, p, token, &mcp.IOTransport{Reader: io.NopCloser(t.stdin), Writer: keepOpen{t.stdout}})
	closing, cancel := context.WithTimeout(context.WithoutCancel(ctx), shutdownTime)
	defer cancel()
	return errors.Join(err, p.close(closing))
}

// canBeAlone refuses an access mode that needs the server: ClickHouse asks that one about
// our tickets, and it knows them by the store that both share.
func canBeAlone(c Config) error {
	for _, name := range c.clusterNames() {
		if c.Clusters[name].mode() == clickhouse.Verify && c.KV.Redis.URL == "" {
			return fmt.Errorf("clusters.%s.access.mode is verify, and without kv.redis only the server itself can answer when ClickHouse asks about a login: use porterhouse stdio --url", name)
		}
	}
	return nil
}

// ownRecord is where a process beside the server keeps its record: a file has
// one writer, and every client starts a process of its own. One that gets the
// number of an earlier process goes on with the record of that one.
func ownRecord(file, process string) string {
	extension := filepath.Ext(file)
	return strings.TrimSuffix(file, extension) + "-" + process + extension
}

func serveStdio(ctx context.Context, c Config, p setup, token string, transport mcp.Transport) error {
	g, err := build(c, p)
	if err != nil {
		return err
	}
	door := g.mcp[mcpPath]
	verify := func(ctx context.Context) (porterhouse.Principal, error) { return door.verifier.Verify(ctx, token) }
	if _, err := verify(ctx); err != nil {
		return err
	}
	ctx, stop := context.WithCancel(ctx)
	wait := p.run(ctx)
	defer func() { stop(); wait() }()
	if err := door.server.Run(ctx, verify, transport); err != nil && ctx.Err() == nil {
		return err
	}
	return nil
}

// keepOpen is a writer that the transport may close as it likes.
type keepOpen struct{ io.Writer }

// Close implements io.Closer.
func (keepOpen) Close() error { return nil }
