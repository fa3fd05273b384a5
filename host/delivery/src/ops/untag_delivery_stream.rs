//! UntagDeliveryStream.

use serde::Deserialize;
use wire::members::{List, NoMembers, Text};
use wire::shape::{Check, ListRule, Shape, TextRule};
use wire::{Answer, ApiError, Call};

use super::shapes::{NAME, TAG_KEY, required};
use super::{error, find};
use crate::Delivery;
use crate::catalog::Edit;

const TAG_KEYS: ListRule<TextRule> = ListRule::of(1, 50, TAG_KEY);

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Input<'a> {
    #[serde(borrow)]
    delivery_stream_name: Option<Text<'a>>,
    #[serde(borrow)]
    tag_keys: Option<List<Text<'a>>>,
}

impl Shape for Input<'_> {
    fn check(&self, check: &mut Check) {
        check.required("DeliveryStreamName", &self.delivery_stream_name, NAME);
        check.required("TagKeys", &self.tag_keys, TAG_KEYS);
    }
}

/// Takes labels from a delivery stream; those that it does not have are no error.
pub async fn handle(delivery: &Delivery, call: Call) -> Result<Answer, ApiError> {
    let input: Input<'_> = call.parse()?;
    let name = required(&input.delivery_stream_name)?.as_str();
    let keys = required(&input.tag_keys)?.iter();
    let caller = call.caller.untagging(keys.clone().map(Text::as_str));
    let arn = find(delivery, &caller, name)?.arn.clone();
    let keys = keys.map(|key| key.as_str().to_owned()).collect();
    let edited = delivery
        .catalog
        .edit(arn.clone(), Edit::RemoveTags(keys))
        .await;
    edited.map_err(|error| error::change(error, &arn))?;
    call.answer(&NoMembers {})
}
