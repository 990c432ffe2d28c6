package doctor

import (
	"slices"

	"porterhouse/clickhouse"
)

// tooPowerful tells why an account is somebody else's, or so powerful that to cut its
// rights would shut out whoever needs them: no plan takes anything from it. "": it may
// be ours.
func (c Case) tooPowerful(a clickhouse.AccountFacts) string {
	switch {
	case a.User == "default":
		return "the user default, which others use as well"
	case a.User == c.Admin && c.Admin != "":
		return "the administrator who runs this"
	case holds(a, clickhouse.Everything):
		return "an account that holds every right"
	}
	return ""
}

// ruling tells the same of a gateway, which has no business with other accounts.
func (c Case) ruling() string {
	g := c.Facts.Gateway
	switch why := c.tooPowerful(g); {
	case why != "":
		return why
	case holds(g, clickhouse.Management):
		return "an account that holds access management"
	case len(g.Roles) > 0 && g.GrantsOf.Works() && !g.Complete:
		return "an account with roles of which this version does not tell what they give"
	}
	return ""
}

// holds reports whether an account has rights of a realm.
func holds(a clickhouse.AccountFacts, realm clickhouse.Realm) bool {
	return slices.ContainsFunc(a.Grants, func(g clickhouse.Grant) bool { return g.Realm == realm && !g.Revoked && g.Right != "NONE" })
}

// ownAccount is a name for a gateway of its own.
func (c Case) ownAccount() string {
	taken := []string{c.Facts.Gateway.User, c.Provisioner, c.Admin}
	for _, name := range []string{"porterhouse", "porterhouse_gateway", "porterhouse_gateway_2"} {
		if !slices.Contains(taken, name) {
			return name
		}
	}
	return "porterhouse_gateway_3" // three are taken at most
}

// apart says that the gateway is to have an account of its own, and plans it.
func (e holder) apart(why string) {
	e.add(Finding{Wrong, "gateway-account", "the gateway is " + e.Facts.Gateway.User + ", " + why,
		"make an account of its own by the SQL below, which takes nothing from " + e.Facts.Gateway.User + "; then put " + e.account + " into the configuration as the user of the cluster, with a password of its own", ""})
	e.excess("the account of its own has none of it")
	e.makeGateway()
}

// provisionerOfOthers says that the provisioner is to have an account of its own.
func provisionerOfOthers(user, why string) Finding {
	return Finding{Wrong, "provisioner-account", "the provisioner is " + user + ", " + why,
		"name an account of its own in provision.user, and check again: then the SQL makes it. Nothing is taken from " + user, ""}
}

// everywhere says where the SQL is to be run.
func (e draft) everywhere() {
	if len(e.plan.SQL) > 0 && e.on == "" {
		e.add(Finding{Fine, "each-server", "the SQL is for one server: where a cluster has several and each keeps its own users, each needs it",
			"run it on each, or say provision.on_cluster if ClickHouse shall do that", ""})
	}
}
