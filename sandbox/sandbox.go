package sandbox

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"sync"
	"time"
)

// Options say what sort of ClickHouse to start. The zero value is a temporary
// one, of whatever kind this machine has.
type Options struct {
	// Dir keeps the data, the users and the logs; it is made when it is not there.
	// "" is a temporary directory that goes when the server does.
	Dir  string
	Init []string  // statements that run as the admin, in order, before Start returns
	Log  io.Writer // what the server writes to its standard output and error; nil: nowhere

	// ClickHouse, Engine and Library name the programs. An empty one is looked for:
	// see find.go.
	ClickHouse string // a clickhouse binary, 25.11 or later; preferred to the engine
	Engine     string // porterhouse-engine
	Library    string // libchdb.so, which the engine loads

	MaxMemory   int64  // bytes that the whole server may use; 0: 4 GiB
	ExtraConfig string // XML to add to config.xml, inside <clickhouse>
	ExtraUsers  string // XML to add to users.xml, inside <users>

	findPorts func() (ports, error) // nil: freePorts
}

// Server is a running ClickHouse. Exec and Text are safe for concurrent use.
type Server struct {
	HTTP     string // such as http://127.0.0.1:18123
	Native   string // such as 127.0.0.1:19000
	User     string // the admin
	Password string // of User; made up for this server
	Version  string // such as 26.7.2.1
	PID      int    // of the server's process; another one after Restart
	Dir      string // where its configuration, data and logs are

	options Options
	program program
	ports   ports
	client  *http.Client
	process *process
	close   func() error

	lock      *os.File // on Dir
	temporary string   // Dir when it goes with the server, else ""
}

// admin is the name of the user that holds every right.
const admin = "default"

// Start starts a ClickHouse and returns when it answers; ctx bounds only the
// start. The server stops when Close is called, and when this process ends, in
// whatever way it ends.
func Start(ctx context.Context, o Options) (*Server, error) {
	if o.findPorts == nil {
		o.findPorts = freePorts
	}
	program, err := find(o)
	if err != nil {
		return nil, err
	}
	s := &Server{User: admin, Password: rand.Text(), options: o, program: program, client: &http.Client{Transport: &http.Transport{}}}
	s.close = sync.OnceValue(s.end)
	if s.Dir, s.lock, err = openDirectory(ctx, o.Dir); err != nil {
		return nil, fmt.Errorf("sandbox: no directory for the data: %w", err)
	}
	if o.Dir == "" {
		s.temporary = s.Dir
	}
	if err := startOnFreePorts(ctx, s); err != nil {
		return nil, errors.Join(err, s.Close())
	}
	for _, statement := range o.Init {
		if err := s.Exec(ctx, statement); err != nil {
			return nil, errors.Join(err, s.Close())
		}
	}
	return s, nil
}

// attempts is how often Start looks for free ports: others look for theirs at
// the same time, and may be faster.
const attempts = 5

func startOnFreePorts(ctx context.Context, s *Server) error {
	var err error
	for range attempts {
		if s.ports, err = s.options.findPorts(); err != nil {
			return fmt.Errorf("sandbox: no free port on loopback: %w", err)
		}
		if err = s.start(ctx); !errors.Is(err, errPortTaken) {
			return err
		}
	}
	return err
}

// start starts the server on its ports and waits until it answers.
func (s *Server) start(ctx context.Context) error {
	files := config{Options: s.options, dir: s.Dir, ports: s.ports, engine: s.program.engine, password: s.Password}
	if err := files.write(); err != nil {
		return fmt.Errorf("sandbox: writing the server's configuration: %w", err)
	}
	arguments := append([]string{s.temporary}, s.program.command(s.Dir)...)
	process, err := startProcess(filepath.Join(s.Dir, wardenFile), arguments, s.lock, s.options.Log)
	if err != nil {
		return fmt.Errorf("sandbox: starting %s: %w", s.program.path, err)
	}
	s.process, s.PID = process, process.pid
	s.HTTP, s.Native = "http://"+s.ports.http, s.ports.native
	if s.Version, err = awaitAnswer(ctx, s); err != nil {
		return errors.Join(err, s.stop())
	}
	return nil
}

// A server may take so long until it answers, and so long for one answer: it may
// be a stranger who has the port and says nothing.
const (
	startTimeout = 60 * time.Second
	tryTimeout   = 5 * time.Second
)

// awaitAnswer waits until the server answers, and returns its version.
func awaitAnswer(ctx context.Context, s *Server) (string, error) {
	ctx, cancel := context.WithTimeoutCause(ctx, startTimeout, errors.New("the server took too long to answer"))
	defer cancel()
	for {
		try, cancel := context.WithTimeout(ctx, tryTimeout)
		version, err := s.Text(try, "SELECT version()")
		cancel()
		if err == nil {
			return version, nil
		}
		select {
		case <-s.process.ended:
			return "", s.process.err
		case <-ctx.Done():
			return "", fmt.Errorf("sandbox: starting ClickHouse: %w (last: %w)", context.Cause(ctx), err)
		case <-time.After(10 * time.Millisecond):
		}
	}
}
