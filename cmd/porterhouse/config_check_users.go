package main

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"porterhouse/directory"
	"porterhouse/kv"
)

// users refuses rules by which nobody, or the wrong person, would have an account.
func (c identities) users() {
	for _, name := range c.clusterNames() {
		refused := map[string]bool{}
		for _, r := range c.rules() {
			if err := c.checkRules(name, r.Rules); err != nil && !refused[r.path] {
				c.refuseRules(r.path, trimPrefixes(err.Error(), "directory: ", "rules 1: "))
				refused[r.path] = true // it stands for several processors
			}
		}
		if c.Clusters[name].Provision == nil && !reachesLocalUsers(c.rules()) {
			c.refuse("users.local_users.allow", "accounts are not made here (clusters.%s.provision), so people can only have users that ClickHouse has already, and of those only the ones that you list: add local_users: {allow: [alice, bob]} to users, or a prefix, such as team_*", name)
		}
	}
}

// oneSetOfRoles refuses rules by which one account would have other roles depending
// on how its person came in: whoever comes last would set them for all sessions.
func (c identities) oneSetOfRoles() {
	provisions := slices.ContainsFunc(c.clusterNames(), func(name string) bool { return c.Clusters[name].Provision != nil })
	for _, both := range c.sameNames() {
		one, other := both[0], both[1]
		samePeople := c.Users.AllowShared || isSamePeople(*c.Config, one.Processor, other.Processor)
		if provisions && samePeople && !one.sameRoles(other) {
			c.refuse("user_directories.token", "the people of %s and of %s can have the same accounts, and an account has one set of roles and one profile: give both a directory with the same roles, or each a name or domains of its own", one.Processor, other.Processor)
		}
	}
}

// refuseRules notes a problem with rules at the key that it begins with, if any.
func (c identities) refuseRules(path, problem string) {
	if c.d.found[path] == (place{}) { // not in a list
		path, _, _ = strings.Cut(path, "[")
	}
	if key, rest, ok := strings.Cut(problem, ": "); ok && c.d.found[path+"."+key] != (place{}) {
		path, problem = path+"."+key, rest
	}
	c.refuse(path, "%s", problem)
}

func (c identities) checkRules(cluster string, r directory.Rules) error {
	if o := c.Clusters[cluster].Provision; o != nil && len(r.LocalUsers) == 0 && !strings.HasPrefix(r.UserName, o.Prefix) {
		return fmt.Errorf("name: the accounts that are made here begin with %q (clusters.%s.provision.prefix), and by this template none does: write %s in front of it", o.Prefix, cluster, o.Prefix)
	}
	store, err := kv.OpenMemory(kv.MemoryConfig{})
	if err != nil {
		return err
	}
	_, err = directory.New(directory.Config{
		Directories: []directory.Rules{r}, Store: store,
		Gateway: c.Clusters[cluster].User, Deny: c.Users.Deny, DenyRoles: c.Users.DenyRoles,
	})
	return errors.Join(err, store.Close())
}

// reachesLocalUsers reports whether somebody has an account without our making it.
func reachesLocalUsers(rules []namedRules) bool {
	return slices.ContainsFunc(rules, func(r namedRules) bool { return len(r.LocalUsers) > 0 })
}

func trimPrefixes(text string, prefixes ...string) string {
	for _, prefix := range prefixes {
		text = strings.TrimPrefix(text, prefix)
	}
	return text
}
