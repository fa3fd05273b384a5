use arrow_array::Array;

use super::*;
use crate::cell::{Cell, Cells, Value};
use crate::input::random::Random;
use crate::input::record::FAULT_DATA_BYTES_MAX;
use crate::input::schema::sql_type;

fn schema(text: &str) -> InputSchema {
    InputSchema::from_json(text).unwrap()
}

/// The schema of the guide's page on mappings.
fn stocks() -> InputSchema {
    schema(
        r#"{"InputSchema": {
            "RecordColumns": [
                {"SqlType": "VARCHAR(4)", "Name": "TICKER_SYMBOL", "Mapping": "$.TICKER_SYMBOL"},
                {"SqlType": "VARCHAR(16)", "Name": "SECTOR", "Mapping": "$.SECTOR"},
                {"SqlType": "TINYINT", "Name": "CHANGE", "Mapping": "$.CHANGE"},
                {"SqlType": "DECIMAL(5,2)", "Name": "PRICE", "Mapping": "$.PRICE"}
            ],
            "RecordFormat": {
                "MappingParameters": {"JSONMappingParameters": {"RecordRowPath": "$"}},
                "RecordFormatType": "JSON"
            },
            "RecordEncoding": "UTF-8"
        }}"#,
    )
}

fn customers() -> InputSchema {
    schema(
        r#"{
            "RecordColumns": [
                {"SqlType": "VARCHAR(16)", "Name": "LastName"},
                {"SqlType": "VARCHAR(16)", "Name": "FirstName"},
                {"SqlType": "INTEGER", "Name": "CustomerId"}
            ],
            "RecordFormat": {
                "MappingParameters": {
                    "CSVMappingParameters": {
                        "RecordColumnDelimiter": ",",
                        "RecordRowDelimiter": "\n"
                    }
                },
                "RecordFormatType": "CSV"
            }
        }"#,
    )
}

fn record(data: &[u8], rowtime: Millis) -> Record<'_> {
    Record {
        data,
        rowtime,
        arrival: rowtime - 1,
        partition_key: "key",
        sequence_number: "4951",
        shard_id: "shardId-000000000001",
    }
}

/// All rows of some records as texts, `ROWTIME` first, and the faults.
fn decoded(
    schema: &InputSchema,
    needed: &[usize],
    records: &[&[u8]],
) -> (Vec<String>, Vec<FaultedRow>) {
    let mut decoder = Decoder::new(schema, needed).unwrap();
    let mut faults = Vec::new();
    for (at, data) in records.iter().enumerate() {
        let rowtime = Millis::try_from(at).unwrap() + 1;
        decoder.decode(&record(data, rowtime), &mut faults).unwrap();
    }
    (shown(schema, &decoder.finish().unwrap()), faults)
}

fn shown(schema: &InputSchema, batches: &[Batch]) -> Vec<String> {
    let ty = schema.row_type();
    let mut rows = Vec::new();
    for batch in batches {
        assert!(batch.rows() <= BATCH_ROWS_MAX);
        let columns = batch.columns().iter().zip(ty.columns());
        let columns: Vec<_> = columns
            .map(|(values, ty)| Cells::new(values, ty.ty))
            .collect();
        for row in 0..batch.rows() {
            let cells = columns.iter().map(|column| match column.get(row) {
                Cell::Null => "-".to_owned(),
                Cell::Boolean(truth) => truth.to_string(),
                Cell::Whole(number) => number.to_string(),
                Cell::Double(number) => number.to_string(),
                Cell::Decimal(digits) => digits.to_string(),
                Cell::Text(text) => text.to_owned(),
                Cell::Bytes(bytes) => format!("{bytes:?}"),
            });
            rows.push(cells.collect::<Vec<_>>().join("|"));
        }
    }
    rows
}

#[test]
fn documents_become_rows() {
    let records: [&[u8]; 2] = [
        br#"{"TICKER_SYMBOL": "QXZ", "SECTOR": "HEALTHCARE", "CHANGE": -2, "PRICE": 84.51}"#,
        br#"{"PRICE": 1, "other": [1, {"SECTOR": 2}], "SECTOR": "A \"B\"", "CHANGE": null}"#,
    ];
    let (rows, faults) = decoded(&stocks(), &[1, 2, 3, 4], &records);
    assert_eq!(
        rows,
        [
            "1|QXZ|HEALTHCARE|-2|8451|-|-|-|-",
            "2|-|A \"B\"|-|100|-|-|-|-"
        ]
    );
    assert!(faults.is_empty());
}

#[test]
fn lines_become_rows() {
    let records: [&[u8]; 2] = [b"Doe,John,7,more\nRoe,,\n", b"\"O\"\"Hara, S\",\"\"\n"];
    let (rows, faults) = decoded(&customers(), &[1, 2, 3], &records);
    let expected = [
        "1|Doe|John|7|-|-|-|-",
        "1|Roe|-|-|-|-|-|-",
        "2|O\"Hara, S||-|-|-|-|-",
    ];
    assert_eq!(rows, expected);
    assert!(faults.is_empty());
}

#[test]
fn columns_that_nobody_reads_are_null_and_cannot_fail() {
    let records: [&[u8]; 1] = [br#"{"TICKER_SYMBOL":"A","SECTOR":"S","CHANGE":"x","PRICE":2}"#];
    let (rows, faults) = decoded(&stocks(), &[4], &records);
    assert_eq!(rows, ["1|-|-|-|200|-|-|-|-"]);
    assert!(faults.is_empty());
    assert_eq!(decoded(&stocks(), &[], &records).0, ["1|-|-|-|-|-|-|-|-"]);
    assert_eq!(
        decoded(&customers(), &[3], &[b"a,b,3\n"]).0,
        ["1|-|-|3|-|-|-|-"]
    );
}

#[test]
fn metadata_are_columns_behind_the_declared_ones() {
    let (rows, _) = decoded(&customers(), &[4, 5, 6, 7], &[b"a\nb"]);
    let expected = "1|-|-|-|0|key|4951|shardId-000000000001";
    assert_eq!(rows, [expected, expected]);
    let names: Vec<_> = customers().row_type().columns()[4..]
        .iter()
        .map(|c| c.name.clone())
        .collect();
    let expected = [
        "APPROXIMATE_ARRIVAL_TIME",
        "PARTITION_KEY",
        "SEQUENCE_NUMBER",
        "SHARD_ID",
    ];
    assert_eq!(names, expected);
}

#[test]
fn a_record_that_is_not_json_is_one_fault_and_no_row() {
    let broken: &[u8] = b"{\"PRICE\": 1}{\"PRICE\": \"x\"}{\"PRICE\": ";
    let records: [&[u8]; 3] = [br#"{"PRICE": 1}"#, broken, br#"{"PRICE": 3}"#];
    let (rows, faults) = decoded(&stocks(), &[4], &records);
    assert_eq!(rows, ["1|-|-|-|100|-|-|-|-", "3|-|-|-|300|-|-|-|-"]);
    assert_eq!(faults.len(), 1);
    assert_eq!(faults[0].fault.kind, FaultKind::Unparsable);
    assert_eq!(faults[0].rowtime, 2);
    assert_eq!(faults[0].row, [Value::Bytes(broken.into())]);
}

#[test]
fn a_value_that_does_not_fit_costs_its_row_only() {
    let records: [&[u8]; 1] =
        [b"{\"CHANGE\":1}\n{\"CHANGE\":300, \"PRICE\": \"x\"}\n{\"CHANGE\":3}"];
    let (rows, faults) = decoded(&stocks(), &[3, 4], &records);
    assert_eq!(rows, ["1|-|-|1|-|-|-|-|-", "1|-|-|3|-|-|-|-|-"]);
    assert_eq!(faults.len(), 1);
    assert_eq!(faults[0].fault.kind, FaultKind::Coercion);
    assert_eq!(
        faults[0].fault.message,
        "column CHANGE: 300 cannot be made TINYINT"
    );
}

#[test]
fn a_record_that_is_not_utf8_is_a_fault() {
    let (rows, faults) = decoded(&customers(), &[1], &[b"a\nb\xff\n", b"c"]);
    assert_eq!(rows, ["2|c|-|-|-|-|-|-"]);
    assert_eq!(faults[0].fault.message, "the record is not UTF-8 at byte 3");
}

#[test]
fn what_is_beyond_a_limit_is_a_fault() {
    let long = vec![b' '; RECORD_BYTES_MAX + 1];
    let many = "{}".repeat(RECORD_ROWS_MAX + 1);
    let (rows, faults) = decoded(&stocks(), &[1], &[&long, many.as_bytes()]);
    assert!(rows.is_empty());
    assert!(
        faults
            .iter()
            .all(|fault| fault.fault.kind == FaultKind::Limit)
    );
    assert_eq!(faults.len(), 2);
    assert!(
        matches!(&faults[0].row[..], [Value::Bytes(kept)] if kept.len() == FAULT_DATA_BYTES_MAX)
    );
}

#[test]
fn a_text_that_is_repeated_in_every_row_counts_each_time() {
    let schema = schema(
        r#"{
            "RecordColumns": [
                {"SqlType": "VARCHAR(60000)", "Name": "T", "Mapping": "$.t"},
                {"SqlType": "INTEGER", "Name": "X", "Mapping": "$.a[0:].x"}
            ],
            "RecordFormat": {"RecordFormatType": "JSON"}
        }"#,
    );
    let data = format!(
        "{{\"t\":\"{}\",\"a\":[{{}}{}]}}",
        "t".repeat(60_000),
        ",{}".repeat(2_000)
    );
    let (rows, faults) = decoded(&schema, &[1, 2], &[data.as_bytes()]);
    assert!(rows.is_empty());
    assert_eq!(faults[0].fault.kind, FaultKind::Limit);
}

#[test]
fn many_rows_come_in_several_batches() {
    let data = "{\"CHANGE\":1}".repeat(BATCH_ROWS_MAX * 2 + 3);
    let mut decoder = Decoder::new(&stocks(), &[3]).unwrap();
    let mut faults = Vec::new();
    decoder
        .decode(&record(data.as_bytes(), 5), &mut faults)
        .unwrap();
    assert!(decoder.is_full());
    assert_eq!(decoder.rows(), BATCH_ROWS_MAX * 2 + 3);
    let rows: Vec<_> = decoder.finish().unwrap().iter().map(Batch::rows).collect();
    assert_eq!(rows, [BATCH_ROWS_MAX, BATCH_ROWS_MAX, 3]);
    assert_eq!(decoder.rows(), 0);
    assert!(decoder.finish().unwrap().is_empty());
}

#[test]
fn a_decoder_that_is_never_emptied_refuses_to_grow() {
    let schema = schema(
        r#"{
            "RecordColumns": [{"SqlType": "CHAR(60000)", "Name": "A", "Mapping": "$.a"}],
            "RecordFormat": {"RecordFormatType": "JSON"}
        }"#,
    );
    let data = r#"{"a":""}"#.repeat(1_000);
    let mut decoder = Decoder::new(&schema, &[1]).unwrap();
    let mut faults = Vec::new();
    let mut decode = || decoder.decode(&record(data.as_bytes(), 5), &mut faults);
    assert_eq!((decode(), decode()), (Ok(()), Ok(())));
    assert!(decode().unwrap_err().message.starts_with("internal: "));
    assert!(faults.is_empty());
}

#[test]
fn batches_do_not_depend_on_where_they_were_taken() {
    let mut random = Random::new(4);
    let mut records = Vec::new();
    for _ in 0..300 {
        let mut text = String::new();
        let value = random.object(3);
        random.write(&value, &mut text);
        if random.below(9) == 0 {
            text.pop();
        }
        records.push(
            text.replace("\"a\"", "\"CHANGE\"")
                .replace("\"b\"", "\"PRICE\""),
        );
    }
    let data: Vec<_> = records.iter().map(String::as_bytes).collect();
    let (expected, expected_faults) = decoded(&stocks(), &[1, 2, 3, 4], &data);
    let mut decoder = Decoder::new(&stocks(), &[1, 2, 3, 4]).unwrap();
    let mut batches = Vec::new();
    let mut faults = Vec::new();
    for (at, data) in data.iter().enumerate() {
        let rowtime = Millis::try_from(at).unwrap() + 1;
        decoder.decode(&record(data, rowtime), &mut faults).unwrap();
        if random.below(4) == 0 {
            batches.extend(decoder.finish().unwrap());
        }
    }
    batches.extend(decoder.finish().unwrap());
    assert_eq!(shown(&stocks(), &batches), expected);
    let texts = |faults: &[FaultedRow]| format!("{faults:?}");
    assert_eq!(texts(&faults), texts(&expected_faults));
    assert!(!faults.is_empty() && !expected.is_empty());
}

#[test]
fn hostile_bytes_never_panic() {
    let mut random = Random::new(5);
    let pieces: [&[u8]; 14] = [
        b"{",
        b"}",
        b"[",
        b"]",
        b"\"",
        b"\\",
        b"\\u12",
        b":",
        b",",
        b"\n",
        b"\xff",
        b"1e9",
        b"CHANGE",
        b"\xc3\xa4",
    ];
    for schema in [stocks(), customers()] {
        let mut decoder = Decoder::with_all_columns(&schema).unwrap();
        for _ in 0..20_000 {
            let mut data = Vec::new();
            for _ in 0..random.below(24) {
                data.extend_from_slice(pieces[random.below(pieces.len())]);
            }
            let mut faults = Vec::new();
            decoder.decode(&record(&data, 1), &mut faults).unwrap();
        }
        for batch in decoder.finish().unwrap() {
            assert!(
                batch
                    .columns()
                    .iter()
                    .all(|column| column.len() == batch.rows())
            );
        }
    }
}

#[test]
fn types_are_read_in_all_their_spellings() {
    use crate::ty::SqlType as T;
    for (text, ty) in [
        ("int", T::Integer),
        ("DOUBLE PRECISION", T::Double),
        (
            "NUMERIC(10)",
            T::Decimal {
                precision: 10,
                scale: 0,
            },
        ),
        (
            "dec ( 5 , 2 )",
            T::Decimal {
                precision: 5,
                scale: 2,
            },
        ),
        ("CHARACTER VARYING(8)", T::Varchar { length: 8 }),
        ("CHAR", T::Char { length: 1 }),
        ("VARCHAR", T::TEXT),
        ("BINARY VARYING(9)", T::Varbinary { length: 9 }),
        ("TIMESTAMP(3)", T::Timestamp),
    ] {
        assert_eq!(sql_type(text), Some(ty), "{text}");
    }
    let none = [
        "",
        "INTERVAL DAY TO SECOND",
        "VARCHAR(0)",
        "VARCHAR(65536)",
        "DECIMAL(39)",
        "DECIMAL(5,6)",
        "INTEGER(3)",
        "VARCHAR(3",
        "VARCHAR 3)",
        "TEXT",
        "DECIMAL(1,2,3)",
        "VARCHAR(-1)",
    ];
    for text in none {
        assert_eq!(sql_type(text), None, "{text}");
    }
}

#[test]
fn schemas_that_cannot_be_used_are_refused_with_the_reason() {
    let refused = |columns: &str, format: &str| {
        let text = format!("{{\"RecordColumns\": [{columns}], \"RecordFormat\": {format}}}");
        InputSchema::from_json(&text).unwrap_err().message
    };
    let json = r#"{"RecordFormatType": "JSON"}"#;
    let csv = |row: &str, column: &str| {
        format!(
            r#"{{"RecordFormatType": "CSV", "MappingParameters": {{"CSVMappingParameters":
            {{"RecordRowDelimiter": "{row}", "RecordColumnDelimiter": "{column}"}}}}}}"#
        )
    };
    let column = r#"{"Name": "A", "SqlType": "INT", "Mapping": "$.a"}"#;
    let twice = format!("{column}, {column}");
    for (columns, format, reason) in [
        ("", json, "0 columns, not 1 to 1000"),
        (&twice, json, "the column A is there twice"),
        (
            r#"{"Name": "A", "SqlType": "INT"}"#,
            json,
            "the column A has no mapping",
        ),
        (
            r#"{"Name": "A B", "SqlType": "INT"}"#,
            json,
            "the column A B has a name that is not allowed",
        ),
        (
            r#"{"Name": "A", "SqlType": "X"}"#,
            json,
            "the column A has the type X, which is not known",
        ),
        (
            column,
            r#"{"RecordFormatType": "XML"}"#,
            "RecordFormatType is XML, not JSON or CSV",
        ),
        (
            column,
            r#"{"RecordFormatType": "CSV"}"#,
            "CSVMappingParameters are missing",
        ),
        (column, &csv("", ","), "a delimiter is empty"),
        (
            column,
            &csv(",", ",;"),
            "the delimiters of rows and of columns cannot be told apart",
        ),
    ] {
        assert_eq!(refused(columns, format), reason);
    }
}

#[test]
fn the_parser_of_programs_reads_types_the_same_way() {
    for text in [
        "BOOLEAN",
        "TINYINT",
        "SMALLINT",
        "INT",
        "INTEGER",
        "BIGINT",
        "REAL",
        "FLOAT",
        "DOUBLE",
        "DOUBLE PRECISION",
        "DECIMAL",
        "DECIMAL(5)",
        "DECIMAL(5, 2)",
        "NUMERIC(38,38)",
        "DEC(1)",
        "CHAR",
        "CHARACTER(3)",
        "VARCHAR",
        "VARCHAR(65535)",
        "CHARACTER VARYING(7)",
        "BINARY(2)",
        "VARBINARY(9)",
        "BINARY VARYING(9)",
        "DATE",
        "TIME",
        "TIMESTAMP",
        "TIMESTAMP(3)",
    ] {
        let program = crate::parse::parse(&format!("CREATE STREAM S (A {text});")).unwrap();
        let crate::ast::Statement::CreateStream(stream) = &program[0] else {
            panic!("{program:?}");
        };
        assert_eq!(sql_type(text), Some(stream.columns[0].ty), "{text}");
    }
}

#[test]
fn a_document_that_is_wanted_as_a_whole_may_be_anything() {
    let schema = schema(
        r#"{
            "RecordColumns": [
                {"SqlType": "VARCHAR(99)", "Name": "ALL", "Mapping": "$"},
                {"SqlType": "INTEGER", "Name": "A", "Mapping": "$.a"}
            ],
            "RecordFormat": {"RecordFormatType": "JSON"}
        }"#,
    );
    let records: [&[u8]; 3] = [b"5", b"[{\"a\": 1}]", b"{\"a\": 1}"];
    let (rows, faults) = decoded(&schema, &[1, 2], &records);
    let expected = [
        "1|5|-|-|-|-|-",
        "2|[{\"a\": 1}]|-|-|-|-|-",
        "3|{\"a\": 1}|1|-|-|-|-",
    ];
    assert_eq!(rows, expected);
    assert!(faults.is_empty());
    assert_eq!(decoded(&schema, &[2], &records).0.len(), 3);
}
