package main

import (
	"cmp"
	"slices"
	"sync"

	"github.com/prometheus/client_golang/prometheus"
)

// source is something that counts, for as long as it is there.
type source interface{ collect(report) }

// series is the name of a number, the cluster and the server in it if it is one's, and the
// outcome if there are several.
type series struct{ name, cluster, outcome, host string }

// labels are those of a series, and their values.
func (s series) labels() (names, values []string) {
	for _, l := range []struct{ name, value string }{{"cluster", s.cluster}, {"outcome", s.outcome}, {"host", s.host}} {
		if l.value != "" {
			names, values = append(names, l.name), append(values, l.value)
		}
	}
	return names, values
}

// sample is a number at one moment.
type sample struct {
	kind  prometheus.ValueType
	help  string
	value float64
}

// tally adds up numbers of one name: those of the generation in force, of generations
// that still answer somebody, and of all that came before, so that counts go on when
// what counted is replaced.
type tally map[series]sample

// add is a report.
func (t tally) add(kind prometheus.ValueType, name, help string, value float64, labels ...string) {
	key := series{name: name}
	for i, to := range []*string{&key.cluster, &key.outcome, &key.host} {
		if i < len(labels) {
			*to = labels[i]
		}
	}
	t[key] = sample{kind, help, t[key].value + value}
}

// retire adds what s has counted, and will not count any more.
func (t tally) retire(s source) {
	s.collect(func(kind prometheus.ValueType, name, help string, value float64, labels ...string) {
		if kind == counter {
			t.add(kind, name, help, value, labels...)
		}
	})
}

// names are the series in their order.
func (t tally) names() []series {
	var all []series
	for name := range t {
		all = append(all, name)
	}
	slices.SortFunc(all, func(a, b series) int {
		return cmp.Or(cmp.Compare(a.name, b.name), cmp.Compare(a.cluster, b.cluster), cmp.Compare(a.outcome, b.outcome), cmp.Compare(a.host, b.host))
	})
	return all
}

// ledger is all that counts, and what those have counted that are gone. The zero ledger is
// ready for use.
type ledger struct {
	mu      sync.Mutex
	sources map[source]bool
	past    tally
}

// begin lets s count from now on.
func (l *ledger) begin(s source) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.sources == nil {
		l.sources, l.past = make(map[source]bool), make(tally)
	}
	l.sources[s] = true
}

// end keeps nothing of s but what it has counted.
func (l *ledger) end(s source) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.past.retire(s)
	delete(l.sources, s)
}

// tally is the sum of all sources that there ever were.
func (l *ledger) tally() tally {
	l.mu.Lock()
	defer l.mu.Unlock()
	t := tally{}
	for name, s := range l.past {
		t[name] = s
	}
	for s := range l.sources {
		s.collect(t.add)
		if _, is := s.(*generation); is {
			t.add(gauge, "config_generations", "Configurations by which somebody is answered: that in force, and those before it whose last requests have not ended.", 1)
		}
	}
	return t
}
