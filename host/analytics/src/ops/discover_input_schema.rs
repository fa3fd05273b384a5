//! DiscoverInputSchema.

use delivery::arn::BucketName;
use delivery::objects::ObjectError;
use serde::de::IgnoredAny;
use serde::{Deserialize, Serialize};
use sql::input::{Discovered, SourceSchema, Undetected, discover};
use tokio::task::spawn_blocking;
use types::StreamArn;
use wasm::RecordsOf;
use wire::members::{Structure, Text};
use wire::shape::{Check, Fields, Shape};
use wire::{Answer, ApiError, Call};

use super::input_shapes::Starting;
use super::model::{V1, V2};
use super::rules::{FILE_KEY, RESOURCE_ARN, rules};
use super::shapes::required;
use super::{error, resources};
use crate::Analytics;
use crate::limits::{DISCOVERED_BYTES_MAX, DISCOVERED_RECORDS_MAX};

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Input<'a, const MODEL: u16> {
    #[serde(borrow, rename = "ResourceARN")]
    resource_arn: Option<Text<'a>>,
    #[serde(borrow, rename = "RoleARN")]
    role_arn: Option<Text<'a>>,
    #[serde(borrow)]
    service_execution_role: Option<Text<'a>>,
    #[serde(borrow)]
    input_starting_position_configuration: Option<Structure<Starting<'a>>>,
    #[serde(borrow, rename = "S3Configuration")]
    s3: Option<Structure<S3<'a, MODEL>>>,
    input_processing_configuration: Option<IgnoredAny>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct S3<'a, const MODEL: u16> {
    #[serde(borrow, rename = "RoleARN")]
    role_arn: Option<Text<'a>>,
    #[serde(borrow, rename = "BucketARN")]
    bucket_arn: Option<Text<'a>>,
    #[serde(borrow)]
    file_key: Option<Text<'a>>,
}

impl<const MODEL: u16> Shape for Input<'_, MODEL> {
    fn check(&self, check: &mut Check) {
        check.optional("ResourceARN", &self.resource_arn, RESOURCE_ARN);
        let role = rules(MODEL).role;
        if MODEL == V1 {
            check.optional("RoleARN", &self.role_arn, role);
        } else {
            check.required("ServiceExecutionRole", &self.service_execution_role, role);
        }
        let position = &self.input_starting_position_configuration;
        check.optional("InputStartingPositionConfiguration", position, Fields);
        check.optional("S3Configuration", &self.s3, Fields);
    }
}

impl<const MODEL: u16> Shape for S3<'_, MODEL> {
    fn check(&self, check: &mut Check) {
        if MODEL == V1 {
            check.required("RoleARN", &self.role_arn, rules(MODEL).role);
        }
        check.required("BucketARN", &self.bucket_arn, RESOURCE_ARN);
        check.required("FileKey", &self.file_key, FILE_KEY);
    }
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Output {
    input_schema: SourceSchema,
    parsed_input_records: Vec<Vec<String>>,
    raw_input_records: Vec<String>,
}

/// Infers the schema of what a stream has got last, or of an object's beginning.
pub async fn handle<const MODEL: u16>(
    analytics: &Analytics,
    call: Call,
) -> Result<Answer, ApiError> {
    let input: Input<'_, MODEL> = call.parse()?;
    if input.input_processing_configuration.is_some() {
        return Err(refused_processor(MODEL));
    }
    let records = match (&input.resource_arn, &input.s3) {
        (Some(arn), None) => {
            let arn = resources::own_stream(&call.caller, arn)?;
            analytics.ground.streams.permit_source(&call.caller, &arn)?;
            of_stream(analytics, arn).await?
        }
        (None, Some(said)) => {
            let bucket = resources::bucket(required(&said.bucket_arn)?)?;
            let key = required(&said.file_key)?.as_str();
            resources::permit_object(&call.caller, &bucket, key)?;
            of_object(analytics, &bucket, key).await?
        }
        (None, None) | (Some(_), Some(_)) => {
            return Err(error::invalid_argument(
                "Exactly one of ResourceARN and S3Configuration must be provided.",
            ));
        }
    };
    let raw: Vec<String> = records
        .iter()
        .map(|record| String::from_utf8_lossy(record).into_owned())
        .collect();
    // A thread of the runtime is not held for as long as a mebibyte of records may take.
    let discovered = spawn_blocking(move || discover(&records)).await;
    let discovered = discovered.map_err(|error| error::task("infer a schema", &error))?;
    let Discovered { schema, rows } = discovered.map_err(|why| undetected(why, &raw))?;
    let texts = |row: Vec<Option<String>>| row.into_iter().map(|text| text.unwrap_or_default());
    call.answer(&Output {
        input_schema: schema,
        parsed_input_records: rows.into_iter().map(|row| texts(row).collect()).collect(),
        raw_input_records: raw,
    })
}

fn refused_processor(model: u16) -> ApiError {
    let text = "InputProcessingConfiguration is not supported in DiscoverInputSchema.";
    if model == V2 {
        error::unsupported(text)
    } else {
        error::invalid_argument(text)
    }
}

/// The last records of a stream.
async fn of_stream(analytics: &Analytics, arn: StreamArn) -> Result<Vec<Vec<u8>>, ApiError> {
    if analytics.ground.streams.source(&arn).is_none() {
        return Err(resources::no_stream(&arn.to_string()));
    }
    let most = (DISCOVERED_RECORDS_MAX, DISCOVERED_BYTES_MAX);
    let retained = analytics
        .ground
        .delivery
        .retained(&RecordsOf::Stream(arn), most)
        .await;
    let retained = retained.map_err(|error| error::store("read records of a stream", &error))?;
    Ok(retained.records)
}

/// The beginning of an object, as one record, or its whole lines where it is longer.
async fn of_object(
    analytics: &Analytics,
    bucket: &BucketName,
    key: &str,
) -> Result<Vec<Vec<u8>>, ApiError> {
    let none = || {
        error::invalid_argument(format!(
            "The object {key} of the bucket {bucket} does not exist."
        ))
    };
    let objects = &analytics.ground.objects;
    let found = objects.find(bucket, key).await.map_err(object_error)?;
    let found = found.ok_or_else(none)?;
    let bytes_max = u64::try_from(DISCOVERED_BYTES_MAX)
        .map_err(|_| ApiError::internal("A limit is larger than a number."))?;
    let end = found.bytes.min(bytes_max);
    let read = objects.read(bucket, &found, 0..end).await;
    let read = read.map_err(object_error)?.ok_or_else(none)?;
    let mut text = read.to_vec();
    if end < found.bytes {
        let whole = text.iter().rposition(|&byte| byte == b'\n');
        text.truncate(whole.map_or(text.len(), |at| at + 1));
    }
    Ok(vec![text])
}

fn object_error(why: ObjectError) -> ApiError {
    match why {
        ObjectError::Impossible(why) | ObjectError::Refused(why) => {
            error::invalid_argument(format!("The object cannot be read: {why}."))
        }
        ObjectError::Failed(why) => {
            error::unavailable(format!("The object cannot be read now: {why}."))
        }
    }
}

/// Why no schema was inferred, with the records that it was to be inferred from.
fn undetected(why: Undetected, raw: &[String]) -> ApiError {
    let text = match why {
        Undetected::NoRecords => "There are no records to infer a schema from.",
        Undetected::NotText => "The records are not encoded in UTF-8.",
        Undetected::NoPattern => "The records are neither JSON nor lines of CSV.",
        Undetected::Internal(invalid) => {
            return error::damaged(types::Invalid(invalid.to_string()));
        }
    };
    match error::no_schema(text).with_detail("RawInputRecords", &raw) {
        Ok(error) | Err(error) => error,
    }
}
