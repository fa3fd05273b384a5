use serde_json::{Value as Json, json};

use super::*;
use crate::batch::Batch;
use crate::cell::{Cell, ColumnBuilder, Value};
use crate::fault::{Fault, FaultKind};
use crate::operator::FaultedRow;
use crate::ty::{Column, RowType, SqlType};

/// A batch of these columns with ROWTIME 0, 1, ….
fn batch(columns: &[(&str, SqlType, &[Cell<'_>])]) -> (RowType, Batch) {
    let ty = RowType::with_rowtime(columns.iter().map(|(name, ty, _)| Column {
        name: (*name).to_owned(),
        ty: *ty,
    }));
    let rows = i64::try_from(columns.first().map_or(1, |column| column.2.len())).unwrap();
    let mut arrays = vec![crate::batch::timestamps((0..rows).collect())];
    for (_, ty, cells) in columns {
        let mut builder = ColumnBuilder::new(*ty);
        cells.iter().for_each(|cell| builder.push(*cell).unwrap());
        arrays.push(builder.finish());
    }
    (ty, Batch::new(arrays))
}

fn json_records((ty, batch): &(RowType, Batch)) -> Vec<String> {
    let mut records = Vec::new();
    let mut rows = JsonRows::new(ty).unwrap();
    rows.encode(batch, |record| {
        records.push(String::from_utf8(record.to_vec()).unwrap())
    })
    .unwrap();
    records
}

fn csv_records((ty, batch): &(RowType, Batch)) -> Vec<String> {
    let mut records = Vec::new();
    let mut rows = CsvRows::new(ty);
    rows.encode(batch, |record| {
        records.push(String::from_utf8(record.to_vec()).unwrap())
    })
    .unwrap();
    records
}

const MOMENT: i64 = 1_520_615_100_000;

fn every_type() -> (RowType, Batch) {
    let decimal = SqlType::Decimal {
        precision: 38,
        scale: 2,
    };
    batch(&[
        ("B", SqlType::Boolean, &[Cell::Boolean(true), Cell::Null]),
        ("I", SqlType::BigInt, &[Cell::Whole(i64::MIN), Cell::Null]),
        (
            "R",
            SqlType::Real,
            &[Cell::Double(f64::from(0.1_f32)), Cell::Null],
        ),
        ("D", SqlType::Double, &[Cell::Double(0.1), Cell::Null]),
        ("N", decimal, &[Cell::Decimal(-8_451), Cell::Null]),
        ("T", SqlType::TEXT, &[Cell::Text("a \"b\"\n"), Cell::Null]),
        (
            "X",
            SqlType::Varbinary { length: 9 },
            &[Cell::Bytes(b"\x00\xff"), Cell::Null],
        ),
        ("DAY", SqlType::Date, &[Cell::Whole(17_599), Cell::Null]),
        (
            "TIME",
            SqlType::Time,
            &[Cell::Whole(61_500_007), Cell::Null],
        ),
        ("AT", SqlType::Timestamp, &[Cell::Whole(MOMENT), Cell::Null]),
        (
            "FOR",
            SqlType::DayInterval,
            &[Cell::Whole(-93_784_500), Cell::Null],
        ),
        ("AGE", SqlType::YearInterval, &[Cell::Whole(18), Cell::Null]),
        ("NIL", SqlType::Null, &[Cell::Null, Cell::Null]),
    ])
}

#[test]
fn a_row_is_an_object_with_a_member_for_each_declared_column() {
    let expected = concat!(
        r#"{"B":true,"I":-9223372036854775808,"R":0.1,"D":0.1,"N":-84.51,"T":"a \"b\"\n","#,
        r#""X":"AP8=","DAY":"2018-03-09","TIME":"17:05:00.007","AT":"2018-03-09 17:05:00.000","#,
        r#""FOR":"-1 02:03:04.500","AGE":"+1-06","NIL":null}"#
    );
    let records = json_records(&every_type());
    assert_eq!(records[0], expected);
    let nulls: Json = serde_json::from_str(&records[1]).unwrap();
    assert!(nulls.as_object().unwrap().values().all(Json::is_null));
    assert_eq!(nulls.as_object().unwrap().len(), 13);
}

#[test]
fn a_row_is_a_line_with_a_field_for_each_declared_column() {
    let expected = concat!(
        "true,-9223372036854775808,0.1,0.1,-84.51,\"a \"\"b\"\"\n\",AP8=,2018-03-09,17:05:00.007,",
        "2018-03-09 17:05:00.000,-1 02:03:04.500,+1-06,\n"
    );
    assert_eq!(csv_records(&every_type()), [expected, ",,,,,,,,,,,,\n"]);
}

#[test]
fn null_and_an_empty_text_are_told_apart_in_a_line() {
    let texts = [
        Cell::Null,
        Cell::Text(""),
        Cell::Text(" x"),
        Cell::Text("a,b"),
        Cell::Text("é"),
    ];
    let records = csv_records(&batch(&[("T", SqlType::TEXT, &texts)]));
    assert_eq!(records, ["\n", "\"\"\n", "\" x\"\n", "\"a,b\"\n", "é\n"]);
}

#[test]
fn names_are_written_as_strings() {
    let records = json_records(&batch(&[("a \"b\"", SqlType::BigInt, &[Cell::Whole(1)])]));
    assert_eq!(records, [r#"{"a \"b\"":1}"#]);
    assert_eq!(json_records(&batch(&[])), ["{}"]);
}

#[test]
fn decimals_keep_all_their_digits() {
    let written = |digits: i128, scale: u8| {
        let ty = SqlType::Decimal {
            precision: 38,
            scale,
        };
        csv_records(&batch(&[("N", ty, &[Cell::Decimal(digits)])])).concat()
    };
    let nines = 10_i128.pow(38) - 1;
    assert_eq!(written(nines, 0), format!("{nines}\n"));
    assert_eq!(written(nines, 38), format!("0.{nines}\n"));
    assert_eq!(written(-5, 3), "-0.005\n");
    assert_eq!(written(0, 2), "0.00\n");
    assert_eq!(written(1_200, 2), "12.00\n");
}

#[test]
fn doubles_come_back_as_they_were() {
    let numbers = [
        0.1 + 0.2,
        1e300,
        5e-324,
        -0.0,
        1e21,
        123_456_789.0,
        f64::MAX,
    ];
    let cells: Vec<_> = numbers.iter().map(|number| Cell::Double(*number)).collect();
    let records = json_records(&batch(&[("D", SqlType::Double, &cells)]));
    for (record, number) in records.iter().zip(numbers) {
        let record: Json = serde_json::from_str(record).unwrap();
        assert_eq!(record["D"].as_f64().unwrap().to_bits(), number.to_bits());
    }
}

#[test]
fn whatever_text_is_written_is_read_again() {
    let mut random = crate::input::random::Random::new(7);
    for _ in 0..200 {
        let mut text = String::new();
        let value = random.value(3);
        random.write(&value, &mut text);
        let rows = batch(&[("T", SqlType::TEXT, &[Cell::Text(&text)])]);
        let record: Json = serde_json::from_str(&json_records(&rows)[0]).unwrap();
        assert_eq!(record, json!({ "T": text }));
    }
}

#[test]
fn a_batch_of_another_type_is_a_mistake_of_ours() {
    let (_, batch_of_one) = batch(&[("A", SqlType::BigInt, &[Cell::Whole(1)])]);
    let (other, _) = batch(&[("A", SqlType::TEXT, &[Cell::Text("1")])]);
    let error = CsvRows::new(&other)
        .encode(&batch_of_one, |_| {})
        .unwrap_err();
    assert!(error.message.starts_with("internal: "));
    let (wider, _) = every_type();
    let error = JsonRows::new(&wider)
        .unwrap()
        .encode(&batch_of_one, |_| {})
        .unwrap_err();
    assert!(error.message.starts_with("internal: "));
}

#[test]
fn faults_become_rows_of_the_error_stream() {
    let fault = |kind, message: &str, row| FaultedRow {
        fault: Fault::new(kind, message),
        rowtime: MOMENT,
        row,
    };
    let input = fault(
        FaultKind::Unparsable,
        "no value",
        vec![Value::Bytes((*b"{\"a\n").into())],
    );
    let row = vec![
        Value::Whole(7),
        Value::Null,
        Value::Text("x".into()),
        Value::Boolean(true),
    ];
    let query = fault(FaultKind::DivisionByZero, &"m".repeat(5_000), row);
    let pump = "p".repeat(200);
    let batch = error_rows([("", &input), (pump.as_str(), &query)], MOMENT + 1).unwrap();
    let records = json_records(&(error_row_type(), batch));
    let records: Vec<Json> = records
        .iter()
        .map(|text| serde_json::from_str(text).unwrap())
        .collect();
    let expected = json!({
        "ERROR_TIME": "2018-03-09 17:05:00.001",
        "ERROR_LEVEL": "ERROR",
        "ERROR_NAME": "PARSE_ERROR",
        "MESSAGE": "no value",
        "DATA_ROWTIME": "2018-03-09 17:05:00.000",
        "DATA_ROW": "7b22610a",
        "PUMP_NAME": "",
    });
    assert_eq!(records[0], expected);
    assert_eq!(records[1]["DATA_ROW"], "372c2c782c74727565");
    assert_eq!(records[1]["MESSAGE"], "m".repeat(4_096));
    assert_eq!(records[1]["PUMP_NAME"], "p".repeat(128));
}

#[test]
fn a_row_too_long_for_the_error_stream_is_cut() {
    let long = FaultedRow {
        fault: Fault::new(FaultKind::Limit, ""),
        rowtime: 0,
        row: vec![
            Value::Text("a".repeat(30_000).into()),
            Value::Text("b".into()),
        ],
    };
    let batch = error_rows([("", &long)], 0).unwrap();
    let record: Json = serde_json::from_str(&json_records(&(error_row_type(), batch))[0]).unwrap();
    assert_eq!(record["DATA_ROW"], "61".repeat(49_152 / 2));
}

#[test]
fn a_table_is_aligned() {
    let texts = [Cell::Text("a\tb"), Cell::Null, Cell::Text("äöü")];
    let numbers = [Cell::Whole(1), Cell::Whole(-20_000), Cell::Null];
    let (ty, batch) = batch(&[
        ("T", SqlType::TEXT, &texts),
        ("LONG", SqlType::BigInt, &numbers),
    ]);
    let expected = "\
ROWTIME                  T     LONG
-----------------------  ----  ------
1970-01-01 00:00:00.000  a b   1
1970-01-01 00:00:00.001  NULL  -20000
1970-01-01 00:00:00.002  äöü   NULL
";
    assert_eq!(table(&ty, &[batch]).unwrap(), expected);
}
