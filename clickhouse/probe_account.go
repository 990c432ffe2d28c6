package clickhouse

import (
	"context"
	"slices"
	"strconv"
	"strings"
	"sync"

	"porterhouse"
)

// rights finds what the account holds. FINAL has the rights of its roles as well;
// versions that do not know it tell of the account's own only.
func (a *AccountFacts) rights(ctx context.Context, v visitor) {
	var own, all probeAnswer
	var foundOwn, foundAll Finding
	var wg sync.WaitGroup
	wg.Go(func() { own, foundOwn = v.ask(ctx, probeQuestion{sql: "SHOW GRANTS"}) })
	wg.Go(func() { all, foundAll = v.ask(ctx, probeQuestion{sql: "SHOW GRANTS FINAL"}) })
	wg.Wait()

	a.GrantsOf = foundOwn
	if !foundOwn.Works() {
		return
	}
	var unread []string
	a.Grants, a.Roles, unread = parseGrants(firstColumn(own.text))
	if foundAll.Works() {
		direct := a.Grants
		a.Grants, _, unread = parseGrants(firstColumn(all.text))
		a.Grants = append(a.Grants, roleAdmins(direct)...) // FINAL knows no roles any more
	}
	a.Complete = len(a.Roles) == 0 || foundAll.Works()
	if len(unread) > 0 {
		a.Complete, a.GrantsOf.Said = false, "not understood: "+shorten(strings.Join(unread, "; "))
	}
}

// roleAdmins are those grants by which an account gives a role to others.
func roleAdmins(grants []Grant) (found []Grant) {
	for _, g := range grants {
		if g.Right == roleAdmin {
			found = append(found, g)
		}
	}
	return found
}

func firstColumn(answer string) (values []string) {
	for _, row := range tsvRows(answer) {
		values = append(values, row[0])
	}
	return values
}

// settings finds what the account's profile changes: not what a Probe sends itself.
func (a *AccountFacts) settings(ctx context.Context, v visitor) {
	answer, found := v.ask(ctx, probeQuestion{sql: "SELECT name, value, readonly FROM system.settings WHERE changed"})
	if !found.Works() {
		return
	}
	for _, row := range tsvRows(answer.text) {
		if len(row) != 3 || row[0] == "log_comment" {
			continue
		}
		if row[0] == "readonly" {
			a.ReadOnly, _ = strconv.Atoi(row[1])
		}
		a.Changed = append(a.Changed, ChangedSetting{Name: row[0], Value: row[1], Const: row[2] != "0"})
	}
}

// Holds returns the grants of a realm, and those of Everything, without what is
// revoked.
func (a AccountFacts) Holds(realm Realm) (held []Grant) {
	for _, g := range a.Grants {
		if (g.Realm == realm || g.Realm == Everything && g.Right != "NONE") && !g.Revoked {
			held = append(held, g)
		}
	}
	return held
}

// aPerson returns the first user whom the account may act as by an exact name. The
// account itself and default are none.
func (a AccountFacts) aPerson() (porterhouse.UserName, bool) {
	for _, g := range a.Holds(Impersonation) {
		name, prefix, ok := g.Names()
		if !ok || prefix || g.Right != "IMPERSONATE" || slices.Contains([]string{a.User, "default"}, name) {
			continue
		}
		if user, err := porterhouse.ParseUserName(name); err == nil {
			return user, true
		}
	}
	return porterhouse.UserName{}, false
}

// provisioner finds what the provisioner's account is, if there is one.
func (p *prober) provisioner(ctx context.Context) {
	t := p.Trial
	if t.Provisioner == "" {
		return
	}
	a := &AccountFacts{User: t.Provisioner}
	p.facts.Provisioner = a
	v := p.asker.as(t.Provisioner, basic(t.Provisioner, t.ProvisionerPassword))
	if _, a.Login = v.ask(ctx, probeQuestion{sql: "SELECT 1"}); !a.Login.Works() {
		return
	}
	var wg sync.WaitGroup
	wg.Go(func() { a.rights(ctx, v) })
	wg.Go(func() { a.settings(ctx, v) })
	wg.Wait()
}

// openDefault tries whether the user default comes in without a password.
func (a *asker) openDefault(ctx context.Context) Finding {
	const name = "default"
	_, found := a.as(name, basic(name, porterhouse.Secret{})).ask(ctx, probeQuestion{sql: "SELECT 1"})
	return found
}
