//! What the columns of records are: as a file says, or as records look.

use std::path::Path;

use sql::input::{InputSchema, SourceSchema, Undetected, discover};

/// Records that are looked at where no schema is given.
pub(super) const SAMPLE_RECORDS_MAX: usize = 1_000;

/// The schema of a file: the API's InputSchema as JSON.
pub(super) fn read(path: &Path) -> Result<InputSchema, String> {
    let place = path.display();
    let text = std::fs::read(path).map_err(|error| format!("read {place}: {error}"))?;
    let schema: SourceSchema =
        serde_json::from_slice(&text).map_err(|error| format!("{place} is no schema: {error}"))?;
    InputSchema::parse(&schema).map_err(|invalid| format!("{place} is no schema: {invalid}"))
}

/// The schema that records follow.
pub(super) fn discovered(records: &[Vec<u8>]) -> Result<InputSchema, String> {
    let samples = &records[..records.len().min(SAMPLE_RECORDS_MAX)];
    let found = discover(samples).map_err(|why| {
        let why = match why {
            Undetected::NoRecords => "there are none".to_owned(),
            Undetected::NotText => "they are not UTF-8".to_owned(),
            Undetected::NoPattern => {
                "they are neither JSON nor lines of values with the same delimiter".to_owned()
            }
            Undetected::Internal(invalid) => invalid.to_string(),
        };
        format!("the records do not tell their columns ({why}): --schema FILE does")
    })?;
    InputSchema::parse(&found.schema).map_err(|invalid| invalid.to_string())
}
