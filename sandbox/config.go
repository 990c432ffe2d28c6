package sandbox

import (
	"bytes"
	"cmp"
	_ "embed" // of the templates
	"encoding/xml"
	"os"
	"path/filepath"
	"strings"
	"text/template"
)

// The files in a server's directory.
const (
	configFile = "config.xml"
	usersFile  = "users.xml"
	startFile  = "start.sql" // the engine runs it before it opens its ports
	logFile    = "server.log"
	dataDir    = "data"
)

//go:embed config.xml
var configTemplate string

//go:embed users.xml
var usersTemplate string

// settings are what the templates need to know.
type settings struct {
	Dir                  string
	HTTPPort, NativePort string
	Engine               bool // the engine rather than a real server
	User, Password       string
	MaxMemory            int64
	ExtraConfig          string
	ExtraUsers           string
}

// writeFiles writes what the server reads at its start.
func (s *Server) writeFiles() error {
	if err := os.MkdirAll(filepath.Join(s.Dir, dataDir), 0o700); err != nil {
		return err
	}
	config, err := s.render(configTemplate)
	if err != nil {
		return err
	}
	users, err := s.render(usersTemplate)
	if err != nil {
		return err
	}
	start, err := s.startScript()
	if err != nil {
		return err
	}
	for name, text := range map[string]string{configFile: config, usersFile: users, startFile: start} {
		if err := os.WriteFile(filepath.Join(s.Dir, name), []byte(text), 0o600); err != nil {
			return err
		}
	}
	return nil
}

// render fills in one of the templates.
func (s *Server) render(text string) (string, error) {
	t, err := template.New("").Funcs(template.FuncMap{"xml": escape}).Parse(text)
	if err != nil {
		return "", err
	}
	var b strings.Builder
	err = t.Execute(&b, settings{
		Dir: s.Dir, HTTPPort: port(s.ports.http), NativePort: port(s.ports.native),
		Engine: s.program.engine, User: s.User, Password: s.Password,
		MaxMemory:   cmp.Or(s.options.MaxMemory, defaultMemory),
		ExtraConfig: s.options.ExtraConfig, ExtraUsers: s.options.ExtraUsers,
	})
	return b.String(), err
}

// defaultMemory is what a server may use, in bytes, when nobody says.
const defaultMemory = 4 << 30

// escape makes text safe between two XML tags.
func escape(text string) (string, error) {
	var b bytes.Buffer
	err := xml.EscapeText(&b, []byte(text))
	return b.String(), err
}

// port returns the port of a host:port that freePorts made.
func port(address string) string {
	return address[strings.LastIndexByte(address, ':')+1:]
}

// startScript is what the engine runs before it opens its ports: the admin's
// password, then all users as they were.
func (s *Server) startScript() (string, error) {
	users, err := s.remembered()
	return "ALTER USER " + s.User + " IDENTIFIED WITH plaintext_password BY '" + s.Password + "';\n" + users, err
}
