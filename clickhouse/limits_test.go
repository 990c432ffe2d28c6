package clickhouse

import (
	"slices"
	"testing"
	"time"

	"porterhouse"
)

// A client may ask for less than it may have, and for nothing more, however it writes it.
func TestLimitsToSend(t *testing.T) {
	limits := porterhouse.Limits{Time: 10 * time.Second, Memory: 1000}
	for asked, want := range map[porterhouse.Setting]string{
		{Name: "max_memory_usage", Value: "999"}:        "",
		{Name: "max_memory_usage", Value: "1000"}:       "",
		{Name: "max_memory_usage", Value: "1001"}:       "1000",
		{Name: "max_memory_usage", Value: "0"}:          "1000",
		{Name: "max_memory_usage", Value: "-1"}:         "1000",
		{Name: "max_memory_usage", Value: ""}:           "1000",
		{Name: "max_memory_usage", Value: "1Gi"}:        "1000",
		{Name: "max_memory_usage", Value: "inf"}:        "1000",
		{Name: "max_memory_usage", Value: "nan"}:        "1000",
		{Name: "max_threads", Value: "1"}:               "1000",
		{Name: "max_execution_time", Value: "9.5"}:      "",
		{Name: "max_execution_time", Value: "10.001"}:   "10",
		{Name: "max_execution_time", Value: "0"}:        "10",
		{Name: "max_execution_time", Value: "infinity"}: "10",
	} {
		// The last one counts, whatever stood before it.
		sent := limitsToSend([]porterhouse.Setting{{Name: asked.Name, Value: "1"}, asked}, limits)
		got := ""
		for _, s := range sent {
			if s.Name == asked.Name || asked.Name == "max_threads" {
				got = s.Value
			}
		}
		if got != want {
			t.Errorf("%s=%s: %q is sent, want %q", asked.Name, asked.Value, got, want)
		}
	}
	if sent := limitsToSend([]porterhouse.Setting{{Name: "max_memory_usage", Value: "0"}}, porterhouse.Limits{Time: time.Second}); !slices.Equal(sent, nil) {
		t.Errorf("without a limit %v is sent", sent)
	}
}
