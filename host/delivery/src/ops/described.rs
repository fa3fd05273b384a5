//! What DescribeDeliveryStream tells of a destination, by its kind.

mod redshift;
mod secret;

use serde::Serialize;

use super::described_conversion::{self, ConversionDescription};
use crate::delivery_stream::{Destination, INTERVAL_SECONDS_DEFAULT, Processor, SIZE_MIB_DEFAULT};
use crate::fallback::Fallback;
use crate::http_endpoint::HttpEndpoint;
use crate::kind::Kind;
use crate::search::{Product, Search};
use crate::splunk::Splunk;
use redshift::RedshiftDescription;
use secret::SecretDescription;

/// The id of the one destination that a delivery stream has, as AWS gives it.
pub const DESTINATION: &str = "destinationId-000000000001";

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct DestinationDescription {
    destination_id: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    s3_destination_description: Option<S3Description>,
    #[serde(skip_serializing_if = "Option::is_none")]
    extended_s3_destination_description: Option<ExtendedS3Description>,
    #[serde(skip_serializing_if = "Option::is_none")]
    http_endpoint_destination_description: Option<HttpEndpointDescription>,
    #[serde(skip_serializing_if = "Option::is_none")]
    splunk_destination_description: Option<SplunkDescription>,
    #[serde(skip_serializing_if = "Option::is_none")]
    elasticsearch_destination_description: Option<SearchDescription>,
    #[serde(skip_serializing_if = "Option::is_none")]
    amazonopensearchservice_destination_description: Option<SearchDescription>,
    #[serde(skip_serializing_if = "Option::is_none")]
    redshift_destination_description: Option<RedshiftDescription>,
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
    s3_backup_description: Option<S3Description>,
    #[serde(skip_serializing_if = "Option::is_none")]
    dynamic_partitioning_configuration: Option<DynamicPartitioning>,
    #[serde(skip_serializing_if = "Option::is_none")]
    file_extension: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    custom_time_zone: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    data_format_conversion_configuration: Option<ConversionDescription>,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct HttpEndpointDescription {
    endpoint_configuration: Endpoint,
    buffering_hints: Hints,
    cloud_watch_logging_options: Logging,
    request_configuration: RequestConfiguration,
    #[serde(skip_serializing_if = "Option::is_none")]
    secrets_manager_configuration: Option<SecretDescription>,
    #[serde(skip_serializing_if = "Option::is_none")]
    processing_configuration: Option<Processing>,
    #[serde(rename = "RoleARN", skip_serializing_if = "String::is_empty")]
    role_arn: String,
    retry_options: RetryOptions,
    s3_backup_mode: &'static str,
    #[serde(rename = "S3DestinationDescription")]
    s3_destination_description: S3Description,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct SearchDescription {
    #[serde(rename = "RoleARN")]
    role_arn: String,
    cluster_endpoint: String,
    index_name: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    type_name: String,
    index_rotation_period: &'static str,
    buffering_hints: Hints,
    retry_options: RetryOptions,
    s3_backup_mode: &'static str,
    #[serde(rename = "S3DestinationDescription")]
    s3_destination_description: S3Description,
    #[serde(skip_serializing_if = "Option::is_none")]
    processing_configuration: Option<Processing>,
    cloud_watch_logging_options: Logging,
    document_id_options: DocumentIds,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct DocumentIds {
    default_document_id_format: &'static str,
}

/// The token is told, as AWS tells it.
#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct SplunkDescription {
    #[serde(rename = "HECEndpoint")]
    endpoint: String,
    #[serde(rename = "HECEndpointType")]
    endpoint_type: &'static str,
    #[serde(rename = "HECToken", skip_serializing_if = "String::is_empty")]
    token: String,
    #[serde(rename = "HECAcknowledgmentTimeoutInSeconds")]
    acknowledgment_timeout: u32,
    retry_options: RetryOptions,
    s3_backup_mode: &'static str,
    #[serde(rename = "S3DestinationDescription")]
    s3_destination_description: S3Description,
    #[serde(skip_serializing_if = "Option::is_none")]
    processing_configuration: Option<Processing>,
    cloud_watch_logging_options: Logging,
    buffering_hints: Hints,
    #[serde(skip_serializing_if = "Option::is_none")]
    secrets_manager_configuration: Option<SecretDescription>,
}

/// The access key is never told.
#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Endpoint {
    url: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    name: Option<String>,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct RequestConfiguration {
    content_encoding: &'static str,
    common_attributes: Vec<Attribute>,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Attribute {
    attribute_name: String,
    attribute_value: String,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct DynamicPartitioning {
    enabled: bool,
    retry_options: RetryOptions,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct RetryOptions {
    duration_in_seconds: u32,
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

/// The description of a destination: of an S3 destination both, as AWS gives them, however it was
/// made.
pub fn destination(destination: &Destination) -> DestinationDescription {
    let mut described = DestinationDescription {
        destination_id: DESTINATION,
        s3_destination_description: None,
        extended_s3_destination_description: None,
        http_endpoint_destination_description: None,
        splunk_destination_description: None,
        elasticsearch_destination_description: None,
        amazonopensearchservice_destination_description: None,
        redshift_destination_description: None,
    };
    match &destination.kind {
        Kind::Bucket => {
            let basic = s3(destination);
            let extended = ExtendedS3Description {
                basic: basic.clone(),
                processing_configuration: destination.processing.as_ref().map(processing),
                s3_backup_mode: source_backup_mode(destination),
                s3_backup_description: destination.backup.as_deref().map(s3),
                dynamic_partitioning_configuration: destination.partitioning.as_ref().map(|it| {
                    DynamicPartitioning {
                        enabled: true,
                        retry_options: RetryOptions {
                            duration_in_seconds: it.retry_seconds,
                        },
                    }
                }),
                file_extension: destination.file_extension.clone(),
                custom_time_zone: destination.custom_time_zone.clone(),
                data_format_conversion_configuration: destination
                    .conversion
                    .as_deref()
                    .map(described_conversion::conversion),
            };
            described.s3_destination_description = Some(basic);
            described.extended_s3_destination_description = Some(extended);
        }
        Kind::HttpEndpoint(endpoint) => {
            let endpoint = http_endpoint(destination, endpoint);
            described.http_endpoint_destination_description = Some(endpoint);
        }
        Kind::Splunk(collector) => {
            let collector = splunk(destination, collector);
            described.splunk_destination_description = Some(collector);
        }
        Kind::Search(cluster) => {
            let described = match cluster.product {
                Product::Elasticsearch => &mut described.elasticsearch_destination_description,
                Product::OpenSearch => {
                    &mut described.amazonopensearchservice_destination_description
                }
            };
            *described = Some(search(destination, cluster));
        }
        Kind::Redshift(database) => {
            let database = redshift::redshift(destination, database);
            described.redshift_destination_description = Some(database);
        }
    }
    described
}

fn s3(destination: &Destination) -> S3Description {
    S3Description {
        role_arn: destination.role_arn.clone(),
        bucket_arn: destination.bucket_arn.clone(),
        prefix: destination.prefix.clone(),
        error_output_prefix: destination.error_output_prefix.clone(),
        buffering_hints: hints(destination),
        compression_format: destination.compression.as_str(),
        encryption_configuration: NoEncryption {
            none: "NoEncryption",
        },
        cloud_watch_logging_options: logging(destination.logging.clone()),
    }
}

fn http_endpoint(destination: &Destination, endpoint: &HttpEndpoint) -> HttpEndpointDescription {
    let attributes = endpoint.common_attributes.iter();
    let attributes = attributes.map(|(name, value)| Attribute {
        attribute_name: name.clone(),
        attribute_value: value.clone(),
    });
    HttpEndpointDescription {
        endpoint_configuration: Endpoint {
            url: endpoint.url.clone(),
            name: endpoint.name.clone(),
        },
        buffering_hints: hints(destination),
        cloud_watch_logging_options: logging(destination.logging.clone()),
        request_configuration: RequestConfiguration {
            content_encoding: if endpoint.packs { "GZIP" } else { "NONE" },
            common_attributes: attributes.collect(),
        },
        secrets_manager_configuration: SecretDescription::of(destination),
        processing_configuration: destination.processing.as_ref().map(processing),
        role_arn: destination.role_arn.clone(),
        retry_options: RetryOptions {
            duration_in_seconds: endpoint.fallback.retry_seconds,
        },
        s3_backup_mode: if endpoint.fallback.backs_up_all {
            "AllData"
        } else {
            "FailedDataOnly"
        },
        s3_destination_description: beside(destination, &endpoint.fallback),
    }
}

fn splunk(destination: &Destination, splunk: &Splunk) -> SplunkDescription {
    SplunkDescription {
        endpoint: splunk.url.clone(),
        endpoint_type: splunk.form.as_str(),
        token: splunk.token.0.clone(),
        acknowledgment_timeout: splunk.acknowledged_within_seconds,
        retry_options: RetryOptions {
            duration_in_seconds: splunk.fallback.retry_seconds,
        },
        s3_backup_mode: if splunk.fallback.backs_up_all {
            "AllEvents"
        } else {
            "FailedEventsOnly"
        },
        s3_destination_description: beside(destination, &splunk.fallback),
        processing_configuration: destination.processing.as_ref().map(processing),
        cloud_watch_logging_options: logging(destination.logging.clone()),
        buffering_hints: hints(destination),
        secrets_manager_configuration: SecretDescription::of(destination),
    }
}

fn search(destination: &Destination, search: &Search) -> SearchDescription {
    SearchDescription {
        role_arn: destination.role_arn.clone(),
        cluster_endpoint: search.url.clone(),
        index_name: search.index.name.clone(),
        type_name: search.index.type_name.clone(),
        index_rotation_period: search.index.rotation.as_str(),
        buffering_hints: hints(destination),
        retry_options: RetryOptions {
            duration_in_seconds: search.fallback.retry_seconds,
        },
        s3_backup_mode: if search.fallback.backs_up_all {
            "AllDocuments"
        } else {
            "FailedDocumentsOnly"
        },
        s3_destination_description: beside(destination, &search.fallback),
        processing_configuration: destination.processing.as_ref().map(processing),
        cloud_watch_logging_options: logging(destination.logging.clone()),
        document_id_options: DocumentIds {
            default_document_id_format: if search.gives_ids {
                "FIREHOSE_DEFAULT"
            } else {
                "NO_DOCUMENT_ID"
            },
        },
    }
}

/// Whether records go into a bucket of their own as they came in, too.
fn source_backup_mode(destination: &Destination) -> &'static str {
    match destination.backup {
        Some(_) => "Enabled",
        None => "Disabled",
    }
}

/// The bucket of a destination of requests.
fn beside(destination: &Destination, fallback: &Fallback) -> S3Description {
    let beside = fallback.bucket.clone();
    let (size, interval) = beside
        .hints
        .unwrap_or((SIZE_MIB_DEFAULT, INTERVAL_SECONDS_DEFAULT));
    S3Description {
        role_arn: beside.role_arn,
        buffering_hints: Hints { size, interval },
        cloud_watch_logging_options: logging(beside.logging),
        ..s3(destination)
    }
}

fn hints(destination: &Destination) -> Hints {
    Hints {
        size: destination.size_mib,
        interval: destination.interval_seconds,
    }
}

fn logging(options: Option<(bool, Option<String>, Option<String>)>) -> Logging {
    let (enabled, log_group_name, log_stream_name) = options.unwrap_or((false, None, None));
    Logging {
        enabled,
        log_group_name,
        log_stream_name,
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
