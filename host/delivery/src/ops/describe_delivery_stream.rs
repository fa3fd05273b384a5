//! DescribeDeliveryStream.

use serde::{Deserialize, Serialize};
use streams::encryption::Encryption;
use wire::members::{Integer, Text, Time};
use wire::shape::pattern::firehose as pattern;
use wire::shape::{Check, NumberRule, Shape, TextRule};
use wire::{Answer, ApiError, Call};

use super::described::{self, DestinationDescription};
use super::encryption::Described;
use super::find;
use super::shapes::{NAME, required};
use crate::Delivery;
use crate::delivery_stream::{DeliveryStream, Origin};

const LIMIT: NumberRule = NumberRule::within(1, 10_000);
const DESTINATION_ID: TextRule = TextRule::chars(1, 100).matching(pattern::DESTINATION_ID);

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Input<'a> {
    #[serde(borrow)]
    delivery_stream_name: Option<Text<'a>>,
    limit: Option<Integer>,
    #[serde(borrow)]
    exclusive_start_destination_id: Option<Text<'a>>,
}

impl Shape for Input<'_> {
    fn check(&self, check: &mut Check) {
        check.required("DeliveryStreamName", &self.delivery_stream_name, NAME);
        check.optional("Limit", &self.limit, LIMIT);
        let start = &self.exclusive_start_destination_id;
        check.optional("ExclusiveStartDestinationId", start, DESTINATION_ID);
    }
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Output {
    delivery_stream_description: Description,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Description {
    delivery_stream_name: String,
    #[serde(rename = "DeliveryStreamARN")]
    delivery_stream_arn: String,
    delivery_stream_status: &'static str,
    delivery_stream_encryption_configuration: Described,
    delivery_stream_type: &'static str,
    version_id: String,
    create_timestamp: Time,
    #[serde(skip_serializing_if = "Option::is_none")]
    last_update_timestamp: Option<Time>,
    #[serde(skip_serializing_if = "Option::is_none")]
    source: Option<Source>,
    destinations: Vec<DestinationDescription>,
    has_more_destinations: bool,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Source {
    kinesis_stream_source_description: KinesisSource,
}

#[derive(Serialize)]
struct KinesisSource {
    #[serde(rename = "KinesisStreamARN")]
    stream_arn: String,
    #[serde(rename = "RoleARN")]
    role_arn: String,
    #[serde(rename = "DeliveryStartTimestamp")]
    start: Time,
}

/// Says what a delivery stream is and how it is configured.
pub async fn handle(delivery: &Delivery, call: Call) -> Result<Answer, ApiError> {
    let input: Input<'_> = call.parse()?;
    let name = required(&input.delivery_stream_name)?.as_str();
    let stream = find(delivery, &call.caller, name)?;
    let mut description = describe(&stream);
    // There is one destination; after it come none.
    if input.exclusive_start_destination_id.is_some() {
        description.destinations.clear();
    }
    call.answer(&Output {
        delivery_stream_description: description,
    })
}

fn describe(stream: &DeliveryStream) -> Description {
    let source = match &stream.origin {
        Origin::DirectPut { .. } => None,
        Origin::Stream { arn, role_arn } => Some(Source {
            kinesis_stream_source_description: KinesisSource {
                stream_arn: arn.to_string(),
                role_arn: role_arn.clone(),
                start: Time(stream.created_at),
            },
        }),
    };
    Description {
        delivery_stream_name: stream.arn.name.as_str().to_owned(),
        delivery_stream_arn: stream.arn.to_string(),
        delivery_stream_status: stream.status.as_str(),
        delivery_stream_encryption_configuration: match stream.origin {
            Origin::DirectPut { .. } => Described::of(&stream.encryption),
            // What is replayed is sealed as the stream is, which nobody asked this one for.
            Origin::Stream { .. } => Described::of(&Encryption::default()),
        },
        delivery_stream_type: stream.origin.type_name(),
        version_id: stream.version_id.to_string(),
        create_timestamp: Time(stream.created_at),
        last_update_timestamp: stream.updated_at.map(Time),
        source,
        destinations: vec![described::destination(&stream.destination)],
        has_more_destinations: false,
    }
}
