package main

import (
	"log/slog"
	"strconv"

	"porterhouse"
	"porterhouse/clickhouse"
)

// HostConfig is one server of a cluster of several that are alike.
type HostConfig struct {
	URL    string `yaml:"url"`    // https://host:8443
	Native string `yaml:"native"` // host:port of the native protocol; for execute_as and interserver
	Drain  bool   `yaml:"drain"`  // it takes nothing new, and keeps the sessions that it has
}

// servers are the servers of a cluster, each as if the cluster had no other.
func (c ClusterConfig) servers() []ClusterConfig {
	if len(c.Hosts) == 0 && c.URL != "" {
		return []ClusterConfig{c}
	}
	var all []ClusterConfig
	for _, host := range c.Hosts {
		one := c
		one.Hosts, one.URL, one.Access.Native = nil, host.URL, host.Native
		all = append(all, one)
	}
	return all
}

// placed is a server, and where the file says where it is.
type placed struct {
	ClusterConfig
	url, native string // paths of the keys
}

// placed are the servers of a cluster, which is at path.
func (c ClusterConfig) placed(path string) (all []placed) {
	if len(c.Hosts) == 0 {
		return []placed{{c, path + ".url", path + ".access.native"}}
	}
	for i, server := range c.servers() {
		at := path + ".hosts[" + strconv.Itoa(i) + "]"
		all = append(all, placed{server, at + ".url", at + ".native"})
	}
	return all
}

// admin runs statements at whichever server of the cluster can be reached, as a user of
// its own.
func (c ClusterConfig) admin(user string, password porterhouse.Secret, log *slog.Logger) (*clickhouse.Admin, error) {
	var all []clickhouse.Config
	for _, server := range c.servers() {
		config, err := server.client(log)
		if err != nil {
			return nil, err
		}
		config.User, config.Password, config.Access = user, password, clickhouse.Access{} // as itself
		all = append(all, config)
	}
	return clickhouse.NewAdmin(all...)
}
