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

// writeFiles writes what the server and its warden read at their start.
func (s *Server) writeFiles() error {
	if err := os.MkdirAll(filepath.Join(s.Dir, dataDir), 0o700); err != nil {
		return err
	}
	files := map[string]string{
		configFile: s.fill(configTemplate),
		usersFile:  s.fill(usersTemplate),
		wardenFile: wardenScript,
	}
	if s.program.engine {
		start, err := s.startScript()
		if err != nil {
			return err
		}
		files[startFile] = start
	}
	for name, text := range files {
		if err := os.WriteFile(filepath.Join(s.Dir, name), []byte(text), 0o600); err != nil {
			return err
		}
	}
	return nil
}

// defaultMemory is what a server may use, in bytes, when nobody says.
const defaultMemory = 4 << 30

// fill puts this server's values into a template.
func (s *Server) fill(template string) string {
	// A real server logs to where we read, and keeps the users that it is told of.
	log, users, password := "<console>1</console>", "<local_directory><path>{dir}/data/access/</path></local_directory>", s.Password
	if s.program.engine {
		// The engine must log in to itself without a password: startScript sets it.
		log, users, password = "<log>{dir}/server.log</log>", "", ""
	}
	template = strings.NewReplacer("{log}", log, "{users}", users).Replace(template)
	return strings.NewReplacer(
		"{dir}", html.EscapeString(s.Dir),
		"{http_port}", port(s.ports.http),
		"{native_port}", port(s.ports.native),
		"{max_memory}", strconv.FormatInt(cmp.Or(s.options.MaxMemory, defaultMemory), 10),
		"{password}", password,
		"{extra_config}", s.options.ExtraConfig,
		"{extra_users}", s.options.ExtraUsers,
	).Replace(template)
}

// port returns the port of a host:port that freePorts made.
func port(address string) string {
	return address[strings.LastIndexByte(address, ':')+1:]
}

// startScript is what the engine runs before it opens its ports: the admin's
// password, then all users as they were.
func (s *Server) startScript() (string, error) {
	users, err := s.remembered()
	return "ALTER USER " + admin + " IDENTIFIED WITH plaintext_password BY '" + s.Password + "';\n" + users, err
}
