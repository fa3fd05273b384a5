//! What is written is read by the reader of the Parquet project, or by one of ORC that knows
//! nothing of the writer, and held against the JSON that it was made of.

mod memory;
mod orc;
mod orc_reader;
mod random;

use std::sync::Arc;

use arrow_array::cast::AsArray;
use arrow_array::types::{
    Date32Type, Decimal128Type, Float32Type, Float64Type, Int8Type, Int16Type, Int32Type,
    Int64Type, TimestampMicrosecondType,
};
use arrow_array::{Array, ArrayRef, StructArray};
use arrow_schema::DataType;
use bytes::Bytes;
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use serde_json::{Map, Value, json};

use crate::{
    Codec, Format, ParquetSettings, ReadingSettings, Refusal, RowFile, Table, Unconverted,
    WriterVersion, digest_of,
};

pub fn settings() -> ParquetSettings {
    ParquetSettings {
        codec: Codec::Snappy,
        block_bytes: 256 << 20,
        page_bytes: 1 << 20,
        has_dictionaries: true,
        version: WriterVersion::V1,
    }
}

pub fn openx() -> ReadingSettings {
    ReadingSettings::OpenX {
        ignores_case: true,
        replaces_dots: false,
        mappings: Vec::new(),
    }
}

pub fn table(columns: &[(&str, &str)]) -> Table {
    let columns = columns.iter();
    let columns = columns.map(|(name, kind)| ((*name).to_owned(), (*kind).to_owned()));
    Table::parse(&columns.collect::<Vec<_>>()).unwrap()
}

pub fn begin(
    table: &Table,
    reading: &ReadingSettings,
    settings: &ParquetSettings,
) -> RowFile<Vec<u8>> {
    RowFile::begin(table, reading, &Format::Parquet(*settings), Vec::new()).unwrap()
}

/// A value of a column as JSON, in the words of the tests: decimals, days and moments are numbers.
fn value(array: &ArrayRef, row: usize) -> Value {
    if array.is_null(row) {
        return Value::Null;
    }
    match array.data_type() {
        DataType::Boolean => json!(array.as_boolean().value(row)),
        DataType::Int8 => json!(array.as_primitive::<Int8Type>().value(row)),
        DataType::Int16 => json!(array.as_primitive::<Int16Type>().value(row)),
        DataType::Int32 => json!(array.as_primitive::<Int32Type>().value(row)),
        DataType::Int64 => json!(array.as_primitive::<Int64Type>().value(row)),
        DataType::Float32 => json!(array.as_primitive::<Float32Type>().value(row)),
        DataType::Float64 => json!(array.as_primitive::<Float64Type>().value(row)),
        DataType::Decimal128(..) => {
            json!(
                array
                    .as_primitive::<Decimal128Type>()
                    .value(row)
                    .to_string()
            )
        }
        DataType::Date32 => json!(array.as_primitive::<Date32Type>().value(row)),
        DataType::Timestamp(..) => {
            json!(array.as_primitive::<TimestampMicrosecondType>().value(row))
        }
        DataType::Utf8 => json!(array.as_string::<i32>().value(row)),
        DataType::Binary => json!(array.as_binary::<i32>().value(row)),
        DataType::List(_) => {
            let items = array.as_list::<i32>().value(row);
            (0..items.len()).map(|item| value(&items, item)).collect()
        }
        DataType::Map(..) => {
            let entries = array.as_map().value(row);
            let (keys, items) = (entries.column(0), entries.column(1));
            let entries = (0..entries.len()).map(|entry| {
                let key = value(keys, entry);
                let key = key.as_str().map_or_else(|| key.to_string(), str::to_owned);
                (key, value(items, entry))
            });
            let count = keys.len();
            let entries: Map<String, Value> = entries.collect();
            assert_eq!(entries.len(), count, "a key is there twice");
            Value::Object(entries)
        }
        DataType::Struct(_) => object(array.as_struct(), row),
        other => panic!("{other} is none of the tests' types"),
    }
}

fn object(array: &StructArray, row: usize) -> Value {
    let fields = array.fields().iter().zip(array.columns());
    let members = fields.map(|(field, column)| (field.name().clone(), value(column, row)));
    Value::Object(members.collect())
}

/// The rows of a file, and how many row groups or stripes it has.
pub fn rows_of(content: Vec<u8>) -> (Vec<Value>, usize) {
    if content.starts_with(b"ORC") {
        let file = orc_reader::read(&content);
        return (file.rows, file.stripes);
    }
    let builder = ParquetRecordBatchReaderBuilder::try_new(Bytes::from(content)).unwrap();
    let groups = builder.metadata().num_row_groups();
    let mut rows = Vec::new();
    for batch in builder.build().unwrap() {
        let batch = StructArray::from(batch.unwrap());
        rows.extend((0..batch.len()).map(|row| object(&batch, row)));
    }
    (rows, groups)
}

/// What records become, one after the other: rows, or why not.
fn converted(
    columns: &[(&str, &str)],
    reading: &ReadingSettings,
    records: &[&str],
) -> (Vec<Value>, Vec<Refusal>) {
    let mut file = begin(&table(columns), reading, &settings());
    let mut refused = Vec::new();
    for record in records {
        match file.add(&[record.as_bytes()], &mut |_| true) {
            Ok(()) => {}
            Err(Unconverted::Refused(refusal)) => refused.push(refusal),
            Err(other) => panic!("{other:?}"),
        }
    }
    (rows_of(file.finish().unwrap()).0, refused)
}

const ALL: [(&str, &str); 16] = [
    ("b", "boolean"),
    ("t", "tinyint"),
    ("s", "smallint"),
    ("i", "int"),
    ("l", "bigint"),
    ("f", "float"),
    ("d", "double"),
    ("n", "decimal(10,2)"),
    ("x", "string"),
    ("v", "varchar(3)"),
    ("y", "binary"),
    ("day", "date"),
    ("at", "timestamp"),
    ("a", "array<int>"),
    ("m", "map<string,bigint>"),
    ("o", "struct<p:int,q:array<struct<r:string>>>"),
];

#[test]
fn values_of_every_type_are_read_as_they_were_written() {
    let record = r#"{"b":true,"t":-128,"s":32767,"i":-2147483648,"l":9223372036854775807,
        "f":1.5,"d":0.1,"n":12345678.90,"x":"\u00e9\n","v":"abcd","y":"raw",
        "day":"2017-02-07","at":"2017-02-07T15:13:01.39256Z","a":[1,null,3],
        "m":{"k":1,"n":null},"o":{"p":1,"q":[{"r":"x"},{}],"unknown":{"deep":[1]}},
        "unknown":[{"a":[]}]}"#;
    let wanted = json!({
        "b": true, "t": -128, "s": 32767, "i": i32::MIN, "l": i64::MAX, "f": 1.5, "d": 0.1,
        "n": "1234567890", "x": "\u{e9}\n", "v": "abc", "y": b"raw", "day": 17_204,
        "at": 1_486_480_381_392_560_i64, "a": [1, null, 3], "m": {"k": 1, "n": null},
        "o": {"p": 1, "q": [{"r": "x"}, {"r": null}]},
    });
    let none: Map<String, Value> = ALL
        .iter()
        .map(|(name, _)| ((*name).to_owned(), Value::Null))
        .collect();
    for (codec, version) in [
        (Codec::Uncompressed, WriterVersion::V1),
        (Codec::Snappy, WriterVersion::V2),
        (Codec::Gzip, WriterVersion::V1),
    ] {
        for has_dictionaries in [true, false] {
            let settings = ParquetSettings {
                codec,
                version,
                has_dictionaries,
                ..settings()
            };
            let mut file = begin(&table(&ALL), &openx(), &settings);
            let records = [record.as_bytes(), b"{}"];
            file.add(&records, &mut |_| true).unwrap();
            let rows = rows_of(file.finish().unwrap()).0;
            assert_eq!(rows, [wanted.clone(), Value::Object(none.clone())]);
        }
    }
}

#[test]
fn several_objects_in_one_record_are_as_many_rows() {
    let records = ["{\"a\":1}{\"a\":2}", " {\"a\":3}\n{\"b\":4}\n"];
    let (rows, refused) = converted(&[("a", "int")], &openx(), &records);
    let wanted = [1, 2, 3].map(|a| json!({"a": a}));
    assert_eq!(rows[..3], wanted);
    assert_eq!((rows.len(), &rows[3]), (4, &json!({"a": null})));
    assert!(refused.is_empty(), "{refused:?}");
}

#[test]
fn a_record_that_does_not_fit_leaves_nothing_behind_and_is_told_in_awss_words() {
    let columns = [
        ("a", "int"),
        ("b", "array<struct<c:tinyint>>"),
        ("x", "string"),
    ];
    let fine = |x: &str| json!({"a": 1, "b": [{"c": 2}], "x": x}).to_string();
    let (first, last) = (fine("first"), fine("last"));
    for (wrong, parse_error, told) in [
        ("", true, "Unexpected end-of-input"),
        ("hello", true, "Unexpected character ('h')"),
        ("{\"a\":1", true, "Unexpected end-of-input"),
        ("{\"x\":\"left\"}{\"a\":", true, "Unexpected end-of-input"),
        ("{\"x\":\"left\"} x", true, "Unexpected character"),
        ("[{\"a\":1}]", false, "A JSON object is required."),
        ("null", false, "A JSON object is required."),
        ("{\"x\":\"left\"}[]", false, "A JSON object is required."),
        (
            "{\"x\":\"left\",\"a\":\"oops\"}",
            false,
            "For input string: \"oops\" (column a)",
        ),
        (
            "{\"a\":2147483648}",
            false,
            "Value 2147483648 is out of range",
        ),
        ("{\"a\":1.5}", false, "For input string: \"1.5\""),
        ("{\"a\":[1]}", false, "cannot hold an array"),
        (
            "{\"x\":\"left\",\"b\":[{\"c\":1},{\"c\":1000}]}",
            false,
            "Value 1000 is out of range",
        ),
        ("{\"b\":[{\"c\":1},7]}", false, "Data is not JSONObject"),
    ] {
        let (rows, refused) = converted(&columns, &openx(), &[&first, wrong, &last]);
        let wanted = [&first, &last].map(|it| serde_json::from_str::<Value>(it).unwrap());
        assert_eq!(rows, wanted, "{wrong}");
        let refused = &refused[0];
        let (code, beginning) = if parse_error {
            (
                "DataFormatConversion.ParseError",
                "Encountered malformed JSON. ",
            )
        } else {
            (
                "DataFormatConversion.MalformedData",
                "Data does not match the schema. ",
            )
        };
        assert_eq!(refused.code, code, "{wrong}");
        let message = &refused.message;
        assert!(
            message.starts_with(beginning) && message.contains(told),
            "{message}"
        );
    }
    let mut file = begin(&table(&columns), &openx(), &settings());
    let added = file.add(&[b"{\"x\":\"\xff\"}"], &mut |_| true);
    let Err(Unconverted::Refused(refusal)) = added else {
        panic!("{added:?}");
    };
    assert!(
        refusal.message.contains("Invalid UTF-8"),
        "{}",
        refusal.message
    );
}

#[test]
fn openx_makes_of_values_what_their_columns_want() {
    let columns = [
        ("x", "string"),
        ("i", "int"),
        ("b", "boolean"),
        ("a", "array<string>"),
        ("o", "struct<p:int,q:string>"),
        ("m", "map<string,int>"),
        ("at", "timestamp"),
        ("n", "decimal(4,2)"),
        ("k", "map<int,string>"),
    ];
    let row = |member: &str| {
        let record = format!("{{{member}}}");
        let (mut rows, refused) = converted(&columns, &openx(), &[&record]);
        assert!(refused.is_empty(), "{refused:?}");
        rows.remove(0)
    };
    for (member, name, wanted) in [
        ("\"x\":5.10", "x", json!("5.10")),
        ("\"x\":true", "x", json!("true")),
        (
            "\"x\":{\"Ab\": [1, \"C\"]}",
            "x",
            json!("{\"ab\":[1,\"C\"]}"),
        ),
        ("\"i\":\" 7 \"", "i", json!(7)),
        ("\"i\":7.0", "i", json!(7)),
        ("\"i\":1e2", "i", json!(100)),
        ("\"b\":\"TRUE\"", "b", json!(true)),
        ("\"a\":\"one\"", "a", json!(["one"])),
        ("\"o\":[1,\"two\",3]", "o", json!({"p": 1, "q": "two"})),
        ("\"o\":{}", "o", json!({"p": null, "q": null})),
        ("\"m\":{\"K\":1,\"k\":2}", "m", json!({"k": 2})),
        ("\"at\":1518033528", "at", json!(1_518_033_528_000_000_i64)),
        (
            "\"at\":\"1518033528123\"",
            "at",
            json!(1_518_033_528_123_000_i64),
        ),
        ("\"n\":1.005", "n", json!("101")),
        ("\"n\":\"-99.99\"", "n", json!("-9999")),
        ("\"k\":{\"1\":\"a\"}", "k", json!({"1": "a"})),
        ("\"I\":1,\"i\":2", "i", json!(2)),
        ("\"i\":1,\"i\":null", "i", json!(null)),
    ] {
        assert_eq!(row(member)[name], wanted, "{member}");
    }
}

#[test]
fn hives_reader_takes_no_value_for_another_and_knows_formats_of_times() {
    let columns = [
        ("x", "string"),
        ("i", "int"),
        ("a", "array<int>"),
        ("o", "struct<p:int>"),
        ("m", "map<string,int>"),
        ("at", "timestamp"),
        ("day", "date"),
    ];
    let formats = |formats: &[&str]| {
        ReadingSettings::Hive(formats.iter().map(|it| (*it).to_owned()).collect())
    };
    for (member, told) in [
        ("\"i\":\"7\"", "Current token (VALUE_STRING) not numeric"),
        ("\"a\":1", "Start of Array expected"),
        ("\"o\":[1]", "Start of Object expected"),
        ("\"m\":[1]", "Start of Object expected"),
        ("\"x\":{}", "One or more fields have incorrect format"),
        ("\"at\":1518033528", "For input string"),
        ("\"at\":\"2017-02-07T15:13:01Z\"", "For input string"),
    ] {
        let record = format!("{{{member}}}");
        let (rows, refused) = converted(&columns, &formats(&[]), &[&record]);
        assert!(rows.is_empty(), "{rows:?}");
        assert!(refused[0].message.contains(told), "{}", refused[0].message);
    }
    for (given, member, name, wanted) in [
        (
            &[][..],
            "\"AT\":\"1970-01-01 00:00:01\"",
            "at",
            json!(1_000_000),
        ),
        (&["millis"], "\"at\":1500", "at", json!(1_500_000)),
        (
            &["dd.MM.yyyy HH:mm", "millis"],
            "\"at\":\"01.01.1970 00:01\"",
            "at",
            json!(60_000_000),
        ),
        (
            &["dd.MM.yyyy"],
            "\"at\":\"1970-01-01 00:00:01\"",
            "at",
            json!(1_000_000),
        ),
        (&["dd.MM.yyyy"], "\"day\":\"02.01.1970\"", "day", json!(1)),
        (&[], "\"day\":\"1970-1-3\"", "day", json!(2)),
        (&[], "\"M\":{\"Key\":1}", "m", json!({"Key": 1})),
        (&[], "\"x\":7", "x", json!("7")),
    ] {
        let record = format!("{{{member}}}");
        let (rows, refused) = converted(&columns, &formats(given), &[&record]);
        assert!(refused.is_empty(), "{refused:?}");
        assert_eq!(rows[0][name], wanted, "{record}");
    }
}

#[test]
fn keys_are_found_as_the_reader_is_told() {
    let columns = [("ts", "int"), ("a_b", "struct<c_d:int>"), ("up", "int")];
    let record = "{\"timestamp\":1,\"ts\":9,\"A.B\":{\"c.D\":2},\"UP\":3}";
    let read = |ignores_case, replaces_dots| {
        let reading = ReadingSettings::OpenX {
            ignores_case,
            replaces_dots,
            mappings: vec![("ts".to_owned(), "timestamp".to_owned())],
        };
        let (mut rows, refused) = converted(&columns, &reading, &[record]);
        assert!(refused.is_empty(), "{refused:?}");
        rows.remove(0)
    };
    let all = json!({"ts": 1, "a_b": {"c_d": 2}, "up": 3});
    assert_eq!(read(true, true), all);
    assert_eq!(read(true, false), json!({"ts": 1, "a_b": null, "up": 3}));
    assert_eq!(read(false, true), json!({"ts": 1, "a_b": null, "up": null}));
}

#[test]
fn the_same_records_are_the_same_bytes_and_the_end_says_what_they_were() {
    let write = |records: &[String], codec| {
        let settings = ParquetSettings {
            codec,
            ..settings()
        };
        let mut file = begin(&table(&ALL), &openx(), &settings);
        for record in records {
            file.add(&[record.as_bytes()], &mut |_| true).unwrap();
        }
        file.finish().unwrap()
    };
    let records: Vec<String> = (0..20_000)
        .map(|number| json!({"i": number, "x": format!("v{}", number % 77)}).to_string())
        .collect();
    let content = write(&records, Codec::Snappy);
    assert!(content == write(&records, Codec::Snappy));
    let digest = digest_of(&content);
    assert!(digest.is_some());
    let other = write(&records, Codec::Gzip);
    assert!(content != other);
    assert_eq!(digest, digest_of(&other));
    assert_eq!(digest, digest_of(&content[content.len() - 1_000..]));
    let fewer = digest_of(&write(&records[1..], Codec::Snappy));
    assert!(fewer.is_some() && fewer != digest);
    for none in [&content[..content.len() - 1], b"", b"PAR1"] {
        assert_eq!(digest_of(none), None);
    }
}

#[test]
fn a_row_group_ends_when_it_is_large_and_the_rows_are_all_there() {
    let letter = |n: u32| char::from_u32(u32::from('a') + n * 7 % 26).unwrap();
    let text: String = (0..500).map(letter).collect();
    let count = 50_000;
    let mut file = begin(
        &table(&[("n", "int"), ("x", "string")]),
        &openx(),
        &ParquetSettings {
            codec: Codec::Uncompressed,
            has_dictionaries: false,
            ..settings()
        },
    );
    for number in 0..count {
        let record = json!({"n": number, "x": format!("{number}{text}")}).to_string();
        file.add(&[record.as_bytes()], &mut |_| true).unwrap();
    }
    let (rows, groups) = rows_of(file.finish().unwrap());
    assert_eq!((rows.len(), groups), (count, 2));
    for (number, row) in rows.iter().enumerate() {
        assert_eq!(row["n"], json!(number));
    }
}

#[test]
fn schemas_are_shared_by_all_that_use_them() {
    let reading = crate::Reading::new(&openx(), &Format::Parquet(settings())).unwrap();
    let rows = crate::Rows::new(&table(&ALL), reading);
    assert_eq!(Arc::strong_count(rows.schema()), 1);
    assert_eq!(rows.schema().fields().len(), ALL.len());
}
