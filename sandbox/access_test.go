package sandbox

import "testing"

func TestAccessStatement(t *testing.T) {
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
		if got := accessStatement.MatchString(sql); got != want {
			t.Errorf("%q: %v, want %v", sql, got, want)
		}
	}
}
