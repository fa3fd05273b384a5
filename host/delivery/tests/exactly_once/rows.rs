//! Records that become rows of files, and how these are read: by the reader of the Parquet project,
//! and by that of the tests of ORC files.

use std::path::PathBuf;

use arrow_array::Array;
use arrow_array::cast::AsArray;
use bytes::Bytes;
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use serde_json::{Value, json};

use crate::world::Ground;

#[path = "../../../formats/src/tests/orc_reader.rs"]
#[expect(dead_code, reason = "the tests of the format look at more than rows")]
mod orc_reader;

/// Which files rows are in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Files {
    Parquet,
    Orc,
}

/// Whether an object is a file of rows, by its name.
pub fn is_file(key: &str) -> bool {
    key.ends_with(".parquet") || key.ends_with(".orc")
}

/// A conversion by the table `db.lines`.
pub fn conversion(files: Files) -> Value {
    let serializer = match files {
        Files::Parquet => json!({"ParquetSerDe": {}}),
        Files::Orc => json!({"OrcSerDe": {"Compression": "ZLIB"}}),
    };
    json!({
        "SchemaConfiguration": {
            "RoleARN": "arn:aws:iam::000000000000:role/any",
            "DatabaseName": "db", "TableName": "lines",
        },
        "InputFormatConfiguration": {"Deserializer": {"OpenXJsonSerDe": {}}},
        "OutputFormatConfiguration": {"Serializer": serializer},
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
    if content.starts_with(b"ORC") {
        let rows = orc_reader::read(content).rows.into_iter();
        let texts = rows.map(|row| {
            let mut values = row.as_object().unwrap().values().filter_map(Value::as_str);
            let text = values.find(|text| text.contains("id="));
            text.expect("a row has a number").to_owned()
        });
        return texts.collect();
    }
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
