//! PutRecordBatch.

use serde::{Deserialize, Serialize};
use types::limits::{PUT_RECORD_BATCH_BYTES_MAX, PUT_RECORD_BATCH_COUNT_MAX};
use wire::json::{self, List, Structure, Text};
use wire::shape::{Check, Fields, ListRule, Shape};
use wire::{Answer, ApiError, Call};

use super::shapes::{NAME, Record};
use super::{error, find};
use crate::Delivery;
use crate::delivery::record_id;

const RECORDS: ListRule<Fields> = ListRule::of(1, PUT_RECORD_BATCH_COUNT_MAX, Fields);

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Input<'a> {
    #[serde(borrow)]
    delivery_stream_name: Option<Text<'a>>,
    #[serde(borrow)]
    records: Option<List<Structure<Record<'a>>>>,
}

impl Shape for Input<'_> {
    fn check(&self, check: &mut Check) {
        check.required("DeliveryStreamName", &self.delivery_stream_name, NAME);
        check.required("Records", &self.records, RECORDS);
    }
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Output {
    failed_put_count: usize,
    encrypted: bool,
    request_responses: Vec<Response>,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Response {
    record_id: String,
}

/// Takes up to 500 records for delivery, all or none, and answers after they are durable.
pub async fn handle(delivery: &Delivery, call: Call) -> Result<Answer, ApiError> {
    let input: Input<'_> = json::parse(&call.body)?;
    let name = input.delivery_stream_name.as_ref().map_or("", Text::as_str);
    let stream = find(delivery, &call.caller, name)?;
    let records = input.records.as_deref().unwrap_or_default();
    let bytes: usize = records.iter().map(|Structure(record)| record.bytes()).sum();
    if PUT_RECORD_BATCH_BYTES_MAX < bytes {
        let mebibytes = PUT_RECORD_BATCH_BYTES_MAX / (1024 * 1024);
        return Err(error::invalid_argument(format!(
            "Records size exceeds {mebibytes} MB limit"
        )));
    }
    let data: Vec<Vec<u8>> = records
        .iter()
        .map(|Structure(record)| record.data())
        .collect::<Result<_, _>>()?;
    let put = delivery.put(&stream, &data).await;
    put.map_err(|error| error::put(error, &stream.arn))?;
    let responses = data.iter().map(|_| {
        let record_id = record_id().map_err(|error| ApiError::internal(error.to_string()))?;
        Ok(Response { record_id })
    });
    json::answer(&Output {
        failed_put_count: 0,
        encrypted: false,
        request_responses: responses.collect::<Result<_, ApiError>>()?,
    })
}
