//! Outputs as the model has them, and what is kept of them.

use serde::Deserialize;
use wire::ApiError;
use wire::members::{Structure, Text};
use wire::shape::{Check, Fields, Shape};

use super::rules::{FORMAT, ID, rules};
use super::shapes::{Resource, ResourceUpdate, required};
use super::{error, resources};
use crate::application::{Destination, Output, OutputFormat};

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct NewOutput<'a, const MODEL: u16> {
    #[serde(borrow)]
    name: Option<Text<'a>>,
    #[serde(borrow)]
    kinesis_streams_output: Option<Structure<Resource<'a, MODEL>>>,
    #[serde(borrow)]
    kinesis_firehose_output: Option<Structure<Resource<'a, MODEL>>>,
    #[serde(borrow)]
    lambda_output: Option<Structure<Resource<'a, MODEL>>>,
    #[serde(borrow)]
    destination_schema: Option<Structure<DestinationSchema<'a>>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct DestinationSchema<'a> {
    #[serde(borrow)]
    record_format_type: Option<Text<'a>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct OutputUpdate<'a, const MODEL: u16> {
    #[serde(borrow)]
    pub output_id: Option<Text<'a>>,
    #[serde(borrow)]
    name_update: Option<Text<'a>>,
    #[serde(borrow)]
    kinesis_streams_output_update: Option<Structure<ResourceUpdate<'a, MODEL>>>,
    #[serde(borrow)]
    kinesis_firehose_output_update: Option<Structure<ResourceUpdate<'a, MODEL>>>,
    #[serde(borrow)]
    lambda_output_update: Option<Structure<ResourceUpdate<'a, MODEL>>>,
    #[serde(borrow)]
    destination_schema_update: Option<Structure<DestinationSchema<'a>>>,
}

impl<const MODEL: u16> Shape for NewOutput<'_, MODEL> {
    fn check(&self, check: &mut Check) {
        check.required("Name", &self.name, rules(MODEL).stream_name);
        let stream = &self.kinesis_streams_output;
        check.optional("KinesisStreamsOutput", stream, Fields);
        let delivery_stream = &self.kinesis_firehose_output;
        check.optional("KinesisFirehoseOutput", delivery_stream, Fields);
        check.optional("LambdaOutput", &self.lambda_output, Fields);
        check.required("DestinationSchema", &self.destination_schema, Fields);
    }
}

impl Shape for DestinationSchema<'_> {
    fn check(&self, check: &mut Check) {
        check.required("RecordFormatType", &self.record_format_type, FORMAT);
    }
}

impl<const MODEL: u16> Shape for OutputUpdate<'_, MODEL> {
    fn check(&self, check: &mut Check) {
        check.required("OutputId", &self.output_id, ID);
        check.optional("NameUpdate", &self.name_update, rules(MODEL).stream_name);
        let stream = &self.kinesis_streams_output_update;
        check.optional("KinesisStreamsOutputUpdate", stream, Fields);
        let delivery_stream = &self.kinesis_firehose_output_update;
        check.optional("KinesisFirehoseOutputUpdate", delivery_stream, Fields);
        check.optional("LambdaOutputUpdate", &self.lambda_output_update, Fields);
        let schema = &self.destination_schema_update;
        check.optional("DestinationSchemaUpdate", schema, Fields);
    }
}

/// Makes a destination of the ARN of its kind.
type Kind = fn(String) -> Destination;

/// The one destination that is said, of those that may be.
fn the_one<T>(said: [(Option<T>, Kind); 3]) -> Result<Option<(T, Kind)>, ApiError> {
    let mut said = said.into_iter().filter_map(|(it, kind)| Some((it?, kind)));
    match (said.next(), said.next()) {
        (one, None) => Ok(one),
        (_, Some(_)) => Err(error::invalid_argument(
            "An output must have exactly one of KinesisStreamsOutput, KinesisFirehoseOutput and \
             LambdaOutput.",
        )),
    }
}

impl<const MODEL: u16> NewOutput<'_, MODEL> {
    /// What is kept of it under this id.
    pub fn kept(&self, id: String) -> Result<Output, ApiError> {
        let destination = the_one([
            (self.kinesis_streams_output.as_ref(), Destination::Stream),
            (
                self.kinesis_firehose_output.as_ref(),
                Destination::DeliveryStream,
            ),
            (self.lambda_output.as_ref(), Destination::Function),
        ])?;
        let Some((resource, kind)) = destination else {
            return Err(error::invalid_argument(
                "An output must have exactly one of KinesisStreamsOutput, KinesisFirehoseOutput \
                 and LambdaOutput.",
            ));
        };
        let (arn, role_arn) = resource.kept()?;
        Ok(Output {
            id,
            name: required(&self.name)?.as_str().to_owned(),
            destination: kind(arn),
            role_arn,
            format: required(&self.destination_schema)?.format()?,
        })
    }
}

impl DestinationSchema<'_> {
    fn format(&self) -> Result<OutputFormat, ApiError> {
        match required(&self.record_format_type)?.as_str() {
            "JSON" => Ok(OutputFormat::Json),
            "CSV" => Ok(OutputFormat::Csv),
            _ => Err(ApiError::internal(
                "A format was not held to its constraint.",
            )),
        }
    }
}

impl<const MODEL: u16> OutputUpdate<'_, MODEL> {
    /// Changes what is said of it. A destination of another kind needs its ARN, and a role where
    /// roles are.
    pub fn apply(&self, output: &mut Output) -> Result<(), ApiError> {
        if let Some(name) = &self.name_update {
            output.name = name.as_str().to_owned();
        }
        let destination = the_one([
            (
                self.kinesis_streams_output_update.as_ref(),
                Destination::Stream as Kind,
            ),
            (
                self.kinesis_firehose_output_update.as_ref(),
                Destination::DeliveryStream,
            ),
            (self.lambda_output_update.as_ref(), Destination::Function),
        ])?;
        if let Some((update, kind)) = destination {
            let (arn, role) = update.said();
            let named = arn.unwrap_or_else(|| output.destination.arn().to_owned());
            output.destination = kind(named);
            resources::replace_role(&mut output.role_arn, role);
        }
        if let Some(schema) = &self.destination_schema_update {
            output.format = schema.format()?;
        }
        Ok(())
    }
}
