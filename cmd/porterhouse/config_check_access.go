package main

import (
	"strconv"
	"strings"
	"time"

	"porterhouse/clickhouse"
	"porterhouse/directory"
	"porterhouse/gate"
)

// access refuses a mode without what it stands on.
func (c httpDoors) access(path string, cluster ClusterConfig) {
	switch cluster.mode() {
	case clickhouse.Verify:
		if cluster.Authenticator == nil {
			c.refuse(path+".access.mode", "with verify ClickHouse asks us whether a one-time ticket is right: say %s.authenticator, and give ClickHouse what porterhouse check authenticator prints", path)
		}
	case clickhouse.Forward:
		if len(c.processors()) == 0 {
			c.refuse(path+".access.mode", "with forward the person's own token goes on to ClickHouse, and API tokens mean nothing there: add token_processors, the same as in ClickHouse's configuration")
		}
		if len(c.Users.Personas) > 0 || c.Users.AllowShared {
			c.refuse(path+".access.mode", "with forward ClickHouse makes the person's own account of a token, so agents cannot have one of theirs, nor people share one: leave users.personas and users.allow_shared out, or want verify or execute_as here")
		}
	}
}

// accounts refuses accounts that are made so that the access mode cannot get into them.
func (c httpDoors) accounts(path string, cluster ClusterConfig) {
	if cluster.Provision == nil {
		return
	}
	switch mode, made := cluster.mode(), cluster.provisionMode(); {
	case mode == clickhouse.Verify && made != directory.HTTP:
		c.refuse(path+".provision.mode", "with access.mode verify people's accounts are got into by asking the authenticator: want http, or leave the key out")
	case mode == clickhouse.ExecuteAs && cluster.Access.Mode != "" && made == directory.HTTP:
		c.refuse(path+".access.mode", "with provision.mode http the gateway may not act as the accounts: want verify here, or execute_as there")
	case mode == clickhouse.Interserver && made == directory.ExecuteAs:
		c.refuse(path+".provision.mode", "with access.mode interserver ClickHouse looks from where people come, and accounts that are made for execute_as come from nowhere: want interserver, or leave the key out")
	case mode == clickhouse.Forward || mode == clickhouse.Static:
		c.refuse(path+".provision", "with access.mode %s nobody acts as the accounts that would be made here: leave provision out", mode)
	}
}

// cluster refuses a secret of a cluster that is of no use, and its lack where it is
// needed.
func (c httpDoors) cluster(path string, cluster ClusterConfig) {
	a, mode := cluster.Access, cluster.mode()
	said := a.Cluster != "" || !a.Secret.IsZero()
	if mode != clickhouse.Interserver && mode != clickhouse.Auto && cluster.shadow().Mode != clickhouse.Interserver {
		if said {
			c.refuse(path+".secret", "whoever has a cluster's secret can be anybody, and %s does not need it: leave cluster and secret out, or say mode: interserver", mode)
		}
		return
	}
	if mode == clickhouse.Auto && !said {
		return // then it is none of those to choose from
	}
	for _, server := range cluster.placed(strings.TrimSuffix(path, ".access")) {
		if server.Access.Native == "" {
			c.refuse(server.native, "with interserver everything goes over the native protocol: say where it is, such as clickhouse.internal:9440")
		}
	}
	if a.Cluster == "" {
		c.refuse(path+".cluster", "say the name that the cluster has in <remote_servers> of ClickHouse's configuration")
	}
	if a.Secret.IsZero() {
		c.refuse(path+".secret", "the cluster's <secret> is missing: env:NAME or file:PATH")
	}
}

// native refuses an address of the native protocol that is of no use, or not safe.
func (c httpDoors) native(path string, server placed) {
	a := server.Access
	switch {
	case a.Native == "" && a.NativeTLS:
		c.refuse(path+".native_tls", "say where ClickHouse speaks its native protocol with TLS: native: host:9440, mostly")
	case a.Native == "":
	case !server.speaksNative():
		c.refuse(server.native, "only execute_as and interserver need the native protocol; %s does everything over HTTP: leave the key out", server.mode())
	case !isAddress(a.Native):
		c.address(server.native, a.Native)
	case !a.NativeTLS && !onLoopback(a.Native) && !server.AllowPlainHTTP:
		c.refuse(server.native, "the gateway's password and everybody's rows would travel unencrypted: say native_tls: true (port 9440, mostly), or allow_plain_http: true for the cluster")
	}
}

// rules refuses further limits that limit nothing, or of which nobody could tell what.
func (c httpDoors) rules() {
	named := map[string]bool{}
	for i, r := range c.Limits.Rules {
		path := "limits.rules[" + strconv.Itoa(i) + "]"
		switch {
		case r.Name == "":
			c.refuse(path+".name", "give the limit a name: whoever meets it is told")
		case named[r.Name]:
			c.refuse(path+".name", "there are two limits named %q", r.Name)
		}
		named[r.Name] = true
		if problem := r.problem(); problem != "" {
			c.refuse(path, "%s", problem)
		}
	}
}

// problem tells what is wrong with a limit; "": nothing.
func (r RuleConfig) problem() string {
	counts := r.Queries > 0 || r.Bytes > 0
	switch {
	case r.Concurrent == 0 && !counts && r.Time == 0 && r.Answer == 0:
		return "it bounds nothing: say concurrent, queries, bytes, time or answer"
	case counts && r.Window == 0:
		return "queries and bytes are counted in a window: say how long it is, such as window: 1h"
	case r.Window > 0 && (r.Window < time.Second || r.Window > 366*oneDay):
		return "a window can be from 1s to 366d long"
	case !counts && r.Window != 0:
		return "a window is for queries or bytes: say how many may fall into it"
	case r.Concurrent == 0 && (r.Queue > 0 || r.QueueWait > 0):
		return "a queue is for questions beyond concurrent: say how many may run at once"
	case r.Per == string(gate.PerGroup) && len(r.Groups) == 0:
		return "per group needs the groups that it is for"
	}
	return ""
}
