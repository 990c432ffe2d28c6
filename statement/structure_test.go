package statement_test

import (
	"testing"

	"porterhouse/statement"
)

// What a structure may say, and a first row.
func TestStructure(t *testing.T) {
	for sql, passes := range map[string]bool{
		"SELECT * FROM values('a UInt8, b Enum8(''x'' = 1, \\'y\\' = 2)', (1, 'x'))":     true,
		"SELECT * FROM values('`default` String', 'ALIAS')":                              true,
		"SELECT * FROM values((1, 'it''s the default'), (2, now()))":                     true,
		"SELECT * FROM values(1, -2, NULL)":                                              true,
		"SELECT * FROM values(NULL, 1)":                                                  true,
		"SELECT * FROM (VALUES ('a', 1), ('b', 2))":                                      true,
		"SELECT * FROM values(toDate('2020-01-01'), today())":                            true,
		"SELECT * FROM generateRandom('a Array(Tuple(x DateTime(''UTC''), y Int8))')":    true,
		"SELECT * FROM generateRandom(1, 2, 3)":                                          true,
		"SELECT * FROM generateRandom()":                                                 true,
		"SELECT * FROM null('a UInt8')":                                                  true,
		"SELECT * FROM format(JSONEachRow, '{\"a\": \"ALIAS default\"}')":                true,
		"SELECT * FROM format('CSV', 'a UInt8', '1')":                                    true,
		"SELECT format('{} DEFAULT', concat('a', 'b'))":                                  true,
		"SELECT * FROM values('a UInt8 DEFAULT 1', 1)":                                   false,
		"SELECT * FROM values('a UInt8 -- b', 1)":                                        false,
		"SELECT * FROM values('a UInt8\\n', 1)":                                          false,
		"SELECT * FROM values(‘a UInt8’, 1)":                                             false,
		"SELECT * FROM values('a UInt8, b UInt8 /*', 1)":                                 false,
		"SELECT * FROM values(s, 1)":                                                     false,
		"SELECT * FROM values((s), 1)":                                                   false,
		"SELECT * FROM values((('a UInt8 ALIAS 1')), 1)":                                 false,
		"SELECT * FROM null('a UInt8' || '')":                                            false,
		"SELECT * FROM null(s)":                                                          false,
		"SELECT * FROM format(VALUES, '(1)')":                                            false,
		"SELECT * FROM format('values', '(1)')":                                          false,
		"SELECT * FROM format('V\\x61lues', '(1)')":                                      false,
		"SELECT * FROM format({f:String}, '(1)')":                                        false,
		"SELECT * FROM format({f:Identifier}, '(1)')":                                    false,
		"SELECT * FROM format(CSV, {s:String}, '1')":                                     false,
		"SELECT * FROM format(CSV, 'a UInt8 MATERIALIZED 1', '1')":                       false,
		"DESCRIBE TABLE values('a UInt8, b UInt8 ALIAS 1', 1)":                           false,
		"SELECT 1 IN values('a UInt8, b UInt8 ALIAS 1', 1)":                              false,
		"INSERT INTO t SELECT a FROM input('a UInt8')":                                   true,
		"INSERT INTO t SELECT b FROM input('a UInt8, b String DEFAULT file(''x'')')":     false,
		"INSERT INTO FUNCTION null('a UInt8, b UInt8 DEFAULT 1') SELECT 1":               false,
		"CREATE TABLE t AS values('a UInt8, b UInt8 ALIAS 1', 1)":                        false,
		"CREATE TEMPORARY TABLE t AS format(CSV, 'a UInt8, b UInt8 ALIAS 1', '1')":       false,
		"INSERT INTO values (default) SELECT 1":                                          true,
		"SELECT * FROM view(SELECT * FROM values('a UInt8 ALIAS 1', 1))":                 false,
		"SELECT * FROM generateRandom('a UInt8, b String TTL now() + toIntervalDay(1)')": false,
	} {
		hazard := ""
		for _, h := range statement.Check(sql).Hazards {
			if h.Kind == statement.TableFunction || h.Kind == statement.Unsure {
				hazard = h.Reason
			}
		}
		if passes != (hazard == "") {
			t.Errorf("%s: %q, want it to pass: %v", sql, hazard, passes)
		}
	}
}
