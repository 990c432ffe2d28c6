package directory

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"porterhouse"
	"porterhouse/clickhouse"
)

// right is a line of system.grants, or a role that is held.
type right struct {
	name    string
	on      object
	revoked bool
}

// Check tells whether the provisioner and the gateway may do what they must, and
// no more: every finding that keeps Porterhouse from working safely, joined. Nil:
// there is none. When ClickHouse cannot be asked, the error is a *porterhouse.Error.
func (p *Provisioner) Check(ctx context.Context) error {
	c, holds, err := examine(ctx, p.registry)
	if err != nil {
		return err
	}
	return errors.Join(checkOwn(p.policy, c, holds), p.checkGateway(c, holds["user "+p.config.Gateway]))
}

// CheckOwn is Check without the gateway.
func (p *Provisioner) CheckOwn(ctx context.Context) error {
	c, holds, err := examine(ctx, p.registry)
	if err != nil {
		return err
	}
	return checkOwn(p.policy, c, holds)
}

// examine reads what the findings are made of.
func examine(ctx context.Context, p *registry) (*census, map[string][]right, error) {
	c, err := p.census(ctx, porterhouse.UserName{}, p.ticks.Add(1))
	if err != nil {
		return nil, nil, fmt.Errorf("reading users, roles and grants as the provisioner: %w", err)
	}
	holds, err := p.holdings(ctx)
	if err != nil {
		return nil, nil, fmt.Errorf("reading grants as the provisioner: %w", err)
	}
	return c, holds, nil
}

func checkOwn(p *policy, c *census, holds map[string][]right) error {
	return errors.Join(
		p.checkProvisioner(c, holds["user "+p.config.Admin.User()]),
		p.checkMarker(c, holds["role "+p.config.Marker]),
	)
}

// holdings reads all grants of the provisioner, the gateway and the marker role,
// by "user " or "role " and the name.
func (p *policy) holdings(ctx context.Context) (map[string][]right, error) {
	sql := "SELECT if(user_name IS NULL, concat('role ', ifNull(role_name, '')), concat('user ', user_name)), toString(access_type)," +
		" ifNull(access_object, ''), is_wildcard, is_partial_revoke FROM system.grants WHERE user_name IN (" +
		literals([]string{p.config.Admin.User(), p.config.Gateway}) + ") OR role_name = " + clickhouse.QuoteString(p.config.Marker)
	rows, err := p.config.Admin.Rows(ctx, sql, p.comment("", "check"))
	if err != nil {
		return nil, err
	}
	holds := map[string][]right{}
	for _, row := range rows {
		holds[row[0]] = append(holds[row[0]], right{row[1], newObject(row[2], row[3] == "1"), row[4] == "1"})
	}
	return holds, nil
}

// overUsers are the rights that a provisioner needs over the users of its prefix.
func (p *policy) overUsers() []string {
	rights := []string{"CREATE USER", "ALTER USER", "DROP USER"}
	if p.config.Mode == ExecuteAs {
		rights = append(rights, "IMPERSONATE")
	}
	return rights
}

func (p *policy) checkProvisioner(c *census, holds []right) error {
	var findings []error
	find := func(format string, args ...any) {
		findings = append(findings, fmt.Errorf("the provisioner %q "+format, append([]any{p.config.Admin.User()}, args...)...))
	}
	for _, needed := range p.overUsers() {
		if !slices.ContainsFunc(holds, func(r right) bool {
			return r.name == needed && !r.revoked && r.on.wildcard && strings.HasPrefix(p.config.Prefix, r.on.name)
		}) {
			find("lacks %s ON %s*", needed, p.config.Prefix)
		}
	}
	for _, r := range holds {
		switch {
		case r.revoked || !slices.Contains(accessManagement, r.name):
		case !slices.Contains(p.overUsers(), r.name):
			find("holds %s, which it must not", r.name)
		case !p.config.AllowUnbounded && !strings.HasPrefix(r.on.name, p.config.Prefix):
			find("holds %s beyond its prefix %s*: ClickHouse does not bound it; take that away, or allow an unbounded provisioner", r.name, p.config.Prefix)
		}
	}
	for _, name := range slices.Sorted(maps.Keys(c.privileged)) {
		if p.config.Prefix != "" && strings.HasPrefix(name, p.config.Prefix) {
			find("could become %q, which holds access management and whose name begins with the prefix %s: rename that user, or choose another prefix", name, p.config.Prefix)
		}
	}
	if r := c.users[p.config.Admin.User()]; r == nil || !r.has(p.config.Marker) {
		find("does not hold the role %s WITH ADMIN OPTION", p.config.Marker)
	} else {
		for _, role := range r.roles {
			if c.powerful[role] {
				find("holds the role %q, which carries access management", role)
			}
		}
	}
	return errors.Join(findings...)
}

func (p *policy) checkGateway(c *census, holds []right) error {
	var findings []error
	find := func(format string, args ...any) {
		findings = append(findings, fmt.Errorf("the gateway %q "+format, append([]any{p.config.Gateway}, args...)...))
	}
	r := c.users[p.config.Gateway]
	if r == nil {
		return fmt.Errorf("the gateway %q is no user of this ClickHouse", p.config.Gateway)
	}
	for _, held := range holds {
		if !held.revoked && held.name != "IMPERSONATE" && slices.Contains(accessManagement, held.name) {
			find("holds %s, which it must not", held.name)
		}
	}
	for _, name := range []string{alwaysDenied, p.config.Admin.User()} {
		if c.gateway.covers(name) {
			find("may impersonate %q", name)
		}
	}
	for _, role := range r.roles {
		if c.powerful[role] {
			find("holds the role %q, which carries access management", role)
		}
	}
	return errors.Join(findings...)
}

func (p *policy) checkMarker(c *census, holds []right) error {
	if len(holds) > 0 {
		return fmt.Errorf("the marker role %q carries rights (%s): everybody would have them", p.config.Marker, holds[0].name)
	}
	if roles := c.inherited[p.config.Marker]; len(roles) > 0 {
		return fmt.Errorf("the marker role %q has the role %q: everybody would have it", p.config.Marker, roles[0])
	}
	return nil
}
