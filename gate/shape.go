package gate

import (
	"strings"

	"porterhouse"
	"porterhouse/statement"
)

// shapes begin the names of settings that say how values of an answer are written.
var shapes = []string{"output_format_", "format_", "date_time_output_format", "bool_true_representation", "bool_false_representation", "session_timezone"}

// shaping returns those settings of the statement's own SETTINGS that shape its answer,
// for a client that sends the statement inside another one. What is not plainly written
// is left out, and so without effect there.
func shaping(sql string) (all []porterhouse.Setting) {
	for _, own := range statement.OwnSettings(sql) {
		for _, shape := range shapes {
			if strings.HasPrefix(own.Name, shape) {
				all = append(all, porterhouse.Setting(own))
				break
			}
		}
	}
	return all
}
