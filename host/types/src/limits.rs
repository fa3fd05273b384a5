//! Every documented limit, once, with its source. "Model" is the public service model of
//! `kinesis-2013-12-02`; "limits page" is
//! <https://docs.aws.amazon.com/streams/latest/dev/service-sizes-and-limits.html>.

use std::time::Duration;

/// Digits of an account id (AWS general reference, account identifiers).
pub const ACCOUNT_ID_DIGITS: usize = 12;
/// Characters of a region name; ours, so that keys stay short.
pub const REGION_CHARS_MAX: usize = 64;

/// Characters of a stream's name (model, StreamName).
pub const STREAM_NAME_CHARS_MAX: usize = 128;
/// Characters of a partition key (model, PartitionKey).
pub const PARTITION_KEY_CHARS_MAX: usize = 256;
/// Bytes of a record's data and partition key together in a stream that does not ask for more
/// (CreateStream, MaxRecordSizeInKiB).
pub const RECORD_BYTES_MAX: usize = 1024 * 1024;
/// Bytes of a record's data that the shape itself allows (model, Data).
pub const DATA_BYTES_MAX: usize = 10_485_760;
/// Records of one PutRecords call (model, PutRecordsRequestEntryList).
pub const PUT_RECORDS_COUNT_MAX: usize = 500;
/// Bytes of data and partition keys of one PutRecords call (PutRecords).
pub const PUT_RECORDS_BYTES_MAX: usize = 10 * 1024 * 1024;

/// Records that a shard takes in one second (PutRecord).
pub const SHARD_WRITE_RECORDS_PER_SECOND: u32 = 1_000;
/// Bytes that a shard takes in one second (PutRecord).
pub const SHARD_WRITE_BYTES_PER_SECOND: u32 = 1024 * 1024;
/// Bytes that a shard gives in one second to all polling readers (GetRecords).
pub const SHARD_READ_BYTES_PER_SECOND: u32 = 2 * 1024 * 1024;
/// GetRecords calls that a shard answers in one second (GetRecords).
pub const SHARD_READS_PER_SECOND: u32 = 5;
/// GetShardIterator calls that a shard answers in one second (GetShardIterator).
pub const SHARD_ITERATORS_PER_SECOND: u32 = 5;

/// Records of one GetRecords answer, and its default (model, GetRecordsInputLimit).
pub const GET_RECORDS_COUNT_MAX: usize = 10_000;
/// Bytes of data and partition keys of one GetRecords answer (GetRecords).
pub const GET_RECORDS_BYTES_MAX: usize = 10 * 1024 * 1024;
/// How long a shard iterator can be used (GetShardIterator).
pub const ITERATOR_LIFETIME: Duration = Duration::from_secs(300);
/// Characters of a shard iterator (model, ShardIterator).
pub const ITERATOR_CHARS_MAX: usize = 512;
/// How long a pagination token can be used (ListShards, ListStreams).
pub const PAGE_TOKEN_LIFETIME: Duration = Duration::from_secs(300);

/// Hours that records are kept in a new stream (CreateStream).
pub const RETENTION_HOURS_DEFAULT: u32 = 24;
/// Hours that records can be kept at least (DecreaseStreamRetentionPeriod).
pub const RETENTION_HOURS_MIN: u32 = 24;
/// Hours that records can be kept at most (IncreaseStreamRetentionPeriod).
pub const RETENTION_HOURS_MAX: u32 = 8_760;

/// The largest count that DescribeLimits tells (model, ShardCountObject).
pub const TOLD_COUNT_MAX: usize = 1_000_000;
/// Calls of DescribeLimits that an account makes in one second in a region (DescribeLimits).
pub const DESCRIBE_LIMITS_CALLS_PER_SECOND: u32 = 1;
/// Calls that an account makes in one second in a region of each operation that has five (as their
/// pages say).
pub const ACCOUNT_CALLS_PER_SECOND: u32 = 5;
/// Calls of DescribeStream that an account makes in one second in a region (DescribeStream).
pub const DESCRIBE_STREAM_CALLS_PER_SECOND: u32 = 10;
/// Calls of DescribeStreamSummary that an account makes in one second in a region
/// (DescribeStreamSummary).
pub const DESCRIBE_STREAM_SUMMARY_CALLS_PER_SECOND: u32 = 20;
/// Calls that are made in one second about a stream of each of DeregisterStreamConsumer and
/// ListStreamConsumers (as their pages say).
pub const CONSUMERS_CALLS_PER_SECOND: u32 = 5;
/// Calls of DescribeStreamConsumer that are made in one second about a stream
/// (DescribeStreamConsumer).
pub const DESCRIBE_STREAM_CONSUMER_CALLS_PER_SECOND: u32 = 20;
/// Calls of ListShards that are made in one second about a stream (ListShards).
pub const LIST_SHARDS_CALLS_PER_SECOND: u32 = 1_000;
/// How often a stream is switched between the capacity modes within [`MODE_SWITCH_PERIOD`]
/// (developer guide, "Switch between capacity modes").
pub const MODE_SWITCHES_MAX: usize = 2;
/// The time in which [`MODE_SWITCHES_MAX`] switches are allowed (as there).
pub const MODE_SWITCH_PERIOD: Duration = Duration::from_secs(24 * 3_600);
/// MiB in a second that a stream can be told to be able to take: 10 GiB
/// (UpdateStreamWarmThroughput).
pub const WARM_MIBPS_MAX: u32 = 10 * 1024;
/// How long a commitment to a minimum of throughput lasts at least
/// (MinimumThroughputBillingCommitmentInput).
pub const COMMITMENT_MIN: Duration = Duration::from_secs(24 * 3_600);

/// Shards of one account in one region, as AWS grants in its largest regions (limits page).
pub const SHARDS_PER_REGION_MAX: usize = 20_000;
/// Shards of one account in all regions together, unless the configuration says otherwise; ours.
pub const SHARDS_PER_ACCOUNT_MAX: usize = 40_000;
/// Closed shards of one account in all regions together; ours. Each takes some hundred bytes of
/// memory until its records have expired. A split, merge or scaling that might go over it is
/// refused with LimitExceededException.
pub const CLOSED_SHARDS_PER_ACCOUNT_MAX: usize = 100_000;
/// Shards that a stream can be scaled to (UpdateShardCount).
pub const SHARDS_PER_STREAM_SCALED_MAX: usize = 10_000;
/// Shards that a stream in ON_DEMAND mode begins with, and has at least (developer guide).
pub const ON_DEMAND_SHARDS_MIN: u32 = 4;
/// Shards that a stream in ON_DEMAND mode has at most: 200 MiB/s (limits page).
pub const ON_DEMAND_SHARDS_MAX: u32 = 200;
/// How many times as many, or as few, shards a stream can be scaled to at once (UpdateShardCount).
pub const SCALE_FACTOR_MAX: usize = 2;
/// How often a stream can be scaled within 24 hours (UpdateShardCount).
pub const SCALINGS_PER_DAY_MAX: usize = 10;
/// How often what a stream's records are sealed with can change within 24 hours
/// (StartStreamEncryption, StopStreamEncryption).
pub const ENCRYPTION_CHANGES_PER_DAY_MAX: usize = 25;
/// Streams of one account in all regions together, unless the configuration says otherwise; ours.
pub const STREAMS_PER_ACCOUNT_MAX: usize = 10_000;
/// Shards that the delivery streams of one account read together, each counted once for each of
/// them, unless the configuration says otherwise; ours. Each takes some kilobytes of memory. A
/// closed shard does not count once all of it is delivered: those are bounded by
/// [`CLOSED_SHARDS_PER_ACCOUNT_MAX`].
pub const LANES_PER_ACCOUNT_MAX: usize = 40_000;
/// Streams of one account that may be in CREATING at the same time (CreateStream).
pub const STREAMS_CREATING_MAX: usize = 5;
/// Shards of one DescribeStream answer, and its default (model, DescribeStream, Limit).
pub const DESCRIBE_STREAM_SHARDS_MAX: usize = 100;
/// Shards of one ListShards answer, and its default (model, ListShards, MaxResults).
pub const LIST_SHARDS_COUNT_MAX: usize = 1_000;
/// Streams of one ListStreams answer, and its default (model, ListStreams, Limit).
pub const LIST_STREAMS_COUNT_MAX: usize = 100;

/// Consumers that are registered with a stream (limits page).
pub const CONSUMERS_PER_STREAM_MAX: usize = 20;
/// Consumers of a stream in ON_DEMAND mode whose account has committed itself to a minimum of
/// throughput (RegisterStreamConsumer, On-demand Advantage).
pub const CONSUMERS_PER_ADVANTAGE_STREAM_MAX: usize = 50;
/// Consumers of one ListStreamConsumers answer, and its default (limits page).
pub const LIST_CONSUMERS_COUNT_MAX: usize = 100;
/// How long records are pushed before their consumer has to call again (SubscribeToShard).
pub const SUBSCRIPTION_TIME_MAX: Duration = Duration::from_secs(300);
/// How soon after a successful call the same consumer can take over its own subscription to the
/// same shard; before that it is refused with ResourceInUseException (SubscribeToShard).
pub const TAKE_OVER_AFTER: Duration = Duration::from_secs(5);
/// Bytes that are pushed to one consumer from one shard in one second (SubscribeToShard).
pub const PUSHED_BYTES_PER_SECOND: u32 = 2 * 1024 * 1024;

/// Bytes of memory that the policies of one account's streams and consumers take together, in all
/// regions, unless the configuration says otherwise; ours. A policy takes about twice its text, and
/// three times at most. A PutResourcePolicy that would go over it is refused with
/// LimitExceededException.
pub const POLICY_BYTES_PER_ACCOUNT_MAX: usize = 32 * 1024 * 1024;

/// Tags of one resource (AddTagsToStream).
pub const TAGS_PER_RESOURCE_MAX: usize = 50;

/// Bytes of a record put to a delivery stream (Firehose model, Data).
pub const DELIVERY_RECORD_BYTES_MAX: usize = 1_024_000;
/// Records of one PutRecordBatch call (Firehose model, PutRecordBatchRequestEntryList).
pub const PUT_RECORD_BATCH_COUNT_MAX: usize = 500;
/// Bytes of the records of one PutRecordBatch call (Firehose, PutRecordBatch).
pub const PUT_RECORD_BATCH_BYTES_MAX: usize = 4 * 1024 * 1024;
/// Bytes of an object's key (S3 user guide, "Naming Amazon S3 objects").
pub const OBJECT_KEY_BYTES_MAX: usize = 1_024;
/// Calls of PutRecord and PutRecordBatch together that a delivery stream takes in one second
/// (Firehose quotas, Direct PUT, as they are before any raise).
pub const DIRECT_PUT_CALLS_PER_SECOND: u32 = 1_000;
/// Records that a delivery stream takes directly in one second (as above).
pub const DIRECT_PUT_RECORDS_PER_SECOND: u32 = 100_000;
/// Bytes that a delivery stream takes directly in one second (as above).
pub const DIRECT_PUT_BYTES_PER_SECOND: u32 = 1024 * 1024;
/// The regions where a delivery stream takes more (as above).
pub const DIRECT_PUT_REGIONS_LARGE: [&str; 3] = ["us-east-1", "us-west-2", "eu-west-1"];
/// Calls in one second there (as above).
pub const DIRECT_PUT_CALLS_PER_SECOND_LARGE: u32 = 2_000;
/// Records in one second there (as above).
pub const DIRECT_PUT_RECORDS_PER_SECOND_LARGE: u32 = 500_000;
/// Bytes in one second there (as above).
pub const DIRECT_PUT_BYTES_PER_SECOND_LARGE: u32 = 5 * 1024 * 1024;
/// How long records that were put directly are kept for a destination that does not take them
/// (Firehose developer guide, data delivery failure handling).
pub const DIRECT_PUT_RETENTION: Duration = Duration::from_secs(24 * 3_600);
/// Delivery streams of one account in all regions together, as many as AWS grants in one of its
/// largest (Firehose quotas).
pub const DELIVERY_STREAMS_MAX: usize = 5_000;
/// Delivery streams of one ListDeliveryStreams answer, by default (Firehose,
/// ListDeliveryStreams).
pub const LIST_DELIVERY_STREAMS_COUNT: usize = 10;
