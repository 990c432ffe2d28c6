package mcpserver

import (
	"encoding/json"
	"slices"
	"strings"

	"porterhouse"
)

// reached are the clusters that the person of this visit reaches by the way that they
// came: of those to which it leads, the ones that the gate lets them reach.
func (v *visit) reached() []string {
	return slices.DeleteFunc(v.server.config.Gate.Reach(v.who, v.door), func(name string) bool {
		return !slices.Contains(v.server.config.Clusters, name)
	})
}

// clusterArgument is the argument of each tool that names one. Whoever has no choice is
// told nothing of it, but may name the one that they reach.
const clusterArgument = "cluster"

// choices are the clusters that a person can name, where there are several.
type choices struct {
	names []string
	usual string // without a word about it; "": one must be named
}

// choices are those of a person who reaches several clusters.
func (v *visit) choices(reached []string) *choices {
	c := &choices{names: reached}
	if slices.Contains(reached, v.server.config.Default) {
		c.usual = v.server.config.Default
	}
	return c
}

// property is the argument of each tool, as JSON Schema.
func (c *choices) property() string {
	text, err := json.Marshal(struct {
		Type    string   `json:"type"`
		Enum    []string `json:"enum"`
		Default string   `json:"default,omitempty"`
	}{"string", c.names, c.usual})
	if err != nil {
		panic(err) // texts only
	}
	return `"` + clusterArgument + `":` + string(text)
}

// choose settles which cluster the call asks: the one that is named, the only one that
// the person reaches, or the default. Of those that they do not reach by this way it says
// the same as of one that is not there, and records, with the statement, that they asked.
func (c *call) choose(name, sql string) error {
	led := c.server.config.Clusters
	if name == "" && len(led) == 1 {
		c.cluster = led[0] // the gate says whether they reach it
		return nil
	}
	reached := c.reached()
	switch {
	case name == "" && len(reached) == 1:
		name = reached[0]
	case name == "" && slices.Contains(reached, c.server.config.Default):
		name = c.server.config.Default
	case name == "" && len(reached) > 1:
		return porterhouse.Errorf(porterhouse.Invalid, "say which ClickHouse: the argument \"cluster\" is one of %s", strings.Join(reached, ", "))
	case !slices.Contains(reached, name):
		q := porterhouse.Query{SQL: sql, Via: c.via()}
		q.Via.Cluster = name
		return c.server.config.Gate.NotThere(c.who, q, reached)
	}
	c.cluster = name
	return nil
}
