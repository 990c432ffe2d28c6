package main

import (
	"cmp"
	"slices"

	"porterhouse"
	"porterhouse/clickhouse"
	"porterhouse/directory"
)

// AccessConfig says how a statement becomes an account's; see clickhouse.Access. One
// mode holds for all doors to a cluster.
type AccessConfig struct {
	Mode      string             `yaml:"mode" oneof:"auto execute_as verify forward interserver static"` // "": see ClusterConfig.mode
	Native    string             `yaml:"native"`                                                         // host:port of the native protocol; for execute_as and interserver
	NativeTLS bool               `yaml:"native_tls"`                                                     // with the certificates of the cluster's tls
	Cluster   string             `yaml:"cluster"`                                                        // its name in ClickHouse's <remote_servers>; for interserver
	Secret    porterhouse.Secret `yaml:"secret"`                                                         // and its <secret> there

	Token *TokenConfig `yaml:"token"` // of people who sign in here, for forward; nil: they have none

	Shadow      string `yaml:"shadow" oneof:"execute_as interserver verify"` // the mode with which answers are compared; "": none
	ShadowShare share  `yaml:"shadow_share"`                                 // of what people read; 0: see clickhouse.Shadow
}

// mode is the access mode of a cluster: without a word about it that by which accounts
// can be got into as they are made, and without a word about that, execute_as.
func (c ClusterConfig) mode() clickhouse.Mode {
	if c.Access.Mode == "" && c.Authenticator != nil && c.Provision != nil && c.Provision.Mode == string(directory.HTTP) {
		return clickhouse.Verify
	}
	return clickhouse.Mode(cmp.Or(c.Access.Mode, string(clickhouse.ExecuteAs)))
}

// provisionMode is how people get into accounts that are made: without a word about it
// the way that the access mode needs.
func (c ClusterConfig) provisionMode() directory.AccessMode {
	switch mode := c.mode(); {
	case c.Provision.Mode != "":
	case mode == clickhouse.Verify:
		return directory.HTTP
	case mode == clickhouse.Interserver:
		return directory.Interserver
	}
	return directory.AccessMode(cmp.Or(c.Provision.Mode, string(directory.ExecuteAs)))
}

// isOwnLogin reports whether the session is the person's own, so that ClickHouse
// itself bounds what the person may do in it. With auto it may be, or not.
func isOwnLogin(m clickhouse.Mode) bool { return m == clickhouse.Verify || m == clickhouse.Forward }

// needsPassword reports whether the gateway's own user logs in with one: with verify and
// forward there need not be such a user, and with interserver it is only named.
func (c ClusterConfig) needsPassword() bool {
	return c.shadow().Mode == clickhouse.ExecuteAs || c.mode() != clickhouse.Interserver && (!isOwnLogin(c.mode()) || c.User != "")
}

// withoutPassword are users who never come in with a password of their own, whatever
// ClickHouse thinks of it; others that the configuration denies are looked for by the
// directory.
func (c ClusterConfig) withoutPassword() []string {
	denied := []string{c.User}
	if c.Provision != nil {
		denied = append(denied, c.Provision.User)
	}
	return denied
}

// mayForward reports whether people's own tokens may come to be sent to a cluster: by
// auto only where ClickHouse makes of a token what our rules make of it.
func mayForward(c Config, cluster string) bool {
	mode := c.Clusters[cluster].mode()
	return mode == clickhouse.Forward || mode == clickhouse.Auto && !givesAccounts(c, cluster)
}

// givesAccounts reports whether somebody's account at a cluster is another than their
// token says: ClickHouse sees nothing but the token, and would make the person of it.
func givesAccounts(c Config, cluster string) bool {
	return c.Clusters[cluster].Provision != nil || slices.ContainsFunc(c.rules(), func(r namedRules) bool {
		return len(r.Personas) > 0 || r.AllowShared || r.LowerCase || r.UserName != "" && r.UserName != "{user}"
	})
}

// mayVerify reports whether people may come to log in with our tickets.
func (c ClusterConfig) mayVerify() bool {
	return c.mode() == clickhouse.Verify || c.shadow().Mode == clickhouse.Verify || c.mode() == clickhouse.Auto && c.Authenticator != nil
}

// forwarded are the token processors whose tokens the cluster's ClickHouse may see.
func forwarded(c Config, cluster string) []string {
	if !mayForward(c, cluster) {
		return nil
	}
	var names []string
	for _, s := range c.processors() {
		names = append(names, s.Name)
	}
	return names
}
