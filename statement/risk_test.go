package statement_test

import (
	"maps"
	"slices"
	"strings"
	"testing"

	"porterhouse/statement"
)

// reserved are the names on which something of ours stands. Each was seen in
// system.settings, or in the parser, and thought about; taking one out of the table
// must be a decision.
var reserved = strings.Fields(`
	log_comment log_queries log_queries_probability log_queries_min_type log_queries_min_query_duration_ms log_queries_cut_to_length
	log_query_settings log_query_threads log_query_views
	readonly allow_ddl profile compatibility workload priority os_thread_priority os_threads_nice_value_query max_memory_usage timeout_overflow_mode
	dialect polyglot_dialect promql_table promql_database evaluation_time implicit_select implicit_table_at_top_level
	allow_experimental_kusto_dialect allow_experimental_prql_dialect allow_experimental_polyglot_dialect allow_experimental_eval_table_function
	max_query_size max_parser_depth max_parser_backtracks allow_settings_after_format_in_insert
	input_format_values_interpret_expressions input_format_values_deduce_templates_of_expressions
	cancel_http_readonly_queries_on_client_close replace_running_query replace_running_query_max_wait_ms partial_result_on_first_cancel interactive_delay
	http_response_headers http_write_exception_in_output_format add_http_cors_header hsts_max_age allow_get_client_http_header
	allow_custom_error_code_in_throwif ast_fuzzer_runs ast_fuzzer_any_query push_external_roles_in_interserver_queries
`)

func TestRiskOf(t *testing.T) {
	for _, name := range reserved {
		if statement.RiskOf(name) != statement.Reserved {
			t.Errorf("%s is not reserved", name)
		}
	}
	for name, want := range map[string]statement.Risk{
		"final": statement.Harmless, "join_use_nulls": statement.Harmless, "session_timezone": statement.Harmless,
		"max_threads": statement.Ordinary, "max_execution_time": statement.Ordinary, "output_format_json_quote_64bit_integers": statement.Ordinary,
		"async_insert": statement.Ordinary, "insert_deduplication_token": statement.Ordinary, "wait_for_async_insert": statement.Ordinary,
		"allow_experimental_json_type": statement.Ordinary, "param_x": statement.Ordinary, "index_granularity": statement.Ordinary,
		"SQL_tenant": statement.Unknown, "brand_new_setting": statement.Unknown, "": statement.Unknown, "LOG_COMMENT": statement.Unknown,
		"max_memory_usage_for_user": statement.Unknown, "format_schema_source": statement.Unknown, "input_format_record_errors_file_path": statement.Unknown,
		"additional_table_filters": statement.Unknown, "s3_allow_server_credentials_in_user_queries": statement.Unknown, "disk": statement.Unknown, "storage_policy": statement.Unknown,
	} {
		if got := statement.RiskOf(name); got != want {
			t.Errorf("the risk of %q is %d, want %d", name, got, want)
		}
	}
}

// elsewhere are names in the tables that this ClickHouse does not have as settings: of
// the parser, of older or of newer versions.
var elsewhere = strings.Fields("profile enable_lightweight_updates")

// TestRisksAgreeWithClickHouse: what the tables name exists, and an alias is of the
// same risk as what it stands for, or else the one would be a way around the other.
func TestRisksAgreeWithClickHouse(t *testing.T) {
	e := startEngine(t)
	names := e.column(t, "SELECT name FROM system.settings UNION DISTINCT SELECT name FROM system.merge_tree_settings")
	for _, name := range slices.Sorted(maps.Keys(statement.RiskySettings())) {
		if !slices.Contains(names, name) && !slices.Contains(elsewhere, name) {
			t.Errorf("the setting %s is in the table, and ClickHouse does not have it", name)
		}
	}
	for _, prefix := range statement.SettingFamilies() {
		if prefix != "param_" && !slices.ContainsFunc(names, func(name string) bool { return strings.HasPrefix(name, prefix) }) {
			t.Errorf("no setting's name begins with %s", prefix)
		}
	}
	for _, pair := range e.column(t, "SELECT name || ' ' || alias_for FROM system.settings WHERE alias_for != ''") {
		alias, name, _ := strings.Cut(pair, " ")
		if statement.RiskOf(alias) != statement.RiskOf(name) && !(statement.RiskOf(alias) > statement.RiskOf(name) && statement.HarmlessSettings()[name]) {
			t.Errorf("%s stands for %s, and the risks are %d and %d", alias, name, statement.RiskOf(alias), statement.RiskOf(name))
		}
	}
	counts := map[statement.Risk]int{}
	for _, name := range e.column(t, "SELECT name FROM system.settings WHERE NOT is_obsolete") {
		counts[statement.RiskOf(name)]++
	}
	t.Logf("%d settings are harmless, %d ordinary, %d unknown, %d reserved",
		counts[statement.Harmless], counts[statement.Ordinary], counts[statement.Unknown], counts[statement.Reserved])
}

// TestEnginesArePlaced lists the engines that a table or a database may have without
// asking: an engine that ClickHouse has and that is not among them is refused.
func TestEnginesArePlaced(t *testing.T) {
	e := startEngine(t)
	var within []string
	for _, engine := range e.column(t, "SELECT name FROM system.table_engines UNION DISTINCT SELECT name FROM system.database_engines") {
		if statement.EngineInside(engine) && !strings.HasSuffix(engine, "MergeTree") {
			within = append(within, engine)
		}
	}
	slices.Sort(within)
	want := strings.Fields("Atomic Buffer GenerateRandom Join Log MaterializedView Memory Merge Null Ordinary Replicated Set StripeLog TinyLog View")
	if !slices.Equal(within, want) {
		t.Errorf("engines that stay inside: %q, want %q", within, want)
	}
}

// TestSilentStatementsAnswerNothing runs statements of every silent kind that can run
// here, and looks for rows.
func TestSilentStatementsAnswerNothing(t *testing.T) {
	e := startEngine(t)
	ran := map[string]bool{}
	for _, sql := range []string{
		"CREATE DATABASE s", "CREATE TABLE s.t (a Int32, b String) ENGINE = MergeTree ORDER BY a", "CREATE OR REPLACE TABLE s.r (a Int8) ENGINE = Memory",
		"REPLACE TABLE s.r (a Int16) ENGINE = Memory", "INSERT INTO s.t SELECT number, 'x' FROM numbers(3)", "INSERT INTO s.t VALUES (9, 'y')", "INSERT INTO s.t FORMAT CSV 8,z",
		"ALTER TABLE s.t ADD COLUMN c Int8", "ALTER TABLE s.t UPDATE b = 'z' WHERE a = 1", "ALTER TABLE s.t FREEZE", "ALTER TABLE s.t DELETE WHERE a = 1", "DELETE FROM s.t WHERE a = 2",
		"OPTIMIZE TABLE s.t FINAL", "RENAME TABLE s.t TO s.u", "EXCHANGE TABLES s.u AND s.r", "TRUNCATE TABLE s.u", "DETACH TABLE s.u", "ATTACH TABLE s.u",
		"CREATE VIEW s.v AS SELECT 1", "CREATE TEMPORARY TABLE tmp (a Int8)", "CREATE USER su", "CREATE ROLE sr", "GRANT SELECT ON s.* TO su", "REVOKE SELECT ON s.* FROM su",
		"SET max_threads = 1", "SET ROLE ALL", "SET DEFAULT ROLE ALL TO su", "USE s", "SYSTEM FLUSH LOGS", "DROP VIEW s.v", "DROP TABLE s.u SYNC", "DROP USER su", "CREATE FUNCTION sf AS x -> x", "DROP FUNCTION sf",
	} {
		head := statement.ReadHead(sql, true)
		report := statement.Check(sql[:head.End])
		if !report.Silent {
			t.Errorf("%s is not known to be silent", sql)
		}
		if answer := e.admin(t, sql); answer != "" {
			t.Errorf("%s answers %q", sql, answer)
		}
		ran[report.Verb] = true
	}
	t.Logf("silent: %q", slices.Sorted(maps.Keys(ran)))
}
