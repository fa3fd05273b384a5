//! From the members that name a consumer to the consumer, and how it looks in answers.

use std::sync::Arc;

use serde::Serialize;
use types::{ConsumerArn, ConsumerName, StreamArn};
use wire::members::{Text, Time};
use wire::shape::Check;
use wire::{ApiError, Requester};

use super::shapes::{CONSUMER_ARN, CONSUMER_NAME, STREAM_ARN, STREAM_ID, StreamMembers};
use super::{address, error};
use crate::Streams;
use crate::consumer::Consumer;
use crate::stream::Stream;

/// A consumer's word for its status: it can subscribe as soon as it is there.
pub const ACTIVE: &str = "ACTIVE";

/// The members by which an operation names its consumer: by its ARN, or by its stream's and its
/// name.
pub struct ConsumerMembers<'a> {
    pub stream_arn: &'a Option<Text<'a>>,
    pub name: &'a Option<Text<'a>>,
    pub arn: &'a Option<Text<'a>>,
    pub stream_id: &'a Option<Text<'a>>,
}

impl ConsumerMembers<'_> {
    /// Their constraints, as part of an operation's shape.
    pub fn check(&self, check: &mut Check) {
        check.optional("StreamARN", self.stream_arn, STREAM_ARN);
        check.optional("ConsumerName", self.name, CONSUMER_NAME);
        check.optional("ConsumerARN", self.arn, CONSUMER_ARN);
        check.optional("StreamId", self.stream_id, STREAM_ID);
    }

    /// The consumer and its stream.
    pub fn find(
        &self,
        streams: &Streams,
        by: &Requester,
    ) -> Result<(Arc<Stream>, Arc<Consumer>), ApiError> {
        let found = match (self.arn, self.stream_arn, self.name) {
            (Some(arn), _, _) => {
                let arn = ConsumerArn::parse(arn).map_err(|_| error::consumers::bad_arn(arn))?;
                address::consumer(streams, by, &arn)?
            }
            (None, Some(stream), Some(name)) => {
                let stream = StreamArn::parse(stream).map_err(|_| error::bad_arn(stream))?;
                let name = ConsumerName::parse(name);
                let name = name.map_err(|e| ApiError::validation(e.to_string()))?;
                address::consumer_named(streams, by, &stream, &name)?
            }
            (None, _, _) => return Err(error::consumers::none_named()),
        };
        let (stream, consumer) = &found;
        let has_name = |name: &Text<'_>| name.as_str() == consumer.name.as_str();
        let has_stream = |arn: &Text<'_>| arn.as_str() == stream.arn.to_string();
        if self.name.as_ref().is_none_or(has_name)
            && self.stream_arn.as_ref().is_none_or(has_stream)
        {
            Ok(found)
        } else {
            Err(error::consumers::names_disagree(&consumer.arn(&stream.arn)))
        }
    }
}

/// The stream of that ARN, in any state of its life.
pub fn find_stream(
    streams: &Streams,
    by: &Requester,
    arn: &Option<Text<'_>>,
) -> Result<Arc<Stream>, ApiError> {
    let members = StreamMembers {
        name: &None,
        arn,
        id: &None,
    };
    members.find(streams, by)
}

/// A consumer as lists show it.
#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct ConsumerView<'a> {
    consumer_name: &'a str,
    #[serde(rename = "ConsumerARN")]
    consumer_arn: String,
    consumer_status: &'static str,
    consumer_creation_timestamp: Time,
}

impl<'a> ConsumerView<'a> {
    pub fn of(consumer: &'a Consumer, stream: &StreamArn) -> Self {
        Self {
            consumer_name: consumer.name.as_str(),
            consumer_arn: consumer.arn(stream).to_string(),
            consumer_status: ACTIVE,
            consumer_creation_timestamp: Time(consumer.created_at),
        }
    }
}
