//! The operations of Data Streams, sorted by name.

use std::sync::Arc;

use streams::{Streams, ops};
use wire::{Call, Codec};

use super::{AnswerKind, Handle, Handled, Operation};

/// Those of `Kinesis_20131202`.
pub(super) const OPERATIONS: [Operation; 40] = [
    kinesis("AddTagsToStream", |s, c| {
        Box::pin(ops::add_tags_to_stream::handle(s, c))
    }),
    kinesis("CreateStream", |s, c| {
        Box::pin(ops::create_stream::handle(s, c))
    }),
    kinesis("DecreaseStreamRetentionPeriod", |s, c| {
        Box::pin(ops::decrease_stream_retention_period::handle(s, c))
    }),
    kinesis("DeleteResourcePolicy", |s, c| {
        Box::pin(ops::delete_resource_policy::handle(s, c))
    }),
    kinesis("DeleteStream", |s, c| {
        Box::pin(ops::delete_stream::handle(s, c))
    }),
    kinesis("DeregisterStreamConsumer", |s, c| {
        Box::pin(ops::deregister_stream_consumer::handle(s, c))
    }),
    kinesis("DescribeAccountSettings", |s, c| {
        Box::pin(ops::describe_account_settings::handle(s, c))
    })
    .telling()
    .of_account(),
    kinesis("DescribeLimits", |s, c| {
        Box::pin(ops::describe_limits::handle(s, c))
    })
    .telling()
    .of_account(),
    kinesis("DescribeStream", |s, c| {
        Box::pin(ops::describe_stream::handle(s, c))
    })
    .telling(),
    kinesis("DescribeStreamConsumer", |s, c| {
        Box::pin(ops::describe_stream_consumer::handle(s, c))
    })
    .telling(),
    kinesis("DescribeStreamSummary", |s, c| {
        Box::pin(ops::describe_stream_summary::handle(s, c))
    })
    .telling(),
    kinesis("DisableEnhancedMonitoring", |s, c| {
        Box::pin(ops::disable_enhanced_monitoring::handle(s, c))
    }),
    kinesis("EnableEnhancedMonitoring", |s, c| {
        Box::pin(ops::enable_enhanced_monitoring::handle(s, c))
    }),
    kinesis("GetRecords", |s, c| {
        Box::pin(ops::get_records::handle(s, c))
    })
    .reading_much(),
    kinesis("GetResourcePolicy", |s, c| {
        Box::pin(ops::get_resource_policy::handle(s, c))
    })
    .telling(),
    kinesis("GetShardIterator", |s, c| {
        Box::pin(ops::get_shard_iterator::handle(s, c))
    })
    .telling(),
    kinesis("IncreaseStreamRetentionPeriod", |s, c| {
        Box::pin(ops::increase_stream_retention_period::handle(s, c))
    }),
    kinesis("ListShards", |s, c| {
        Box::pin(ops::list_shards::handle(s, c))
    })
    .telling(),
    kinesis("ListStreamConsumers", |s, c| {
        Box::pin(ops::list_stream_consumers::handle(s, c))
    })
    .telling(),
    kinesis("ListStreams", |s, c| {
        Box::pin(ops::list_streams::handle(s, c))
    })
    .telling()
    .of_account(),
    kinesis("ListTagsForResource", |s, c| {
        Box::pin(ops::list_tags_for_resource::handle(s, c))
    })
    .telling(),
    kinesis("ListTagsForStream", |s, c| {
        Box::pin(ops::list_tags_for_stream::handle(s, c))
    })
    .telling(),
    kinesis("MergeShards", |s, c| {
        Box::pin(ops::merge_shards::handle(s, c))
    }),
    kinesis("PutRecord", |s, c| Box::pin(ops::put_record::handle(s, c))),
    kinesis("PutRecords", |s, c| {
        Box::pin(ops::put_records::handle(s, c))
    })
    .for_each(),
    kinesis("PutResourcePolicy", |s, c| {
        Box::pin(ops::put_resource_policy::handle(s, c))
    }),
    kinesis("RegisterStreamConsumer", |s, c| {
        Box::pin(ops::register_stream_consumer::handle(s, c))
    }),
    kinesis("RemoveTagsFromStream", |s, c| {
        Box::pin(ops::remove_tags_from_stream::handle(s, c))
    }),
    kinesis("SplitShard", |s, c| {
        Box::pin(ops::split_shard::handle(s, c))
    }),
    kinesis("StartStreamEncryption", |s, c| {
        Box::pin(ops::start_stream_encryption::handle(s, c))
    }),
    kinesis("StopStreamEncryption", |s, c| {
        Box::pin(ops::stop_stream_encryption::handle(s, c))
    }),
    subscribing("SubscribeToShard", |s, c| {
        Box::pin(ops::subscribe_to_shard::handle(s, c))
    }),
    kinesis("TagResource", |s, c| {
        Box::pin(ops::tag_resource::handle(s, c))
    }),
    kinesis("UntagResource", |s, c| {
        Box::pin(ops::untag_resource::handle(s, c))
    }),
    kinesis("UpdateAccountSettings", |s, c| {
        Box::pin(ops::update_account_settings::handle(s, c))
    })
    .of_account(),
    kinesis("UpdateMaxRecordSize", |s, c| {
        Box::pin(ops::update_max_record_size::handle(s, c))
    }),
    kinesis("UpdateShardCount", |s, c| {
        Box::pin(ops::update_shard_count::handle(s, c))
    }),
    kinesis("UpdateStreamMode", |s, c| {
        Box::pin(ops::update_stream_mode::handle(s, c))
    }),
    kinesis("UpdateStreamRecordDistributionStrategy", |s, c| {
        Box::pin(ops::update_stream_record_distribution_strategy::handle(
            s, c,
        ))
    }),
    kinesis("UpdateStreamWarmThroughput", |s, c| {
        Box::pin(ops::update_stream_warm_throughput::handle(s, c))
    }),
];

const fn kinesis(name: &'static str, handle: fn(&Streams, Call) -> Handled<'_>) -> Operation {
    Operation {
        prefix: "Kinesis_20131202",
        name,
        service: "kinesis",
        policy_service: "kinesis",
        takes_gzip: false,
        body_bytes_max: usize::MAX,
        codecs: &[Codec::Json, Codec::Cbor],
        reads_much: false,
        is_of_account: false,
        answer: AnswerKind::Done,
        handle: Handle::Streams(handle),
    }
}

/// An operation whose answer is a stream of events.
const fn subscribing(
    name: &'static str,
    handle: fn(&Arc<Streams>, Call) -> Handled<'_>,
) -> Operation {
    Operation {
        prefix: "Kinesis_20131202",
        name,
        service: "kinesis",
        policy_service: "kinesis",
        takes_gzip: false,
        body_bytes_max: usize::MAX,
        codecs: &[Codec::Json, Codec::Cbor],
        reads_much: false,
        is_of_account: false,
        answer: AnswerKind::Told,
        handle: Handle::Events(handle),
    }
}
