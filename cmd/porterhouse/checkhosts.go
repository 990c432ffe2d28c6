package main

import (
	"context"
	"errors"
	"net/netip"
	"slices"
	"strings"

	"porterhouse"
	"porterhouse/clickhouse"
)

// hostsSQL asks from where a user may come, and from where the administrator does.
const hostsSQL = `SELECT arrayStringConcat(host_ip, ' '), arrayStringConcat(host_names, ' '), toString(length(host_names_regexp) + length(host_names_like)),
	(SELECT toString(address) FROM system.processes WHERE query_id = queryID()) FROM system.users WHERE name = `

// origins are the HOST of a user, as system.users has it.
type origins struct {
	networks, names []string
	patterns        bool // there are LIKE or REGEXP
}

// shutOut reports whether a user is there and may not come from the address from which
// an administrator comes, who comes the way that we do. Where nobody can tell, it is not.
func shutOut(ctx context.Context, admin *clickhouse.Admin, user string) (from netip.Addr, shut bool, err error) {
	rows, err := admin.Rows(ctx, hostsSQL+clickhouse.QuoteString(user), applyComment)
	if _, refused := errors.AsType[*porterhouse.Exception](err); refused {
		return from, false, nil // an administrator who may not look, or a server of long ago
	}
	if err != nil || len(rows) != 1 || len(rows[0]) != 4 {
		return from, false, err
	}
	if from, err = netip.ParseAddr(rows[0][3]); err != nil {
		return from, false, nil
	}
	o := origins{strings.Fields(rows[0][0]), strings.Fields(rows[0][1]), rows[0][2] != "0"}
	return from.Unmap(), !o.mayHave(from.Unmap()), nil
}

// mayHave reports whether an address is among the origins, as far as can be told without
// asking for names.
func (o origins) mayHave(from netip.Addr) bool {
	byName := func(name string) bool { return name != "localhost" || from.IsLoopback() } // as ClickHouse calls all of loopback
	return o.patterns || slices.ContainsFunc(o.names, byName) || slices.ContainsFunc(o.networks, func(text string) bool {
		if address, err := netip.ParseAddr(text); err == nil {
			return address.Unmap() == from
		}
		network, err := netip.ParsePrefix(text)
		if err != nil || network == netip.PrefixFrom(netip.IPv6Unspecified(), 0) { // a mask that is no prefix, or HOST ANY
			return true
		}
		if mapped := network.Addr(); mapped.Is4In6() {
			network = netip.PrefixFrom(mapped.Unmap(), max(network.Bits()-96, 0))
		}
		return network.Contains(from)
	})
}
