//! ListStreamConsumers.

use std::ops::Bound;
use std::sync::Arc;

use bincode::{Decode, Encode};
use serde::{Deserialize, Serialize};
use types::Timestamp;
use types::limits::LIST_CONSUMERS_COUNT_MAX;
use wire::members::{Integer, Text, Time};
use wire::shape::{Check, Shape};
use wire::{Answer, ApiError, Call, Requester};

use super::consumers::{ConsumerView, find_stream};
use super::shapes::{LIST_LIMIT, NEXT_TOKEN, STREAM_ARN, STREAM_ID};
use super::{calls, error, page_size};
use crate::Streams;
use crate::calls::StreamCalls;
use crate::page::{self, PageError};
use crate::seal::Purpose;
use crate::stream::Stream;

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Input<'a> {
    #[serde(borrow, rename = "StreamARN")]
    stream_arn: Option<Text<'a>>,
    #[serde(borrow)]
    next_token: Option<Text<'a>>,
    max_results: Option<Integer>,
    stream_creation_timestamp: Option<Time>,
    #[serde(borrow)]
    stream_id: Option<Text<'a>>,
}

impl Shape for Input<'_> {
    fn check(&self, check: &mut Check) {
        check.required("StreamARN", &self.stream_arn, STREAM_ARN);
        check.optional("NextToken", &self.next_token, NEXT_TOKEN);
        check.optional("MaxResults", &self.max_results, LIST_LIMIT);
        check.optional("StreamId", &self.stream_id, STREAM_ID);
    }
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Output<'a> {
    consumers: Vec<ConsumerView<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    next_token: Option<String>,
}

/// Where the list goes on.
#[derive(Encode, Decode)]
struct ConsumersPage {
    account: u64,
    stream: u64,
    after: String,
}

/// Gives the consumers of a stream in order of their names.
pub async fn handle(streams: &Streams, call: Call) -> Result<Answer, ApiError> {
    let input: Input<'_> = call.parse()?;
    let (key, now) = (&streams.sealing_key, streams.now());
    let stream = find(streams, &call.caller, &input)?;
    calls::of_stream(streams, StreamCalls::ListStreamConsumers, &stream.arn)?;
    let account = stream.arn.account.number();
    let after = match &input.next_token {
        Some(token) => {
            let page = page::open::<ConsumersPage>(key, Purpose::Consumers, token, now);
            let page = page.map_err(|error| error::page(error, now))?;
            if (page.account, page.stream) != (account, stream.id.0) {
                return Err(error::page(PageError::Invalid, now));
            }
            Some(page.after)
        }
        None => None,
    };
    let limit = page_size(input.max_results, LIST_CONSUMERS_COUNT_MAX);
    let from = after.as_deref().map_or(Bound::Unbounded, Bound::Excluded);
    let mut found = stream.consumers.range::<str, _>((from, Bound::Unbounded));
    let shown: Vec<_> = found.by_ref().take(limit).collect();
    let next_token = match (shown.last(), found.next()) {
        (Some((last, _)), Some(_)) => {
            let page = ConsumersPage {
                account,
                stream: stream.id.0,
                after: last.as_str().to_owned(),
            };
            let token = page::seal(key, Purpose::Consumers, &page, now);
            Some(token.map_err(|e| error::internal("make a page token", &e))?)
        }
        _ => None,
    };
    let consumers = shown.iter();
    let consumers = consumers.map(|(_, consumer)| ConsumerView::of(consumer, &stream.arn));
    call.answer(&Output {
        consumers: consumers.collect(),
        next_token,
    })
}

/// The stream that is asked about, made at the moment that is given if one is.
fn find(streams: &Streams, by: &Requester, input: &Input<'_>) -> Result<Arc<Stream>, ApiError> {
    let stream = find_stream(streams, by, &input.stream_arn)?;
    let is_meant = |made: Timestamp| made.0 / 1_000 == stream.created_at.0 / 1_000;
    match input.stream_creation_timestamp {
        Some(Time(made)) if !is_meant(made) => Err(error::no_stream(&stream.arn)),
        _ => Ok(stream),
    }
}
