package directory

import (
	"slices"
	"strings"
	"testing"
)

// What Antalya makes of groups, we make of them: the mapping first, then the
// filter on the whole name, then the replacements.
func TestRolesAsAntalyaGivesThem(t *testing.T) {
	for _, test := range []struct {
		name   string
		rules  Rules
		groups []string
		want   []string
	}{
		{"a group is a role", Rules{}, []string{"b", "a"}, []string{"a", "b"}},
		{"each once", Rules{}, []string{"a", "a"}, []string{"a"}},
		{"no groups", Rules{CommonRoles: []string{"reader"}}, nil, []string{"reader"}},
		{"common roles beside those of groups", Rules{CommonRoles: []string{"reader", "a"}}, []string{"a", "b"}, []string{"a", "b", "reader"}},
		{"the filter does not hold for common roles", Rules{CommonRoles: []string{"reader"}, RolesFilter: "x.*"}, []string{"a", "xa"}, []string{"reader", "xa"}},

		{"the filter matches the whole name", Rules{RolesFilter: "ch-"}, []string{"ch-a", "ch-"}, []string{"ch-"}},
		{"the filter with a wild end", Rules{RolesFilter: "ch-.*"}, []string{"ch-a", "xch-a", "CH-a"}, []string{"ch-a"}},
		{"anchors of its own change nothing", Rules{RolesFilter: "^ch-.*$"}, []string{"ch-a", "xch-a"}, []string{"ch-a"}},
		{"every branch is anchored", Rules{RolesFilter: "ch-a|ch-b"}, []string{"ch-a", "ch-b", "ch-ab", "xch-b"}, []string{"ch-a", "ch-b"}},
		{"a branch that is short does not hide a long one", Rules{RolesFilter: "a|ab"}, []string{"ab"}, []string{"ab"}},
		{"flags of the filter", Rules{RolesFilter: "(?i)CH-.*"}, []string{"ch-a"}, []string{"ch-a"}},
		{"lines of their own are none", Rules{RolesFilter: "(?m)^a$"}, []string{"a", "a\nb"}, []string{"a"}},

		{"the first match is replaced", Rules{RolesTransform: []string{"s/-/_/"}}, []string{"a-b-c"}, []string{"a_b-c"}},
		{"all matches are", Rules{RolesTransform: []string{"s/-/_/g"}}, []string{"a-b-c"}, []string{"a_b_c"}},
		{"a pattern matches anywhere", Rules{RolesTransform: []string{"s/b/x/"}}, []string{"abc"}, []string{"axc"}},
		{"nothing for something", Rules{RolesTransform: []string{"s/^ch-//"}}, []string{"ch-a"}, []string{"a"}},
		{"groups of the pattern", Rules{RolesTransform: []string{`s/(\\w+)-(\\w+)/\\2_\\1/`}}, []string{"a-b"}, []string{"b_a"}},
		{"the whole match", Rules{RolesTransform: []string{`s/.+/r_\\0/`}}, []string{"a"}, []string{"r_a"}},
		{"a group that took no part", Rules{RolesTransform: []string{`s/a(x)?/b\\1/`}}, []string{"a"}, []string{"b"}},
		{"an ampersand is itself", Rules{RolesTransform: []string{"s/a/&/"}}, []string{"a"}, []string{"&"}},
		{"a dollar is itself", Rules{RolesTransform: []string{"s/a/$1/"}}, []string{"a"}, []string{"$1"}},
		{"a slash", Rules{RolesTransform: []string{`s/\//_/g`}}, []string{"/team/sub"}, []string{"_team_sub"}},
		{"a slash in the replacement", Rules{RolesTransform: []string{`s/_/\//`}}, []string{"a_b"}, []string{"a/b"}},
		{"a backslash before what needs none", Rules{RolesTransform: []string{`s/\-/\_/g`}}, []string{"a-b"}, []string{"a_b"}},
		{"a backslash in the replacement", Rules{RolesTransform: []string{`s/-/\\\\/`}}, []string{"a-b"}, []string{`a\b`}},
		{"an empty match everywhere", Rules{RolesTransform: []string{"s/x*/-/g"}}, []string{"abc"}, []string{"-a-b-c-"}},
		{"one after the other", Rules{RolesTransform: []string{"s/a/b/", "s/b/c/"}}, []string{"a"}, []string{"c"}},
		{"two groups that become one role", Rules{RolesTransform: []string{"s/[ab]/x/"}}, []string{"a", "b"}, []string{"x"}},

		{"the mapping", Rules{RolesMapping: []Mapping{{"g", "r"}}}, []string{"g", "h"}, []string{"h", "r"}},
		{"the mapping compares whole names", Rules{RolesMapping: []Mapping{{"g", "r"}}}, []string{"gg", "G"}, []string{"G", "gg"}},
		{"the mapping is gone through once", Rules{RolesMapping: []Mapping{{"a", "b"}, {"b", "c"}}}, []string{"a"}, []string{"b"}},
		{"the filter sees what the mapping made", Rules{RolesMapping: []Mapping{{"g", "ch-a"}, {"ch-b", "x"}}, RolesFilter: "ch-.*"}, []string{"g", "ch-b"}, []string{"ch-a"}},
		{"the filter does not see what the replacement makes", Rules{RolesFilter: "ch-.*", RolesTransform: []string{"s/^ch-//"}}, []string{"ch-a", "a"}, []string{"a"}},
		{"all three", Rules{RolesMapping: []Mapping{{"0815", "ch-ops"}}, RolesFilter: "ch-.*", RolesTransform: []string{"s/-/_/g"}}, []string{"0815", "4711"}, []string{"ch_ops"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			test.rules.GroupRoles = true
			if got := roleRulesOf(t, test.rules).of(test.groups, nil); !slices.Equal(got, test.want) {
				t.Errorf("the groups %q give the roles %q, want %q", test.groups, got, test.want)
			}
		})
	}
}

func roleRulesOf(t testing.TB, r Rules) roleRules {
	t.Helper()
	denied, err := parseNames("the test's list", []string{"default", "admin", "porterhouse_account", "ops_*"}, true)
	if err != nil {
		t.Fatal(err)
	}
	parsed, err := parseRoleRules(r, denied)
	if err != nil {
		t.Fatal(err)
	}
	return parsed
}

// Whoever names groups at the provider gets no role that the operator kept back,
// and none by a name that reads like another.
func TestRolesThatNoGroupGives(t *testing.T) {
	rules := roleRulesOf(t, Rules{GroupRoles: true, RolesMapping: []Mapping{{"g", "admin"}}, RolesTransform: []string{"s/^x-//"}})
	for _, group := range []string{
		"default", "DEFAULT", "admin", "Admin", "ａｄｍｉｎ", "porterhouse_account", "ops_", "ops_all", "OPS_all",
		"x-admin", "x-default", "x-", "g", "",
		" a", "a ", "a\n", "a\x00", "a\u200b", "a\u202eb", "Zoe\u0308", "a\xff", strings.Repeat("a", 129),
	} {
		if roles := rules.of([]string{group}, nil); len(roles) > 0 {
			t.Errorf("the group %q gives the roles %q", group, roles)
		}
	}
	if roles := rules.of([]string{"op", "x-ok"}, nil); !slices.Equal(roles, []string{"ok", "op"}) {
		t.Errorf("harmless groups give the roles %q", roles)
	}
}

func TestWithoutGroupRolesGroupsGiveNone(t *testing.T) {
	if roles := roleRulesOf(t, Rules{CommonRoles: []string{"reader"}}).of([]string{"a"}, nil); !slices.Equal(roles, []string{"reader"}) {
		t.Errorf("the roles are %q", roles)
	}
}

func TestRulesOfRolesThatAreRefused(t *testing.T) {
	transform := func(text string) Rules { return Rules{GroupRoles: true, RolesTransform: []string{text}} }
	for _, test := range []struct {
		name   string
		rules  Rules
		reason string
	}{
		{"no s", transform("/a/b/"), "byte 1"},
		{"another separator", transform("s|a|b|"), "byte 1"},
		{"nothing", transform(""), "byte 1"},
		{"no second slash", transform("s/a"), "byte 4"},
		{"no third slash", transform("s/a/b"), "byte 6"},
		{"a third slash that is escaped", transform(`s/a/b\/`), "byte 8"},
		{"a backslash at the end", transform(`s/a/b\`), "byte 7"},
		{"no pattern", transform("s//b/"), "byte 3"},
		{"a fourth slash", transform("s/a/b/c/"), `"c/" behind its end at byte 7`},
		{"an unknown flag", transform("s/a/b/i"), `"i" behind its end at byte 7`},
		{"g twice", transform("s/a/b/gg"), `"gg"`},
		{"a bad pattern", transform("s/(/b/"), "missing closing )"},
		{"a look-ahead", transform("s/a(?=b)/b/"), "invalid or unsupported"},
		{"a digit class with one backslash", transform(`s/\d+/x/`), `\d at byte 3`},
		{"a dot with one backslash", transform(`s/a\.b/x/`), `\. at byte 4`},
		{"a group with one backslash", transform(`s/(a)/\1x/`), `\1 at byte 7`},
		{"an ampersand with a backslash", transform(`s/a/\&/`), `\& at byte 5`},
		{"a group that is not there", transform(`s/(a)/\\2/`), "only 1 groups"},
		{"a backslash before a letter", transform(`s/a/\\n/`), "not before a digit"},
		{"the second one", Rules{GroupRoles: true, RolesTransform: []string{"s/a/b/", "y/a/b/"}}, `"y/a/b/"`},
		{"a bad filter", Rules{GroupRoles: true, RolesFilter: "ch-["}, "roles_filter"},
		{"a filter that leaves its brackets", Rules{GroupRoles: true, RolesFilter: "a)|(.*"}, "roles_filter"},
		{"a mapping from nothing", Rules{GroupRoles: true, RolesMapping: []Mapping{{"a", "b"}, {"", "r"}}}, "entry 2"},
		{"a mapping to nothing", Rules{GroupRoles: true, RolesMapping: []Mapping{{"a", ""}}}, "entry 1"},
		{"a group that is mapped twice", Rules{GroupRoles: true, RolesMapping: []Mapping{{"a", "b"}, {"a", "c"}}}, "mapped to \"b\" already"},
		{"a common role that is denied", Rules{CommonRoles: []string{"Default"}}, "common_roles"},
		{"a common role without a name", Rules{CommonRoles: []string{""}}, "common_roles"},
		{"a filter, but no roles by group", Rules{RolesFilter: "a"}, "groups give none"},
		{"a mapping, but no roles by group", Rules{RolesMapping: []Mapping{{"a", "b"}}}, "groups give none"},
		{"a replacement, but no roles by group", Rules{RolesTransform: []string{"s/a/b/"}}, "groups give none"},
		{"roles by group of a shared account", Rules{UserName: "analyst", AllowShared: true, GroupRoles: true}, "common_roles only"},
		{"a profile that is no name", Rules{DefaultProfile: "a\n"}, "default_profile"},
	} {
		t.Run(test.name, func(t *testing.T) {
			_, err := New(cluster(t, nil, test.rules))
			if err == nil || !strings.Contains(err.Error(), test.reason) {
				t.Errorf("%v, want an error with %q", err, test.reason)
			}
		})
	}
}

// No replacement panics, and what it makes of a name is what Go's own regular
// expressions make of it.
func FuzzReplacement(f *testing.F) {
	for _, text := range []string{"s/-/_/g", `s/(\\w+)-(\\w+)/\\2_\\1/`, "s/x*/-/g", `s/\//_/`} {
		f.Add(text, "a-b/c")
	}
	f.Fuzz(func(t *testing.T, text, name string) {
		r, err := parseReplacement(text)
		if err != nil {
			return
		}
		if got := r.apply(name); !r.pattern.MatchString(name) && got != name {
			t.Errorf("%s makes %q of %q, which it does not match", text, got, name)
		}
		if r.all && len(r.with) == 1 && r.with[0].group < 0 {
			if got, want := r.apply(name), r.pattern.ReplaceAllLiteralString(name, r.with[0].literal); got != want {
				t.Errorf("%s makes %q of %q, want %q", text, got, name, want)
			}
		}
	})
}

func BenchmarkRoles(b *testing.B) {
	r := roleRulesOf(b, Rules{GroupRoles: true, RolesMapping: []Mapping{{"0815", "ch-ops"}}, RolesFilter: "ch-.*", RolesTransform: []string{"s/-/_/g"}})
	groups := []string{"0815"}
	for i := range 19 {
		groups = append(groups, "ch-team-"+string(rune('a'+i)))
	}
	b.ReportAllocs()
	for b.Loop() {
		r.of(groups, nil)
	}
}
