package main

import (
	"fmt"
	"maps"
	"slices"
	"time"

	"porterhouse"
	"porterhouse/directory"
)

// UsersConfig says which ClickHouse account a person has; see directory.Rules.
type UsersConfig struct {
	Name              string              `yaml:"name"` // template
	Domains           []string            `yaml:"domains"`
	LowerCase         bool                `yaml:"lower_case"`
	Allow             []string            `yaml:"allow"`
	Deny              []string            `yaml:"deny"`
	DenyRoles         []string            `yaml:"deny_roles"`
	AllowUnicodeNames bool                `yaml:"allow_unicode_names"`
	AllowShared       bool                `yaml:"allow_shared"`
	LocalUsers        LocalUsersConfig    `yaml:"local_users"`
	Personas          list[PersonaConfig] `yaml:"personas"`
}

// LocalUsersConfig are the users that were not made by us.
type LocalUsersConfig struct {
	Allow []string `yaml:"allow"` // who may be reached: names, or prefixes as team_*
}

// PersonaConfig is the account of people's agents; see directory.Persona.
type PersonaConfig struct {
	Suffix      string              `yaml:"suffix"`
	Clients     []string            `yaml:"clients"`
	Except      []string            `yaml:"except"`
	Roles       []string            `yaml:"roles"`
	Profile     string              `yaml:"profile"`
	AllowWrites bool                `yaml:"allow_writes"`
	Limits      AccountLimitsConfig `yaml:"limits"`
}

// UserDirectoriesConfig is Antalya's user_directories, as far as tokens go: what
// the people that a processor proved are given at ClickHouse.
type UserDirectoriesConfig struct {
	Token list[TokenDirectoryConfig] `yaml:"token"`
}

// TokenDirectoryConfig is for the people of one processor. The keys of the first
// part are Antalya's. Those of the second are ours; each that is there stands for
// its namesake under users.
type TokenDirectoryConfig struct {
	Processor      string             `yaml:"processor"`
	CommonRoles    names              `yaml:"common_roles"`
	DefaultProfile string             `yaml:"default_profile"`
	RolesFilter    string             `yaml:"roles_filter"`
	RolesTransform texts              `yaml:"roles_transform"` // one after the other
	RolesMapping   RolesMappingConfig `yaml:"roles_mapping"`

	Name       string            `yaml:"name"`
	Domains    []string          `yaml:"domains"`
	LocalUsers *LocalUsersConfig `yaml:"local_users"`
}

// RolesMappingConfig names the role of each group.
type RolesMappingConfig struct {
	Map list[RoleOfGroupConfig] `yaml:"map"`
}

// RoleOfGroupConfig is one pair of it.
type RoleOfGroupConfig struct {
	From string `yaml:"from"` // group, as the provider names it
	To   string `yaml:"to"`   // role
}

// AccountLimitsConfig are limits that no statement of an account lifts.
type AccountLimitsConfig struct {
	Rows   int64         `yaml:"rows"`
	Bytes  size          `yaml:"bytes"`
	Time   time.Duration `yaml:"time"`
	Memory size          `yaml:"memory"`
}

// namedRules are rules, and where in the file they stand.
type namedRules struct {
	directory.Rules
	path string
}

// rules are those for the people of each processor, in the order of the user
// directories. The people of a processor without a directory, and those with an API
// token unless "tokens" has one, have no roles by group; so do clients that ask for
// themselves, unless "clients" has one. Everybody's rules are for
// one processor: else who does not fit those of their own could fit another's.
func (c Config) rules() []namedRules {
	var all []namedRules
	others := map[string]bool{}
	if c.Tokens.File != "" {
		others[apiTokens] = true
	}
	if c.AuthServer.hasOwnClients() {
		others[ownClients] = true
	}
	for name := range c.TokenProcessors {
		others[name] = true
	}
	for i, d := range c.UserDirectories.Token {
		all = append(all, namedRules{d.rules(c.Users), fmt.Sprintf("user_directories.token[%d]", i)})
		delete(others, d.Processor)
	}
	for _, name := range slices.Sorted(maps.Keys(others)) {
		r := c.Users.rules()
		r.Processor = name
		all = append(all, namedRules{r, "users"})
	}
	return all
}

// sameNames are the rules, two by two, whose people are given accounts from one set
// of names.
func (c Config) sameNames() (found [][2]namedRules) {
	rules := c.rules()
	for i, one := range rules {
		for _, other := range rules[i+1:] {
			apart := len(one.Domains) > 0 && len(other.Domains) > 0 &&
				!slices.ContainsFunc(one.Domains, func(domain string) bool { return slices.Contains(other.Domains, domain) })
			if one.UserName == other.UserName && !apart {
				found = append(found, [2]namedRules{one, other})
			}
		}
	}
	return found
}

// isSamePeople reports whether two processors prove the same people, as far as the
// configuration tells: those of one issuer.
func isSamePeople(c Config, one, other string) bool {
	issuers := func(processor string) []string { return c.TokenProcessors[processor].settings(processor).Issuers() }
	return slices.ContainsFunc(issuers(one), func(issuer string) bool { return slices.Contains(issuers(other), issuer) })
}

// sameRoles reports whether two rules make the same of the same groups.
func (r namedRules) sameRoles(other namedRules) bool {
	return r.DefaultProfile == other.DefaultProfile && r.GroupRoles == other.GroupRoles && r.RolesFilter == other.RolesFilter &&
		slices.Equal(r.RolesTransform, other.RolesTransform) && slices.Equal(r.RolesMapping, other.RolesMapping) &&
		slices.Equal(slices.Sorted(slices.Values(r.CommonRoles)), slices.Sorted(slices.Values(other.CommonRoles)))
}

// directory is the rules for a cluster, and what they are carried out with.
func (c Config) directory(cluster string, p setup) directory.Config {
	config := directory.Config{
		Gateway: c.Clusters[cluster].User, Deny: c.Users.Deny, DenyRoles: c.Users.DenyRoles,
		Provisioner: p.provisioners[cluster], Store: p.store, AllowOrphans: p.forgetful, State: p.accounts, Audit: p.audit, Now: p.now,
	}
	for _, r := range c.rules() {
		config.Directories = append(config.Directories, r.Rules)
	}
	return config
}

func (u UsersConfig) rules() directory.Rules {
	r := directory.Rules{
		UserName:          u.Name,
		Domains:           u.Domains,
		LowerCase:         u.LowerCase,
		Allow:             u.Allow,
		AllowUnicodeNames: u.AllowUnicodeNames,
		AllowShared:       u.AllowShared,
		LocalUsers:        u.LocalUsers.Allow,
	}
	for _, p := range u.Personas {
		r.Personas = append(r.Personas, directory.Persona{
			Suffix: p.Suffix, Clients: p.Clients, Except: p.Except, Roles: p.Roles,
			Profile: p.Profile, AllowWrites: p.AllowWrites, Limits: p.Limits.limits(),
		})
	}
	return r
}

func (d TokenDirectoryConfig) rules(u UsersConfig) directory.Rules {
	r := u.rules()
	r.Processor, r.CommonRoles, r.DefaultProfile = d.Processor, d.CommonRoles, d.DefaultProfile
	r.RolesFilter, r.RolesTransform = d.RolesFilter, d.RolesTransform
	r.GroupRoles = !u.AllowShared // in a shared account the roles by one's groups would be everybody's
	for _, m := range d.RolesMapping.Map {
		r.RolesMapping = append(r.RolesMapping, directory.Mapping{From: m.From, To: m.To})
	}
	if d.Name != "" {
		r.UserName = d.Name
	}
	if d.Domains != nil {
		r.Domains = d.Domains
	}
	if d.LocalUsers != nil {
		r.LocalUsers = d.LocalUsers.Allow
	}
	return r
}

func (l AccountLimitsConfig) limits() porterhouse.Limits {
	return porterhouse.Limits{Rows: l.Rows, Bytes: int64(l.Bytes), Time: l.Time, Memory: int64(l.Memory)}
}
