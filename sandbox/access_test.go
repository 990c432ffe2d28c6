package sandbox

import (
	"os"
	"path/filepath"
	"testing"
)

func TestIsAccess(t *testing.T) {
	for sql, want := range map[string]bool{
		"CREATE USER ann":                               true,
		"  create\n user OR REPLACE ann":                true,
		"ALTER USER ann RENAME TO ben":                  true,
		"DROP USER ann":                                 true,
		"CREATE ROLE reader":                            true,
		"CREATE ROW  POLICY p ON t":                     true,
		"DROP POLICY p ON t":                            true,
		"CREATE QUOTA q":                                true,
		"CREATE SETTINGS PROFILE p":                     true,
		"ALTER PROFILE p":                               true,
		"GRANT SELECT ON t TO ann":                      true,
		"REVOKE\tSELECT ON t FROM ann":                  true,
		"SET DEFAULT ROLE r TO ann":                     true,
		"-- a comment\nGRANT SELECT ON t TO ann":        true,
		"/* one */ # two\n--three\n/*four*/DROP USER a": true,
		"SELECT 'CREATE USER ann'":                      false,
		"-- CREATE USER ann\nSELECT 1":                  false,
		"CREATE TABLE user (n UInt8)":                   false,
		"CREATE USERS":                                  false,
		"SET ROLE r":                                    false,
		"SHOW GRANTS":                                   false,
		"":                                              false,
	} {
		if got := isAccess(sql); got != want {
			t.Errorf("%q: %v, want %v", sql, got, want)
		}
	}
}

// What a crash cut off in the middle was never acknowledged, and does no harm.
func TestJournal(t *testing.T) {
	j := journal(filepath.Join(t.TempDir(), journalFile))
	for _, sql := range []string{"CREATE USER ann", "GRANT SELECT ON t\nTO ann;"} {
		if err := j.add(sql); err != nil {
			t.Fatal(err)
		}
	}
	const want = "CREATE USER ann\n;\nGRANT SELECT ON t\nTO ann;\n;\n"
	file, err := os.OpenFile(string(j), os.O_APPEND|os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := file.WriteString(`"CREATE USER be`); err != nil {
		t.Fatal(err)
	}
	if err := file.Close(); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if got, err := j.script(); err != nil || got != want {
			t.Errorf("it says %q, %v, want %q", got, err, want)
		}
	}
	if err := j.add("DROP USER ann"); err != nil {
		t.Fatal(err)
	}
	if got, err := j.script(); err != nil || got != want+"DROP USER ann\n;\n" {
		t.Errorf("it says %q, %v after one more", got, err)
	}
}
