//! The parts of applications as clients see them. Both versions of the model describe them alike;
//! roles are told where they were given.

use serde::Serialize;

use crate::application::{
    Configuration, Destination, Format, Input, Output, OutputFormat, Processor, Reference, Schema,
    Start,
};

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct InputDescription<'a> {
    input_id: &'a str,
    name_prefix: &'a str,
    in_app_stream_names: Vec<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    input_processing_configuration_description: Option<ProcessingDescription<'a>>,
    kinesis_streams_input_description: ResourceDescription<'a>,
    input_schema: SchemaDescription<'a>,
    input_parallelism: Parallelism,
    #[serde(skip_serializing_if = "Option::is_none")]
    input_starting_position_configuration: Option<Starting>,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct ProcessingDescription<'a> {
    input_lambda_processor_description: ResourceDescription<'a>,
}

#[derive(Serialize)]
struct ResourceDescription<'a> {
    #[serde(rename = "ResourceARN")]
    resource_arn: &'a str,
    #[serde(rename = "RoleARN", skip_serializing_if = "Option::is_none")]
    role_arn: Option<&'a str>,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Parallelism {
    count: u8,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Starting {
    input_starting_position: &'static str,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct SchemaDescription<'a> {
    record_format: FormatDescription<'a>,
    #[serde(skip_serializing_if = "Option::is_none")]
    record_encoding: Option<&'a str>,
    record_columns: Vec<ColumnDescription<'a>>,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct FormatDescription<'a> {
    record_format_type: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    mapping_parameters: Option<MappingDescription<'a>>,
}

#[derive(Serialize)]
enum MappingDescription<'a> {
    #[serde(rename = "JSONMappingParameters", rename_all = "PascalCase")]
    Json { record_row_path: &'a str },
    #[serde(rename = "CSVMappingParameters", rename_all = "PascalCase")]
    Csv {
        record_row_delimiter: &'a str,
        record_column_delimiter: &'a str,
    },
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct ColumnDescription<'a> {
    name: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    mapping: Option<&'a str>,
    sql_type: &'a str,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct OutputDescription<'a> {
    output_id: &'a str,
    name: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    kinesis_streams_output_description: Option<ResourceDescription<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    kinesis_firehose_output_description: Option<ResourceDescription<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    lambda_output_description: Option<ResourceDescription<'a>>,
    destination_schema: DestinationSchema,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct DestinationSchema {
    record_format_type: &'static str,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct ReferenceDescription<'a> {
    reference_id: &'a str,
    table_name: &'a str,
    #[serde(rename = "S3ReferenceDataSourceDescription")]
    s3: S3Description<'a>,
    reference_schema: SchemaDescription<'a>,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct S3Description<'a> {
    #[serde(rename = "BucketARN")]
    bucket_arn: &'a str,
    file_key: &'a str,
    #[serde(rename = "ReferenceRoleARN", skip_serializing_if = "Option::is_none")]
    role_arn: Option<&'a str>,
}

#[derive(Serialize)]
pub struct LoggingDescription<'a> {
    #[serde(rename = "CloudWatchLoggingOptionId")]
    id: &'a str,
    #[serde(rename = "LogStreamARN")]
    log_stream_arn: &'a str,
    #[serde(rename = "RoleARN", skip_serializing_if = "Option::is_none")]
    role_arn: Option<&'a str>,
}

/// The inputs of a configuration, with where they began.
pub fn inputs<'a>(it: &'a Configuration, start: &Start) -> Vec<InputDescription<'a>> {
    it.inputs
        .iter()
        .map(|input| describe(input, start))
        .collect()
}

fn describe<'a>(input: &'a Input, start: &Start) -> InputDescription<'a> {
    let mut positions = start.positions.iter();
    let position = positions.find(|(id, _)| *id == input.id);
    InputDescription {
        input_id: &input.id,
        name_prefix: &input.prefix,
        in_app_stream_names: input.in_application_streams().collect(),
        input_processing_configuration_description: input.processor.as_ref().map(processing),
        kinesis_streams_input_description: ResourceDescription {
            resource_arn: &input.stream_arn,
            role_arn: input.role_arn.as_deref(),
        },
        input_schema: schema(&input.schema),
        input_parallelism: Parallelism {
            count: input.parallelism,
        },
        input_starting_position_configuration: position.map(|(_, position)| Starting {
            input_starting_position: position.as_str(),
        }),
    }
}

/// What records go through first.
pub fn processing(it: &Processor) -> ProcessingDescription<'_> {
    ProcessingDescription {
        input_lambda_processor_description: ResourceDescription {
            resource_arn: &it.function_arn,
            role_arn: it.role_arn.as_deref(),
        },
    }
}

/// How records are read.
pub fn schema(it: &Schema) -> SchemaDescription<'_> {
    let (record_format_type, mapping_parameters) = match &it.format {
        Format::Json { row_path } => {
            let path = row_path.as_deref();
            let said = path.map(|record_row_path| MappingDescription::Json { record_row_path });
            ("JSON", said)
        }
        Format::Csv { delimiters } => {
            let said = delimiters
                .as_ref()
                .map(|(row, column)| MappingDescription::Csv {
                    record_row_delimiter: row,
                    record_column_delimiter: column,
                });
            ("CSV", said)
        }
    };
    let columns = it.columns.iter().map(|column| ColumnDescription {
        name: &column.name,
        mapping: column.mapping.as_deref(),
        sql_type: &column.sql_type,
    });
    SchemaDescription {
        record_format: FormatDescription {
            record_format_type,
            mapping_parameters,
        },
        record_encoding: it.encoding.as_deref(),
        record_columns: columns.collect(),
    }
}

/// The outputs of a configuration.
pub fn outputs(it: &Configuration) -> Vec<OutputDescription<'_>> {
    it.outputs.iter().map(output).collect()
}

fn output(it: &Output) -> OutputDescription<'_> {
    let resource = ResourceDescription {
        resource_arn: it.destination.arn(),
        role_arn: it.role_arn.as_deref(),
    };
    let (mut stream, mut delivery_stream, mut function) = (None, None, None);
    match it.destination {
        Destination::Stream(_) => stream = Some(resource),
        Destination::DeliveryStream(_) => delivery_stream = Some(resource),
        Destination::Function(_) => function = Some(resource),
    }
    OutputDescription {
        output_id: &it.id,
        name: &it.name,
        kinesis_streams_output_description: stream,
        kinesis_firehose_output_description: delivery_stream,
        lambda_output_description: function,
        destination_schema: DestinationSchema {
            record_format_type: match it.format {
                OutputFormat::Json => "JSON",
                OutputFormat::Csv => "CSV",
            },
        },
    }
}

/// The reference data of a configuration.
pub fn references(it: &Configuration) -> Vec<ReferenceDescription<'_>> {
    it.references.iter().map(reference).collect()
}

fn reference(it: &Reference) -> ReferenceDescription<'_> {
    ReferenceDescription {
        reference_id: &it.id,
        table_name: &it.table,
        s3: S3Description {
            bucket_arn: &it.bucket_arn,
            file_key: &it.key,
            role_arn: it.role_arn.as_deref(),
        },
        reference_schema: schema(&it.schema),
    }
}

/// Where the owner wants to be told of errors.
pub fn logging(it: &Configuration) -> Vec<LoggingDescription<'_>> {
    it.logging
        .iter()
        .map(|it| LoggingDescription {
            id: &it.id,
            log_stream_arn: &it.log_stream_arn,
            role_arn: it.role_arn.as_deref(),
        })
        .collect()
}
