package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/signal"
	"strings"
	"sync"
	"syscall"
	"time"

	"porterhouse"
	"porterhouse/authenticator"
	"porterhouse/gate"
)

// serveCommand runs the server until ctx ends.
func serveCommand(ctx context.Context, t terminal, args []string) error {
	f := t.flags("serve", "--config FILE")
	path := f.String("config", "porterhouse.yaml", "the configuration `file`")
	if _, err := parse(f, args, 0, 0); err != nil {
		return err
	}
	hangup := make(chan os.Signal, 1)
	signal.Notify(hangup, syscall.SIGHUP)
	defer signal.Stop(hangup)
	c, files, err := readConfig(*path, t.env)
	if err != nil {
		return err
	}
	log, err := c.Log.logger(t.stderr)
	if err != nil {
		return err
	}
	p, err := openProcess(c, log, time.Now)
	if err != nil {
		return err
	}
	s, err := listen(c, p)
	if err != nil {
		return errors.Join(err, p.close(ctx))
	}
	s.reloader = newReloader(s, c, *path, files, t.env, hangup)
	return s.run(ctx)
}

// server is a process that listens.
type server struct {
	process    *process
	config     Config    // of the start, with the addresses that a free port gave
	reloader   *reloader // nil: the configuration stays as it is
	listeners  []listener
	kept       []*authenticator.Kept // connections that no listener knows any more
	taken      addresses             // that are ours already
	streams    context.Context       // of every request; ends when the server stops
	endStreams context.CancelFunc
}

// listener is one address and what is answered there.
type listener struct {
	net.Listener
	http *http.Server
}

// listen opens the addresses and builds the first generation: when it returns,
// clients can connect, and run answers them.
func listen(c Config, p setup) (*server, error) { return listenAt(c, p, nil) }

// listenAt is listen where some of the addresses are ours already.
func listenAt(c Config, p setup, taken addresses) (*server, error) {
	s := &server{process: p.process, taken: taken}
	s.streams, s.endStreams = context.WithCancel(context.Background())
	if err := s.prepare(c, p); err != nil {
		return nil, errors.Join(err, s.stop())
	}
	return s, nil
}

// prepare is what of listen can fail.
func (s *server) prepare(c Config, p setup) error {
	current := p.answering(func(g *generation) http.Handler { return g.handler })
	if err := s.open(c.Listen, c.HTTP.server(current, p.log), c.TLS); err != nil {
		return err
	}
	c.Listen = s.address() // port 0 has become a real one
	if c.Metrics.Listen != "" {
		if err := s.open(c.Metrics.Listen, c.HTTP.server(metricsOnly(p.metrics), p.log), nil); err != nil {
			return err
		}
	}
	if err := s.openHTTPDoor(&c); err != nil {
		return err
	}
	if err := s.openAuthenticators(c); err != nil {
		return err
	}
	if err := p.openSigning(c); err != nil {
		return err
	}
	g, err := build(c, p)
	if err != nil {
		return err
	}
	s.config = c
	p.replace(g)
	return nil
}

func metricsOnly(m *metrics) http.Handler {
	mux := http.NewServeMux()
	mux.Handle("GET /metrics", m)
	return mux
}

// open adds one address, with TLS when pair names a certificate.
func (s *server) open(address string, by *http.Server, pair *TLSPair) error {
	plain, err := s.taken.open(address)
	if err != nil {
		return fmt.Errorf("cannot listen on %s: %w", address, err)
	}
	l := listener{plain, by}
	l.http.BaseContext = func(net.Listener) context.Context { return s.streams }
	l.http.RegisterOnShutdown(s.process.mcp.Close) // or its streams would hold up the end
	if pair != nil {
		config, err := serverTLS(*pair, s.process.log)
		if err != nil {
			return errors.Join(err, plain.Close())
		}
		l.http.TLSConfig = config
	}
	s.listeners = append(s.listeners, l)
	return nil
}

// serve answers until the server is shut down. With TLS it speaks HTTP/2 as well.
func (l listener) serve() error {
	if l.http.TLSConfig != nil {
		return l.http.ServeTLS(l.Listener, "", "")
	}
	return l.http.Serve(l.Listener)
}

// address is where the doors are, as the operating system chose it.
func (s *server) address() string { return s.listeners[0].Addr().String() }

// lastAddress is that of the listener that was opened last.
func (s *server) lastAddress() string { return s.listeners[len(s.listeners)-1].Addr().String() }

// run serves until ctx ends or a listener fails, and then stops in order: no new
// requests, the running ones end or are ended, the record is closed last.
func (s *server) run(ctx context.Context) error {
	background, stopBackground := context.WithCancel(context.WithoutCancel(ctx))
	wait := s.process.run(background)
	var work sync.WaitGroup
	work.Go(func() { s.lookAtClusters(background) })
	work.Go(func() { s.lookAtProvisioners(background) })
	work.Go(func() { s.process.chores(background) })
	if s.reloader != nil {
		work.Go(func() { s.reloader.run(background) })
	}

	failed := make(chan error, len(s.listeners)+1)
	work.Go(func() {
		if err := s.lookAtSignIn(background); err != nil {
			s.process.log.Error("the server ends", "error", err)
			failed <- err
		}
	})
	for _, l := range s.listeners {
		go func() { failed <- l.serve() }()
	}
	for _, weakening := range s.config.weakenings() {
		s.process.log.Warn("the configuration allows what is refused without it", "key", weakening)
	}
	s.process.log.Info("serving", "address", s.address(), "mcp", s.config.publicURL()+mcpPath, "version", version)
	if s.config.ClickHouseHTTP.isOpen() {
		s.process.log.Info("serving ClickHouse's clients", "url", httpDoor{s.config}.url(), "clusters", strings.Join(s.config.clusterNames(), ", "))
	}

	var err error
	select {
	case <-ctx.Done():
		s.process.log.Info("stopping", "reason", context.Cause(ctx).Error())
	case err = <-failed:
	}
	err = errors.Join(err, s.stop())
	stopBackground()
	work.Wait()
	wait()
	closing, cancel := context.WithTimeout(context.Background(), shutdownTime)
	defer cancel()
	return errors.Join(err, s.process.close(closing))
}

// patience is how long a running answer may go on after the server was told to
// stop. Streams of MCP sessions would never end by themselves.
const patience = 5 * time.Second

// stop refuses new requests and ends the running ones, the last after patience.
func (s *server) stop() error {
	ctx, cancel := context.WithTimeout(context.Background(), shutdownTime)
	defer cancel()
	lastCall := time.AfterFunc(patience, s.endStreams)
	defer lastCall.Stop()
	var errs []error
	for _, l := range s.listeners {
		errs = append(errs, l.http.Shutdown(ctx))
		_ = l.Close() // where it was never served, Shutdown does not know it
	}
	for _, k := range s.kept { // last: a running answer may need ClickHouse to ask for its ticket
		errs = append(errs, k.Shutdown(ctx))
	}
	s.endStreams()
	return errors.Join(errs...)
}

// lookAtClusters logs in to every cluster once, so that the log of the start
// says what is wrong. The server serves all the same: a cluster may come later.
func (s *server) lookAtClusters(ctx context.Context) {
	g := s.process.enter()
	defer g.leave()
	found, err := g.gate.Check(ctx)
	for name, server := range found {
		s.process.log.Info("ClickHouse answers", "cluster", name, "version", server.Version)
		if !gate.Reviewed(server.Version) {
			s.process.log.Warn("this ClickHouse is newer than the statement check: functions that are new in it are not known, and pass; "+
				"take them from the people's accounts, or upgrade Porterhouse", "cluster", name, "version", server.Version)
		}
	}
	if err != nil && ctx.Err() == nil {
		s.process.log.Warn("ClickHouse does not answer as the gateway; questions fail until it does", "error", err)
	}
}

// lookAtSignIn asks the providers at which people sign in what they say of themselves,
// so that the log of the start says what is wrong. One that is away may come later. At
// the demo's anybody can be anybody: its error is what the server ends with.
func (s *server) lookAtSignIn(ctx context.Context) error {
	g := s.process.enter()
	defer g.leave()
	for _, p := range g.config.SignIn.Providers {
		party, err := entrance{g.config, setup{s.process, g.reach}}.party(p)
		if err == nil {
			err = party.Probe(ctx)
		}
		if err == nil || ctx.Err() != nil {
			continue
		}
		if kind, _ := porterhouse.Explain(err); kind == porterhouse.Refused {
			s.process.log.Error("an identity provider is a demonstration, where anybody can sign in as anybody", "provider", p.Processor, "error", err)
			return fmt.Errorf("signin.providers: %s: %w", p.Processor, err)
		}
		s.process.log.Warn("an identity provider does not answer; nobody can sign in there until it does", "provider", p.Processor, "error", err)
	}
	return nil
}
