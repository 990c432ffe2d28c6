package sandbox

import (
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"strconv"
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
	engine, err := locate(o.Engine, engineVariable, enginePath, "run `make build`")
	if err != nil {
		return program{}, err
	}
	library, err := locate(o.Library, libraryVariable, libraryPath, "run `make deps`")
	return program{path: engine, engine: true, library: library}, err
}

// locate returns the first of: what the caller says, what the environment says,
// a file below one of the roots.
func locate(option, variable, path, remedy string) (string, error) {
	if runtime.GOOS != "linux" || runtime.GOARCH != "amd64" {
		return "", fmt.Errorf("sandbox: no ClickHouse found, and the engine from npm is for Linux on x86-64 only: "+
			"install ClickHouse 25.11 or later (https://clickhouse.com/docs/install) and put `clickhouse` on PATH or into $%s", clickhouseVariable)
	}
	if chosen := cmp.Or(option, os.Getenv(variable)); chosen != "" {
		return chosen, readable(chosen)
	}
	for _, root := range roots() {
		if candidate := filepath.Join(root, path); readable(candidate) == nil {
			return candidate, nil
		}
	}
	return "", fmt.Errorf("sandbox: no `clickhouse` on PATH, and no %s beside the program or in the module: %s, or set $%s or $%s",
		path, remedy, variable, clickhouseVariable)
}

func readable(path string) error {
	file, err := os.Open(path)
	if err != nil {
		return fmt.Errorf("sandbox: %w", err)
	}
	return file.Close()
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

// The oldest ClickHouse that has EXECUTE AS.
const oldestYear, oldestMonth = 25, 11

var versionNumber = regexp.MustCompile(`\b(\d+)\.(\d+)\.\d+`)

// checkVersion asks the clickhouse binary at path how old it is.
func checkVersion(path string) error {
	output, err := exec.Command(path, "server", "--version").Output()
	if err != nil {
		return fmt.Errorf("sandbox: asking %s for its version: %w", path, err)
	}
	found := versionNumber.FindSubmatch(output)
	if found == nil {
		return fmt.Errorf("sandbox: %s does not tell its version; it says %.200q", path, output)
	}
	year, _ := strconv.Atoi(string(found[1]))
	month, _ := strconv.Atoi(string(found[2]))
	if year < oldestYear || year == oldestYear && month < oldestMonth {
		return fmt.Errorf("sandbox: %s is ClickHouse %s; 25.11 or later is needed, for EXECUTE AS", path, found[0])
	}
	return nil
}
