//! Inputs as the model has them, and what is kept of them.

use serde::Deserialize;
use serde::de::IgnoredAny;
use wire::ApiError;
use wire::members::{Integer, Structure, Text};
use wire::shape::{Check, Fields, Shape};

use super::model::V1;
use super::rules::{ID, PARALLELISM, STARTING_POSITION, rules};
use super::schema;
use super::shapes::{Resource, ResourceUpdate, SchemaUpdate, SourceSchema, number, required};
use super::{error, resources};
use crate::application::{Input, Processor, StartPosition};

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct NewInput<'a, const MODEL: u16> {
    #[serde(borrow)]
    name_prefix: Option<Text<'a>>,
    #[serde(borrow)]
    input_processing_configuration: Option<Structure<Processing<'a, MODEL>>>,
    #[serde(borrow)]
    kinesis_streams_input: Option<Structure<Resource<'a, MODEL>>>,
    kinesis_firehose_input: Option<IgnoredAny>,
    input_parallelism: Option<Structure<Parallelism>>,
    #[serde(borrow)]
    input_schema: Option<Structure<SourceSchema<'a, MODEL>>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct Processing<'a, const MODEL: u16> {
    #[serde(borrow)]
    input_lambda_processor: Option<Structure<Resource<'a, MODEL>>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Parallelism {
    count: Option<Integer>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct InputUpdate<'a, const MODEL: u16> {
    #[serde(borrow)]
    pub input_id: Option<Text<'a>>,
    #[serde(borrow)]
    name_prefix_update: Option<Text<'a>>,
    #[serde(borrow)]
    input_processing_configuration_update: Option<Structure<ProcessingUpdate<'a, MODEL>>>,
    #[serde(borrow)]
    kinesis_streams_input_update: Option<Structure<ResourceUpdate<'a, MODEL>>>,
    kinesis_firehose_input_update: Option<IgnoredAny>,
    #[serde(borrow)]
    input_schema_update: Option<Structure<SchemaUpdate<'a, MODEL>>>,
    input_parallelism_update: Option<Structure<ParallelismUpdate<MODEL>>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct ProcessingUpdate<'a, const MODEL: u16> {
    #[serde(borrow)]
    input_lambda_processor_update: Option<Structure<ResourceUpdate<'a, MODEL>>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct ParallelismUpdate<const MODEL: u16> {
    count_update: Option<Integer>,
}

/// Where an input begins to read.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct Starting<'a> {
    #[serde(borrow)]
    input_starting_position: Option<Text<'a>>,
}

impl<const MODEL: u16> Shape for NewInput<'_, MODEL> {
    fn check(&self, check: &mut Check) {
        check.required("NamePrefix", &self.name_prefix, rules(MODEL).stream_name);
        let processing = &self.input_processing_configuration;
        check.optional("InputProcessingConfiguration", processing, Fields);
        let stream = &self.kinesis_streams_input;
        check.optional("KinesisStreamsInput", stream, Fields);
        let parallelism = &self.input_parallelism;
        check.optional("InputParallelism", parallelism, Fields);
        check.required("InputSchema", &self.input_schema, Fields);
    }
}

impl<const MODEL: u16> Shape for Processing<'_, MODEL> {
    fn check(&self, check: &mut Check) {
        let function = &self.input_lambda_processor;
        check.required("InputLambdaProcessor", function, Fields);
    }
}

impl Shape for Parallelism {
    fn check(&self, check: &mut Check) {
        check.optional("Count", &self.count, PARALLELISM);
    }
}

impl<const MODEL: u16> Shape for InputUpdate<'_, MODEL> {
    fn check(&self, check: &mut Check) {
        check.required("InputId", &self.input_id, ID);
        let prefix = &self.name_prefix_update;
        check.optional("NamePrefixUpdate", prefix, rules(MODEL).stream_name);
        let processing = &self.input_processing_configuration_update;
        check.optional("InputProcessingConfigurationUpdate", processing, Fields);
        let stream = &self.kinesis_streams_input_update;
        check.optional("KinesisStreamsInputUpdate", stream, Fields);
        let schema = &self.input_schema_update;
        check.optional("InputSchemaUpdate", schema, Fields);
        let parallelism = &self.input_parallelism_update;
        check.optional("InputParallelismUpdate", parallelism, Fields);
    }
}

impl<const MODEL: u16> Shape for ProcessingUpdate<'_, MODEL> {
    fn check(&self, check: &mut Check) {
        let function = &self.input_lambda_processor_update;
        check.required("InputLambdaProcessorUpdate", function, Fields);
    }
}

impl<const MODEL: u16> Shape for ParallelismUpdate<MODEL> {
    fn check(&self, check: &mut Check) {
        if MODEL == V1 {
            check.optional("CountUpdate", &self.count_update, PARALLELISM);
        } else {
            check.required("CountUpdate", &self.count_update, PARALLELISM);
        }
    }
}

impl Shape for Starting<'_> {
    fn check(&self, check: &mut Check) {
        let position = &self.input_starting_position;
        check.optional("InputStartingPosition", position, STARTING_POSITION);
    }
}

impl Starting<'_> {
    /// Where it begins; `None`: it is not said.
    pub fn position(&self) -> Result<Option<StartPosition>, ApiError> {
        let said = self.input_starting_position.as_ref();
        said.map(|text| StartPosition::parse(text)).transpose()
    }
}

impl StartPosition {
    /// As the model writes it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Now => "NOW",
            Self::TrimHorizon => "TRIM_HORIZON",
            Self::LastStoppedPoint => "LAST_STOPPED_POINT",
        }
    }

    fn parse(text: &str) -> Result<Self, ApiError> {
        [Self::Now, Self::TrimHorizon, Self::LastStoppedPoint]
            .into_iter()
            .find(|position| position.as_str() == text)
            .ok_or_else(|| ApiError::internal("A position was not held to its constraint."))
    }
}

impl<const MODEL: u16> NewInput<'_, MODEL> {
    /// What is kept of it under this id.
    pub fn kept(&self, id: String) -> Result<Input, ApiError> {
        if self.kinesis_firehose_input.is_some() {
            return Err(error::no_delivery_stream_input(MODEL));
        }
        let Some(stream) = &self.kinesis_streams_input else {
            return Err(error::invalid_argument(
                "An input must have a KinesisStreamsInput.",
            ));
        };
        let (stream_arn, role_arn) = stream.kept()?;
        let parallelism = self.input_parallelism.as_ref().and_then(|it| it.count);
        let processing = self.input_processing_configuration.as_ref();
        Ok(Input {
            id,
            prefix: required(&self.name_prefix)?.as_str().to_owned(),
            stream_arn,
            role_arn,
            parallelism: parallelism.map_or(Ok(1), number)?,
            processor: processing.map(|it| it.kept()).transpose()?,
            schema: schema::kept(required(&self.input_schema)?)?,
        })
    }
}

impl<const MODEL: u16> Processing<'_, MODEL> {
    /// What is kept of it.
    pub fn kept(&self) -> Result<Processor, ApiError> {
        let (function_arn, role_arn) = required(&self.input_lambda_processor)?.kept()?;
        Ok(Processor {
            function_arn,
            role_arn,
        })
    }
}

impl<const MODEL: u16> InputUpdate<'_, MODEL> {
    /// Changes what is said of it.
    pub fn apply(&self, input: &mut Input) -> Result<(), ApiError> {
        if self.kinesis_firehose_input_update.is_some() {
            return Err(error::no_delivery_stream_input(MODEL));
        }
        if let Some(prefix) = &self.name_prefix_update {
            input.prefix = prefix.as_str().to_owned();
        }
        if let Some(stream) = &self.kinesis_streams_input_update {
            let (arn, role) = stream.said();
            resources::replace(&mut input.stream_arn, arn);
            resources::replace_role(&mut input.role_arn, role);
        }
        if let Some(processing) = &self.input_processing_configuration_update {
            let (arn, role) = required(&processing.input_lambda_processor_update)?.said();
            let Some(processor) = &mut input.processor else {
                return Err(error::invalid_argument(format!(
                    "Input {} has no InputProcessingConfiguration to be updated.",
                    input.id
                )));
            };
            resources::replace(&mut processor.function_arn, arn);
            resources::replace_role(&mut processor.role_arn, role);
        }
        if let Some(update) = &self.input_schema_update {
            schema::update(&mut input.schema, update)?;
        }
        let parallelism = self.input_parallelism_update.as_ref();
        if let Some(count) = parallelism.and_then(|it| it.count_update) {
            input.parallelism = number(count)?;
        }
        Ok(())
    }
}
