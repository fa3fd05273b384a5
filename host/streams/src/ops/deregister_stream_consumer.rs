//! DeregisterStreamConsumer.

use serde::Deserialize;
use wire::members::Text;
use wire::shape::{Check, Shape};
use wire::{Answer, ApiError, Call};

use super::consumers::ConsumerMembers;
use super::{calls, error};
use crate::Streams;
use crate::calls::StreamCalls;
use crate::catalog::ConsumerChange;

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Input<'a> {
    #[serde(borrow, rename = "StreamARN")]
    stream_arn: Option<Text<'a>>,
    #[serde(borrow)]
    consumer_name: Option<Text<'a>>,
    #[serde(borrow, rename = "ConsumerARN")]
    consumer_arn: Option<Text<'a>>,
    #[serde(borrow)]
    stream_id: Option<Text<'a>>,
}

impl Input<'_> {
    fn consumer(&self) -> ConsumerMembers<'_> {
        ConsumerMembers {
            stream_arn: &self.stream_arn,
            name: &self.consumer_name,
            arn: &self.consumer_arn,
            stream_id: &self.stream_id,
        }
    }
}

impl Shape for Input<'_> {
    fn check(&self, check: &mut Check) {
        self.consumer().check(check);
    }
}

/// Forgets a consumer. What is pushed to it ends.
pub async fn handle(streams: &Streams, call: Call) -> Result<Answer, ApiError> {
    let input: Input<'_> = call.parse()?;
    let (stream, consumer) = input.consumer().find(streams, &call.caller)?;
    calls::of_stream(streams, StreamCalls::DeregisterStreamConsumer, &stream.arn)?;
    let arn = &stream.arn;
    let change = ConsumerChange::Deregister(consumer.arn(arn));
    let changed = streams.catalog.change_consumer(arn.clone(), change).await;
    changed.map_err(|error| error::change(error, arn))?;
    Ok(Answer::empty())
}
