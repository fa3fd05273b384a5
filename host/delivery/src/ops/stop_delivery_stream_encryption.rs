//! StopDeliveryStreamEncryption.

use serde::Deserialize;
use streams::encryption::Asked;
use wire::members::{NoMembers, Text};
use wire::shape::{Check, Shape};
use wire::{Answer, ApiError, Call};

use super::encryption::check_direct;
use super::shapes::{NAME, required};
use super::{error, find};
use crate::Delivery;

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Input<'a> {
    #[serde(borrow)]
    delivery_stream_name: Option<Text<'a>>,
}

impl Shape for Input<'_> {
    fn check(&self, check: &mut Check) {
        check.required("DeliveryStreamName", &self.delivery_stream_name, NAME);
    }
}

/// Seals records that are put directly no longer; those that wait stay so. It is durable as
/// DISABLING when this answers, and DISABLED a moment later.
pub async fn handle(delivery: &Delivery, call: Call) -> Result<Answer, ApiError> {
    let input: Input<'_> = call.parse()?;
    let name = required(&input.delivery_stream_name)?.as_str();
    let stream = find(delivery, &call.caller, name)?;
    let arn = stream.arn.clone();
    check_direct(&stream)?;
    let changed = delivery.catalog.encrypt(arn.clone(), Asked::Stop).await;
    changed.map_err(|error| error::change(error, &arn))?;
    call.answer(&NoMembers {})
}
