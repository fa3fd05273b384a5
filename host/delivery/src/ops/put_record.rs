//! PutRecord.

use serde::{Deserialize, Serialize};
use wire::members::{Structure, Text};
use wire::shape::{Check, Fields, Shape};
use wire::{Answer, ApiError, Call};

use super::shapes::{NAME, Record, required};
use super::{error, find_running};
use crate::Delivery;
use crate::delivery::record_id;

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Input<'a> {
    #[serde(borrow)]
    delivery_stream_name: Option<Text<'a>>,
    #[serde(borrow)]
    record: Option<Structure<Record<'a>>>,
}

impl Shape for Input<'_> {
    fn check(&self, check: &mut Check) {
        check.required("DeliveryStreamName", &self.delivery_stream_name, NAME);
        check.required("Record", &self.record, Fields);
    }
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Output {
    record_id: String,
    encrypted: bool,
}

/// Takes one record for delivery, and answers after it is durable.
pub async fn handle(delivery: &Delivery, call: Call) -> Result<Answer, ApiError> {
    let input: Input<'_> = call.parse()?;
    let Structure(record) = required(&input.record)?;
    let data = record.data()?;
    let name = required(&input.delivery_stream_name)?.as_str();
    let running = find_running(delivery, &call.caller, name)?;
    let put = delivery.put(&running, &[data]).await;
    let put = put.map_err(|error| error::put(error, &running.stream().arn))?;
    call.answer(&Output {
        record_id: record_id().map_err(|error| ApiError::internal(error.to_string()))?,
        encrypted: put.is_sealed,
    })
}
