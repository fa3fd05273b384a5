//! The model's constraints on members that several operations share (service model
//! `firehose-2015-08-04`). Those of one operation stand in its own file.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde::de::IgnoredAny;
use types::limits::DELIVERY_RECORD_BYTES_MAX;
use wire::json::{Blob, List, Structure, Text};
use wire::shape::pattern::firehose::{TAG_KEY as TAG_KEY_PATTERN, TAG_VALUE};
use wire::shape::{BlobRule, Check, Fields, ListRule, Shape, TextRule, pattern};

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

/// Tags as they are kept; one without a value has an empty one.
pub fn tags(list: &List<Structure<Tag<'_>>>) -> BTreeMap<String, String> {
    let text = |text: &Option<Text<'_>>| text.as_ref().map_or("", Text::as_str).to_owned();
    list.iter()
        .map(|Structure(tag)| (text(&tag.key), text(&tag.value)))
        .collect()
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
    /// Bytes of the data, before it is decoded.
    pub fn bytes(&self) -> usize {
        self.data.as_ref().map_or(0, Blob::decoded_len)
    }

    /// The data itself.
    pub fn data(&self) -> Result<Vec<u8>, wire::ApiError> {
        let mut data = Vec::with_capacity(self.bytes());
        if let Some(blob) = &self.data {
            blob.decode_onto(&mut data)?;
        }
        Ok(data)
    }
}
