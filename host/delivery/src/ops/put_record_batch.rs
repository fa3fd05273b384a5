//! PutRecordBatch.

use serde::{Deserialize, Serialize};
use types::limits::{PUT_RECORD_BATCH_BYTES_MAX, PUT_RECORD_BATCH_COUNT_MAX};
use wire::members::{List, Structure, Text};
use wire::shape::{Check, Fields, ListRule, Shape};
use wire::{Answer, ApiError, Call};

use super::shapes::{NAME, Record, required};
use super::{error, find_running};
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
#[serde(untagged)]
enum Response {
    Put {
        #[serde(rename = "RecordId")]
        record_id: String,
    },
    NotPut {
        #[serde(rename = "ErrorCode")]
        error_code: &'static str,
        #[serde(rename = "ErrorMessage")]
        error_message: &'static str,
    },
}

/// Takes up to 500 records for delivery, as far as there is room for them in this second, and
/// answers after they are durable.
pub async fn handle(delivery: &Delivery, call: Call) -> Result<Answer, ApiError> {
    let input: Input<'_> = call.parse()?;
    let records = required(&input.records)?.iter();
    let data: Vec<Vec<u8>> = records
        .map(|Structure(record)| record.data())
        .collect::<Result<_, _>>()?;
    let name = required(&input.delivery_stream_name)?.as_str();
    let running = find_running(delivery, &call.caller, name)?;
    let bytes: usize = data.iter().map(Vec::len).sum();
    if bytes > PUT_RECORD_BATCH_BYTES_MAX {
        let mebibytes = PUT_RECORD_BATCH_BYTES_MAX / (1024 * 1024);
        return Err(error::invalid_argument(format!(
            "Records size exceeds {mebibytes} MB limit"
        )));
    }
    let put = delivery.put(&running, &data).await;
    let put = put.map_err(|error| error::put(error, &running.stream().arn))?;
    let responses = put.admitted.iter().map(|is_put| response(*is_put));
    call.answer(&Output {
        failed_put_count: put.admitted.iter().filter(|is_put| !**is_put).count(),
        encrypted: put.is_sealed,
        request_responses: responses.collect::<Result<_, ApiError>>()?,
    })
}

fn response(is_put: bool) -> Result<Response, ApiError> {
    if is_put {
        let record_id = record_id().map_err(|error| ApiError::internal(error.to_string()))?;
        Ok(Response::Put { record_id })
    } else {
        Ok(Response::NotPut {
            error_code: error::UNAVAILABLE,
            error_message: error::SLOW_DOWN,
        })
    }
}
