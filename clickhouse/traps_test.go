package clickhouse_test

import (
	"slices"
	"testing"

	"porterhouse/clickhouse"
)

// A trap is a version's that is neither too old for it nor has the fix of its own
// branch, or of all branches.
func TestTraps(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		version string
		has     []string
		not     []string
	}{
		{"21.8.15.7", nil, []string{"create-unchecked", "format-dropped", "parallel-with-unchecked", "subquery-settings"}},
		{"24.8.14.39", []string{"subquery-settings"}, []string{"create-unchecked", "parallel-with-unchecked"}},
		{"25.8.12.10129.altinitystable", []string{"create-unchecked", "switch-off-by-default", "switch-at-top-level", "inner-query-unlogged"}, nil},
		{"25.11.1.1", []string{"format-dropped", "policy-crash", "switch-at-top-level"}, nil},
		{"26.2.1.522", []string{"switch-off-by-default"}, []string{"switch-at-top-level"}},
		{"26.3.14.31", []string{"format-dropped", "create-unchecked"}, []string{"switch-off-by-default"}},
		{"26.3.14.32", []string{"create-unchecked"}, []string{"format-dropped"}},
		{"26.3.33.108", nil, []string{"create-unchecked", "parallel-with-unchecked", "subquery-settings"}},
		{"26.4.1.219", []string{"format-dropped"}, nil},
		{"26.4.9.1", []string{"create-unchecked", "subquery-settings"}, []string{"format-dropped"}}, // a branch without the fix
		{"26.7.2.1", []string{"create-unchecked", "parallel-with-unchecked", "subquery-settings"}, []string{"format-dropped", "inner-query-unlogged"}},
		{"26.8.2.2", []string{"create-unchecked"}, []string{"subquery-settings"}},
		{"26.9.1.1599", []string{"create-unchecked"}, []string{"subquery-settings"}},
		{"26.10.1.1", nil, []string{"create-unchecked", "parallel-with-unchecked", "subquery-settings", "format-dropped"}},
		{"27.1.1.1", nil, []string{"create-unchecked"}},
		{"", []string{"create-unchecked", "format-dropped", "policy-crash"}, nil}, // nobody knows
		{"head", []string{"create-unchecked"}, nil},
	} {
		var names []string
		for _, trap := range clickhouse.Traps(test.version) {
			names = append(names, trap.Name)
		}
		for _, name := range test.has {
			if !slices.Contains(names, name) {
				t.Errorf("%s: %s is missing in %v", test.version, name, names)
			}
		}
		for _, name := range test.not {
			if slices.Contains(names, name) {
				t.Errorf("%s: %s is not a trap of it", test.version, name)
			}
		}
	}
}
