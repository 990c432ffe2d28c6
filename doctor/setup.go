package doctor

import (
	"net/netip"
	"slices"

	"porterhouse/clickhouse"
)

// Setup returns all that an administrator runs on a ClickHouse that has nothing of it
// yet: the gateway, the provisioner, and what both need in the Case's mode. The findings
// say what of it is missing.
func (c Case) Setup() Plan {
	plan := Plan{Cluster: c.Cluster}
	e := draft{newExam(c, &plan)}
	plan.Mode = e.configured()
	if c.Facts.Gateway.User != "" {
		e.makeGateway()
		for _, n := range e.needsIn([]clickhouse.Mode{c.Shadow}) {
			e.runs(e.grant(n))
		}
	}
	e.makeProvisioner()
	if slices.Contains(append(e.modes(), c.Shadow), clickhouse.Verify) {
		e.logins()
	}
	return plan
}

// makeGateway makes the gateway's account, or lets the configured password in beside
// those that it has, and gives it what it needs.
func (e draft) makeGateway() {
	const identified = " IDENTIFIED WITH sha256_password BY "
	g := e.Facts.Gateway
	if g.Login.Failed(clickhouse.LoginRefused) && e.account == g.User && !e.elsewhere() {
		// Before the user is made, so that a new one does not get the password twice.
		e.runs(Statement{Parts: []Part{{Text: "ALTER USER IF EXISTS " + e.gatewayName() + e.on + " ADD" + identified}, {Password: GatewayPassword}},
			Why: "where the user is there already, and may come from here: our password as well, beside its own", Adds: e.account})
	}
	e.run("the gateway: no role, nobody to whom it could grant anything"+e.onlyFrom(),
		Part{Text: "CREATE USER IF NOT EXISTS " + e.gatewayName() + e.on + identified}, Part{Password: GatewayPassword}, Part{Text: e.hosts() + " DEFAULT ROLE NONE GRANTEES NONE"})
	for _, n := range e.needs() {
		e.runs(e.grant(n))
	}
}

// makeProvisioner makes the provisioner's account, and gives it what it needs.
func (e draft) makeProvisioner() {
	if len(e.Provisioning) == 0 {
		return
	}
	if why := e.tooPowerful(clickhouse.AccountFacts{User: e.Provisioner}); why != "" {
		e.add(provisionerOfOthers(e.Provisioner, why))
		return
	}
	name := clickhouse.QuoteName(e.Provisioner)
	e.run("the provisioner, who makes people's accounts", Part{Text: "CREATE USER IF NOT EXISTS " + name + e.on + " IDENTIFIED BY "}, Part{Password: ProvisionerPassword})
	for _, sql := range e.Provisioning {
		e.run("what the provisioner needs", text(sql)...)
	}
	if hosts := e.hosts(); hosts != "" {
		e.run("the provisioner comes from our addresses only", text("ALTER USER "+name+e.on+hosts)...)
	}
}

// harden closes the gateway's account where it was made with less care.
func (e draft) harden() {
	e.run("no role counts by itself, and it can grant nothing to anybody"+e.onlyFrom(),
		text("ALTER USER "+e.gatewayName()+e.on+e.hosts()+" DEFAULT ROLE NONE GRANTEES NONE")...)
}

// elsewhere reports whether our replicas are all somewhere else than whoever asks, as
// far as addresses tell: what is refused here may well be let in there.
func (e draft) elsewhere() bool {
	return len(e.Hosts) > 0 && len(e.Here) > 0 && !slices.ContainsFunc(e.Hosts, func(host string) bool {
		address, err := netip.ParseAddr(host)
		if err == nil {
			return slices.Contains(e.Here, address.Unmap().String())
		}
		network, err := netip.ParsePrefix(host)
		return err != nil || slices.ContainsFunc(e.Here, func(here string) bool { // a name: nobody can tell
			at, err := netip.ParseAddr(here)
			return err != nil || network.Contains(at)
		})
	})
}

// onlyFrom tells of hosts, where there are some.
func (e draft) onlyFrom() string {
	if len(e.Hosts) == 0 {
		return ""
	}
	return ", and it comes from our addresses only"
}

// hosts is the clause of where the gateway comes from.
func (e draft) hosts() string {
	var ips, names []string
	for _, host := range e.Hosts {
		if _, err := netip.ParseAddr(host); err == nil {
			ips = append(ips, host)
		} else if _, err := netip.ParsePrefix(host); err == nil {
			ips = append(ips, host)
		} else {
			names = append(names, host)
		}
	}
	if len(ips)+len(names) == 0 {
		return ""
	}
	clause := ""
	for _, kind := range []struct {
		word string
		list []string
	}{{"IP", ips}, {"NAME", names}} {
		for _, host := range slices.Sorted(slices.Values(kind.list)) {
			if clause != "" {
				clause += ","
			}
			clause += " " + kind.word + " " + clickhouse.QuoteString(host)
		}
	}
	return " HOST" + clause
}

// upkeep says how a gateway that is as it should be stays so.
func (e draft) upkeep() {
	name := e.gatewayName()
	e.add(Finding{Fine, "gateway-upkeep", "where the gateway may come from, and to whom it may grant, only an administrator sees",
		"to be sure: ALTER USER " + name + e.on + e.hosts() + " DEFAULT ROLE NONE GRANTEES NONE. To change its password without a gap: ALTER USER " + name + e.on +
			" ADD IDENTIFIED WITH sha256_password BY <the new one>; give us the new one; ALTER USER " + name + e.on + " RESET AUTHENTICATION METHODS TO NEW", ""})
}
