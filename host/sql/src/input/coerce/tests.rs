use arrow_array::cast::AsArray;

use super::*;
use crate::cell::{Cell, Cells};
use crate::input::schema::sql_type;
use Source::{Boolean, Composite, Null, Number, Text};

/// The value that a source becomes in a column of a type, as plain text; None for a fault.
fn becomes(source: Source<'_>, ty: &str) -> Option<String> {
    let ty = sql_type(ty).unwrap();
    let mut sink = Sink::new(ty).unwrap();
    let pushed = sink.push(source);
    let column = sink.finish();
    assert_eq!(
        column.len(),
        1,
        "a value that does not fit leaves its place"
    );
    if pushed.is_err() {
        assert!(column.is_null(0));
        return None;
    }
    Some(match Cells::new(&column, ty).get(0) {
        Cell::Null => "NULL".to_owned(),
        Cell::Boolean(truth) => truth.to_string(),
        Cell::Whole(number) => number.to_string(),
        Cell::Double(number) => number.to_string(),
        Cell::Decimal(digits) => format!("{digits} digits"),
        Cell::Text(text) => format!("'{text}'"),
        Cell::Bytes(bytes) => format!("{bytes:02x?}"),
    })
}

const FAULT: Option<&str> = None;

fn check(rows: &[(Source<'_>, &str, Option<&str>)]) {
    for (source, ty, expected) in rows {
        let found = becomes(*source, ty);
        assert_eq!(found.as_deref(), *expected, "{source:?} in {ty}");
    }
}

const ALL_TYPES: [&str; 17] = [
    "TINYINT",
    "SMALLINT",
    "INTEGER",
    "BIGINT",
    "DECIMAL(5,2)",
    "REAL",
    "DOUBLE",
    "BINARY(3)",
    "VARBINARY(3)",
    "BOOLEAN",
    "CHAR(3)",
    "VARCHAR(3)",
    "DATE",
    "TIME",
    "TIMESTAMP",
    "NUMERIC",
    "FLOAT",
];

#[test]
fn null_is_null_in_every_type() {
    for ty in ALL_TYPES {
        assert_eq!(becomes(Null, ty).as_deref(), Some("NULL"), "{ty}");
    }
}

#[test]
fn a_boolean_becomes_what_the_guide_says() {
    check(&[
        (Boolean(true), "INTEGER", Some("1")),
        (Boolean(false), "TINYINT", Some("0")),
        (Boolean(true), "DECIMAL(5,2)", Some("100 digits")),
        (Boolean(false), "DECIMAL(5,2)", Some("0 digits")),
        (Boolean(true), "DECIMAL(2,2)", FAULT),
        (Boolean(true), "DOUBLE", Some("1")),
        (Boolean(true), "BINARY(3)", Some("[00, 00, 01]")),
        (Boolean(false), "BINARY(3)", Some("[00, 00, 00]")),
        (Boolean(true), "VARBINARY(3)", Some("[01]")),
        (Boolean(false), "VARBINARY(3)", Some("[00]")),
        (Boolean(true), "BOOLEAN", Some("true")),
        (Boolean(false), "BOOLEAN", Some("false")),
        (Boolean(true), "VARCHAR(16)", Some("'true'")),
        (Boolean(false), "VARCHAR(3)", Some("'fal'")),
        (Boolean(true), "CHAR(6)", Some("'true  '")),
        (Boolean(true), "DATE", FAULT),
        (Boolean(true), "TIME", FAULT),
        (Boolean(true), "TIMESTAMP", FAULT),
    ]);
}

#[test]
fn a_number_becomes_what_the_guide_says() {
    check(&[
        (Number("67321"), "INTEGER", Some("67321")),
        (Number("-7"), "BIGINT", Some("-7")),
        (Number("123.4"), "INTEGER", FAULT),
        (Number("123.0"), "INTEGER", Some("123")),
        (Number("12e2"), "INTEGER", Some("1200")),
        (Number("1200e-2"), "INTEGER", Some("12")),
        (Number("1e-1"), "INTEGER", FAULT),
        (Number("128"), "TINYINT", FAULT),
        (Number("-128"), "TINYINT", Some("-128")),
        (Number("32768"), "SMALLINT", FAULT),
        (Number("2147483648"), "INTEGER", FAULT),
        (
            Number("9223372036854775807"),
            "BIGINT",
            Some("9223372036854775807"),
        ),
        (
            Number("-9223372036854775808"),
            "BIGINT",
            Some("-9223372036854775808"),
        ),
        (Number("9223372036854775808"), "BIGINT", FAULT),
        (Number("1e99999999999999999999"), "BIGINT", FAULT),
        (Number("0e99999999999999999999"), "BIGINT", Some("0")),
        (Number("84.51"), "DECIMAL(5,2)", Some("8451 digits")),
        (Number("84.5"), "DECIMAL(5,2)", Some("8450 digits")),
        (Number("-84.510"), "DECIMAL(5,2)", Some("-8451 digits")),
        (Number("84.513"), "DECIMAL(5,2)", FAULT),
        (Number("1000"), "DECIMAL(5,2)", FAULT),
        (Number("999.99"), "DECIMAL(5,2)", Some("99999 digits")),
        (Number("0.1"), "DOUBLE", Some("0.1")),
        (Number("1e400"), "DOUBLE", FAULT),
        (Number("16777217"), "REAL", Some("16777216")),
        (Number("1e39"), "REAL", FAULT),
        (Number("1"), "BINARY(3)", FAULT),
        (Number("1"), "VARBINARY(3)", FAULT),
        (Number("0"), "BOOLEAN", Some("false")),
        (Number("-0.00e5"), "BOOLEAN", Some("false")),
        (Number("0.001"), "BOOLEAN", Some("true")),
        (Number("-2"), "BOOLEAN", Some("true")),
        (Number("1.50"), "VARCHAR(16)", Some("'1.50'")),
        (Number("12345"), "CHAR(3)", Some("'123'")),
        (Number("1992"), "DATE", FAULT),
        (Number("18"), "TIME", FAULT),
        (Number("698092544"), "TIMESTAMP", FAULT),
    ]);
}

#[test]
fn a_string_becomes_what_the_guide_says() {
    check(&[
        (Text("67321"), "INTEGER", Some("67321")),
        (Text(" 67321\r"), "INTEGER", Some("67321")),
        (Text("+5"), "INTEGER", Some("5")),
        (Text("John Doe"), "INTEGER", FAULT),
        (Text(""), "INTEGER", FAULT),
        (Text("-"), "INTEGER", FAULT),
        (Text("."), "DECIMAL(5,2)", FAULT),
        (Text("1e"), "DECIMAL(5,2)", FAULT),
        (Text("33.99"), "DECIMAL(5,2)", Some("3399 digits")),
        (Text("33.99"), "DOUBLE", Some("33.99")),
        (Text("inf"), "DOUBLE", FAULT),
        (Text("NaN"), "REAL", FAULT),
        (Text("X'3F67A2'"), "BINARY(4)", Some("[3f, 67, a2, 00]")),
        (Text("x'3f67a2'"), "VARBINARY(4)", Some("[3f, 67, a2]")),
        (Text("X'3F67A23A'"), "VARBINARY(3)", FAULT),
        (Text("X'3F6'"), "VARBINARY(3)", FAULT),
        (Text("3F67"), "VARBINARY(3)", FAULT),
        (Text("X'3G'"), "VARBINARY(3)", FAULT),
        (Text("true"), "BOOLEAN", Some("true")),
        (Text("TrUe"), "BOOLEAN", Some("true")),
        (Text("yes"), "BOOLEAN", Some("false")),
        (Text("John Doe"), "VARCHAR(16)", Some("'John Doe'")),
        (Text("John Doe"), "VARCHAR(4)", Some("'John'")),
        (Text("äöüß"), "VARCHAR(3)", Some("'äöü'")),
        (Text("äö"), "CHAR(4)", Some("'äö  '")),
        (Text("1992-02-14"), "DATE", Some("8079")),
        (
            Text("1992-02-14 18:35:44.0"),
            "TIMESTAMP",
            Some("698092544000"),
        ),
        (Text("18:35:44.0"), "TIME", Some("66944000")),
        (Text("yesterday"), "TIMESTAMP", FAULT),
        (Text("1992-02-30"), "DATE", FAULT),
    ]);
}

#[test]
fn an_array_or_object_becomes_its_source_text() {
    let array = Composite(r#"[ {"a": 1}, 2 ]"#);
    for ty in ALL_TYPES {
        let expected = match ty {
            "CHAR(3)" | "VARCHAR(3)" => Some("'[ {'"),
            _ => FAULT,
        };
        assert_eq!(becomes(array, ty).as_deref(), expected, "{ty}");
    }
    check(&[(array, "VARCHAR(99)", Some(r#"'[ {"a": 1}, 2 ]'"#))]);
}

#[test]
fn bytes_of_texts_are_counted() {
    let mut sink = Sink::new(SqlType::Char { length: 4 }).unwrap();
    assert_eq!(sink.push(Text("ä")), Ok(5));
    assert_eq!(sink.finish().as_string::<i32>().value(0), "ä   ");
}

#[test]
fn decimals_are_exact_as_far_as_their_type_goes() {
    let nines = "9".repeat(38);
    let expected = format!("{nines} digits");
    check(&[
        (Number(&nines), "DECIMAL(38,0)", Some(&expected)),
        (
            Number(&format!("0.{nines}")),
            "DECIMAL(38,38)",
            Some(&expected),
        ),
        (Number(&format!("{nines}0")), "DECIMAL(38,0)", FAULT),
        (Number(&format!("{nines}.{nines}")), "DECIMAL(38,0)", FAULT),
    ]);
}
