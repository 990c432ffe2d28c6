package clickhouse

import (
	"slices"
	"strconv"

	"porterhouse"
)

// nativeSettings returns what a statement over the native protocol runs with. Of two
// with one name ClickHouse takes the last, which is ours. A read that is held to reading
// cannot write, whatever it says.
func nativeSettings(q porterhouse.Query, held bool) []porterhouse.Setting {
	all := passageSettings(q)
	add := func(name, value string) { all = append(all, porterhouse.Setting{Name: name, Value: value}) }
	if q.Comment != "" {
		add("log_comment", q.Comment)
	}
	if held {
		add("readonly", "2") // as ClickHouse has it for GET; 1 is refused by an account that is held to 2 itself
	}
	if q.Class.Data {
		// The data must begin where the gate has found that it does: statement.ReadHead.
		add("allow_settings_after_format_in_insert", "0")
	}
	return all
}

// passageSettings returns what the client has set and what bounds it; of a question
// without a client, all its limits.
func passageSettings(q porterhouse.Query) (all []porterhouse.Setting) {
	if q.Passage == nil {
		all = append(all, porterhouse.Setting{Name: "max_execution_time", Value: string(appendSeconds(nil, q.Limits.Time))})
		if q.Limits.Memory > 0 {
			all = append(all, porterhouse.Setting{Name: "max_memory_usage", Value: strconv.FormatInt(q.Limits.Memory, 10)})
		}
		return all
	}
	for _, s := range q.Passage.Settings {
		if !slices.Contains(ourSettings, s.Name) {
			all = append(all, s)
		}
	}
	return append(all, limitsToSend(q.Passage.Settings, q.Limits)...)
}
