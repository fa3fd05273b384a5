//! Conversion of records from JSON to rows of a table (developer guide, "Convert input data
//! format"): as it was configured, and what that comes to.

use bincode::{Decode, Encode};
use formats::{Format, Reading, ReadingSettings, Table};
use types::Invalid;
use wire::json::write_string;

use crate::serializer::Serializer;

/// What records are filed under that cannot be converted (developer guide, "Custom prefixes for
/// Amazon S3 objects", error-output-type).
pub const FAILED_UNDER: &str = "format-conversion-failed";
/// The version of a table that is the newest one (model, SchemaConfiguration).
pub const LATEST: &str = "LATEST";

/// `DataFormatConversionConfiguration`, as it was given: what was not said is not told either, as
/// AWS does.
#[derive(Clone, Debug, Default, PartialEq, Eq, Encode, Decode)]
pub struct Conversion {
    /// Whether records are converted. One that is not keeps what was said.
    pub is_enabled: bool,
    /// Where the table is.
    pub schema: Schema,
    /// How records are read.
    pub deserializer: Option<Deserializer>,
    /// How files are written.
    pub serializer: Serializer,
    /// Names and types of the table's columns, in Glue's words, that a cut goes by. Only a cut has
    /// them: they are kept with it, and what the table becomes later is no matter of it.
    pub columns: Option<Columns>,
}

/// Names and types of columns.
pub type Columns = Vec<(String, String)>;

/// `SchemaConfiguration`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Encode, Decode)]
pub struct Schema {
    /// Whether there is one.
    pub is_given: bool,
    /// Kept and given back; roles mean nothing here.
    pub role_arn: Option<String>,
    /// Kept, given back, and told in lines of failed records.
    pub catalog_id: Option<String>,
    /// The database.
    pub database: Option<String>,
    /// The table in it.
    pub table: Option<String>,
    /// As the catalog's id.
    pub region: Option<String>,
    /// The version of the table; the newest one if none is named.
    pub version_id: Option<String>,
}

/// `Deserializer`.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub enum Deserializer {
    /// `OpenXJsonSerDe`.
    OpenX {
        /// `ConvertDotsInJsonKeysToUnderscores`.
        replaces_dots: Option<bool>,
        /// `CaseInsensitive`.
        ignores_case: Option<bool>,
        /// `ColumnToJsonKeyMappings`.
        mappings: Option<Vec<(String, String)>>,
    },
    /// `HiveJsonSerDe`.
    Hive {
        /// `TimestampFormats`.
        formats: Option<Vec<String>>,
    },
}

impl Schema {
    /// The version that is meant.
    pub fn version(&self) -> &str {
        self.version_id.as_deref().unwrap_or(LATEST)
    }
}

impl Deserializer {
    /// What it comes to.
    pub fn settings(&self) -> ReadingSettings {
        match self {
            Self::OpenX {
                replaces_dots,
                ignores_case,
                mappings,
            } => ReadingSettings::OpenX {
                ignores_case: ignores_case.unwrap_or(true),
                replaces_dots: replaces_dots.unwrap_or(false),
                mappings: mappings.clone().unwrap_or_default(),
            },
            Self::Hive { formats } => ReadingSettings::Hive(formats.clone().unwrap_or_default()),
        }
    }

    /// Whether it can be meant, for files of a format.
    ///
    /// # Errors
    /// A sentence that says which format of times is not known.
    pub fn check(&self, format: &Format) -> Result<(), Invalid> {
        Reading::new(&self.settings(), format).map(|_| ())
    }
}

/// What the records of one cut are converted by.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Terms {
    /// The columns.
    pub table: Table,
    /// How records are read.
    pub reading: ReadingSettings,
    /// How files are written.
    pub format: Format,
    /// What lines of records say that cannot be converted: `dataCatalogTable`, as JSON.
    pub catalog_table: Vec<u8>,
}

impl Conversion {
    /// What the records of a cut are converted by; `None` where they are not.
    ///
    /// # Errors
    /// When what is kept cannot be meant.
    pub fn terms(&self) -> Result<Option<Terms>, Invalid> {
        if !self.is_enabled {
            return Ok(None);
        }
        let missing = |what: &str| Invalid(format!("the conversion of records has no {what}"));
        let columns = self.columns.as_ref().ok_or_else(|| missing("table"))?;
        let deserializer = self.deserializer.as_ref();
        let deserializer = deserializer.ok_or_else(|| missing("deserializer"))?;
        let format = self.serializer.format()?;
        Ok(Some(Terms {
            table: Table::parse(columns)
                .map_err(|Invalid(why)| Invalid(format!("the table of the records {why}")))?,
            reading: deserializer.settings(),
            format: format.ok_or_else(|| missing("serializer"))?,
            catalog_table: self.catalog_table(),
        }))
    }

    /// Developer guide, "Error handling for data format conversion".
    fn catalog_table(&self) -> Vec<u8> {
        let mut told = b"{".to_vec();
        let Schema {
            catalog_id,
            database,
            table,
            region,
            role_arn,
            ..
        } = &self.schema;
        for (name, value) in [
            ("catalogId", catalog_id.as_deref()),
            ("databaseName", database.as_deref()),
            ("tableName", table.as_deref()),
            ("region", region.as_deref()),
            ("versionId", Some(self.schema.version())),
            ("roleArn", role_arn.as_deref()),
        ] {
            let Some(value) = value else {
                continue;
            };
            if told.len() > 1 {
                told.push(b',');
            }
            write_string(&mut told, name);
            told.push(b':');
            write_string(&mut told, value);
        }
        told.push(b'}');
        told
    }
}
