//! ListShards.

use std::sync::Arc;

use bincode::{Decode, Encode};
use serde::{Deserialize, Serialize};
use types::limits::LIST_SHARDS_COUNT_MAX;
use types::{AccountId, Caller, StreamArn, StreamName, Timestamp};
use wire::members::{Integer, Structure, Text, Time};
use wire::shape::{Check, Fields, Shape, TextRule};
use wire::{Answer, ApiError, Call, Requester};

use super::describe::{ShardView, listed, start_after};
use super::shapes::{LIST_LIMIT, NEXT_TOKEN, SHARD_ID, StreamMembers};
use super::{address, calls, error, page_size, required};
use crate::Streams;
use crate::calls::StreamCalls;
use crate::directory::owner;
use crate::page::{self, PageError};
use crate::seal::Purpose;
use crate::shard::Shard;
use crate::stream::{Status, Stream};

const FILTER_TYPE: TextRule = TextRule::one_of(&[
    "AFTER_SHARD_ID",
    "AT_TRIM_HORIZON",
    "FROM_TRIM_HORIZON",
    "AT_LATEST",
    "AT_TIMESTAMP",
    "FROM_TIMESTAMP",
]);

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Input<'a> {
    #[serde(borrow)]
    stream_name: Option<Text<'a>>,
    #[serde(borrow)]
    next_token: Option<Text<'a>>,
    #[serde(borrow)]
    exclusive_start_shard_id: Option<Text<'a>>,
    max_results: Option<Integer>,
    stream_creation_timestamp: Option<Time>,
    #[serde(borrow)]
    shard_filter: Option<Structure<ShardFilter<'a>>>,
    #[serde(borrow, rename = "StreamARN")]
    stream_arn: Option<Text<'a>>,
    #[serde(borrow)]
    stream_id: Option<Text<'a>>,
}

impl Input<'_> {
    fn stream(&self) -> StreamMembers<'_> {
        StreamMembers {
            name: &self.stream_name,
            arn: &self.stream_arn,
            id: &self.stream_id,
        }
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct ShardFilter<'a> {
    #[serde(borrow)]
    r#type: Option<Text<'a>>,
    #[serde(borrow)]
    shard_id: Option<Text<'a>>,
    timestamp: Option<Time>,
}

impl Shape for Input<'_> {
    fn check(&self, check: &mut Check) {
        check.optional("MaxResults", &self.max_results, LIST_LIMIT);
        check.optional(
            "ExclusiveStartShardId",
            &self.exclusive_start_shard_id,
            SHARD_ID,
        );
        check.optional("NextToken", &self.next_token, NEXT_TOKEN);
        check.optional("ShardFilter", &self.shard_filter, Fields);
        self.stream().check(check);
    }
}

impl Shape for ShardFilter<'_> {
    fn check(&self, check: &mut Check) {
        check.required("Type", &self.r#type, FILTER_TYPE);
        check.optional("ShardId", &self.shard_id, SHARD_ID);
    }
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Output<'a> {
    shards: Vec<ShardView<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    next_token: Option<String>,
}

/// What is asked for, and where it goes on: this is what a page token keeps.
#[derive(Encode, Decode)]
struct ShardsPage {
    account: u64,
    stream: u64,
    name: String,
    /// Shards after the one of this number.
    after: Option<u32>,
    /// Shards that were open at some moment from this one on.
    closed_from_ms: Option<u64>,
    /// Shards that were open at some moment up to this one.
    opened_to_ms: Option<u64>,
    only_open: bool,
}

/// Gives the shards of a stream in order of their names, those that a filter lets through.
pub async fn handle(streams: &Streams, call: Call) -> Result<Answer, ApiError> {
    let input: Input<'_> = call.parse()?;
    let now = streams.now();
    let (stream, mut page) = match &input.next_token {
        Some(token) => go_on(streams, &call.caller, &input, token)?,
        None => begin(streams, &call.caller, &input)?,
    };
    calls::of_stream(streams, StreamCalls::ListShards, &stream.arn)?;
    let limit = page_size(input.max_results, LIST_SHARDS_COUNT_MAX);
    let mut left = listed(&stream, streams.retention_time()).filter(|shard| page.has(shard));
    let found: Vec<_> = left.by_ref().take(limit).collect();
    let more = left.next().is_some();
    drop(left);
    let mut next_token = None;
    if more {
        page.after = found.last().map(|shard| shard.facts().id.0);
        let token = page::seal(&streams.sealing_key, Purpose::Shards, &page, now);
        next_token = Some(token.map_err(|e| error::internal("make a page token", &e))?);
    }
    call.answer(&Output {
        shards: found.into_iter().map(ShardView::of).collect(),
        next_token,
    })
}

/// The first page.
fn begin(
    streams: &Streams,
    by: &Requester,
    input: &Input<'_>,
) -> Result<(Arc<Stream>, ShardsPage), ApiError> {
    if input.stream_name.is_none() && input.stream_arn.is_none() {
        return Err(error::invalid_argument(
            "Either NextToken or StreamName should be provided.",
        ));
    }
    let stream = input.stream().find(streams, by)?;
    check_is_listed(&stream)?;
    match input.stream_creation_timestamp {
        // Clients send back what they were given, often cut to the second.
        Some(Time(at)) if at.0 / 1_000 != stream.created_at.0 / 1_000 => {
            let owner = owner(&stream.arn);
            return Err(error::stream_not_found(&owner, stream.arn.name.as_str()));
        }
        _ => {}
    }
    let mut page = ShardsPage {
        account: stream.arn.account.number(),
        stream: stream.id.0,
        name: stream.arn.name.as_str().to_owned(),
        after: start_after(&stream.arn, input.exclusive_start_shard_id.as_ref())?.map(|id| id.0),
        closed_from_ms: None,
        opened_to_ms: None,
        only_open: false,
    };
    if let Some(filter) = &input.shard_filter {
        let horizon = stream.cutoff(streams.retention_time());
        let horizon = horizon.max(stream.created_at);
        page.filter(filter, &stream.arn, horizon, streams.now())?;
    }
    Ok((stream, page))
}

/// A later page. The token says all, so nothing else may be said beside it.
fn go_on(
    streams: &Streams,
    by: &Requester,
    input: &Input<'_>,
    token: &str,
) -> Result<(Arc<Stream>, ShardsPage), ApiError> {
    for (member, is_there) in [
        ("StreamName", input.stream_name.is_some()),
        ("StreamARN", input.stream_arn.is_some()),
        (
            "StreamCreationTimestamp",
            input.stream_creation_timestamp.is_some(),
        ),
        (
            "ExclusiveStartShardId",
            input.exclusive_start_shard_id.is_some(),
        ),
        ("ShardFilter", input.shard_filter.is_some()),
    ] {
        if is_there {
            return Err(error::invalid_argument(format!(
                "NextToken and {member} cannot be provided together."
            )));
        }
    }
    let now = streams.now();
    let page: ShardsPage = page::open(&streams.sealing_key, Purpose::Shards, token, now)
        .map_err(|error| error::page(error, now))?;
    let arn = page.stream_arn(by);
    let arn = arn.ok_or_else(|| error::page(PageError::Invalid, now))?;
    let stream = address::look_at(streams, by, &arn)?
        .filter(|stream| stream.id.0 == page.stream)
        .ok_or_else(|| error::stream_not_found(&owner(&arn), &page.name))?;
    check_is_listed(&stream)?;
    Ok((stream, page))
}

fn check_is_listed(stream: &Stream) -> Result<(), ApiError> {
    match stream.status {
        Status::Active | Status::Updating => Ok(()),
        status @ (Status::Creating | Status::Deleting) => {
            Err(error::shards_not_listed(&stream.arn, status))
        }
    }
}

impl ShardsPage {
    /// Its stream, which is in the region of the request.
    fn stream_arn(&self, by: &Caller) -> Option<StreamArn> {
        Some(StreamArn {
            region: by.region.clone(),
            account: AccountId::parse(&format!("{:012}", self.account)).ok()?,
            name: StreamName::parse(&self.name).ok()?,
        })
    }

    fn filter(
        &mut self,
        filter: &ShardFilter<'_>,
        stream: &StreamArn,
        horizon: Timestamp,
        now: Timestamp,
    ) -> Result<(), ApiError> {
        let kind = required("Type", &filter.r#type)?.as_str();
        let of_time = matches!(kind, "AT_TIMESTAMP" | "FROM_TIMESTAMP");
        let of_shard = kind == "AFTER_SHARD_ID";
        check_member(kind, "ShardId", filter.shard_id.is_some(), of_shard)?;
        check_member(kind, "Timestamp", filter.timestamp.is_some(), of_time)?;
        let wanted = filter.timestamp.map(|Time(at)| at);
        // Only what the caller says: a stream may have been made by a clock that was ahead of now.
        if let Some(at) = wanted
            && at > now
        {
            return Err(error::invalid_argument(format!(
                "The Timestamp of ShardFilter cannot be greater than the current time. \
                 Timestamp: {}, current time: {}",
                at.0, now.0
            )));
        }
        let at = wanted.map_or(horizon, |at| at.max(horizon));
        match kind {
            "AFTER_SHARD_ID" => {
                let after = start_after(stream, filter.shard_id.as_ref())?;
                // Both say the same; the later of the two leaves what both leave.
                self.after = self.after.max(after.map(|id| id.0));
            }
            "AT_LATEST" => self.only_open = true,
            "AT_TRIM_HORIZON" | "AT_TIMESTAMP" => {
                self.closed_from_ms = Some(at.0);
                self.opened_to_ms = Some(at.0);
            }
            // FROM_TRIM_HORIZON is what is listed anyway.
            _ => self.closed_from_ms = Some(at.0),
        }
        Ok(())
    }

    /// At the moment in which a shard is closed its children take its place: of one moment, either
    /// it or they are shown.
    fn is_closed_late_enough(&self, closed_at: u64) -> bool {
        let is_of_one_moment = self.opened_to_ms.is_some();
        self.closed_from_ms
            .is_none_or(|from| from < closed_at || (from == closed_at && !is_of_one_moment))
    }

    fn has(&self, shard: &Shard) -> bool {
        let facts = shard.facts();
        let closed_at = facts.closed_at.map(|at| at.0);
        self.after.is_none_or(|after| after < facts.id.0)
            && self.opened_to_ms.is_none_or(|to| facts.opened_at.0 <= to)
            && closed_at.is_none_or(|at| !self.only_open && self.is_closed_late_enough(at))
    }
}

/// A member of the filter that its type needs, or does not know.
fn check_member(kind: &str, member: &str, is_there: bool, needed: bool) -> Result<(), ApiError> {
    match (is_there, needed) {
        (true, true) | (false, false) => Ok(()),
        (false, true) => Err(error::invalid_argument(format!(
            "{member} must be provided when ShardFilter has type {kind}."
        ))),
        (true, false) => Err(error::invalid_argument(format!(
            "{member} cannot be provided when ShardFilter has type {kind}."
        ))),
    }
}
