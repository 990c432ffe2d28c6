package statement

// settingFamilies are the beginnings of the names of settings that are of one risk;
// the first that fits counts. Settings that differ from their family are in
// riskySettings.
var settingFamilies = [...]struct {
	prefix string
	risk   Risk
}{
	// What the record and its join to the query log stand on.
	{"log_", Reserved},
	// Each is another language for the text that we have read as SQL, or text that is run.
	{"ast_fuzzer_", Reserved}, {"promql_", Reserved},
	// How the interface speaks HTTP.
	{"http_", Reserved},

	// Ways to fail, or to wait, on purpose.
	{"insert_keeper_fault", Unknown}, {"max_concurrent_queries_for_", Unknown}, {"max_http_", Unknown}, {"max_network_bandwidth_for_", Unknown},
	{"merge_tree_storage_snapshot_sleep", Unknown}, {"parallel_replicas_custom_key", Unknown}, {"query_cache_share_", Unknown},
	// Files of the server and connections to elsewhere, by way of a format.
	{"format_avro_schema_registry_", Unknown}, {"format_schema", Unknown}, {"format_template_", Unknown},
	// Functions and engines that reach outside: who may use them may be told how.
	{"optimize_dry_run", Unknown},

	// What values look like, coming and going.
	{"format_", Ordinary}, {"formatdatetime_", Ordinary}, {"parsedatetime_", Ordinary},
	{"input_format_", Ordinary}, {"output_format_", Ordinary}, {"schema_inference_", Ordinary}, {"date_time_", Ordinary},
	{"bool_", Ordinary}, {"cast_", Ordinary}, {"describe_", Ordinary}, {"show_create_query_", Ordinary}, {"type_json_", Ordinary},
	{"mysql_map_", Ordinary}, {"low_cardinality_", Ordinary},
	// What INSERT, DDL and mutations wait for, and how they are cut.
	{"async_insert", Ordinary}, {"insert_", Ordinary}, {"deduplicate_", Ordinary}, {"min_insert_", Ordinary}, {"wait_for_async_insert", Ordinary},
	{"distributed_ddl_", Ordinary}, {"lightweight_delete", Ordinary}, {"mutations_sync", Ordinary}, {"update_", Ordinary},
	{"materialize_", Ordinary}, {"throw_on_max_partitions", Ordinary}, {"compatibility_ignore_", Ordinary},
	// How much, and what happens then: a limit that is the operator's is a constraint.
	{"max_", Ordinary}, {"min_", Ordinary}, {"preferred_", Ordinary}, {"timeout_", Ordinary}, {"distinct_overflow_", Ordinary}, {"group_by_", Ordinary},
	{"join_", Ordinary}, {"read_overflow_", Ordinary}, {"result_overflow_", Ordinary}, {"set_overflow_", Ordinary}, {"sort_overflow_", Ordinary}, {"transfer_overflow_", Ordinary},
	// How a query is read, planned and run.
	{"aggregat", Ordinary}, {"analyze", Ordinary}, {"compile_", Ordinary}, {"count_", Ordinary}, {"cross_", Ordinary}, {"empty_result_", Ordinary},
	{"enable_join_", Ordinary}, {"enable_optimize_", Ordinary}, {"enable_software_", Ordinary}, {"exact_", Ordinary}, {"force_", Ordinary},
	{"grace_hash_join_", Ordinary}, {"merge_tree_", Ordinary}, {"optimize_", Ordinary}, {"parallel_replicas_", Ordinary}, {"partial_merge_join_", Ordinary},
	{"query_plan_", Ordinary}, {"read_in_order_", Ordinary}, {"short_circuit_", Ordinary}, {"split_", Ordinary}, {"text_index_", Ordinary},
	{"use_index_", Ordinary}, {"use_query_condition_", Ordinary}, {"use_skip_", Ordinary}, {"use_statistics", Ordinary}, {"use_text_index_", Ordinary},
	{"use_top_k_", Ordinary}, {"vector_search_", Ordinary},
	// Types, codecs and indexes that ClickHouse asks a second time about.
	{"allow_suspicious_", Ordinary},
	// Parameters of the query, which SET and SETTINGS may give a value too.
	{"param_", Ordinary},
}

// riskySettings are the settings that are of no family, or differ from it.
var riskySettings = map[string]Risk{
	// Reading: the text must be what we took it for, all of it.
	"dialect": Reserved, "polyglot_dialect": Reserved, "allow_experimental_kusto_dialect": Reserved, "allow_experimental_polyglot_dialect": Reserved,
	"allow_experimental_prql_dialect": Reserved, "evaluation_time": Reserved, "implicit_select": Reserved, "implicit_table_at_top_level": Reserved,
	"max_query_size": Reserved, "max_parser_depth": Reserved, "max_parser_backtracks": Reserved,
	"allow_settings_after_format_in_insert": Reserved, "allow_experimental_eval_table_function": Reserved,
	"compatibility": Reserved, // sets any other, this list's too
	// SQL in the data of an INSERT, which nobody reads: VALUES (file('x')).
	"input_format_values_interpret_expressions": Reserved, "input_format_values_deduce_templates_of_expressions": Reserved,

	// Record: see log_ above. These only say more.
	"log_formatted_queries": Ordinary, "log_processors_profiles": Ordinary, "log_profile_events": Ordinary,

	// Failing: with it a statement chooses the code of its failure, from which we read whose
	// fault that is.
	"allow_custom_error_code_in_throwif": Reserved,

	// Rights and limits.
	"readonly": Reserved, "allow_ddl": Reserved, "profile": Reserved, "apply_settings_from_server": Reserved,
	"push_external_roles_in_interserver_queries": Reserved,
	"max_memory_usage":                           Reserved, // we set it; time, bytes and rows we measure ourselves
	"timeout_overflow_mode":                      Reserved, // with break an answer that our limit cut short looks whole
	"workload":                                   Reserved, "priority": Reserved, "os_thread_priority": Reserved, "os_threads_nice_value_query": Reserved,
	"os_threads_nice_value_materialized_view": Reserved,

	// Stopping: a query must end when we say so, and only its owner's.
	"cancel_http_readonly_queries_on_client_close": Reserved, "replace_running_query": Reserved, "replace_running_query_max_wait_ms": Reserved,
	"partial_result_on_first_cancel": Reserved, "interactive_delay": Reserved, "poll_interval": Reserved,

	// Answering: what the door decides, and the headers where credentials travel.
	"add_http_cors_header": Reserved, "hsts_max_age": Reserved,
	"send_table_structure_on_insert_with_inline_data": Reserved, "allow_get_client_http_header": Reserved,
	// How an answer comes to the client that asks for it: the door has made a request of
	// its own by then, and what stands in the text comes too late to change it.
	"enable_http_compression": Ordinary, "http_zlib_compression_level": Ordinary, "http_response_buffer_size": Ordinary, "http_wait_end_of_query": Ordinary,
	"send_progress_in_http_headers": Ordinary, "http_headers_progress_interval_ms": Ordinary,
	// What the table function url waits for.
	"http_connection_timeout": Ordinary, "http_receive_timeout": Ordinary, "http_send_timeout": Ordinary,
	"http_make_head_request": Unknown, "http_max_tries": Unknown, "http_retry_initial_backoff_ms": Unknown, "http_retry_max_backoff_ms": Unknown,
	"http_skip_not_found_url_for_globs": Unknown,

	// Of a family, but of more consequence: more than one query, files of the server,
	// what an operator has put there so that nobody slips.
	"format_display_secrets_in_show_and_select": Unknown, "input_format_record_errors_file_path": Unknown, "output_format_schema": Unknown,
	"output_format_avro_confluent_subject": Unknown,
	"max_table_size_to_drop":               Unknown, "max_partition_size_to_drop": Unknown, "max_memory_usage_for_user": Unknown, "max_sessions_for_user": Unknown,
	"max_untracked_memory": Unknown, "max_temporary_data_on_disk_size_for_user": Unknown, "max_backup_bandwidth": Unknown,
	"min_free_disk_bytes_to_perform_insert": Unknown, "min_free_disk_ratio_to_perform_insert": Unknown, "min_free_disk_space_for_temporary_data": Unknown,
	"force_remove_data_recursively_on_drop": Unknown, "insert_shard_id": Unknown, "mysql_max_rows_to_insert": Unknown,

	// Of no family, and set by drivers and tools.
	"enable_analyzer": Ordinary, "allow_experimental_analyzer": Ordinary, "allow_experimental_correlated_subqueries": Ordinary,
	"allow_experimental_time_time64_type": Ordinary, "enable_time_time64_type": Ordinary, "allow_experimental_nullable_tuple_type": Ordinary, "enable_nullable_tuple_type": Ordinary,
	"allow_experimental_codecs": Ordinary, "allow_experimental_full_text_index": Ordinary, "enable_full_text_index": Ordinary,
	"allow_experimental_projection_optimization": Ordinary, "allow_experimental_statistics": Ordinary, "allow_statistics": Ordinary,
	"allow_statistics_optimize": Ordinary, "allow_statistic_optimize": Ordinary, "allow_nondeterministic_mutations": Ordinary,
	"allow_experimental_lightweight_delete": Ordinary, "enable_lightweight_delete": Ordinary, "allow_experimental_lightweight_update": Ordinary, "enable_lightweight_update": Ordinary,
	"enable_lightweight_updates": Ordinary, "allow_simdjson": Ordinary, "allow_experimental_nlp_functions": Ordinary, "allow_experimental_funnel_functions": Ordinary,
	"alter_sync": Ordinary, "replication_alter_partitions_sync": Ordinary, "alter_partition_verbose_result": Ordinary, "validate_mutation_query": Ordinary,
	"data_type_default_nullable": Ordinary, "default_table_engine": Ordinary, "default_temporary_table_engine": Ordinary, "flatten_nested": Ordinary,
	"create_if_not_exists": Ordinary, "create_table_empty_primary_key_by_default": Ordinary, "database_atomic_wait_for_drop_and_detach_synchronously": Ordinary,
	"check_table_dependencies": Ordinary, "check_referential_table_dependencies": Ordinary, "check_query_single_value_result": Ordinary, "allow_create_index_without_type": Ordinary,
	"connect_timeout": Ordinary, "connect_timeout_with_failover_ms": Ordinary, "receive_timeout": Ordinary, "send_timeout": Ordinary, "lock_acquire_timeout": Ordinary,
	"distributed_foreground_insert": Ordinary, "distributed_background_insert_timeout": Ordinary, "filesystem_prefetch_min_bytes_for_single_read_task": Ordinary, "distributed_group_by_no_merge": Ordinary, "distributed_product_mode": Ordinary, "distributed_push_down_limit": Ordinary,
	"distributed_aggregation_memory_efficient": Ordinary, "fallback_to_stale_replicas_for_distributed_queries": Ordinary, "prefer_localhost_replica": Ordinary,
	"prefer_global_in_and_join": Ordinary, "load_balancing": Ordinary, "skip_unavailable_shards": Ordinary, "select_sequential_consistency": Ordinary, "use_hedged_requests": Ordinary,
	"parallel_distributed_insert_select": Ordinary, "parallel_view_processing": Ordinary, "parallelize_output_from_storages": Ordinary, "parallel_hash_join_threshold": Ordinary,
	"enable_parallel_replicas": Ordinary, "allow_experimental_parallel_reading_from_replicas": Ordinary,
	"use_query_cache": Ordinary, "enable_reads_from_query_cache": Ordinary, "enable_writes_to_query_cache": Ordinary, "query_cache_ttl": Ordinary, "query_cache_tag": Ordinary,
	"query_cache_min_query_duration": Ordinary, "query_cache_min_query_runs": Ordinary, "query_cache_compress_entries": Ordinary, "query_cache_squash_partial_results": Ordinary,
	"use_uncompressed_cache": Ordinary, "enable_filesystem_cache": Ordinary, "use_primary_key": Ordinary, "use_partition_pruning": Ordinary, "use_partition_key": Ordinary, "use_concurrency_control": Ordinary,
	"convert_query_to_cnf": Ordinary, "enable_scopes_for_with_statement": Ordinary, "enable_global_with_statement": Ordinary, "enable_multiple_prewhere_read_steps": Ordinary,
	"enable_scalar_subquery_optimization": Ordinary, "enable_materialized_cte": Ordinary, "enable_vertical_final": Ordinary, "legacy_column_name_of_tuple_literal": Ordinary,
	"multiple_joins_try_to_keep_original_names": Ordinary, "move_all_conditions_to_prewhere": Ordinary, "prefer_external_sort_block_bytes": Ordinary, "remerge_sort_lowered_memory_bytes_ratio": Ordinary,
	"normalize_function_names": Ordinary, "validate_polygons": Ordinary, "dictionary_use_async_executor": Ordinary, "rewrite_count_distinct_if_with_count_distinct_implementation": Ordinary,
	"regexp_max_matches_per_row": Ordinary, "errors_output_format": Ordinary, "interval_output_format": Ordinary, "print_pretty_type_names": Ordinary, "precise_float_parsing": Ordinary,
	"extremes": Ordinary, "limit": Ordinary, "offset": Ordinary, "rows_before_aggregation": Ordinary, "queue_max_wait_ms": Ordinary, "throw_if_no_data_to_insert": Ordinary,
	"network_compression_method": Ordinary, "network_zstd_compression_level": Ordinary, "aggregate_function_input_format": Ordinary, "function_json_value_return_type_allow_nullable": Ordinary,
	"external_table_functions_use_nulls": Ordinary, "use_client_time_zone": Ordinary, "use_legacy_to_time": Ordinary, "show_table_uuid_in_table_create_query_if_not_nil": Ordinary,
	"use_structure_from_insertion_table_in_table_functions": Ordinary, "allow_special_bool_values_inside_variant": Ordinary, "allow_materialized_view_with_bad_select": Ordinary,
	"ignore_materialized_views_with_dropped_target_table": Ordinary, "materialized_views_ignore_errors": Ordinary, "mysql_datatypes_support_level": Ordinary,
	"apply_deleted_mask": Ordinary, "apply_mutations_on_fly": Ordinary, "apply_patch_parts": Ordinary, "exclude_materialize_skip_indexes_on_insert": Ordinary,
	"dynamic_throw_on_type_mismatch": Ordinary, "variant_throw_on_type_mismatch": Ordinary, "ignore_data_skipping_indices": Ordinary, "explain_query_plan_default": Ordinary,
	// Types that are no longer an experiment; drivers still ask for them.
	"allow_experimental_bigint_types": Ordinary, "allow_experimental_dynamic_type": Ordinary, "enable_dynamic_type": Ordinary, "allow_experimental_geo_types": Ordinary,
	"allow_experimental_json_type": Ordinary, "enable_json_type": Ordinary, "allow_experimental_map_type": Ordinary, "allow_experimental_object_type": Ordinary,
	"allow_experimental_variant_type": Ordinary, "enable_variant_type": Ordinary, "allow_experimental_bfloat16_type": Ordinary, "allow_experimental_qbit_type": Ordinary, "enable_qbit_type": Ordinary,
	"allow_experimental_window_functions": Ordinary, "allow_experimental_join_condition": Ordinary, "allow_experimental_inverted_index": Ordinary, "allow_experimental_vector_similarity_index": Ordinary,
	"enable_vector_similarity_index": Ordinary, "allow_experimental_query_deduplication": Ordinary, "allow_experimental_refreshable_materialized_view": Ordinary,

	// Settings of a MergeTree table, which stand in SETTINGS too: CREATE TABLE … ENGINE = MergeTree … SETTINGS.
	// Those that choose a disk are Unknown.
	"index_granularity": Ordinary, "index_granularity_bytes": Ordinary, "enable_mixed_granularity_parts": Ordinary, "allow_nullable_key": Ordinary, "allow_floating_point_partition_key": Ordinary,
	"ttl_only_drop_parts": Ordinary, "merge_with_ttl_timeout": Ordinary, "merge_with_recompression_ttl_timeout": Ordinary, "ratio_of_defaults_for_sparse_serialization": Ordinary,
	"non_replicated_deduplication_window": Ordinary, "replicated_deduplication_window": Ordinary, "replicated_deduplication_window_seconds": Ordinary,
	"add_minmax_index_for_numeric_columns": Ordinary, "add_minmax_index_for_string_columns": Ordinary, "enable_block_number_column": Ordinary, "enable_block_offset_column": Ordinary,
	"deduplicate_merge_projection_mode": Ordinary, "parts_to_delay_insert": Ordinary, "parts_to_throw_insert": Ordinary, "old_parts_lifetime": Ordinary,
	"primary_key_compression_codec": Ordinary, "marks_compression_codec": Ordinary, "fsync_after_insert": Ordinary, "fsync_part_directory": Ordinary,
}
