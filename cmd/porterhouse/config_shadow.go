package main

import (
	"errors"
	"strconv"

	"porterhouse/clickhouse"
)

// share is a part of a whole, above 0 and at most 1.
type share float64

func parseShare(text string) (share, error) {
	part, err := strconv.ParseFloat(text, 64)
	if err != nil || !(part > 0 && part <= 1) {
		return 0, errors.New("want a share above 0 and up to 1, such as 0.01, which is one in a hundred")
	}
	return share(part), nil
}

// shadow is the mode with which the cluster's own is compared, and how much is.
func (c ClusterConfig) shadow() clickhouse.Shadow {
	return clickhouse.Shadow{Mode: clickhouse.Mode(c.Access.Shadow), Share: float64(c.Access.ShadowShare)}
}

// speaksNative reports whether anything may go over ClickHouse's native protocol.
func (c ClusterConfig) speaksNative() bool {
	switch c.mode() {
	case clickhouse.ExecuteAs, clickhouse.Interserver, clickhouse.Auto:
		return true
	}
	return c.shadow().Mode == clickhouse.Interserver
}

// shadow refuses a comparison that says nothing, or lacks what it stands on.
func (c httpDoors) shadow(path string, cluster ClusterConfig) {
	shadow, mode := cluster.shadow(), cluster.mode()
	switch {
	case shadow.Mode == "" && shadow.Share != 0:
		c.refuse(path+".shadow_share", "say with which mode that share is compared: shadow: execute_as, interserver or verify")
	case shadow.Mode == "":
	case shadow.Mode == mode:
		c.refuse(path+".shadow", "%s is the cluster's own mode already: say the mode with which it is compared", mode)
	case !mode.Comparable():
		c.refuse(path+".shadow", "answers can be compared where access.mode is execute_as, interserver or verify, and here it is %s: say one of those, or leave shadow out", mode)
	case shadow.Mode == clickhouse.ExecuteAs && cluster.User == "":
		c.refuse(path+".shadow", "for execute_as name the ClickHouse user that the gateway logs in as, with a password: user, password")
	case shadow.Mode == clickhouse.Verify && cluster.Authenticator == nil:
		c.refuse(path+".shadow", "with verify ClickHouse asks us whether a one-time ticket is right: add an authenticator, and give ClickHouse what porterhouse check authenticator prints")
	}
}
