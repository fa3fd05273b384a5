//! The program of an application: its code together with the schemas of what it reads.

use sql::input::{
    CsvMappingParameters, InputSchema, JsonMappingParameters, MappingParameters, RecordColumn,
    RecordFormat, SourceSchema,
};
use sql::{Invalid, Program, Source};

use crate::application::{Configuration, Format, Schema};

/// What rows look like that records of a schema become.
///
/// # Errors
/// A schema that no rows can be made with, with the reason.
pub fn input_schema(schema: &Schema) -> Result<InputSchema, Invalid> {
    InputSchema::parse(&source_schema(schema))
}

/// A schema as the API spells it.
fn source_schema(schema: &Schema) -> SourceSchema {
    let (record_format_type, mapping_parameters) = match &schema.format {
        Format::Json { row_path } => {
            let json = row_path.as_ref().map(|path| JsonMappingParameters {
                record_row_path: path.clone(),
            });
            ("JSON", MappingParameters { json, csv: None })
        }
        Format::Csv { delimiters } => {
            let csv = delimiters
                .as_ref()
                .map(|(row, column)| CsvMappingParameters {
                    record_row_delimiter: row.clone(),
                    record_column_delimiter: column.clone(),
                });
            ("CSV", MappingParameters { json: None, csv })
        }
    };
    let columns = schema.columns.iter().map(|column| RecordColumn {
        name: column.name.clone(),
        mapping: column.mapping.clone(),
        sql_type: column.sql_type.clone(),
    });
    SourceSchema {
        record_format: RecordFormat {
            record_format_type: record_format_type.to_owned(),
            mapping_parameters: Some(mapping_parameters),
        },
        record_encoding: schema.encoding.clone(),
        record_columns: columns.collect(),
    }
}

/// Checks and plans the program of a configuration: its sources are the in-application streams of
/// its inputs, in their order, its tables are its reference data.
///
/// # Errors
/// What is wrong first, with its place in the code if it is there.
pub fn compile(configuration: &Configuration) -> Result<Program, Invalid> {
    let mut sources = Vec::new();
    for input in &configuration.inputs {
        let schema = input_schema(&input.schema)?;
        sources.extend(input.in_application_streams().map(|name| Source {
            name,
            rows: schema.row_type(),
            hidden: schema.hidden_columns(),
        }));
    }
    let mut tables = Vec::new();
    for reference in &configuration.references {
        tables.push(Source {
            name: reference.table.clone(),
            rows: input_schema(&reference.schema)?.table_type(),
            hidden: 0,
        });
    }
    Program::compile(&configuration.code, &sources, &tables)
}
