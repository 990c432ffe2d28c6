package directory

import (
	"fmt"
	"maps"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"

	"porterhouse/clickhouse"
)

// checkSettings refuses settings that could not be written into a statement, or
// that would keep ours away.
func (c *ProvisionerConfig) checkSettings() error {
	for name, value := range c.Settings {
		switch {
		case !plainName.MatchString(name):
			return fmt.Errorf("%q is no name of a setting", name)
		case strings.ContainsFunc(value, func(r rune) bool { return r < ' ' || r == 0x7f }):
			return fmt.Errorf("the value of the setting %s holds a control character", name)
		case name == "readonly" && value != "2":
			return fmt.Errorf("readonly = %s: only 2 lets Porterhouse's own log_comment and time limit pass", value)
		}
	}
	return nil
}

// settingsOf returns the elements of an account's settings, as settingText writes
// them: the profile, then the constants by their name.
func (p *policy) settingsOf(w Wanted) (elements []string) {
	if w.Account.Profile != "" {
		elements = append(elements, settingText(w.Account.Profile, "", "", "", "", ""))
	}
	constants := maps.Clone(p.config.Settings)
	if constants == nil {
		constants = map[string]string{}
	}
	constrain(constants, p.config.Constraints)
	constrain(constants, w.Constraints)
	for _, name := range slices.Sorted(maps.Keys(constants)) {
		elements = append(elements, settingText("", name, constants[name], "", "", "CONST"))
	}
	return elements
}

// constrain adds the settings that stand for c.
func constrain(constants map[string]string, c Constraints) {
	if c.ReadOnly {
		constants["readonly"] = "2"
	}
	for name, value := range map[string]int64{
		"max_result_rows":    c.Limits.Rows,
		"max_result_bytes":   c.Limits.Bytes,
		"max_memory_usage":   c.Limits.Memory,
		"max_execution_time": int64(math.Ceil(float64(c.Limits.Time) / float64(time.Second))), // 0 would be for ever
	} {
		if value > 0 {
			constants[name] = strconv.FormatInt(value, 10)
		}
	}
}

// settingText writes one element of an account's settings.
func settingText(profile, name, value, lowest, highest, writability string) string {
	if profile != "" {
		return "profile " + profile
	}
	return strings.Join([]string{name, value, lowest, highest, writability}, "\x00")
}

// settingsClause is what follows SETTINGS. It replaces all settings that the
// account had.
func settingsClause(elements []string) string {
	if len(elements) == 0 {
		return "NONE"
	}
	var list []string
	for _, element := range elements {
		if profile, ok := strings.CutPrefix(element, "profile "); ok {
			list = append(list, "PROFILE "+clickhouse.QuoteString(profile))
			continue
		}
		part := strings.Split(element, "\x00")
		list = append(list, part[0]+" = "+clickhouse.QuoteString(part[1])+" CONST")
	}
	return strings.Join(list, ", ")
}

func sameSettings(have, want []string) bool {
	return slices.Equal(slices.Sorted(slices.Values(have)), slices.Sorted(slices.Values(want)))
}
