//! RegisterStreamConsumer.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use types::ConsumerName;
use types::limits::{CONSUMERS_PER_ADVANTAGE_STREAM_MAX, CONSUMERS_PER_STREAM_MAX};
use wire::members::{Map, Text};
use wire::shape::{Check, Shape};
use wire::{Action, Answer, ApiError, Call, Target};

use super::consumers::{ConsumerView, find_stream};
use super::shapes::{CONSUMER_NAME, STREAM_ARN, STREAM_ID, TAGS};
use super::{calls, error, required, resource, tags};
use crate::Streams;
use crate::calls::AccountCalls;
use crate::catalog::ConsumerChange;
use crate::consumer::Consumer;
use crate::directory::owner;
use crate::stream::Stream;

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Input<'a> {
    #[serde(borrow, rename = "StreamARN")]
    stream_arn: Option<Text<'a>>,
    #[serde(borrow)]
    consumer_name: Option<Text<'a>>,
    #[serde(borrow)]
    stream_id: Option<Text<'a>>,
    #[serde(borrow)]
    tags: Option<Map<'a>>,
}

impl Shape for Input<'_> {
    fn check(&self, check: &mut Check) {
        check.required("StreamARN", &self.stream_arn, STREAM_ARN);
        check.required("ConsumerName", &self.consumer_name, CONSUMER_NAME);
        check.optional("StreamId", &self.stream_id, STREAM_ID);
        check.optional("Tags", &self.tags, TAGS);
    }
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Output<'a> {
    consumer: ConsumerView<'a>,
}

/// What may be done besides by whoever registers a consumer with labels (RegisterStreamConsumer).
const TAGGING: Action = Action {
    service: "kinesis",
    operation: "TagResource",
};

/// Registers a consumer with a stream. It can subscribe as soon as this answers.
pub async fn handle(streams: &Streams, call: Call) -> Result<Answer, ApiError> {
    let input: Input<'_> = call.parse()?;
    calls::of_account(streams, AccountCalls::RegisterStreamConsumer, &call.caller)?;
    let caller = match &input.tags {
        Some(tags) => {
            let stream = input.stream_arn.as_ref();
            if let Some(stream) = stream.and_then(|arn| resource::stream_named(arn)) {
                tags::check_count(tags, &stream)?;
            }
            call.caller.tagging(tags::pairs(tags))
        }
        None => call.caller.clone(),
    };
    let stream = find_stream(streams, &caller, &input.stream_arn)?;
    let name = required("ConsumerName", &input.consumer_name)?;
    let consumer = Consumer {
        name: ConsumerName::parse(name).map_err(|e| ApiError::validation(e.to_string()))?,
        created_at: streams.now(),
        tags: match &input.tags {
            Some(tags) => tags::parse(tags, &stream.arn)?,
            None => BTreeMap::new(),
        },
        policy: None,
        counts: Arc::default(),
    };
    if input.tags.is_some() {
        let arn = consumer.arn(&stream.arn);
        caller.permit_to(TAGGING, &Target::named(&arn, stream.arn.account))?;
    }
    let limit = consumers_max(streams, &stream).await?;
    let change = ConsumerChange::Register(consumer.clone(), limit);
    let changed = streams.catalog.change_consumer(stream.arn.clone(), change);
    let changed = changed.await;
    changed.map_err(|error| error::change(error, &stream.arn))?;
    call.answer(&Output {
        consumer: ConsumerView::of(&consumer, &stream.arn),
    })
}

async fn consumers_max(streams: &Streams, stream: &Stream) -> Result<usize, ApiError> {
    if stream.mode.on_demand().is_none() {
        return Ok(CONSUMERS_PER_STREAM_MAX);
    }
    let committed = streams.is_committed(&owner(&stream.arn)).await;
    let committed =
        committed.map_err(|error| error::internal("read an account's settings", &error))?;
    Ok(if committed {
        CONSUMERS_PER_ADVANTAGE_STREAM_MAX
    } else {
        CONSUMERS_PER_STREAM_MAX
    })
}
