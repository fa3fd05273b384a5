//! Records that become rows of Parquet files, and how these are read: by the reader of the Parquet
//! project.

use std::path::PathBuf;

use arrow_array::Array;
use arrow_array::cast::AsArray;
use bytes::Bytes;
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use serde_json::{Value, json};

use crate::world::Ground;

/// What names of files end in.
pub const EXTENSION: &str = ".parquet";

/// A conversion by the table `db.lines`.
pub fn conversion() -> Value {
    json!({
        "SchemaConfiguration": {
            "RoleARN": "arn:aws:iam::000000000000:role/any",
            "DatabaseName": "db", "TableName": "lines",
        },
        "InputFormatConfiguration": {"Deserializer": {"OpenXJsonSerDe": {}}},
        "OutputFormatConfiguration": {"Serializer": {"ParquetSerDe": {}}},
    })
}

/// A directory with that table, for as long as the tests run.
pub fn tables() -> PathBuf {
    let directory = tempfile::tempdir().unwrap().keep();
    std::fs::create_dir(directory.join("db")).unwrap();
    write(&directory, &["line", "path"]);
    directory
}

/// Makes another table of it. Its rows hold the same records.
pub fn change_table(ground: &Ground) {
    write(ground.glue.as_ref().unwrap(), &["status", "path", "line"]);
}

fn write(directory: &std::path::Path, columns: &[&str]) {
    let columns = columns.iter();
    let columns: Vec<Value> = columns
        .map(|name| json!({"Name": name, "Type": "string"}))
        .collect();
    let table = json!({"Table": {"StorageDescriptor": {"Columns": columns}}});
    std::fs::write(directory.join("db/lines.json"), table.to_string()).unwrap();
}

/// The texts of the rows of a file that have a number, in order.
pub fn texts(content: &[u8]) -> Vec<String> {
    let builder = ParquetRecordBatchReaderBuilder::try_new(Bytes::copy_from_slice(content));
    let mut texts = Vec::new();
    for batch in builder.unwrap().build().unwrap() {
        let batch = batch.unwrap();
        for row in 0..batch.num_rows() {
            let columns = batch
                .columns()
                .iter()
                .map(|column| column.as_string::<i32>());
            let there = columns.filter(|column| column.is_valid(row));
            let mut values = there.map(|column| column.value(row).to_owned());
            let text = values.find(|text| text.contains("id="));
            texts.push(text.expect("a row has a number"));
        }
    }
    texts
}
