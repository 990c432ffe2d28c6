package statement

// harmlessSettings may be set in a statement: they change what a query means, or
// choose among ways to the same answer, but neither how much it may use, nor
// what it may reach, nor what is written down about it. Names are case-sensitive,
// as they are to ClickHouse. Whatever is not here is guarded, new settings too.
var harmlessSettings = map[string]bool{
	// What rows are seen, and how tables are joined.
	"final": true,
	"do_not_merge_across_partitions_select_final": true,
	"join_use_nulls":                        true,
	"join_default_strictness":               true,
	"join_any_take_last_row":                true,
	"any_join_distinct_right_table_keys":    true,
	"joined_subquery_requires_alias":        true,
	"single_join_prefer_left_table":         true,
	"transform_null_in":                     true,
	"union_default_mode":                    true,
	"intersect_default_mode":                true,
	"except_default_mode":                   true,
	"asterisk_include_alias_columns":        true,
	"asterisk_include_materialized_columns": true,
	"enable_unaligned_array_join":           true,

	// How groups and aggregates behave.
	"group_by_use_nulls":                                         true,
	"aggregate_functions_null_for_empty":                         true,
	"count_distinct_implementation":                              true,
	"empty_result_for_aggregation_by_empty_set":                  true,
	"empty_result_for_aggregation_by_constant_keys_on_empty_set": true,
	"force_grouping_standard_compatibility":                      true,
	"totals_mode":                                                true,
	"totals_auto_threshold":                                      true,

	// How names and literals are read.
	"enable_positional_arguments":            true,
	"enable_order_by_all":                    true,
	"prefer_column_name_to_alias":            true,
	"enable_named_columns_in_function_tuple": true,

	// How values are converted.
	"cast_keep_nullable":                                  true,
	"cast_ipv4_ipv6_default_on_conversion_error":          true,
	"cast_string_to_date_time_mode":                       true,
	"check_conversion_from_numbers_to_enum":               true,
	"date_time_overflow_behavior":                         true,
	"decimal_check_overflow":                              true,
	"enable_extended_results_for_datetime_functions":      true,
	"formatdatetime_e_with_space_padding":                 true,
	"formatdatetime_f_prints_scale_number_of_digits":      true,
	"formatdatetime_f_prints_single_zero":                 true,
	"formatdatetime_format_without_leading_zeros":         true,
	"formatdatetime_parsedatetime_m_is_month_name":        true,
	"parsedatetime_e_requires_space_padding":              true,
	"parsedatetime_parse_without_leading_zeros":           true,
	"function_date_trunc_return_type_behavior":            true,
	"function_json_value_return_type_allow_complex":       true,
	"function_json_value_return_type_allow_nullable":      true,
	"function_locate_has_mysql_compatible_argument_order": true,
	"least_greatest_legacy_null_behavior":                 true,
	"session_timezone":                                    true,
	"splitby_max_substrings_includes_remaining_string":    true,
	"use_variant_as_common_type":                          true,
	"use_variant_default_implementation_for_comparisons":  true,

	// Which way to the answer.
	"join_algorithm":                true,
	"optimize_aggregation_in_order": true,
	"optimize_distinct_in_order":    true,
	"optimize_read_in_order":        true,
	"optimize_use_projections":      true,
	"use_skip_indexes":              true,
	"use_skip_indexes_if_final":     true,
	"force_index_by_date":           true,
	"force_primary_key":             true,
	"force_data_skipping_indices":   true,

	// What DESCRIBE shows.
	"describe_compact_output":          true,
	"describe_include_subcolumns":      true,
	"describe_include_virtual_columns": true,
}

// setting checks the name of a setting at word i.
func (c *checker) setting(i int) {
	name, ok := c.plain(i)
	if !ok {
		c.refuse(Unsure, min(i, len(c.words)-1), "the name of a setting is expected here, plainly written")
		return
	}
	if harmlessSettings[name] && c.at(i+1).kind != Dot {
		return
	}
	c.found.note(Setting, c.words[i], name,
		"the setting "+short(name)+" may not be set in a statement: leave it out of SETTINGS, or ask the operator to allow it")
}

// sets reports whether the statement is SET with settings, and not one of the others
// that begin with SET.
func (c *checker) sets() bool {
	if !c.isWord(0, "set") {
		return false
	}
	next := c.at(2)
	return !(c.isWord(1, "role") && (next.isName() || next.kind == StringLiteral)) && !(c.isWord(1, "default") && c.isWord(2, "role")) &&
		!(c.isWord(1, "transaction") && c.isWord(2, "snapshot")) && !(c.isWord(1, "time") && c.isWord(2, "zone"))
}

// namesProfile reports whether SETTINGS at word i is that of CREATE SETTINGS PROFILE.
func (c *checker) namesProfile(i int) bool {
	first := i == 1 || i == 3 && c.isWord(1, "or")
	return first && !c.verb.read && (c.isWord(i+1, "profile") || c.isWord(i+1, "profiles")) && c.at(i+2).kind != Equals
}
