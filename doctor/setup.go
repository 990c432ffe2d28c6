package doctor

import (
	"net/netip"
	"slices"

	"porterhouse/clickhouse"
)

// Setup returns all that an administrator runs on a ClickHouse that has nothing of it
// yet: the gateway, the provisioner, and what both need in the Case's mode.
func (c Case) Setup() []Statement {
	var plan Plan
	e := draft{newExam(c, &plan)}
	plan.Mode = e.configured()
	if c.Facts.Gateway.User != "" {
		e.makeGateway()
	}
	e.makeProvisioner()
	if slices.Contains(e.modes(), clickhouse.Verify) {
		e.logins()
	}
	return plan.SQL
}

// makeGateway makes the gateway's account, or lets the configured password in beside
// those that it has, and gives it what it needs.
func (e draft) makeGateway() {
	const identified = " IDENTIFIED WITH sha256_password BY " + GatewayPassword
	e.run("the gateway: no role, nobody to whom it could grant anything"+e.onlyFrom(),
		"CREATE USER IF NOT EXISTS "+e.gatewayName()+e.on+identified+e.hosts()+" DEFAULT ROLE NONE GRANTEES NONE")
	if e.Facts.Gateway.Login.Failed(clickhouse.LoginRefused) {
		e.run("where the user was there already: our password as well, beside its own", "ALTER USER "+e.gatewayName()+e.on+" ADD"+identified)
		e.harden()
	}
	for _, n := range e.needs() {
		e.run(n.why, e.grant(n))
	}
}

// makeProvisioner makes the provisioner's account, and gives it what it needs.
func (e draft) makeProvisioner() {
	for _, sql := range e.Provisioning {
		e.run("what the provisioner needs", sql)
	}
	if hosts := e.hosts(); hosts != "" && len(e.Provisioning) > 0 {
		e.run("the provisioner comes from our addresses only", "ALTER USER "+clickhouse.QuoteName(e.Provisioner)+e.on+hosts)
	}
}

// harden closes the gateway's account where it was made with less care.
func (e draft) harden() {
	e.run("no role counts by itself, and it can grant nothing to anybody"+e.onlyFrom(),
		"ALTER USER "+e.gatewayName()+e.on+e.hosts()+" DEFAULT ROLE NONE GRANTEES NONE")
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
