package sandbox

import (
	"cmp"
	_ "embed" // of the files
	"html"
	"os"
	"path/filepath"
	"strconv"
	"strings"
)

// The files in a server's directory.
const (
	configFile = "config.xml"
	usersFile  = "users.xml"
	startFile  = "start.sql" // the engine runs it before it opens its ports
	wardenFile = "warden.sh"
	dataDir    = "data"
)

//go:embed config.xml
var configTemplate string

//go:embed users.xml
var usersTemplate string

//go:embed warden.sh
var wardenScript string

// config is what the files depend on.
type config struct {
	Options
	dir      string
	ports    ports
	engine   bool   // the engine rather than a real server
	password string // of the admin
}

// write writes what the server and its warden read at their start.
func (c config) write() error {
	if err := os.MkdirAll(filepath.Join(c.dir, dataDir), 0o700); err != nil {
		return err
	}
	files := map[string]string{
		configFile: c.fill(configTemplate),
		usersFile:  c.fill(usersTemplate),
		wardenFile: wardenScript,
	}
	if c.engine {
		start, err := c.start()
		if err != nil {
			return err
		}
		files[startFile] = start
	}
	for name, text := range files {
		if err := os.WriteFile(filepath.Join(c.dir, name), []byte(text), 0o600); err != nil {
			return err
		}
	}
	return nil
}

// defaultMemory is what a server may use, in bytes, when nobody says.
const defaultMemory = 4 << 30

// fill puts this server's values into a template.
func (c config) fill(template string) string {
	// A real server logs to where we read, and keeps the users that it is told of.
	log, users, password := "<console>1</console>", "<local_directory><path>{dir}/data/access/</path></local_directory>", c.password
	if c.engine {
		// The engine must log in to itself without a password: start sets it.
		log, users, password = "<log>{dir}/server.log</log>", "", ""
	}
	template = strings.NewReplacer("{log}", log, "{users}", users).Replace(template)
	return strings.NewReplacer(
		"{dir}", html.EscapeString(c.dir),
		"{http_port}", port(c.ports.http),
		"{native_port}", port(c.ports.native),
		"{max_memory}", strconv.FormatInt(cmp.Or(c.MaxMemory, defaultMemory), 10),
		"{password}", password,
		"{extra_config}", c.ExtraConfig,
		"{extra_users}", c.ExtraUsers,
	).Replace(template)
}

// start is what the engine runs before it opens its ports: the admin's password,
// then all users as they were.
func (c config) start() (string, error) {
	users, err := journal(filepath.Join(c.dir, journalFile)).script()
	return "ALTER USER " + admin + " IDENTIFIED WITH plaintext_password BY '" + c.password + "';\n" + users, err
}
