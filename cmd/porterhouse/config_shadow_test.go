package main

import (
	"reflect"
	"slices"
	"strings"
	"testing"

	"porterhouse/clickhouse"
)

// Each of the three modes can be compared with each other one, with what both need.
func TestShadowConfig(t *testing.T) {
	const secret = "native: '127.0.0.1:9000', cluster: c, secret: 'env:KNOCK'"
	for _, test := range []struct {
		text     string
		want     clickhouse.Shadow
		tickets  bool
		password bool
	}{
		{oneCluster("access: {mode: interserver, " + secret + ", shadow: execute_as}"), clickhouse.Shadow{Mode: clickhouse.ExecuteAs}, false, true},
		{oneCluster("access: {mode: interserver, " + secret + ", shadow: verify, shadow_share: 0.25}, " + aKnock), clickhouse.Shadow{Mode: clickhouse.Verify, Share: 0.25}, true, false},
		{oneCluster("access: {mode: verify, " + secret + ", shadow: interserver, shadow_share: 1}, " + aKnock), clickhouse.Shadow{Mode: clickhouse.Interserver, Share: 1}, true, true},
		{oneCluster("access: {mode: verify, shadow: execute_as}, " + aKnock), clickhouse.Shadow{Mode: clickhouse.ExecuteAs}, true, true},
		{oneCluster("access: {" + secret + ", shadow: interserver}"), clickhouse.Shadow{Mode: clickhouse.Interserver}, false, true},
		{oneCluster("access: {shadow: verify, shadow_share: 1e-3}, " + aKnock), clickhouse.Shadow{Mode: clickhouse.Verify, Share: 0.001}, true, true},
		{oneCluster("max_connections: 1"), clickhouse.Shadow{}, false, true},
	} {
		c, _ := mustLoad(t, test.text)
		cluster := c.Clusters["main"]
		if got := cluster.shadow(); got != test.want || cluster.mayVerify() != test.tickets || cluster.needsPassword() != test.password {
			t.Errorf("%s\n%+v, tickets %t, password %t", test.text, got, cluster.mayVerify(), cluster.needsPassword())
		}
	}
}

// The modes that may stand behind shadow are those that can be compared.
func TestShadowModes(t *testing.T) {
	words := func(field string) []string {
		f, _ := reflect.TypeFor[AccessConfig]().FieldByName(field)
		return strings.Fields(f.Tag.Get("oneof"))
	}
	var want []string
	for _, mode := range words("Mode") {
		if clickhouse.Mode(mode).Comparable() {
			want = append(want, mode)
		}
	}
	got := words("Shadow")
	slices.Sort(want)
	slices.Sort(got)
	if len(got) == 0 || !slices.Equal(got, want) {
		t.Errorf("the configuration takes %q, and %q can be compared", got, want)
	}
}

// counting is a source of two outcomes.
type counting struct{ same, different float64 }

func (c *counting) collect(send report) {
	send(counter, "shadow_total", "help", c.same, "main", "same")
	send(counter, "shadow_total", "help", c.different, "main", "different")
}

// What was counted by outcome goes on when what counted is replaced.
func TestOutcomesAreAddedUp(t *testing.T) {
	var all ledger
	before := &counting{3, 1}
	all.begin(before)
	all.end(before)
	all.begin(&counting{10, 20})
	got := all.tally()
	want := []series{{"shadow_total", "main", "different", ""}, {"shadow_total", "main", "same", ""}}
	if names := got.names(); !slices.Equal(names, want) || got[want[0]].value != 21 || got[want[1]].value != 13 {
		t.Errorf("%v", got)
	}
}
