//! The operations: one file each, with its shape, its checks, its work and its answer. What they
//! share: [`shapes`] and [`address`] on the way in, [`describe`] and [`error`] on the way out.

pub mod add_tags_to_stream;
pub mod create_stream;
pub mod decrease_stream_retention_period;
pub mod delete_resource_policy;
pub mod delete_stream;
pub mod deregister_stream_consumer;
pub mod describe_account_settings;
pub mod describe_limits;
pub mod describe_stream;
pub mod describe_stream_consumer;
pub mod describe_stream_summary;
pub mod disable_enhanced_monitoring;
pub mod enable_enhanced_monitoring;
pub mod get_records;
pub mod get_resource_policy;
pub mod get_shard_iterator;
pub mod increase_stream_retention_period;
pub mod list_shards;
pub mod list_stream_consumers;
pub mod list_streams;
pub mod list_tags_for_resource;
pub mod list_tags_for_stream;
pub mod merge_shards;
pub mod put_record;
pub mod put_records;
pub mod put_resource_policy;
pub mod register_stream_consumer;
pub mod remove_tags_from_stream;
pub mod split_shard;
pub mod start_stream_encryption;
pub mod stop_stream_encryption;
pub mod subscribe_to_shard;
pub mod tag_resource;
pub mod untag_resource;
pub mod update_account_settings;
pub mod update_max_record_size;
pub mod update_shard_count;
pub mod update_stream_mode;
pub mod update_stream_record_distribution_strategy;
pub mod update_stream_warm_throughput;

mod account_settings;
pub(crate) mod address;
mod calls;
mod consumers;
pub(crate) mod describe;
mod encryption;
mod enhanced_monitoring;
pub(crate) mod error;
mod modes;
mod record_size;
mod resource;
mod retention_hours;
mod shapes;
mod starting_position;
mod tags;

use wire::ApiError;
use wire::members::Integer;

/// A member that the shape requires. Its check has refused an input without it, so that one that is
/// not there is a fault of ours.
fn required<'a, T>(name: &str, member: &'a Option<T>) -> Result<&'a T, ApiError> {
    member
        .as_ref()
        .ok_or_else(|| error::internal("read a checked input", &format!("it has no {name}")))
}

/// How many members an answer may have: what the client asks for, and `most` by default. The
/// model lets a client ask for more than `most`; it is not given more.
fn page_size(asked: Option<Integer>, most: usize) -> usize {
    asked.map_or(most, |Integer(asked)| {
        usize::try_from(asked).map_or(most, |asked| asked.min(most))
    })
}
