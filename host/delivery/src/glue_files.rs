//! Tables of Glue's Data Catalog that lie in a directory of the operator's, as files:
//! `DATABASE/TABLE.json`, with what Glue's GetTable answers, and `DATABASE/TABLE.N.json` for the
//! version N. They are read each time that one is needed, so that a change is seen at once.

use std::io::{ErrorKind, Read};
use std::path::Path;

use formats::Table;
use types::Invalid;

use crate::conversion::{Columns, LATEST, Schema};

/// Bytes of a file. A longer one is refused: what Glue answers is far shorter.
const FILE_BYTES_MAX: u64 = 4 * 1024 * 1024;
/// Bytes of a name, as file systems have it.
const NAME_BYTES_MAX: usize = 200;

/// The columns of a table of a directory as it is now.
///
/// # Errors
/// The end of a sentence that says why it cannot be used.
pub async fn columns(directory: &Path, of: &Schema) -> Result<Columns, Invalid> {
    let name = |part: &Option<String>| part.clone().unwrap_or_default();
    let (database, table) = (name(&of.database), name(&of.table));
    let (directory, version) = (directory.to_owned(), of.version().to_owned());
    let reading = move || read(&directory, (&database, &table), &version);
    let read = tokio::task::spawn_blocking(reading).await;
    read.map_err(|error| Invalid(format!("cannot be read: {error}")))?
}

fn read(
    directory: &Path,
    (database, table): (&str, &str),
    version: &str,
) -> Result<Columns, Invalid> {
    for name in [database, table, version] {
        check_name(name)?;
    }
    let file = if version == LATEST {
        format!("{table}.json")
    } else {
        format!("{table}.{version}.json")
    };
    let path = directory.join(database).join(file);
    let unreadable = |error: std::io::Error| {
        Invalid(match error.kind() {
            ErrorKind::NotFound => "is not there".to_owned(),
            _ => format!("cannot be read: {error}"),
        })
    };
    let file = std::fs::File::open(path).map_err(unreadable)?;
    let mut bytes = Vec::new();
    let mut file = file.take(FILE_BYTES_MAX + 1);
    file.read_to_end(&mut bytes).map_err(unreadable)?;
    if bytes.len() as u64 > FILE_BYTES_MAX {
        return Err(Invalid(format!("has more than {FILE_BYTES_MAX} bytes")));
    }
    let columns = Table::columns_of_glue(&bytes)?;
    Table::parse(&columns)?;
    Ok(columns)
}

/// A name is one part of a path and nothing more.
fn check_name(name: &str) -> Result<(), Invalid> {
    let is_plain = |sign: char| sign.is_alphanumeric() || "_-.$@ ".contains(sign);
    if name.is_empty()
        || name.len() > NAME_BYTES_MAX
        || name.starts_with('.')
        || !name.chars().all(is_plain)
    {
        return Err(Invalid(format!(
            "has no name of 1 to {NAME_BYTES_MAX} bytes of letters, digits and _-.$@"
        )));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn schema(database: &str, table: &str, version: Option<&str>) -> Schema {
        Schema {
            is_given: true,
            database: Some(database.to_owned()),
            table: Some(table.to_owned()),
            version_id: version.map(str::to_owned),
            ..Schema::default()
        }
    }

    fn answer(column: &str) -> String {
        format!(
            "{{\"Table\":{{\"StorageDescriptor\":{{\"Columns\":[{{\"Name\":\"{column}\",\
             \"Type\":\"int\"}}]}}}}}}"
        )
    }

    #[tokio::test]
    async fn a_table_is_the_file_of_its_version_as_it_is_when_it_is_asked_for() {
        let directory = tempfile::tempdir().unwrap();
        let database = directory.path().join("db");
        std::fs::create_dir(&database).unwrap();
        let directory = directory.path();
        let (latest, third) = (schema("db", "t", None), schema("db", "t", Some("3")));
        let told = columns(directory, &latest).await.unwrap_err();
        assert_eq!(told, Invalid("is not there".to_owned()));
        std::fs::write(database.join("t.3.json"), answer("three")).unwrap();
        for column in ["first", "second"] {
            std::fs::write(database.join("t.json"), answer(column)).unwrap();
            let found = columns(directory, &latest).await.unwrap();
            assert_eq!(found, [(column.to_owned(), "int".to_owned())]);
        }
        let found = columns(directory, &third).await.unwrap();
        assert_eq!(found[0].0, "three");
        std::fs::write(database.join("t.json"), "{}").unwrap();
        let Invalid(told) = columns(directory, &latest).await.unwrap_err();
        assert!(told.contains("has no Table"), "{told}");
    }

    #[tokio::test]
    async fn no_name_leads_out_of_the_directory() {
        let directory = tempfile::tempdir().unwrap();
        let inner = directory.path().join("inner");
        std::fs::create_dir(&inner).unwrap();
        std::fs::write(directory.path().join("t.json"), answer("a")).unwrap();
        for (database, table, version) in [
            ("..", "t", None),
            (".", "../t", None),
            ("a", "../../t", None),
            ("/", "t", None),
            ("", "t", None),
            ("a", "t", Some("/../../t")),
            ("a\0", "t", None),
        ] {
            let told = columns(&inner, &schema(database, table, version)).await;
            let Invalid(told) = told.unwrap_err();
            assert!(told.contains("has no name of"), "{told}");
        }
    }
}
