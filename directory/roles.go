package directory

import (
	"errors"
	"fmt"
	"maps"
	"regexp"
	"slices"

	"golang.org/x/text/unicode/norm"

	"porterhouse"
)

// roleRules turn groups into roles, in Antalya's order:
//
//	group ─▶ RolesMapping ─▶ RolesFilter (the whole name) ─▶ RolesTransform … ─▶ role
type roleRules struct {
	common    []string
	byGroup   bool
	mapping   map[string]string
	filter    *regexp.Regexp // nil: all
	transform []replacement
	denied    names
}

func parseRoleRules(r Rules, denied names) (roleRules, error) {
	parsed := roleRules{common: slices.Clone(r.CommonRoles), byGroup: r.GroupRoles, mapping: map[string]string{}, denied: denied}
	for _, role := range parsed.common {
		if err := parsed.check(role); err != nil {
			return parsed, fmt.Errorf("common_roles: %w", err)
		}
	}
	for i, m := range r.RolesMapping {
		if m.From == "" || m.To == "" {
			return parsed, fmt.Errorf("roles_mapping: entry %d lacks its from or its to", i+1)
		}
		if to, twice := parsed.mapping[m.From]; twice {
			return parsed, fmt.Errorf("roles_mapping: entry %d maps the group %q, which is mapped to %q already", i+1, m.From, to)
		}
		parsed.mapping[m.From] = m.To
	}
	var err error
	if parsed.filter, err = parseFilter(r.RolesFilter); err != nil {
		return parsed, fmt.Errorf("roles_filter: %w", err)
	}
	for _, text := range r.RolesTransform {
		one, err := parseReplacement(text)
		if err != nil {
			return parsed, fmt.Errorf("roles_transform: %w", err)
		}
		parsed.transform = append(parsed.transform, one)
	}
	return parsed, parsed.checkGroups(r.AllowShared)
}

// parseFilter makes an expression that matches whole names only.
func parseFilter(text string) (*regexp.Regexp, error) {
	if text == "" {
		return nil, nil
	}
	if _, err := regexp.Compile(text); err != nil { // by itself: a ")|(" must not end the brackets around it
		return nil, err
	}
	return regexp.Compile(`\A(?:` + text + `)\z`)
}

// of returns the roles of somebody with these groups: sorted, each once.
func (r roleRules) of(groups []string, because *trail) []string {
	roles := make(map[string]bool, len(r.common)+len(groups))
	for _, role := range r.common {
		because.say("common_roles gives the role %q", role)
		roles[role] = true
	}
	if !r.byGroup {
		groups = nil
	}
	for _, group := range groups {
		if role, given := r.role(group, because); given {
			roles[role] = true
		}
	}
	return slices.Sorted(maps.Keys(roles))
}

// role returns the role that one group gives.
func (r roleRules) role(group string, because *trail) (role string, given bool) {
	role = group
	if to, mapped := r.mapping[group]; mapped {
		because.say("roles_mapping makes %q of the group %q", to, group)
		role = to
	}
	if r.filter != nil && !r.filter.MatchString(role) {
		because.say("roles_filter leaves out the group %q", role)
		return "", false
	}
	for _, one := range r.transform {
		if after := one.apply(role); after != role {
			because.say("roles_transform %s makes %q of %q", one.text, after, role)
			role = after
		}
	}
	if err := r.check(role); err != nil {
		because.say("the group %q gives no role: %v", group, err)
		return "", false
	}
	because.say("the group %q gives the role %q", group, role)
	return role, true
}

// check holds the name of a role to what a user's is held to. A role that is
// denied is not given, whatever a group is called.
func (r roleRules) check(role string) error {
	if _, err := porterhouse.ParseUserName(role); err != nil {
		return fmt.Errorf("%q is no name of a role: %w", role, err)
	}
	if !norm.NFC.IsNormalString(role) {
		return fmt.Errorf("the role %+q is not in Unicode normal form C", role)
	}
	if r.denied.has(role) {
		return fmt.Errorf("the role %q is on the list of those that no group leads to", role)
	}
	return nil
}

// checkGroups refuses rules that no group would come to, and roles by group where
// several people have one account: each would give the others their own.
func (r roleRules) checkGroups(shared bool) error {
	if r.byGroup && shared {
		return errors.New("an account that people share has common_roles only: roles by the groups of one would be everybody's")
	}
	if !r.byGroup && (len(r.mapping) > 0 || r.filter != nil || len(r.transform) > 0) {
		return errors.New("roles_mapping, roles_filter and roles_transform say which roles groups give, and here groups give none")
	}
	return nil
}
