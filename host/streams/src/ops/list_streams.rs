//! ListStreams.

use bincode::{Decode, Encode};
use serde::{Deserialize, Serialize};
use types::limits::LIST_STREAMS_COUNT_MAX;
use wire::members::{Integer, Text, Time};
use wire::shape::{Check, Shape};
use wire::{Answer, ApiError, Call};

use super::describe::StreamModeDetails;
use super::shapes::{LIST_LIMIT, NEXT_TOKEN, STREAM_NAME};
use super::{calls, error, page_size};
use crate::Streams;
use crate::calls::AccountCalls;
use crate::page;
use crate::seal::Purpose;

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Input<'a> {
    limit: Option<Integer>,
    #[serde(borrow)]
    exclusive_start_stream_name: Option<Text<'a>>,
    #[serde(borrow)]
    next_token: Option<Text<'a>>,
}

impl Shape for Input<'_> {
    fn check(&self, check: &mut Check) {
        check.optional("Limit", &self.limit, LIST_LIMIT);
        check.optional(
            "ExclusiveStartStreamName",
            &self.exclusive_start_stream_name,
            STREAM_NAME,
        );
        check.optional("NextToken", &self.next_token, NEXT_TOKEN);
    }
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Output<'a> {
    stream_names: Vec<&'a str>,
    has_more_streams: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    next_token: Option<String>,
    stream_summaries: Vec<Summary<'a>>,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Summary<'a> {
    stream_name: &'a str,
    #[serde(rename = "StreamARN")]
    stream_arn: String,
    stream_status: &'static str,
    stream_mode_details: StreamModeDetails,
    stream_creation_timestamp: Time,
}

/// Where the list goes on.
#[derive(Encode, Decode)]
struct StreamsPage {
    account: u64,
    after: String,
}

/// Gives the names of the caller's streams in the region, in order.
pub async fn handle(streams: &Streams, call: Call) -> Result<Answer, ApiError> {
    let input: Input<'_> = call.parse()?;
    calls::of_account(streams, AccountCalls::ListStreams, &call.caller)?;
    let (key, now) = (&streams.sealing_key, streams.now());
    let account = call.caller.account.number();
    let after = match (&input.next_token, &input.exclusive_start_stream_name) {
        (Some(token), _) => {
            let page = page::open::<StreamsPage>(key, Purpose::Streams, token, now);
            let page = page.map_err(|error| error::page(error, now))?;
            if page.account != account {
                return Err(error::page(page::PageError::Invalid, now));
            }
            Some(page.after)
        }
        (None, Some(name)) => Some(name.as_str().to_owned()),
        (None, None) => None,
    };
    let limit = page_size(input.limit, LIST_STREAMS_COUNT_MAX);
    // One more than fits tells whether there are more.
    let mut found = streams
        .directory
        .page(&call.caller, after.as_deref(), limit + 1);
    let has_more_streams = found.len() > limit;
    found.truncate(limit);
    let stream_names: Vec<_> = found.iter().map(|s| s.arn.name.as_str()).collect();
    let next_token = match stream_names.last() {
        Some(last) if has_more_streams => {
            let after = (*last).to_owned();
            let token = page::seal(key, Purpose::Streams, &StreamsPage { account, after }, now);
            Some(token.map_err(|e| error::internal("make a page token", &e))?)
        }
        _ => None,
    };
    let stream_summaries = found.iter().map(|stream| Summary {
        stream_name: stream.arn.name.as_str(),
        stream_arn: stream.arn.to_string(),
        stream_status: stream.status.as_str(),
        stream_mode_details: StreamModeDetails::of(stream),
        stream_creation_timestamp: Time(stream.created_at),
    });
    call.answer(&Output {
        stream_names,
        has_more_streams,
        next_token,
        stream_summaries: stream_summaries.collect(),
    })
}
