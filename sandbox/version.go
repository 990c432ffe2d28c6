package sandbox

import (
	"fmt"
	"os/exec"
	"regexp"
	"strconv"
)

// version is the year and month of a ClickHouse release.
type version struct{ year, month int }

// oldest is the first release that has EXECUTE AS.
var oldest = version{25, 11}

func (v version) before(other version) bool {
	return v.year < other.year || v.year == other.year && v.month < other.month
}

func (v version) String() string { return fmt.Sprintf("%d.%d", v.year, v.month) }

var versionNumber = regexp.MustCompile(`\b(\d{2})\.(\d{1,2})\.\d`)

// parseVersion finds the first version number in text.
func parseVersion(text string) (version, error) {
	found := versionNumber.FindStringSubmatch(text)
	if found == nil {
		return version{}, fmt.Errorf("no version number in %.200q", text)
	}
	year, err := strconv.Atoi(found[1])
	if err != nil {
		return version{}, err
	}
	month, err := strconv.Atoi(found[2])
	return version{year, month}, err
}

// checkVersion asks the clickhouse binary at path whether it is new enough.
func checkVersion(path string) error {
	output, err := exec.Command(path, "server", "--version").Output()
	if err != nil {
		return fmt.Errorf("sandbox: asking %s for its version: %w", path, err)
	}
	v, err := parseVersion(string(output))
	if err != nil {
		return fmt.Errorf("sandbox: asking %s for its version: %w", path, err)
	}
	if v.before(oldest) {
		return fmt.Errorf("sandbox: %s is ClickHouse %v; %v or later is needed, for EXECUTE AS", path, v, oldest)
	}
	return nil
}
