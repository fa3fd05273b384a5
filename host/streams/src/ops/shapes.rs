//! The model's constraints on members that several operations share (service model
//! `kinesis-2013-12-02`). Those of one operation stand in its own file.

use types::limits::{
    DATA_BYTES_MAX, ITERATOR_CHARS_MAX, PARTITION_KEY_CHARS_MAX, STREAM_NAME_CHARS_MAX,
    TAGS_PER_RESOURCE_MAX,
};
use wire::members::Text;
use wire::shape::{BlobRule, Check, ListRule, MapRule, NumberRule, TextRule, pattern};

pub const STREAM_NAME: TextRule = TextRule::chars(1, STREAM_NAME_CHARS_MAX).matching(pattern::NAME);
pub const STREAM_ARN: TextRule = TextRule::chars(1, 2_048).matching(pattern::STREAM_ARN);
pub const RESOURCE_ARN: TextRule = TextRule::chars(1, 2_048).matching(pattern::RESOURCE_ARN);
pub const CONSUMER_ARN: TextRule = TextRule::chars(1, 2_048).matching(pattern::CONSUMER_ARN);
pub const CONSUMER_NAME: TextRule = TextRule::chars(1, 128).matching(pattern::NAME);
pub const STREAM_ID: TextRule = TextRule::chars(1, 24).matching(pattern::STREAM_ID);
pub const SHARD_ID: TextRule = TextRule::chars(1, 128).matching(pattern::NAME);
pub const PARTITION_KEY: TextRule = TextRule::chars(1, PARTITION_KEY_CHARS_MAX);
pub const HASH_KEY: TextRule = TextRule::ANY.matching(pattern::HASH_KEY);
pub const SEQUENCE_NUMBER: TextRule = TextRule::ANY.matching(pattern::SEQUENCE_NUMBER);
pub const SHARD_ITERATOR: TextRule = TextRule::chars(1, ITERATOR_CHARS_MAX);
pub const NEXT_TOKEN: TextRule = TextRule::chars(1, 1_048_576);
pub const DATA: BlobRule = BlobRule::at_most(DATA_BYTES_MAX);
pub const LIST_LIMIT: NumberRule = NumberRule::within(1, 10_000);
/// The model gives no range; the operations do.
pub const RETENTION_HOURS: NumberRule = NumberRule::within(i32::MIN as i64, i32::MAX as i64);
pub const MAX_RECORD_SIZE: NumberRule = NumberRule::within(1_024, 10_240);
pub const TAG_KEY: TextRule = TextRule::chars(1, 128);
pub const TAG_KEYS: ListRule<TextRule> = ListRule::of(1, TAGS_PER_RESOURCE_MAX, TAG_KEY);
pub const TAGS: MapRule = MapRule::of(1, 200, TAG_KEY, TextRule::chars(0, 256));

/// The members by which nearly every operation names its stream.
pub struct StreamMembers<'a> {
    pub name: &'a Option<Text<'a>>,
    pub arn: &'a Option<Text<'a>>,
    pub id: &'a Option<Text<'a>>,
}

impl StreamMembers<'_> {
    /// Their constraints, as part of an operation's shape.
    pub fn check(&self, check: &mut Check) {
        check.optional("StreamName", self.name, STREAM_NAME);
        check.optional("StreamARN", self.arn, STREAM_ARN);
        check.optional("StreamId", self.id, STREAM_ID);
    }
}
