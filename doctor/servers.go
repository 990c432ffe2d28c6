package doctor

import (
	"fmt"
	"slices"

	"porterhouse/clickhouse"
)

// ServerState is one server of a cluster of several.
type ServerState struct {
	URL     string          `json:"url"`
	Reached bool            `json:"reached"`
	TLS     string          `json:"tls,omitempty"` // its version; "": none
	Version string          `json:"version,omitempty"`
	Mode    clickhouse.Mode `json:"mode,omitempty"` // that would be chosen there; "": none works
}

// group says where the servers of a cluster are not alike.
type group struct{ *exam }

// sameness is something that should be the same at all servers.
type sameness struct {
	name, what string
	of         func(clickhouse.Facts) clickhouse.Finding
	modes      []clickhouse.Mode // to which it matters; nil: to all
	remedy     string
}

const replicate = "make users and grants the same at all servers: ON CLUSTER (provision.on_cluster), or replicated access storage; then check again"

// samenesses are all.
func samenesses() []sameness {
	byName := []clickhouse.Mode{clickhouse.ExecuteAs}
	return []sameness{
		{"server-login", "the login of the gateway", func(f clickhouse.Facts) clickhouse.Finding { return f.Gateway.Login }, nil, replicate},
		{"server-provisioner", "the login of the provisioner", func(f clickhouse.Facts) clickhouse.Finding {
			if f.Provisioner == nil {
				return clickhouse.Finding{}
			}
			return f.Provisioner.Login
		}, nil, replicate},
		{"server-execute-as", "EXECUTE AS", func(f clickhouse.Facts) clickhouse.Finding { return f.ExecuteAs.Known }, byName, "give all servers the same version and the same configuration (allow_impersonate_user)"},
		{"server-person", "EXECUTE AS the person whom we tried", func(f clickhouse.Facts) clickhouse.Finding {
			if !f.ExecuteAs.Known.Works() {
				return clickhouse.Finding{} // which says enough
			}
			return f.ExecuteAs.Person
		}, byName, replicate},
		{"server-native", "the native port", func(f clickhouse.Facts) clickhouse.Finding { return f.Native.Reached },
			[]clickhouse.Mode{clickhouse.ExecuteAs, clickhouse.Interserver}, "look at native of that server in hosts, and whether it listens there"},
		{"server-secret", "the cluster's secret", func(f clickhouse.Facts) clickhouse.Finding { return f.Native.Secret },
			[]clickhouse.Mode{clickhouse.Interserver}, "give all servers the same <secret> in <remote_servers>, and the same users"},
	}
}

// alike notes each server, and says where one differs from that of which the plan is.
func (e group) alike() {
	if len(e.Others) == 0 {
		return
	}
	for _, f := range append([]clickhouse.Facts{e.Facts}, e.Others...) {
		state := ServerState{URL: f.URL, Reached: f.Reached.Works(), Version: f.Server.Version}
		if f.TLS != nil {
			state.TLS = f.TLS.Version
		}
		state.Mode, _ = clickhouse.Choose(f, e.Access)
		e.plan.Servers = append(e.plan.Servers, state)
	}
	for _, f := range e.Others {
		if f.Reached.Works() {
			e.compare(f)
			continue
		}
		o := e.obstacleOf(f.Reached)
		e.add(Finding{Wrong, "server-reached", f.URL + ": " + o.text, o.remedy, f.Reached.Said})
	}
}

// compare says where one other server, which was reached, differs.
func (e group) compare(other clickhouse.Facts) {
	for _, s := range samenesses() {
		mine, its := s.of(e.Facts), s.of(other)
		if mine.Outcome == clickhouse.Untried || its.Outcome == clickhouse.Untried || mine.Outcome == its.Outcome {
			continue
		}
		severity := Wrong
		if s.modes != nil && !slices.Contains(s.modes, e.plan.Mode) {
			severity = Careful
		}
		works, fails, said := e.Facts.URL, other.URL, its.Said
		if its.Works() {
			works, fails, said = other.URL, e.Facts.URL, mine.Said
		}
		e.add(Finding{severity, s.name, fmt.Sprintf("%s works at %s and not at %s", s.what, works, fails), s.remedy, said})
	}
	mine, its := e.Facts.Server, other.Server
	if mine.Version != its.Version && mine.Version != "" && its.Version != "" {
		e.add(Finding{Careful, "server-version", fmt.Sprintf("%s has version %s, and %s has %s: statements may be answered differently", e.Facts.URL, mine.Version, other.URL, its.Version),
			"upgrade all servers to the same version, but for the time of an upgrade", ""})
	}
	if mine.Timezone != its.Timezone && mine.Timezone != "" && its.Timezone != "" {
		e.add(Finding{Careful, "server-timezone", fmt.Sprintf("%s has the time zone %s, and %s has %s: times are printed differently", e.Facts.URL, mine.Timezone, other.URL, its.Timezone),
			"give all servers the same time zone (timezone)", ""})
	}
}
