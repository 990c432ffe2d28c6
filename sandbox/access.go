package sandbox

import (
	"encoding/json"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
)

// The engine keeps users and all that belongs to them in memory. So the sandbox
// writes each such statement of Exec down, once it has succeeded, and the engine
// runs them again before it opens its ports. A statement is written before Exec
// returns, so that nothing acknowledged is lost, not even by kill -9.
//
// A real server keeps its users itself; then nothing is written down.

// journal is the file of these statements, one JSON string on each line.
const journal = "access.jsonl"

// accessStatement matches the beginning of a statement that is to be remembered;
// comments may come before it.
var accessStatement = regexp.MustCompile(`(?is)^(?:\s|(?:--|#[ !])[^\n]*\n|/\*.*?\*/)*` +
	`(?:(?:CREATE|ALTER|DROP|MOVE)\s+(?:USER|ROLE|ROW\s+POLICY|POLICY|MASKING\s+POLICY|QUOTA|SETTINGS\s+PROFILE|PROFILE)` +
	`|GRANT|REVOKE|SET\s+DEFAULT\s+ROLE)\s`)

// remember writes sql down if the engine would forget it.
func (s *Server) remember(sql string) error {
	if !s.program.engine || !accessStatement.MatchString(sql) {
		return nil
	}
	line, err := json.Marshal(sql)
	if err != nil {
		return err
	}
	file, err := os.OpenFile(filepath.Join(s.Dir, journal), os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	_, err = file.Write(append(line, '\n'))
	return errors.Join(err, file.Close())
}

// remembered returns what was written down, as a script.
func (s *Server) remembered() (string, error) {
	lines, err := os.ReadFile(filepath.Join(s.Dir, journal))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return "", err
	}
	var script strings.Builder
	for line := range strings.Lines(string(lines)) {
		var sql string
		if err := json.Unmarshal([]byte(line), &sql); err != nil {
			return "", err
		}
		script.WriteString(sql + "\n;\n")
	}
	return script.String(), nil
}
