//! Every operation of Data Streams over HTTP, one file each, as in `host/streams/src/ops`.
#![expect(
    clippy::unwrap_used,
    reason = "an answer without its members fails the test"
)]

mod add_tags_to_stream;
mod call_rates;
mod codecs;
mod create_stream;
mod decrease_stream_retention_period;
mod delete_resource_policy;
mod delete_stream;
mod deregister_stream_consumer;
mod describe_account_settings;
mod describe_limits;
mod describe_stream;
mod describe_stream_consumer;
mod describe_stream_summary;
mod disable_enhanced_monitoring;
mod enable_enhanced_monitoring;
mod get_records;
mod get_resource_policy;
mod get_shard_iterator;
mod increase_stream_retention_period;
mod list_shards;
mod list_stream_consumers;
mod list_streams;
mod list_tags_for_resource;
mod list_tags_for_stream;
mod merge_shards;
mod metrics;
mod naming;
mod old_directories;
mod on_demand;
mod permissions;
mod put_record;
mod put_records;
mod put_resource_policy;
mod refusals;
mod register_stream_consumer;
mod remove_tags_from_stream;
mod retention;
mod rights_to_tag;
mod sequence_numbers;
mod split_shard;
mod start_stream_encryption;
mod stop_stream_encryption;
mod subscribe_to_shard;
mod tag_resource;
mod untag_resource;
mod update_account_settings;
mod update_max_record_size;
mod update_shard_count;
mod update_stream_mode;
mod update_stream_record_distribution_strategy;
mod update_stream_warm_throughput;

/// A day and a little.
const OVER_A_DAY: std::time::Duration = std::time::Duration::from_secs(86_401);
/// One hour and a little.
const OVER_AN_HOUR: std::time::Duration = std::time::Duration::from_secs(3_601);
/// A little more than a token or an iterator lives.
const OVER_FIVE_MINUTES: std::time::Duration = std::time::Duration::from_secs(301);
