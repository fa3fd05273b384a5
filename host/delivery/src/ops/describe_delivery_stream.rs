//! DescribeDeliveryStream.

use serde::{Deserialize, Serialize};
use streams::encryption::Encryption;
use wire::members::{Integer, Text, Time};
use wire::shape::pattern::firehose as pattern;
use wire::shape::{Check, NumberRule, Shape, TextRule};
use wire::{Answer, ApiError, Call};

use super::encryption::Described;
use super::find;
use super::shapes::{NAME, required};
use crate::Delivery;
use crate::delivery_stream::{DeliveryStream, Destination, Origin, Processor};

const LIMIT: NumberRule = NumberRule::within(1, 10_000);
const DESTINATION_ID: TextRule = TextRule::chars(1, 100).matching(pattern::DESTINATION_ID);

/// The id of the one destination that a delivery stream has, as AWS gives it.
pub const DESTINATION: &str = "destinationId-000000000001";

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

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct DestinationDescription {
    destination_id: &'static str,
    s3_destination_description: S3Description,
    extended_s3_destination_description: ExtendedS3Description,
}

#[derive(Clone, Serialize)]
#[serde(rename_all = "PascalCase")]
struct S3Description {
    #[serde(rename = "RoleARN")]
    role_arn: String,
    #[serde(rename = "BucketARN")]
    bucket_arn: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    prefix: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    error_output_prefix: Option<String>,
    buffering_hints: Hints,
    compression_format: &'static str,
    encryption_configuration: NoEncryption,
    cloud_watch_logging_options: Logging,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct ExtendedS3Description {
    #[serde(flatten)]
    basic: S3Description,
    #[serde(skip_serializing_if = "Option::is_none")]
    processing_configuration: Option<Processing>,
    s3_backup_mode: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    file_extension: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    custom_time_zone: Option<String>,
}

#[derive(Clone, Copy, Serialize)]
struct Hints {
    #[serde(rename = "SizeInMBs")]
    size: u32,
    #[serde(rename = "IntervalInSeconds")]
    interval: u32,
}

#[derive(Clone, Copy, Serialize)]
struct NoEncryption {
    #[serde(rename = "NoEncryptionConfig")]
    none: &'static str,
}

#[derive(Clone, Serialize)]
#[serde(rename_all = "PascalCase")]
struct Logging {
    enabled: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    log_group_name: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    log_stream_name: Option<String>,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Processing {
    enabled: bool,
    processors: Vec<ProcessorDescription>,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct ProcessorDescription {
    #[serde(rename = "Type")]
    kind: String,
    parameters: Vec<Parameter>,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Parameter {
    parameter_name: String,
    parameter_value: String,
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
        destinations: vec![destination(&stream.destination)],
        has_more_destinations: false,
    }
}

/// Both descriptions, as AWS gives them, however the destination was made.
fn destination(destination: &Destination) -> DestinationDescription {
    let not_said = (false, None, None);
    let (enabled, group, log_stream) = destination.logging.clone().unwrap_or(not_said);
    let basic = S3Description {
        role_arn: destination.role_arn.clone(),
        bucket_arn: destination.bucket_arn.clone(),
        prefix: destination.prefix.clone(),
        error_output_prefix: destination.error_output_prefix.clone(),
        buffering_hints: Hints {
            size: destination.size_mib,
            interval: destination.interval_seconds,
        },
        compression_format: destination.compression.as_str(),
        encryption_configuration: NoEncryption {
            none: "NoEncryption",
        },
        cloud_watch_logging_options: Logging {
            enabled,
            log_group_name: group,
            log_stream_name: log_stream,
        },
    };
    let extended = ExtendedS3Description {
        basic: basic.clone(),
        processing_configuration: destination.processing.as_ref().map(processing),
        s3_backup_mode: "Disabled",
        file_extension: destination.file_extension.clone(),
        custom_time_zone: destination.custom_time_zone.clone(),
    };
    DestinationDescription {
        destination_id: DESTINATION,
        s3_destination_description: basic,
        extended_s3_destination_description: extended,
    }
}

fn processing((enabled, processors): &(bool, Vec<Processor>)) -> Processing {
    let processors = processors
        .iter()
        .map(|(kind, parameters)| ProcessorDescription {
            kind: kind.clone(),
            parameters: parameters
                .iter()
                .map(|(name, value)| Parameter {
                    parameter_name: name.clone(),
                    parameter_value: value.clone(),
                })
                .collect(),
        });
    Processing {
        enabled: *enabled,
        processors: processors.collect(),
    }
}
