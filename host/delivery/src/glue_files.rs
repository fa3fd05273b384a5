//! Tables of Glue's Data Catalog that lie in a directory of the operator's, as files:
//! `DATABASE/TABLE.json`, with what Glue's GetTable answers, and `DATABASE/TABLE.N.json` for the
//! version N. They are read each time that one is needed, so that a change is seen at once.

use std::io::{ErrorKind, Read};
use std::path::{Path, PathBuf};

use formats::Table;
use types::Invalid;

use crate::conversion::{Columns, LATEST, Schema};

/// Bytes of a file. A longer one is refused: what Glue answers is far shorter.
const FILE_BYTES_MAX: u64 = 4 * 1024 * 1024;
/// Bytes of a name, as file systems have it.
const NAME_BYTES_MAX: usize = 200;

/// Where tables are.
#[derive(Clone, Debug, Default)]
pub struct GlueTables {
    directory: Option<PathBuf>,
}

impl GlueTables {
    /// Tables of a directory; `None`: there are none.
    pub fn new(directory: Option<PathBuf>) -> Self {
        Self { directory }
    }

    /// The columns of a table as it is now.
    ///
    /// # Errors
    /// A sentence that says which table, and why it cannot be used.
    pub async fn columns(&self, of: &Schema) -> Result<Columns, String> {
        let name = |part: &Option<String>| part.clone().unwrap_or_default();
        let (database, table) = (name(&of.database), name(&of.table));
        let version = of.version().to_owned();
        let wrong = format!("The table {database}.{table} (version {version})");
        let Some(directory) = self.directory.clone() else {
            return Err(format!(
                "{wrong} cannot be found: this server has no [glue] directory in its configuration"
            ));
        };
        let reading = move || read(&directory, (&database, &table), &version);
        let read = tokio::task::spawn_blocking(reading).await;
        let read = read.map_err(|error| Invalid(format!("cannot be read: {error}")));
        read.and_then(|read| read)
            .map_err(|Invalid(why)| format!("{wrong} {why}"))
    }
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
        let tables = GlueTables::new(Some(directory.path().to_owned()));
        let (latest, third) = (schema("db", "t", None), schema("db", "t", Some("3")));
        let told = tables.columns(&latest).await.unwrap_err();
        assert_eq!(told, "The table db.t (version LATEST) is not there");
        std::fs::write(database.join("t.3.json"), answer("three")).unwrap();
        for column in ["first", "second"] {
            std::fs::write(database.join("t.json"), answer(column)).unwrap();
            let found = tables.columns(&latest).await.unwrap();
            assert_eq!(found, [(column.to_owned(), "int".to_owned())]);
        }
        let found = tables.columns(&third).await.unwrap();
        assert_eq!(found[0].0, "three");
        std::fs::write(database.join("t.json"), "{}").unwrap();
        let told = tables.columns(&latest).await.unwrap_err();
        assert!(told.contains("has no Table"), "{told}");
    }

    #[tokio::test]
    async fn no_name_leads_out_of_the_directory() {
        let directory = tempfile::tempdir().unwrap();
        let inner = directory.path().join("inner");
        std::fs::create_dir(&inner).unwrap();
        std::fs::write(directory.path().join("t.json"), answer("a")).unwrap();
        let tables = GlueTables::new(Some(inner));
        for (database, table, version) in [
            ("..", "t", None),
            (".", "../t", None),
            ("a", "../../t", None),
            ("/", "t", None),
            ("", "t", None),
            ("a", "t", Some("/../../t")),
            ("a\0", "t", None),
        ] {
            let told = tables.columns(&schema(database, table, version)).await;
            let told = told.unwrap_err();
            assert!(told.contains("has no name of"), "{told}");
        }
    }
}
