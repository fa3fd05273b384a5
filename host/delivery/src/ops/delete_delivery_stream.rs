//! DeleteDeliveryStream.

use serde::Deserialize;
use wire::members::{Boolean, NoMembers, Text};
use wire::shape::{Anything, Check, Shape};
use wire::{Answer, ApiError, Call};

use super::shapes::{NAME, required};
use super::{enter, error};
use crate::Delivery;

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Input<'a> {
    #[serde(borrow)]
    delivery_stream_name: Option<Text<'a>>,
    /// There are no grants of keys that could stand in the way.
    allow_force_delete: Option<Boolean>,
}

impl Shape for Input<'_> {
    fn check(&self, check: &mut Check) {
        check.required("DeliveryStreamName", &self.delivery_stream_name, NAME);
        check.optional("AllowForceDelete", &self.allow_force_delete, Anything);
    }
}

/// Deletes a delivery stream and what it has not delivered. It is durable as DELETING when this
/// answers, and gone a moment later.
pub async fn handle(delivery: &Delivery, call: Call) -> Result<Answer, ApiError> {
    let input: Input<'_> = call.parse()?;
    let name = required(&input.delivery_stream_name)?.as_str();
    let running = enter(delivery, &call.caller, name)?;
    let arn = match (delivery.find_unreadable(&call.caller, name), running) {
        // Nothing else can be done with it.
        (Some(unreadable), _) => unreadable.arn,
        (None, Some(running)) => running.stream().arn.clone(),
        (None, None) => return Err(error::not_found(&call.caller, name)),
    };
    let deleted = delivery.catalog.delete(arn.clone()).await;
    deleted.map_err(|error| error::change(error, &arn))?;
    call.answer(&NoMembers {})
}
