//! The one table of operations. A new operation is one line here and one file in its service.

use std::pin::Pin;

use streams::{Streams, ops};
use wire::{Answer, ApiError, Call};

type Handled<'a> = Pin<Box<dyn Future<Output = Result<Answer, ApiError>> + Send + 'a>>;

/// What `X-Amz-Target` can name.
pub(crate) struct Operation {
    /// The name after the service's prefix.
    pub(crate) name: &'static str,
    /// What it does.
    pub(crate) handle: fn(&Streams, Call) -> Handled<'_>,
}

/// What `X-Amz-Target` begins with (model, targetPrefix).
const TARGET_PREFIX: &str = "Kinesis_20131202.";

/// Sorted by name.
pub(crate) static OPERATIONS: [Operation; 15] = [
    operation("AddTagsToStream", |s, c| {
        Box::pin(ops::add_tags_to_stream::handle(s, c))
    }),
    operation("CreateStream", |s, c| {
        Box::pin(ops::create_stream::handle(s, c))
    }),
    operation("DecreaseStreamRetentionPeriod", |s, c| {
        Box::pin(ops::decrease_stream_retention_period::handle(s, c))
    }),
    operation("DeleteStream", |s, c| {
        Box::pin(ops::delete_stream::handle(s, c))
    }),
    operation("DescribeStream", |s, c| {
        Box::pin(ops::describe_stream::handle(s, c))
    }),
    operation("DescribeStreamSummary", |s, c| {
        Box::pin(ops::describe_stream_summary::handle(s, c))
    }),
    operation("GetRecords", |s, c| {
        Box::pin(ops::get_records::handle(s, c))
    }),
    operation("GetShardIterator", |s, c| {
        Box::pin(ops::get_shard_iterator::handle(s, c))
    }),
    operation("IncreaseStreamRetentionPeriod", |s, c| {
        Box::pin(ops::increase_stream_retention_period::handle(s, c))
    }),
    operation("ListShards", |s, c| {
        Box::pin(ops::list_shards::handle(s, c))
    }),
    operation("ListStreams", |s, c| {
        Box::pin(ops::list_streams::handle(s, c))
    }),
    operation("ListTagsForStream", |s, c| {
        Box::pin(ops::list_tags_for_stream::handle(s, c))
    }),
    operation("PutRecord", |s, c| Box::pin(ops::put_record::handle(s, c))),
    operation("PutRecords", |s, c| {
        Box::pin(ops::put_records::handle(s, c))
    }),
    operation("RemoveTagsFromStream", |s, c| {
        Box::pin(ops::remove_tags_from_stream::handle(s, c))
    }),
];

const fn operation(name: &'static str, handle: fn(&Streams, Call) -> Handled<'_>) -> Operation {
    Operation { name, handle }
}

/// The place in [`OPERATIONS`] of what `target` names.
pub(crate) fn lookup(target: &str) -> Option<usize> {
    let name = target.strip_prefix(TARGET_PREFIX)?;
    OPERATIONS
        .binary_search_by(|operation| operation.name.cmp(name))
        .ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_operation_is_found_by_its_target_and_nothing_else_is() {
        assert!(OPERATIONS.is_sorted_by(|a, b| a.name < b.name));
        for (place, operation) in OPERATIONS.iter().enumerate() {
            let target = format!("Kinesis_20131202.{}", operation.name);
            assert_eq!(lookup(&target), Some(place));
            assert_eq!(lookup(operation.name), None);
        }
        for unknown in [
            "",
            "Kinesis_20131202.",
            "Kinesis_20131202.putRecord",
            "X.PutRecord",
        ] {
            assert_eq!(lookup(unknown), None, "{unknown}");
        }
    }
}
