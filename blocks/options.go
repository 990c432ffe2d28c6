package blocks

import (
	"fmt"
	"slices"
	"strings"
)

// options are the settings of ClickHouse that change how values are printed.
type options struct {
	quoteIntegers  bool // of 64 bits and more, in JSON
	quoteDenormals bool // nan and inf in JSON; else they are null
	quoteDecimals  bool
	quoteFloats    bool // Float64, in JSON
	yes, no        string

	digits int // of a Float64; 0: all that it has
	maxRow int
}

// honoured sets the option that a setting stands for.
var honoured = map[string]func(o *options, value string) bool{
	"output_format_json_quote_64bit_integers": func(o *options, v string) bool { return readBool(v, &o.quoteIntegers) },
	"output_format_json_quote_denormals":      func(o *options, v string) bool { return readBool(v, &o.quoteDenormals) },
	"output_format_json_quote_decimals":       func(o *options, v string) bool { return readBool(v, &o.quoteDecimals) },
	"output_format_json_quote_64bit_floats":   func(o *options, v string) bool { return readBool(v, &o.quoteFloats) },
	"bool_true_representation":                func(o *options, v string) bool { o.yes = v; return true },
	"bool_false_representation":               func(o *options, v string) bool { o.no = v; return true },
}

// standard are further settings that change how values are printed, and the value
// with which they are printed here; every other one is refused.
var standard = map[string]string{
	"date_time_output_format":                                                    "simple",
	"interval_output_format":                                                     "numeric",
	"format_tsv_null_representation":                                             `\N`,
	"output_format_tsv_crlf_end_of_line":                                         "0",
	"output_format_decimal_trailing_zeros":                                       "0",
	"output_format_always_quote_identifiers":                                     "0",
	"output_format_json_escape_forward_slashes":                                  "1",
	"output_format_json_named_tuples_as_objects":                                 "1",
	"output_format_json_skip_null_value_in_named_tuples":                         "0",
	"output_format_json_map_as_array_of_tuples":                                  "0",
	"output_format_json_validate_utf8":                                           "0",
	"output_format_json_array_of_rows":                                           "0",
	"output_format_trim_fixed_string":                                            "0",
	"output_format_write_statistics":                                             "1",
	"output_format_native_encode_types_in_binary_format":                         "0",
	"output_format_native_write_json_as_string":                                  "0",
	"output_format_native_use_flattened_dynamic_and_json_serialization":          "0",
	"date_time_64_output_format_cut_trailing_zeros_align_to_groups_of_thousands": "0",
	"json_type_escape_dots_in_keys":                                              "0",
	"type_json_skip_duplicated_paths":                                            "0",
}

// others are the beginnings of the names of settings that change the printing only in
// formats that are not printed here, or that say nothing of printing.
var others = []string{
	"output_format_parallel_", "output_format_csv_", "output_format_pretty_", "output_format_parquet_", "output_format_arrow_",
	"output_format_orc_", "output_format_avro_", "output_format_protobuf_", "output_format_msgpack_", "output_format_bson_",
	"output_format_sql_insert_", "output_format_values_", "output_format_markdown_", "output_format_binary_", "output_format_xml_",
	"output_format_enable_streaming", "output_format_schema",
}

// newOptions reads settings. One that changes the printing in a way that is not known
// here is refused by name.
func newOptions(settings []Setting) (*options, error) {
	o := &options{yes: "true", no: "false"}
	for _, s := range settings {
		if !o.set(s.Name, s.Value) {
			return nil, fmt.Errorf("the setting %s=%s changes how values are printed, in a way that cannot be had here; leave it out, or use another access mode", s.Name, s.Value)
		}
	}
	return o, nil
}

// set reports whether it is known what a setting does to the printing.
func (o *options) set(name, value string) bool {
	if set, ok := honoured[name]; ok {
		return set(o, value)
	}
	if known, ok := standard[name]; ok {
		yes := false
		return value == known || known == "0" && readBool(value, &yes) && !yes || known == "1" && readBool(value, &yes) && yes
	}
	return !strings.HasPrefix(name, "output_format_") || slices.ContainsFunc(others, func(o string) bool { return strings.HasPrefix(name, o) })
}

// readBool reads a value as ClickHouse reads a Bool.
func readBool(value string, into *bool) bool {
	switch strings.ToLower(value) {
	case "1", "true":
		*into = true
	case "0", "false":
		*into = false
	default:
		return false
	}
	return true
}
