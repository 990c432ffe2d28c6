package sandbox

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"regexp"
	"strings"
)

// The engine keeps users and all that belongs to them in memory. So the sandbox
// writes each such statement of Exec down, once it has succeeded, and the engine
// runs them again before it opens its ports. A statement is written before Exec
// returns, so that nothing acknowledged is lost, not even by kill -9.
//
// A real server keeps its users itself; then nothing is written down.

// accessStatement matches the beginning of a statement that is to be remembered;
// comments may come before it.
var accessStatement = regexp.MustCompile(`(?is)^(?:\s|(?:--|#[ !])[^\n]*\n|/\*.*?\*/)*` +
	`(?:(?:CREATE|ALTER|DROP|MOVE)\s+(?:USER|ROLE|ROW\s+POLICY|POLICY|MASKING\s+POLICY|QUOTA|SETTINGS\s+PROFILE|PROFILE)` +
	`|GRANT|REVOKE|SET\s+DEFAULT\s+ROLE)\s`)

// isAccess reports whether sql is about users and their rights.
func isAccess(sql string) bool { return accessStatement.MatchString(sql) }

// journal is the path of the file of these statements: one JSON string on each line.
type journal string

// journalFile is its name in a server's directory.
const journalFile = "access.jsonl"

// add writes one more statement down.
func (j journal) add(sql string) error {
	line, err := json.Marshal(sql)
	if err != nil {
		return err
	}
	file, err := os.OpenFile(string(j), os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	_, err = file.Write(append(line, '\n'))
	return errors.Join(err, file.Close())
}

// script returns what was written down, to be run again.
func (j journal) script() (string, error) {
	lines, err := os.ReadFile(string(j))
	if errors.Is(err, fs.ErrNotExist) {
		return "", nil
	} else if err != nil {
		return "", err
	}
	// A last line that was cut off belongs to an Exec that never returned.
	whole := lines[:bytes.LastIndexByte(lines, '\n')+1]
	if err := os.Truncate(string(j), int64(len(whole))); err != nil {
		return "", err
	}
	var script strings.Builder
	for line := range bytes.Lines(whole) {
		var sql string
		if err := json.Unmarshal(line, &sql); err != nil {
			return "", fmt.Errorf("%s: %w", j, err)
		}
		script.WriteString(sql + "\n;\n")
	}
	return script.String(), nil
}
