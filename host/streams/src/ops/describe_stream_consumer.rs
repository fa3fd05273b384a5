//! DescribeStreamConsumer.

use serde::{Deserialize, Serialize};
use wire::members::Text;
use wire::shape::{Check, Shape};
use wire::{Answer, ApiError, Call};

use super::calls;
use super::consumers::{ConsumerMembers, ConsumerView};
use crate::Streams;
use crate::calls::StreamCalls;

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

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Output<'a> {
    consumer_description: Description<'a>,
}

#[derive(Serialize)]
struct Description<'a> {
    #[serde(flatten)]
    consumer: ConsumerView<'a>,
    #[serde(rename = "StreamARN")]
    stream_arn: String,
}

/// Describes a consumer.
pub async fn handle(streams: &Streams, call: Call) -> Result<Answer, ApiError> {
    let input: Input<'_> = call.parse()?;
    let (stream, consumer) = input.consumer().find(streams, &call.caller)?;
    calls::of_stream(streams, StreamCalls::DescribeStreamConsumer, &stream.arn)?;
    call.answer(&Output {
        consumer_description: Description {
            consumer: ConsumerView::of(&consumer, &stream.arn),
            stream_arn: stream.arn.to_string(),
        },
    })
}
