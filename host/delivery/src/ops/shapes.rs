//! The model's constraints on members that several operations share (service model
//! `firehose-2015-08-04`). Those of one operation stand in its own file.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde::de::IgnoredAny;
use types::limits::DELIVERY_RECORD_BYTES_MAX;
use wire::ApiError;
use wire::members::{Blob, Integer, List, Structure, Text};
use wire::shape::pattern::firehose::{TAG_KEY as TAG_KEY_PATTERN, TAG_VALUE};
use wire::shape::{BlobRule, Check, Fields, ListRule, NumberRule, Shape, TextRule, pattern};

use crate::arn::DELIVERY_STREAM_NAME_CHARS_MAX;

pub const NAME: TextRule =
    TextRule::chars(1, DELIVERY_STREAM_NAME_CHARS_MAX).matching(pattern::NAME);
pub const TYPE: TextRule = TextRule::one_of(&[
    "DirectPut",
    "KinesisStreamAsSource",
    "MSKAsSource",
    "DatabaseAsSource",
]);
pub const DATA: BlobRule = BlobRule::at_most(DELIVERY_RECORD_BYTES_MAX);
pub const TAGS: ListRule<Fields> = ListRule::of(1, 50, Fields);
pub const TAG_KEY: TextRule = TextRule::chars(1, 128).matching(TAG_KEY_PATTERN);
const VALUE: TextRule = TextRule::chars(0, 256).matching(TAG_VALUE);

/// A structure whose members nobody here looks at: only whether it is there counts.
pub type Unserved = IgnoredAny;

/// Size in mebibytes, from 1 on, and interval in seconds, up to the limits of a kind of destination
/// (model, `BufferingHints`, `HttpEndpointBufferingHints` and their like).
#[derive(Clone, Copy, Deserialize)]
pub struct HintsUpTo<const SIZE_MAX: i64, const INTERVAL_MAX: i64> {
    #[serde(rename = "SizeInMBs")]
    pub size: Option<Integer>,
    #[serde(rename = "IntervalInSeconds")]
    pub interval: Option<Integer>,
}

impl<const SIZE_MAX: i64, const INTERVAL_MAX: i64> Shape for HintsUpTo<SIZE_MAX, INTERVAL_MAX> {
    fn check(&self, check: &mut Check) {
        let (size, interval) = (
            NumberRule::within(1, SIZE_MAX),
            NumberRule::within(0, INTERVAL_MAX),
        );
        check.optional("SizeInMBs", &self.size, size);
        check.optional("IntervalInSeconds", &self.interval, interval);
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct Tag<'a> {
    #[serde(borrow)]
    pub key: Option<Text<'a>>,
    #[serde(borrow)]
    pub value: Option<Text<'a>>,
}

impl Shape for Tag<'_> {
    fn check(&self, check: &mut Check) {
        check.required("Key", &self.key, TAG_KEY);
        check.optional("Value", &self.value, VALUE);
    }
}

/// A member that the shape requires, and whose absence its check has refused.
pub fn required<T>(member: &Option<T>) -> Result<&T, ApiError> {
    member
        .as_ref()
        .ok_or_else(|| ApiError::internal("A required member was not looked for."))
}

/// A number that the shape keeps within what `T` holds, or what stands for none.
pub fn within<T: TryFrom<i64>>(member: Option<Integer>, default: T) -> Result<T, ApiError> {
    match member {
        None => Ok(default),
        Some(Integer(number)) => T::try_from(number)
            .map_err(|_| ApiError::internal("A number was not held to its constraint.")),
    }
}

/// Tags as they are kept; one without a value has an empty one, and of two with one key the last
/// counts.
pub fn tags(list: &List<Structure<Tag<'_>>>) -> Result<BTreeMap<String, String>, ApiError> {
    let tags = list.iter().map(|Structure(tag)| {
        let value = tag.value.as_ref().map_or("", Text::as_str);
        Ok((required(&tag.key)?.as_str().to_owned(), value.to_owned()))
    });
    tags.collect()
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct Record<'a> {
    #[serde(borrow)]
    data: Option<Blob<'a>>,
}

impl Shape for Record<'_> {
    fn check(&self, check: &mut Check) {
        check.required("Data", &self.data, DATA);
    }
}

impl Record<'_> {
    /// The data itself.
    pub fn data(&self) -> Result<Vec<u8>, ApiError> {
        let blob = required(&self.data)?;
        let mut data = Vec::with_capacity(blob.decoded_len());
        blob.decode_onto(&mut data)?;
        Ok(data)
    }
}
