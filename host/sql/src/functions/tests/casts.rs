//! Conversions: all that AWS's page of CAST names, what becomes a value of a column, and types that
//! go together.

use super::check;
use super::evaluate::{bound, value};
use crate::functions::{assign, common_type};
use crate::ty::SqlType;

#[test]
fn numbers_become_numbers_if_they_fit() {
    check(&[
        ("CAST(1.5 AS INTEGER)", "2"),
        ("CAST(-1.5 AS INTEGER)", "-2"),
        ("CAST(1.4 AS INTEGER)", "1"),
        ("CAST(2.5e0 AS INTEGER)", "3"),
        ("CAST(-2.5e0 AS BIGINT)", "-3"),
        ("CAST(300 AS TINYINT)", "error: NUMERIC_OVERFLOW"),
        ("CAST(127 AS TINYINT)", "127"),
        ("CAST(-32769 AS SMALLINT)", "error: NUMERIC_OVERFLOW"),
        ("CAST(2147483648 AS INTEGER)", "error: NUMERIC_OVERFLOW"),
        ("CAST(1e19 AS BIGINT)", "error: NUMERIC_OVERFLOW"),
        (
            "CAST(-9223372036854775808e0 AS BIGINT)",
            "-9223372036854775808",
        ),
        ("CAST(123.456 AS DECIMAL(5,2))", "123.46"),
        ("CAST(1234.5 AS DECIMAL(5,2))", "error: NUMERIC_OVERFLOW"),
        ("CAST(12 AS DECIMAL(5,2))", "12.00"),
        ("CAST(0.125e0 AS DECIMAL(5,2))", "0.13"),
        ("CAST(0.1 AS REAL)", "0.1"),
        ("CAST(1e39 AS REAL)", "error: NUMERIC_OVERFLOW"),
        ("CAST(CAST(0.1 AS REAL) AS DOUBLE)", "0.10000000149011612"),
        ("CAST(7 AS DOUBLE)", "7.0"),
    ]);
}

#[test]
fn values_become_texts_that_they_fit_in() {
    check(&[
        ("CAST(DATE '2008-08-23' AS VARCHAR(10))", "2008-08-23"),
        (
            "CAST(DATE '2008-08-23' AS VARCHAR(9))",
            "error: COERCION_ERROR",
        ),
        (
            "CAST(DATE '2008-08-23' AS CHAR(12)) || '|'",
            "2008-08-23  |",
        ),
        ("CAST(TIME '14:30:05' AS VARCHAR(20))", "14:30:05"),
        (
            "CAST(TIMESTAMP '2008-08-23 14:30:05.120' AS VARCHAR(30))",
            "2008-08-23 14:30:05.120",
        ),
        ("CAST(TRUE AS VARCHAR(5))", "TRUE"),
        ("CAST(123 AS VARCHAR(3))", "123"),
        ("CAST(1234 AS VARCHAR(3))", "error: COERCION_ERROR"),
        ("CAST(-0.05 AS VARCHAR(9))", "-0.05"),
        ("CAST(1.5e0 AS VARCHAR(9))", "1.5"),
        ("CAST(1e30 AS VARCHAR(9))", "1E30"),
        ("CAST('abcdef' AS VARCHAR(3))", "abc"),
        ("CAST('ab' AS CHAR(4)) || '|'", "ab  |"),
        ("CAST('ab' AS CHAR(4)) = 'ab'", "TRUE"),
        ("CAST('ab' AS CHAR(4)) < 'ab!'", "TRUE"),
        (
            "CAST(INTERVAL '1 02:03:04' DAY TO SECOND AS VARCHAR(20))",
            "1 02:03:04",
        ),
        ("CAST(X'01' AS VARCHAR(4))", "error"),
        ("CAST(X'0102' AS BINARY(3)) = X'010200'", "TRUE"),
    ]);
}

#[test]
fn texts_become_values_that_they_write() {
    check(&[
        ("CAST(' 42 ' AS INTEGER)", "42"),
        ("CAST('+42' AS INTEGER)", "42"),
        ("CAST('42.5' AS INTEGER)", "43"),
        ("CAST('4e2' AS INTEGER)", "400"),
        ("CAST('4 2' AS INTEGER)", "error: COERCION_ERROR"),
        ("CAST('' AS INTEGER)", "error: COERCION_ERROR"),
        ("CAST('99999999999' AS INTEGER)", "error: NUMERIC_OVERFLOW"),
        ("CAST('-1.005' AS DECIMAL(5,2))", "-1.01"),
        ("CAST('1e-3' AS DECIMAL(5,4))", "0.0010"),
        ("CAST('1.5E3' AS DOUBLE)", "1500.0"),
        ("CAST('NaN' AS DOUBLE)", "error: COERCION_ERROR"),
        ("CAST('inf' AS DOUBLE)", "error: COERCION_ERROR"),
        ("CAST('tRue' AS BOOLEAN)", "TRUE"),
        ("CAST('1' AS BOOLEAN)", "error: COERCION_ERROR"),
        ("CAST('2004-9-3' AS DATE)", "2004-09-03"),
        ("CAST('2004-02-30' AS DATE)", "error: COERCION_ERROR"),
        ("CAST('13:48:23.5' AS TIME)", "13:48:23.500"),
        ("CAST('24:00:00' AS TIME)", "error: COERCION_ERROR"),
        (
            "CAST('2004-09-30 13:48:23' AS TIMESTAMP)",
            "2004-09-30 13:48:23",
        ),
        (
            "CAST('2004-09-30T13:48:23.123456Z' AS TIMESTAMP)",
            "2004-09-30 13:48:23.123",
        ),
        ("CAST('2004-09-30' AS TIMESTAMP)", "2004-09-30 00:00:00"),
        ("CAST('1 02:03:04' AS INTERVAL DAY TO SECOND)", "1 02:03:04"),
    ]);
}

#[test]
fn moments_become_moments() {
    check(&[
        (
            "CAST(DATE '2004-09-30' AS TIMESTAMP)",
            "2004-09-30 00:00:00",
        ),
        (
            "CAST(TIMESTAMP '1969-12-31 23:59:59' AS DATE)",
            "1969-12-31",
        ),
        ("CAST(TIMESTAMP '1969-12-31 23:59:59' AS TIME)", "23:59:59"),
        ("CAST(INTERVAL '2' SECOND AS BIGINT)", "2000"),
        ("CAST(DATE '2004-09-30' AS INTEGER)", "error"),
        ("CAST(TRUE AS INTEGER)", "error"),
        ("CAST(NULL AS TIMESTAMP)", "NULL"),
        (
            "DATE '2004-09-30' = TIMESTAMP '2004-09-30 00:00:00'",
            "TRUE",
        ),
        ("DATE '2004-09-30' = 3", "error"),
        ("'3' = 3", "error"),
    ]);
}

#[test]
fn a_column_takes_values_of_its_kind_and_cuts_texts() {
    let assigned = |code: &str, ty: SqlType| match assign(bound(code).unwrap(), ty) {
        Ok(expr) => {
            assert_eq!(expr.ty(), ty);
            value(&expr, &[])
        }
        Err(invalid) => invalid.message,
    };
    assert_eq!(assigned("'abcdef'", SqlType::Varchar { length: 3 }), "abc");
    assert_eq!(assigned("'a'", SqlType::Char { length: 3 }), "a  ");
    assert_eq!(assigned("3", SqlType::Double), "3.0");
    assert_eq!(assigned("3.7", SqlType::Integer), "4");
    assert!(assigned("300", SqlType::TinyInt).starts_with("error: NUMERIC_OVERFLOW"));
    assert_eq!(assigned("NULL", SqlType::Date), "NULL");
    let refused = assigned("3", SqlType::TEXT);
    assert!(
        refused.contains("VARCHAR(65535)") && refused.contains("INTEGER"),
        "{refused}"
    );
    assert!(assigned("'3'", SqlType::Integer).contains("CAST"));
}

#[test]
fn types_go_together_or_not() {
    use SqlType::{BigInt, Date, Double, Integer, Null, Real, SmallInt, Timestamp, TinyInt};
    let decimal = |precision, scale| SqlType::Decimal { precision, scale };
    let varchar = |length| SqlType::Varchar { length };
    assert_eq!(common_type(&[TinyInt, SmallInt]), Some(SmallInt));
    assert_eq!(common_type(&[Integer, Null, BigInt]), Some(BigInt));
    assert_eq!(common_type(&[Null, Null]), Some(Null));
    assert_eq!(common_type(&[Integer, decimal(5, 2)]), Some(decimal(12, 2)));
    assert_eq!(
        common_type(&[decimal(38, 0), decimal(38, 38)]),
        Some(decimal(38, 38))
    );
    assert_eq!(common_type(&[Real, Integer]), Some(Real));
    assert_eq!(common_type(&[Real, decimal(5, 2)]), Some(Double));
    assert_eq!(common_type(&[varchar(3), varchar(7)]), Some(varchar(7)));
    assert_eq!(
        common_type(&[SqlType::Char { length: 9 }, varchar(7)]),
        Some(varchar(9))
    );
    assert_eq!(common_type(&[Date, Timestamp]), Some(Timestamp));
    assert_eq!(common_type(&[Date, Integer]), None);
    assert_eq!(common_type(&[]), None);
}
