//! Schemas as the model has them, and what is kept of them.

use std::collections::BTreeSet;

use wire::ApiError;
use wire::members::{List, Structure, Text};

use super::error;
use super::shapes::{RecordColumn, RecordFormat, SchemaUpdate, SourceSchema, owned, required};
use crate::application::{Format, Schema, SourceColumn};

/// What is kept of a schema.
pub fn kept<const MODEL: u16>(said: &SourceSchema<'_, MODEL>) -> Result<Schema, ApiError> {
    Ok(Schema {
        format: format(required(&said.record_format)?)?,
        encoding: owned(&said.record_encoding),
        columns: columns(required(&said.record_columns)?)?,
    })
}

/// Puts what is said in the place of what was.
pub fn update<const MODEL: u16>(
    schema: &mut Schema,
    said: &SchemaUpdate<'_, MODEL>,
) -> Result<(), ApiError> {
    if let Some(said) = &said.record_format_update {
        schema.format = format(said)?;
    }
    if said.record_encoding_update.is_some() {
        schema.encoding = owned(&said.record_encoding_update);
    }
    if let Some(said) = &said.record_column_updates {
        schema.columns = columns(said)?;
    }
    Ok(())
}

fn format<const MODEL: u16>(said: &RecordFormat<'_, MODEL>) -> Result<Format, ApiError> {
    let kind = required(&said.record_format_type)?.as_str();
    let parameters = said.mapping_parameters.as_ref();
    let json = parameters.and_then(|it| it.json.as_ref());
    let csv = parameters.and_then(|it| it.csv.as_ref());
    match (kind, json, csv) {
        ("JSON", json, None) => Ok(Format::Json {
            row_path: json.and_then(|it| owned(&it.record_row_path)),
        }),
        ("CSV", None, csv) => {
            let delimiters = csv.map(|it| {
                let row = required(&it.record_row_delimiter)?.as_str();
                let column = required(&it.record_column_delimiter)?.as_str();
                Ok::<_, ApiError>((row.to_owned(), column.to_owned()))
            });
            Ok(Format::Csv {
                delimiters: delimiters.transpose()?,
            })
        }
        (kind, _, _) => Err(error::invalid_argument(format!(
            "The MappingParameters of a RecordFormat of type {kind} must be of that type."
        ))),
    }
}

fn columns<const MODEL: u16>(
    said: &List<Structure<RecordColumn<'_, MODEL>>>,
) -> Result<Vec<SourceColumn>, ApiError> {
    let mut names = BTreeSet::new();
    let columns = said.iter().map(|Structure(column)| {
        let name = required(&column.name)?.as_str();
        if !names.insert(name) {
            return Err(error::invalid_argument(format!(
                "The schema has several columns of the name {name}."
            )));
        }
        Ok(SourceColumn {
            name: name.to_owned(),
            mapping: column.mapping.as_ref().map(Text::as_str).map(str::to_owned),
            sql_type: required(&column.sql_type)?.as_str().to_owned(),
        })
    });
    columns.collect()
}
