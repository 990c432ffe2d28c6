package main

import (
	"cmp"
	"time"

	"porterhouse/gate"
)

// RuleConfig is a further limit, on a part of all questions; see gate.Rule.
type RuleConfig struct {
	Name    string   `yaml:"name"`
	Groups  []string `yaml:"groups"`
	People  []string `yaml:"people"`
	Clients []string `yaml:"clients"`
	Per     string   `yaml:"per" oneof:"person group client rule"` // "": person

	Concurrent int           `yaml:"concurrent"`
	Queue      int           `yaml:"queue"`
	QueueWait  time.Duration `yaml:"queue_wait"` // 0: that of limits

	Queries int64         `yaml:"queries"`
	Bytes   size          `yaml:"bytes"`
	Window  time.Duration `yaml:"window"`

	Time   time.Duration `yaml:"time"`
	Answer size          `yaml:"answer"`
}

// rules are the further limits, as the gate knows them.
func (l LimitsConfig) rules() []gate.Rule {
	var all []gate.Rule
	for _, r := range l.Rules {
		all = append(all, r.gate(l.QueueWait))
	}
	return all
}

func (r RuleConfig) gate(wait time.Duration) gate.Rule {
	rule := gate.Rule{
		Name: r.Name, Groups: r.Groups, People: r.People, Clients: r.Clients, Per: gate.Per(cmp.Or(r.Per, string(gate.PerPerson))),
		Queries: r.Queries, Bytes: int64(r.Bytes), Window: r.Window, Time: r.Time, Answer: int64(r.Answer),
	}
	if r.Concurrent > 0 {
		rule.Queue = gate.Queue{Running: r.Concurrent, Waiting: r.Queue, Wait: cmp.Or(r.QueueWait, wait)}
	}
	return rule
}
