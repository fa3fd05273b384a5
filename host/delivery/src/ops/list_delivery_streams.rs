//! ListDeliveryStreams.

use serde::{Deserialize, Serialize};
use types::limits::LIST_DELIVERY_STREAMS_COUNT;
use wire::members::{Integer, Text};
use wire::shape::{Check, NumberRule, Shape};
use wire::{Answer, ApiError, Call};

use super::shapes::{NAME, TYPE, within};
use crate::Delivery;
use crate::arn::DeliveryStreamName;

const LIMIT: NumberRule = NumberRule::within(1, 10_000);

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Input<'a> {
    limit: Option<Integer>,
    #[serde(borrow)]
    delivery_stream_type: Option<Text<'a>>,
    #[serde(borrow)]
    exclusive_start_delivery_stream_name: Option<Text<'a>>,
}

impl Shape for Input<'_> {
    fn check(&self, check: &mut Check) {
        check.optional("Limit", &self.limit, LIMIT);
        check.optional("DeliveryStreamType", &self.delivery_stream_type, TYPE);
        let start = &self.exclusive_start_delivery_stream_name;
        check.optional("ExclusiveStartDeliveryStreamName", start, NAME);
    }
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Output {
    delivery_stream_names: Vec<String>,
    has_more_delivery_streams: bool,
}

/// Gives the names of the caller's delivery streams in the region, in order.
pub async fn handle(delivery: &Delivery, call: Call) -> Result<Answer, ApiError> {
    let input: Input<'_> = call.parse()?;
    let after = match &input.exclusive_start_delivery_stream_name {
        None => None,
        Some(name) => {
            Some(DeliveryStreamName::parse(name).map_err(|e| ApiError::validation(e.to_string()))?)
        }
    };
    let limit = within(input.limit, LIST_DELIVERY_STREAMS_COUNT)?;
    let kind = input.delivery_stream_type.as_ref().map(Text::as_str);
    let found = delivery.directory.of(&call.caller, after.as_ref());
    let mut names = found
        .iter()
        .map(|running| running.stream())
        .filter(|stream| kind.is_none_or(|kind| stream.origin.type_name() == kind))
        .map(|stream| stream.arn.name.as_str().to_owned());
    let delivery_stream_names: Vec<_> = names.by_ref().take(limit).collect();
    call.answer(&Output {
        delivery_stream_names,
        has_more_delivery_streams: names.next().is_some(),
    })
}
