//! How records are laid out: what the API calls an input schema, checked.

use serde::{Deserialize, Serialize};

use super::path::{Path, Shape};
use crate::fault::Invalid;
use crate::ty::{Column, ROWTIME, RowType, SqlType};

/// Columns of a schema, at most (API_SourceSchema).
pub const COLUMNS_MAX: usize = 1_000;

/// Characters of a column's name, at most (API_RecordColumn of the second API).
pub const NAME_CHARS_MAX: usize = 256;

/// Characters of a text, or bytes of binary data, at most (the SQL reference's data types).
pub const LENGTH_MAX: u32 = 65_535;

/// Digits of a DECIMAL whose declaration does not say how many.
const DECIMAL_DIGITS: u8 = 19;

/// Digits of a DECIMAL, at most.
const DECIMAL_DIGITS_MAX: u8 = 38;

/// A schema as the API spells it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct SourceSchema {
    /// How a record is laid out.
    pub record_format: RecordFormat,
    /// `UTF-8`, or left out, which means the same.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub record_encoding: Option<String>,
    /// The columns in their order.
    pub record_columns: Vec<RecordColumn>,
}

/// The format of records.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct RecordFormat {
    /// `JSON` or `CSV`.
    pub record_format_type: String,
    /// What else the format needs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mapping_parameters: Option<MappingParameters>,
}

/// Parameters of one of the formats.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct MappingParameters {
    /// For `JSON`.
    #[serde(rename = "JSONMappingParameters")]
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub json: Option<JsonMappingParameters>,
    /// For `CSV`.
    #[serde(rename = "CSVMappingParameters")]
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub csv: Option<CsvMappingParameters>,
}

/// Where the rows of a document lie.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct JsonMappingParameters {
    /// The path to what becomes rows: `$`, or `$.orders[0:]`.
    pub record_row_path: String,
}

/// What cuts records into rows and columns.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct CsvMappingParameters {
    /// What stands between rows.
    pub record_row_delimiter: String,
    /// What stands between columns.
    pub record_column_delimiter: String,
}

/// A column and where its value comes from.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct RecordColumn {
    /// The name of the column.
    pub name: String,
    /// The path to its value, for `JSON`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mapping: Option<String>,
    /// Its type, as SQL writes it.
    pub sql_type: String,
}

/// What is known of a record besides its data, as columns.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Metadata {
    /// When the record came, as Kinesis tells it.
    ApproximateArrivalTime,
    /// The producer's key.
    PartitionKey,
    /// Its place in its shard.
    SequenceNumber,
    /// The shard.
    ShardId,
}

impl Metadata {
    /// All of them, in the order of their columns.
    pub const ALL: [Self; 4] = [
        Self::ApproximateArrivalTime,
        Self::PartitionKey,
        Self::SequenceNumber,
        Self::ShardId,
    ];

    /// Its column.
    pub fn column(self) -> Column {
        let (name, ty) = match self {
            Self::ApproximateArrivalTime => ("APPROXIMATE_ARRIVAL_TIME", SqlType::Timestamp),
            Self::PartitionKey => ("PARTITION_KEY", SqlType::Varchar { length: 512 }),
            Self::SequenceNumber => ("SEQUENCE_NUMBER", SqlType::Varchar { length: 128 }),
            Self::ShardId => ("SHARD_ID", SqlType::Varchar { length: 64 }),
        };
        let name = name.to_owned();
        Column { name, ty }
    }
}

/// A schema that is in order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InputSchema {
    pub(super) format: Format,
    pub(super) columns: Vec<Column>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Format {
    Json { row_path: Path, mappings: Vec<Path> },
    Csv(Delimiters),
}

/// What stands between rows and between columns of CSV.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Delimiters {
    pub row: String,
    pub column: String,
}

impl InputSchema {
    /// Checks a schema.
    ///
    /// # Errors
    ///
    /// Columns, paths or delimiters that cannot be used, with the reason.
    pub fn parse(source: &SourceSchema) -> Result<Self, Invalid> {
        if source
            .record_encoding
            .as_deref()
            .is_some_and(|encoding| encoding != "UTF-8")
        {
            return Err(Invalid::new("RecordEncoding is not UTF-8"));
        }
        let columns = columns(&source.record_columns)?;
        let parameters = source.record_format.mapping_parameters.as_ref();
        let format = match source.record_format.record_format_type.as_str() {
            "JSON" => {
                let json = parameters.and_then(|parameters| parameters.json.as_ref());
                let row_path = json.map_or("$", |json| &json.record_row_path);
                json_format(row_path, &source.record_columns)?
            }
            "CSV" => {
                let csv = parameters.and_then(|parameters| parameters.csv.as_ref());
                let csv = csv.ok_or_else(|| Invalid::new("CSVMappingParameters are missing"))?;
                csv_format(csv)?
            }
            other => {
                let message = format!("RecordFormatType is {other}, not JSON or CSV");
                return Err(Invalid::new(message));
            }
        };
        Ok(Self { format, columns })
    }

    /// Reads a schema as the API spells it: the InputSchema object itself, or an object that has
    /// it as its only member.
    ///
    /// # Errors
    ///
    /// As [`Self::parse`], and a text that is not such JSON.
    pub fn from_json(text: &str) -> Result<Self, Invalid> {
        #[derive(Deserialize)]
        #[serde(untagged)]
        enum File {
            Wrapped {
                #[serde(rename = "InputSchema")]
                schema: SourceSchema,
            },
            Bare(SourceSchema),
        }
        let file = serde_json::from_str(text)
            .map_err(|error| Invalid::new(format!("not an input schema: {error}")))?;
        match file {
            File::Wrapped { schema } | File::Bare(schema) => Self::parse(&schema),
        }
    }

    /// The columns that are declared, in their order.
    pub fn columns(&self) -> &[Column] {
        &self.columns
    }

    /// How many of the last columns of [`Self::row_type`] `*` leaves out.
    pub fn hidden_columns(&self) -> usize {
        self.metadata().len()
    }

    /// Rows of a stream: `ROWTIME`, the declared columns, then [`Self::metadata`].
    pub fn row_type(&self) -> RowType {
        let metadata = self.metadata().into_iter().map(Metadata::column);
        RowType::with_rowtime(self.columns.iter().cloned().chain(metadata))
    }

    /// Rows of a table of reference data, which has no metadata.
    pub fn table_type(&self) -> RowType {
        RowType::with_rowtime(self.columns.iter().cloned())
    }

    /// The metadata that is columns behind the declared ones: all whose name is not taken.
    pub fn metadata(&self) -> Vec<Metadata> {
        let taken = |column: Column| self.columns.iter().any(|known| known.name == column.name);
        let all = Metadata::ALL.into_iter();
        all.filter(|metadata| !taken(metadata.column())).collect()
    }
}

fn columns(records: &[RecordColumn]) -> Result<Vec<Column>, Invalid> {
    if records.is_empty() || records.len() > COLUMNS_MAX {
        let message = format!("{} columns, not 1 to {COLUMNS_MAX}", records.len());
        return Err(Invalid::new(message));
    }
    let mut columns: Vec<Column> = Vec::with_capacity(records.len());
    for record in records {
        let name = &record.name;
        let wrong = |what: &str| Invalid::new(format!("the column {name} {what}"));
        let bad = |c: char| c.is_whitespace() || matches!(c, '-' | '<' | '>' | '&');
        if name.is_empty() || name.chars().count() > NAME_CHARS_MAX || name.contains(bad) {
            return Err(wrong("has a name that is not allowed"));
        }
        if name.eq_ignore_ascii_case(ROWTIME) {
            return Err(wrong("has the name of the column that all rows have"));
        }
        if columns.iter().any(|known| known.name == *name) {
            return Err(wrong("is there twice"));
        }
        let ty = sql_type(&record.sql_type).ok_or_else(|| {
            wrong(&format!(
                "has the type {}, which is not known",
                record.sql_type
            ))
        })?;
        let name = name.clone();
        columns.push(Column { name, ty });
    }
    Ok(columns)
}

fn json_format(row_path: &str, records: &[RecordColumn]) -> Result<Format, Invalid> {
    let row_path = Path::parse(row_path)?;
    let mut mappings = Vec::with_capacity(records.len());
    for record in records {
        let mapping = record
            .mapping
            .as_deref()
            .filter(|mapping| !mapping.is_empty());
        let mapping = mapping
            .ok_or_else(|| Invalid::new(format!("the column {} has no mapping", record.name)))?;
        mappings.push(Path::parse(mapping)?);
    }
    Shape::new(&row_path, &mappings)?;
    Ok(Format::Json { row_path, mappings })
}

fn csv_format(csv: &CsvMappingParameters) -> Result<Format, Invalid> {
    let row = csv.record_row_delimiter.clone();
    let column = csv.record_column_delimiter.clone();
    if row.is_empty() || column.is_empty() {
        return Err(Invalid::new("a delimiter is empty"));
    }
    if row.contains('"') || column.contains('"') {
        return Err(Invalid::new("a delimiter has a quote in it"));
    }
    if row.starts_with(&column) || column.starts_with(&row) {
        return Err(Invalid::new(
            "the delimiters of rows and of columns cannot be told apart",
        ));
    }
    Ok(Format::Csv(Delimiters { row, column }))
}

/// Reads the type of a column.
pub fn sql_type(text: &str) -> Option<SqlType> {
    let (words, numbers) = match text.split_once('(') {
        Some((words, rest)) => (words, rest.trim_end().strip_suffix(')')?),
        None => (text, ""),
    };
    let words = words.to_ascii_uppercase();
    let words: Vec<_> = words.split_ascii_whitespace().collect();
    let mut given = Vec::new();
    for number in numbers.split(',').filter(|_| !numbers.is_empty()) {
        given.push(number.trim().parse::<u32>().ok()?);
    }
    let none = given.is_empty();
    let ty = match words[..] {
        ["BOOLEAN"] if none => SqlType::Boolean,
        ["TINYINT"] if none => SqlType::TinyInt,
        ["SMALLINT"] if none => SqlType::SmallInt,
        ["INTEGER" | "INT"] if none => SqlType::Integer,
        ["BIGINT"] if none => SqlType::BigInt,
        ["REAL"] if none => SqlType::Real,
        ["DOUBLE" | "FLOAT"] | ["DOUBLE", "PRECISION"] if none => SqlType::Double,
        ["DECIMAL" | "DEC" | "NUMERIC"] => decimal(&given)?,
        ["CHAR" | "CHARACTER"] => SqlType::Char {
            length: length(&given, 1)?,
        },
        ["VARCHAR"] | ["CHAR" | "CHARACTER", "VARYING"] => SqlType::Varchar {
            length: length(&given, LENGTH_MAX)?,
        },
        ["BINARY"] => SqlType::Binary {
            length: length(&given, 1)?,
        },
        ["VARBINARY"] | ["BINARY", "VARYING"] => SqlType::Varbinary {
            length: length(&given, LENGTH_MAX)?,
        },
        ["DATE"] if none => SqlType::Date,
        ["TIME"] if precision(&given) => SqlType::Time,
        ["TIMESTAMP"] if precision(&given) => SqlType::Timestamp,
        _ => return None,
    };
    Some(ty)
}

/// Times may say how many digits their seconds have; they have three in any case.
fn precision(given: &[u32]) -> bool {
    matches!(given, [] | [0..=9])
}

fn length(given: &[u32], default: u32) -> Option<u32> {
    match given {
        [] => Some(default),
        [length @ 1..=LENGTH_MAX] => Some(*length),
        _ => None,
    }
}

fn decimal(given: &[u32]) -> Option<SqlType> {
    let (precision, scale) = match given {
        [] => (DECIMAL_DIGITS, 0),
        [precision] => (u8::try_from(*precision).ok()?, 0),
        [precision, scale] => (u8::try_from(*precision).ok()?, u8::try_from(*scale).ok()?),
        _ => return None,
    };
    let fits = (1..=DECIMAL_DIGITS_MAX).contains(&precision) && scale <= precision;
    fits.then_some(SqlType::Decimal { precision, scale })
}
