package sandbox

import (
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
)

// The environment's variables that name the programs, after Options.
const (
	clickhouseVariable = "PORTERHOUSE_CLICKHOUSE"
	engineVariable     = "PORTERHOUSE_ENGINE"
	libraryVariable    = "PORTERHOUSE_ENGINE_LIB"
)

// Where the engine lies below a root: the directory of the running program, or
// the module's.
const (
	enginePath  = "porterhouse-engine"
	libraryPath = "sandbox/npm/node_modules/@chdb/lib-linux-x64-gnu/libchdb.so"
)

// program is what runs as the server.
type program struct {
	path    string
	engine  bool   // porterhouse-engine rather than clickhouse
	library string // of the engine
}

// command is the program with its arguments, for a server in dir.
func (p program) command(dir string) []string {
	config := filepath.Join(dir, configFile)
	if !p.engine {
		return []string{p.path, "server", "--config-file=" + config}
	}
	return []string{p.path, "-lib", p.library, "-config", config,
		"-path", filepath.Join(dir, dataDir), "-start", filepath.Join(dir, startFile)}
}

// find looks for a program: a real ClickHouse where there is one, else the engine.
//
// The real one could not be tried where this was written; tests hold its
// configuration and arguments against a stand-in only.
func find(o Options) (program, error) {
	if path := cmp.Or(o.ClickHouse, os.Getenv(clickhouseVariable)); path != "" {
		return program{path: path}, checkVersion(path)
	}
	chosen := cmp.Or(o.Engine, o.Library) != ""
	if path, err := exec.LookPath("clickhouse"); err == nil && !chosen && checkVersion(path) == nil {
		return program{path: path}, nil
	}
	return findEngine(o)
}

// checkPlatform says what to do where the engine cannot run.
func checkPlatform() error {
	if runtime.GOOS == "linux" && runtime.GOARCH == "amd64" {
		return nil
	}
	return fmt.Errorf("sandbox: no `clickhouse` found, and the engine from npm is for Linux on x86-64 only: "+
		"install ClickHouse %v or later (https://clickhouse.com/docs/install) and put `clickhouse` on PATH or into $%s", oldest, clickhouseVariable)
}

// findEngine looks for the engine from npm.
func findEngine(o Options) (program, error) {
	if err := checkPlatform(); err != nil {
		return program{}, err
	}
	engine, err := locate(cmp.Or(o.Engine, os.Getenv(engineVariable)), enginePath)
	if err != nil {
		return program{}, fmt.Errorf("sandbox: no `clickhouse` on PATH, and no engine: run `make build`, or set $%s or $%s: %w",
			clickhouseVariable, engineVariable, err)
	}
	library, err := locate(cmp.Or(o.Library, os.Getenv(libraryVariable)), libraryPath)
	if err != nil {
		return program{}, fmt.Errorf("sandbox: no `clickhouse` on PATH, and no library for the engine: run `make deps`, or set $%s or $%s: %w",
			clickhouseVariable, libraryVariable, err)
	}
	return program{path: engine, engine: true, library: library}, nil
}

// locate returns what was chosen or else the path below the first root that has it.
func locate(chosen, path string) (string, error) {
	if chosen != "" {
		_, err := os.Stat(chosen)
		return chosen, err
	}
	for _, root := range roots() {
		candidate := filepath.Join(root, path)
		if _, err := os.Stat(candidate); err == nil {
			return candidate, nil
		}
	}
	return "", fmt.Errorf("there is no %s beside the program or in the module", path)
}

// roots are the directories below which the engine may lie.
func roots() []string {
	var roots []string
	if self, err := os.Executable(); err == nil {
		if real, err := filepath.EvalSymlinks(self); err == nil {
			roots = append(roots, filepath.Dir(real))
		}
	}
	if module, err := moduleRoot(); err == nil {
		roots = append(roots, module)
	}
	return roots
}

// moduleRoot is the directory of the go.mod above the working directory.
func moduleRoot() (string, error) {
	dir, err := os.Getwd()
	if err != nil {
		return "", err
	}
	for {
		if _, err := os.Stat(filepath.Join(dir, "go.mod")); !errors.Is(err, fs.ErrNotExist) {
			return dir, err
		}
		if dir == filepath.Dir(dir) {
			return "", errors.New("there is no go.mod above the working directory")
		}
		dir = filepath.Dir(dir)
	}
}
