//! TagDeliveryStream.

use serde::Deserialize;
use wire::members::{List, NoMembers, Structure, Text};
use wire::shape::{Check, Shape};
use wire::{Answer, ApiError, Call};

use super::shapes::{self, NAME, TAGS, Tag, required};
use super::{error, find};
use crate::Delivery;
use crate::catalog::Edit;

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Input<'a> {
    #[serde(borrow)]
    delivery_stream_name: Option<Text<'a>>,
    #[serde(borrow)]
    tags: Option<List<Structure<Tag<'a>>>>,
}

impl Shape for Input<'_> {
    fn check(&self, check: &mut Check) {
        check.required("DeliveryStreamName", &self.delivery_stream_name, NAME);
        check.required("Tags", &self.tags, TAGS);
    }
}

/// Gives a delivery stream labels, at most 50, and new values to those that it has.
pub async fn handle(delivery: &Delivery, call: Call) -> Result<Answer, ApiError> {
    let input: Input<'_> = call.parse()?;
    let name = required(&input.delivery_stream_name)?.as_str();
    let tags = shapes::tags(required(&input.tags)?)?;
    let pairs = tags.iter();
    let caller = call
        .caller
        .tagging(pairs.map(|(key, value)| (key.as_str(), value.as_str())));
    let arn = find(delivery, &caller, name)?.arn.clone();
    let edited = delivery
        .catalog
        .edit(arn.clone(), Edit::AddTags(tags))
        .await;
    edited.map_err(|error| error::change(error, &arn))?;
    call.answer(&NoMembers {})
}
