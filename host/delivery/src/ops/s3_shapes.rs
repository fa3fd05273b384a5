//! The model's structures of an S3 destination, as it is made and as it is changed.

use serde::Deserialize;
use wire::members::{Boolean, Integer, List, Structure, Text};
use wire::shape::pattern::firehose as pattern;
use wire::shape::{Anything, Check, Fields, ListRule, NumberRule, Shape, TextRule};

use super::conversion_shapes::Conversion;
use super::shapes::{HintsUpTo, Unserved};
use crate::compression::Compression;

const ROLE_ARN: TextRule = TextRule::chars(1, 512).matching(pattern::ROLE_ARN);
const BUCKET_ARN: TextRule = TextRule::chars(1, 2_048).matching(pattern::BUCKET_ARN);
const PREFIX: TextRule = TextRule::chars(0, 1_024).matching(pattern::LINE);
const RETRY: NumberRule = NumberRule::within(0, 7_200);
const COMPRESSION: TextRule =
    TextRule::one_of(&["UNCOMPRESSED", "GZIP", "ZIP", "Snappy", "HADOOP_SNAPPY"]);
const NO_ENCRYPTION: TextRule = TextRule::one_of(&["NoEncryption"]);
const LOG_GROUP: TextRule = TextRule::chars(0, 512).matching(pattern::LOG_GROUP);
const LOG_STREAM: TextRule = TextRule::chars(0, 512).matching(pattern::LOG_STREAM);
/// `S3BackupMode` and `RedshiftS3BackupMode`.
pub const BACKUP_MODE: TextRule = TextRule::one_of(&["Disabled", "Enabled"]);
const FILE_EXTENSION: TextRule = TextRule::chars(0, 128).matching(pattern::FILE_EXTENSION);
const TIME_ZONE: TextRule = TextRule::chars(0, 50).matching(pattern::TIME_ZONE);
const PROCESSOR_TYPE: TextRule = TextRule::one_of(&[
    "RecordDeAggregation",
    "Decompression",
    "CloudWatchLogProcessing",
    "Lambda",
    "MetadataExtraction",
    "AppendDelimiterToRecord",
]);
const PARAMETER_NAME: TextRule = TextRule::one_of(&[
    "LambdaArn",
    "NumberOfRetries",
    "MetadataExtractionQuery",
    "JsonParsingEngine",
    "RoleArn",
    "BufferSizeInMBs",
    "BufferIntervalInSeconds",
    "SubRecordType",
    "Delimiter",
    "CompressionFormat",
    "DataMessageExtraction",
]);
const PARAMETER_VALUE: TextRule = TextRule::chars(1, 5_120).matching(pattern::PARAMETER_VALUE);
/// The model gives no sizes; these are what a body keeps of a list.
const PROCESSORS: ListRule<Fields> = ListRule::of(0, 100, Fields);
const PARAMETERS: ListRule<Fields> = ListRule::of(0, 100, Fields);

/// `BufferingHints`.
pub type BufferingHints = HintsUpTo<128, 900>;

/// `EncryptionConfiguration`.
#[derive(Deserialize)]
pub struct Encryption<'a> {
    #[serde(borrow, rename = "NoEncryptionConfig")]
    pub none: Option<Text<'a>>,
    #[serde(rename = "KMSEncryptionConfig")]
    pub kms: Option<Unserved>,
}

impl Shape for Encryption<'_> {
    fn check(&self, check: &mut Check) {
        check.optional("NoEncryptionConfig", &self.none, NO_ENCRYPTION);
    }
}

/// `CloudWatchLoggingOptions`.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct Logging<'a> {
    pub enabled: Option<Boolean>,
    #[serde(borrow)]
    pub log_group_name: Option<Text<'a>>,
    #[serde(borrow)]
    pub log_stream_name: Option<Text<'a>>,
}

impl Shape for Logging<'_> {
    fn check(&self, check: &mut Check) {
        check.optional("LogGroupName", &self.log_group_name, LOG_GROUP);
        check.optional("LogStreamName", &self.log_stream_name, LOG_STREAM);
    }
}

/// `ProcessingConfiguration`.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct Processing<'a> {
    pub enabled: Option<Boolean>,
    #[serde(borrow)]
    pub processors: Option<List<Structure<Processor<'a>>>>,
}

impl Shape for Processing<'_> {
    fn check(&self, check: &mut Check) {
        check.optional("Enabled", &self.enabled, Anything);
        check.optional("Processors", &self.processors, PROCESSORS);
    }
}

/// One of its processors.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct Processor<'a> {
    #[serde(borrow, rename = "Type")]
    pub kind: Option<Text<'a>>,
    #[serde(borrow)]
    pub parameters: Option<List<Structure<Parameter<'a>>>>,
}

impl Shape for Processor<'_> {
    fn check(&self, check: &mut Check) {
        check.required("Type", &self.kind, PROCESSOR_TYPE);
        check.optional("Parameters", &self.parameters, PARAMETERS);
    }
}

/// One of a processor's parameters.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct Parameter<'a> {
    #[serde(borrow)]
    pub parameter_name: Option<Text<'a>>,
    #[serde(borrow)]
    pub parameter_value: Option<Text<'a>>,
}

impl Shape for Parameter<'_> {
    fn check(&self, check: &mut Check) {
        check.required("ParameterName", &self.parameter_name, PARAMETER_NAME);
        check.required("ParameterValue", &self.parameter_value, PARAMETER_VALUE);
    }
}

/// `DynamicPartitioningConfiguration`.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct DynamicPartitioning {
    pub enabled: Option<Boolean>,
    pub retry_options: Option<Structure<RetryOptions>>,
}

impl Shape for DynamicPartitioning {
    fn check(&self, check: &mut Check) {
        check.optional("RetryOptions", &self.retry_options, Fields);
    }
}

/// `RetryOptions`.
#[derive(Deserialize)]
pub struct RetryOptions {
    #[serde(rename = "DurationInSeconds")]
    pub duration: Option<Integer>,
}

impl Shape for RetryOptions {
    fn check(&self, check: &mut Check) {
        check.optional("DurationInSeconds", &self.duration, RETRY);
    }
}

/// `S3DestinationConfiguration` and `S3DestinationUpdate`.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct S3<'a> {
    #[serde(borrow, rename = "RoleARN")]
    pub role_arn: Option<Text<'a>>,
    #[serde(borrow, rename = "BucketARN")]
    pub bucket_arn: Option<Text<'a>>,
    #[serde(borrow)]
    pub prefix: Option<Text<'a>>,
    #[serde(borrow)]
    pub error_output_prefix: Option<Text<'a>>,
    pub buffering_hints: Option<Structure<BufferingHints>>,
    #[serde(borrow)]
    pub compression_format: Option<Text<'a>>,
    #[serde(borrow)]
    pub encryption_configuration: Option<Structure<Encryption<'a>>>,
    #[serde(borrow)]
    pub cloud_watch_logging_options: Option<Structure<Logging<'a>>>,
}

/// `ExtendedS3DestinationConfiguration` and `ExtendedS3DestinationUpdate`.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct ExtendedS3<'a> {
    #[serde(borrow, rename = "RoleARN")]
    pub role_arn: Option<Text<'a>>,
    #[serde(borrow, rename = "BucketARN")]
    pub bucket_arn: Option<Text<'a>>,
    #[serde(borrow)]
    pub prefix: Option<Text<'a>>,
    #[serde(borrow)]
    pub error_output_prefix: Option<Text<'a>>,
    pub buffering_hints: Option<Structure<BufferingHints>>,
    #[serde(borrow)]
    pub compression_format: Option<Text<'a>>,
    #[serde(borrow)]
    pub encryption_configuration: Option<Structure<Encryption<'a>>>,
    #[serde(borrow)]
    pub cloud_watch_logging_options: Option<Structure<Logging<'a>>>,
    #[serde(borrow)]
    pub processing_configuration: Option<Structure<Processing<'a>>>,
    #[serde(borrow)]
    pub s3_backup_mode: Option<Text<'a>>,
    /// Of one that is made; one that is changed has the other.
    #[serde(borrow)]
    pub s3_backup_configuration: Option<Structure<Made<S3<'a>>>>,
    #[serde(borrow)]
    pub s3_backup_update: Option<Structure<Changed<S3<'a>>>>,
    #[serde(borrow)]
    pub data_format_conversion_configuration: Option<Structure<Conversion<'a>>>,
    pub dynamic_partitioning_configuration: Option<Structure<DynamicPartitioning>>,
    #[serde(borrow)]
    pub file_extension: Option<Text<'a>>,
    #[serde(borrow)]
    pub custom_time_zone: Option<Text<'a>>,
}

/// What both have in common.
pub struct Members<'b, 'a> {
    pub role_arn: &'b Option<Text<'a>>,
    pub bucket_arn: &'b Option<Text<'a>>,
    pub prefix: &'b Option<Text<'a>>,
    pub error_output_prefix: &'b Option<Text<'a>>,
    pub buffering_hints: &'b Option<Structure<BufferingHints>>,
    pub compression_format: &'b Option<Text<'a>>,
    pub encryption_configuration: &'b Option<Structure<Encryption<'a>>>,
    pub cloud_watch_logging_options: &'b Option<Structure<Logging<'a>>>,
}

impl<'a> S3<'a> {
    pub fn members(&self) -> Members<'_, 'a> {
        Members {
            role_arn: &self.role_arn,
            bucket_arn: &self.bucket_arn,
            prefix: &self.prefix,
            error_output_prefix: &self.error_output_prefix,
            buffering_hints: &self.buffering_hints,
            compression_format: &self.compression_format,
            encryption_configuration: &self.encryption_configuration,
            cloud_watch_logging_options: &self.cloud_watch_logging_options,
        }
    }
}

impl<'a> ExtendedS3<'a> {
    pub fn members(&self) -> Members<'_, 'a> {
        Members {
            role_arn: &self.role_arn,
            bucket_arn: &self.bucket_arn,
            prefix: &self.prefix,
            error_output_prefix: &self.error_output_prefix,
            buffering_hints: &self.buffering_hints,
            compression_format: &self.compression_format,
            encryption_configuration: &self.encryption_configuration,
            cloud_watch_logging_options: &self.cloud_watch_logging_options,
        }
    }

    fn check_more(&self, check: &mut Check) {
        let processing = &self.processing_configuration;
        check.optional("ProcessingConfiguration", processing, Fields);
        check.optional("S3BackupMode", &self.s3_backup_mode, BACKUP_MODE);
        let conversion = &self.data_format_conversion_configuration;
        check.optional("DataFormatConversionConfiguration", conversion, Fields);
        let partitioning = &self.dynamic_partitioning_configuration;
        check.optional("DynamicPartitioningConfiguration", partitioning, Fields);
        check.optional("FileExtension", &self.file_extension, FILE_EXTENSION);
        check.optional("CustomTimeZone", &self.custom_time_zone, TIME_ZONE);
    }
}

impl Members<'_, '_> {
    fn check(&self, check: &mut Check, is_made: bool) {
        if is_made {
            check.required("RoleARN", self.role_arn, ROLE_ARN);
            check.required("BucketARN", self.bucket_arn, BUCKET_ARN);
        } else {
            check.optional("RoleARN", self.role_arn, ROLE_ARN);
            check.optional("BucketARN", self.bucket_arn, BUCKET_ARN);
        }
        check.optional("Prefix", self.prefix, PREFIX);
        check.optional("ErrorOutputPrefix", self.error_output_prefix, PREFIX);
        check.optional("BufferingHints", self.buffering_hints, Fields);
        let format = self.compression_format;
        // Ours, which the model does not have.
        if format.as_ref().map(Text::as_str) != Some(Compression::Zstd.as_str()) {
            check.optional("CompressionFormat", format, COMPRESSION);
        }
        check.optional(
            "EncryptionConfiguration",
            self.encryption_configuration,
            Fields,
        );
        check.optional(
            "CloudWatchLoggingOptions",
            self.cloud_watch_logging_options,
            Fields,
        );
    }
}

/// A destination that is made: role and bucket must be there.
#[derive(Deserialize)]
#[serde(transparent)]
pub struct Made<T>(pub T);

/// A destination that is changed: what is not there stays as it is.
#[derive(Deserialize)]
#[serde(transparent)]
pub struct Changed<T>(pub T);

/// What is said of a bucket, where a request that makes has one member for it and a request that
/// changes another.
pub fn one_of<'s, 'a>(
    made: &'s Option<Structure<Made<S3<'a>>>>,
    changed: &'s Option<Structure<Changed<S3<'a>>>>,
) -> Option<&'s S3<'a>> {
    match (made, changed) {
        (Some(Structure(Made(s3))), _) | (None, Some(Structure(Changed(s3)))) => Some(s3),
        (None, None) => None,
    }
}

impl Shape for Made<S3<'_>> {
    fn check(&self, check: &mut Check) {
        self.0.members().check(check, true);
    }
}

impl Shape for Changed<S3<'_>> {
    fn check(&self, check: &mut Check) {
        self.0.members().check(check, false);
    }
}

impl Shape for Made<ExtendedS3<'_>> {
    fn check(&self, check: &mut Check) {
        self.0.members().check(check, true);
        self.0.check_more(check);
        let backup = &self.0.s3_backup_configuration;
        check.optional("S3BackupConfiguration", backup, Fields);
    }
}

impl Shape for Changed<ExtendedS3<'_>> {
    fn check(&self, check: &mut Check) {
        self.0.members().check(check, false);
        self.0.check_more(check);
        let backup = &self.0.s3_backup_update;
        check.optional("S3BackupUpdate", backup, Fields);
    }
}
