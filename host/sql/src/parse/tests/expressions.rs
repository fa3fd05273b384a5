use super::{check_expressions, parse_expression};
use crate::ast::{ExpressionKind, Literal};

fn literal(code: &str) -> Literal {
    match parse_expression(code).map(|expression| expression.kind) {
        Ok(ExpressionKind::Literal(literal)) => literal,
        other => panic!("{code} is no literal but {other:?}"),
    }
}

#[test]
fn operators_bind_as_sql_wants_it() {
    check_expressions(&[
        ("1 + 2 * 3", "(1 + (2 * 3))"),
        ("1 - 2 - 3", "((1 - 2) - 3)"),
        ("8 / 4 % 3 * 2", "(((8 / 4) % 3) * 2)"),
        ("-a * b", "((-A) * B)"),
        ("a - -b", "(A - (-B))"),
        ("+a + +-b", "((+A) + (+(-B)))"),
        ("a || b || 'c'", "((A || B) || 'c')"),
        ("a or b and c", "(A OR (B AND C))"),
        ("not a = b and c", "((NOT (A = B)) AND C)"),
        ("not not a", "(NOT (NOT A))"),
        ("a + 1 < b * 2", "((A + 1) < (B * 2))"),
        ("a <> b or a != c", "((A <> B) OR (A <> C))"),
        ("(a or b) and c", "((A OR B) AND C)"),
        ("a between 1 and 2 and b", "((A BETWEEN 1 AND 2) AND B)"),
        ("a not between b + 1 and c", "(A NOT BETWEEN (B + 1) AND C)"),
        ("a and b and c and d", "((A AND B) AND (C AND D))"),
        ("a or b or c", "((A OR B) OR C)"),
    ]);
}

#[test]
fn predicates_are_told_apart() {
    check_expressions(&[
        ("a is null", "(A IS NULL)"),
        ("a is not null or b", "((A IS NOT NULL) OR B)"),
        ("a is true", "(A IS TRUE)"),
        ("a is not unknown", "(A IS NOT UNKNOWN)"),
        ("a is distinct from b + 1", "(A IS DISTINCT FROM (B + 1))"),
        ("a is not distinct from b", "(A IS NOT DISTINCT FROM B)"),
        ("a in (1, 2, 'x')", "(A IN (1, 2, 'x'))"),
        ("a not in (1)", "(A NOT IN (1))"),
        ("a like 'x%'", "(A LIKE 'x%')"),
        (
            "a not like 'x\\_' escape '\\'",
            "(A NOT LIKE 'x\\_' ESCAPE '\\')",
        ),
        ("sector similar to '%TECH%'", "(SECTOR SIMILAR TO '%TECH%')"),
        (
            "a not similar to 'b' and c",
            "((A NOT SIMILAR TO 'b') AND C)",
        ),
    ]);
}

#[test]
fn functions_with_words_in_their_parentheses_are_read() {
    check_expressions(&[
        ("extract(hour from rowtime)", "EXTRACT(HOUR FROM ROWTIME)"),
        ("extract(dow from d)", "EXTRACT(DOW FROM D)"),
        ("trim(a)", "TRIM(BOTH FROM A)"),
        ("trim(both from a)", "TRIM(BOTH FROM A)"),
        (
            "trim(leading '0' from a || b)",
            "TRIM(LEADING '0' FROM (A || B))",
        ),
        ("trim('x' from a)", "TRIM(BOTH 'x' FROM A)"),
        ("trim(trailing)", "TRIM(BOTH FROM TRAILING)"),
        ("substring(a from 2 for 3)", "SUBSTRING(A FROM 2 FOR 3)"),
        ("substring(a, 2, 3)", "SUBSTRING(A FROM 2 FOR 3)"),
        ("substring(a, 2)", "SUBSTRING(A FROM 2)"),
        ("substring(a for 3)", "SUBSTRING(A FROM 1 FOR 3)"),
        ("substring(a from '[a-z]+')", "SUBSTRING(A FROM '[a-z]+')"),
        ("position('b' in a)", "POSITION('b' IN A)"),
        ("position('b' in a from 3)", "POSITION('b' IN A FROM 3)"),
        (
            "overlay(a placing 'x' from 1)",
            "OVERLAY(A PLACING 'x' FROM 1)",
        ),
        (
            "overlay(a placing 'x' from 1 for 2)",
            "OVERLAY(A PLACING 'x' FROM 1 FOR 2)",
        ),
        ("floor(rowtime to minute)", "FLOOR(ROWTIME TO MINUTE)"),
        ("ceil(rowtime to hour)", "CEIL(ROWTIME TO HOUR)"),
        ("ceiling(a)", "CEILING(A)"),
        ("floor(a / 2)", "FLOOR((A / 2))"),
        (
            "step(s.rowtime by interval '60' second)",
            "STEP(S.ROWTIME BY INTERVAL '60000' MILLISECOND)",
        ),
        ("cast(a + 1 as varchar(8))", "CAST((A + 1) AS VARCHAR(8))"),
        ("(a - b) minute", "(A - B) MINUTE"),
        ("(a - b) day to second(3)", "(A - B) SECOND"),
        ("(a - b) + 1", "((A - B) + 1)"),
        ("monotonic(a)", "MONOTONIC(A)"),
        ("row(a, b)", "ROW(A, B)"),
        ("(a, b)", "ROW(A, B)"),
        ("\"floor\"(a)", "\"floor\"(A)"),
    ]);
}

#[test]
fn functions_are_called_with_all_that_can_stand_behind_them() {
    check_expressions(&[
        ("count(*)", "COUNT(*)"),
        ("count(distinct a)", "COUNT(DISTINCT A)"),
        ("sum(all a)", "SUM(A)"),
        (
            "sum(a) filter (where b > 0)",
            "SUM(A) FILTER (WHERE (B > 0))",
        ),
        ("avg(a) over w", "AVG(A) OVER W"),
        (
            "lag(a, 2, 0) ignore nulls over w",
            "LAG(A, 2, 0) IGNORE NULLS OVER W",
        ),
        (
            "last_value(a ignore nulls) over w",
            "LAST_VALUE(A) IGNORE NULLS OVER W",
        ),
        (
            "nth_value(a, 3) from first respect nulls over w",
            "NTH_VALUE(A, 3) RESPECT NULLS OVER W",
        ),
        ("current_timestamp", "CURRENT_TIMESTAMP()"),
        ("current_row_timestamp", "CURRENT_ROW_TIMESTAMP()"),
        ("localtime()", "LOCALTIME()"),
        (
            "exp_avg(a, interval '3' second)",
            "EXP_AVG(A, INTERVAL '3000' MILLISECOND)",
        ),
    ]);
}

#[test]
fn windows_have_every_frame() {
    check_expressions(&[
        ("sum(a) over ()", "SUM(A) OVER ()"),
        (
            "sum(a) over (w rows 2 preceding)",
            "SUM(A) OVER (W ROWS 2 PRECEDING)",
        ),
        (
            "sum(a) over (partition by b, c range interval '1' hour preceding)",
            "SUM(A) OVER (PARTITION BY B, C RANGE INTERVAL '3600000' MILLISECOND PRECEDING)",
        ),
        (
            "sum(a) over (order by rowtime rows between 3 preceding and current row)",
            "SUM(A) OVER (ORDER BY ROWTIME ROWS BETWEEN 3 PRECEDING AND CURRENT ROW)",
        ),
        (
            "sum(a) over (range current row)",
            "SUM(A) OVER (RANGE CURRENT ROW)",
        ),
        (
            "sum(a) over (rows unbounded preceding)",
            "SUM(A) OVER (ROWS UNBOUNDED PRECEDING)",
        ),
        (
            "sum(a) over (range between interval '2' second preceding and interval '1' second \
             following)",
            "SUM(A) OVER (RANGE BETWEEN INTERVAL '2000' MILLISECOND PRECEDING AND \
             INTERVAL '1000' MILLISECOND FOLLOWING)",
        ),
        (
            "sum(a) over (rows between current row and unbounded following)",
            "SUM(A) OVER (ROWS BETWEEN CURRENT ROW AND UNBOUNDED FOLLOWING)",
        ),
    ]);
}

#[test]
fn cases_have_an_operand_or_conditions() {
    check_expressions(&[
        (
            "case a when 1 then 'x' else 'y' end",
            "CASE A WHEN 1 THEN 'x' ELSE 'y' END",
        ),
        (
            "case when a > 1 then b when c then d end",
            "CASE WHEN (A > 1) THEN B WHEN C THEN D END",
        ),
    ]);
}

#[test]
fn words_that_mean_something_elsewhere_are_names() {
    check_expressions(&[
        ("value + type", "(VALUE + TYPE)"),
        (
            "status = 'x' and date < time",
            "((STATUS = 'x') AND (DATE < TIME))",
        ),
        ("count + timestamp", "(COUNT + TIMESTAMP)"),
        ("interval * 2", "(INTERVAL * 2)"),
        ("s.rows + s.range", "(S.ROWS + S.RANGE)"),
        ("floor + step + trim", "((FLOOR + STEP) + TRIM)"),
        ("\"select\" + year", "(\"select\" + YEAR)"),
        ("l.r.\"COLUMN1\"", "L.R.\"COLUMN1\""),
        ("current_date.x", "CURRENT_DATE.X"),
    ]);
}

#[test]
fn numbers_keep_their_digits() {
    assert_eq!(literal("42"), Literal::Whole(42));
    assert_eq!(
        literal("1.50"),
        Literal::Decimal {
            digits: 150,
            scale: 2
        }
    );
    assert_eq!(
        literal(".5"),
        Literal::Decimal {
            digits: 5,
            scale: 1
        }
    );
    assert_eq!(
        literal("7."),
        Literal::Decimal {
            digits: 7,
            scale: 0
        }
    );
    assert_eq!(literal("1.5e3"), Literal::Double(1500.0));
    assert_eq!(literal("2E-1"), Literal::Double(0.2));
    let nines = "9".repeat(38);
    assert_eq!(literal(&nines), Literal::Whole(nines.parse().unwrap()));
}

#[test]
fn moments_are_counted_from_1970() {
    assert_eq!(literal("date '1970-01-01'"), Literal::Date(0));
    assert_eq!(literal("DATE '1969-12-31'"), Literal::Date(-1));
    assert_eq!(literal("DATE '2008-2-29'"), Literal::Date(13_938));
    assert_eq!(literal("TIME '10:20:30'"), Literal::Time(37_230_000));
    assert_eq!(literal("TIME '00:00:00.25'"), Literal::Time(250));
    assert_eq!(
        literal("TIMESTAMP '2001-09-09 01:46:40.123'"),
        Literal::Timestamp(1_000_000_000_123)
    );
    assert_eq!(
        literal("TIMESTAMP '1969-12-31T23:59:59'"),
        Literal::Timestamp(-1_000)
    );
}

#[test]
fn intervals_of_every_kind_are_read() {
    let day = 86_400_000;
    let cases = [
        ("INTERVAL '1' DAY", day),
        ("INTERVAL '3' HOUR", 3 * 3_600_000),
        ("INTERVAL '10' MINUTES", 600_000),
        ("INTERVAL '1.5' SECOND", 1_500),
        ("INTERVAL '3600' SECOND(4)", 3_600_000),
        ("INTERVAL '4.56789' SECOND(2, 5)", 4_567),
        ("INTERVAL '3 4' DAY TO HOUR", 76 * 3_600_000),
        ("INTERVAL '+4 04' DAY TO HOUR", 100 * 3_600_000),
        ("INTERVAL '-2 04' DAY TO HOUR", -52 * 3_600_000),
        ("INTERVAL -'2 04' DAY TO HOUR", -52 * 3_600_000),
        ("INTERVAL -'-1' DAY", day),
        ("INTERVAL ' 1 14' DAY TO HOUR", 38 * 3_600_000),
        ("INTERVAL '1 02:03' DAY TO MINUTE", day + 7_380_000),
        ("INTERVAL '1 02:03:04.5' DAY TO SECOND", day + 7_384_500),
        (
            "INTERVAL '100 02:03:04.5' DAY(3) TO SECOND(1)",
            100 * day + 7_384_500,
        ),
        ("INTERVAL '12:30' HOUR TO MINUTE", 45_000_000),
        ("INTERVAL '12:30:15' HOUR TO SECOND", 45_015_000),
        ("INTERVAL '6:11' MINUTE TO SECOND", 371_000),
        ("INTERVAL '2' WEEK", 14 * day),
        ("INTERVAL '250' MILLISECOND", 250),
    ];
    for (code, millis) in cases {
        assert_eq!(literal(code), Literal::DayInterval(millis), "{code}");
    }
    let cases = [
        ("INTERVAL '1' YEAR", 12),
        ("INTERVAL '5' MONTH", 5),
        ("INTERVAL '2' QUARTER", 6),
        ("INTERVAL '3-4' YEAR TO MONTH", 40),
        ("INTERVAL '+4-04' YEAR TO MONTH", 52),
        ("INTERVAL '-100-11' YEAR(3) TO MONTH", -1_211),
    ];
    for (code, months) in cases {
        assert_eq!(literal(code), Literal::YearInterval(months), "{code}");
    }
}

#[test]
fn other_literals_are_read() {
    assert_eq!(literal("null"), Literal::Null);
    assert_eq!(literal("True"), Literal::Boolean(true));
    assert_eq!(literal("'it''s'"), Literal::Text("it's".to_owned()));
    assert_eq!(literal("X'00ff'"), Literal::Bytes(vec![0, 255]));
}

#[test]
fn types_have_their_synonyms() {
    let cases = [
        ("INT", "INTEGER"),
        ("bigint", "BIGINT"),
        ("DEC(5)", "DECIMAL(5, 0)"),
        ("NUMERIC(10, 2)", "DECIMAL(10, 2)"),
        ("DECIMAL", "DECIMAL(19, 0)"),
        ("FLOAT", "DOUBLE"),
        ("FLOAT(24)", "DOUBLE"),
        ("DOUBLE PRECISION", "DOUBLE"),
        ("REAL", "REAL"),
        ("CHARACTER", "CHAR(1)"),
        ("CHAR(4)", "CHAR(4)"),
        ("CHARACTER VARYING(7)", "VARCHAR(7)"),
        ("CHAR VARYING (7)", "VARCHAR(7)"),
        ("VARCHAR", "VARCHAR(65535)"),
        ("STRING", "VARCHAR(65535)"),
        ("BINARY(3)", "BINARY(3)"),
        ("BINARY VARYING(3)", "VARBINARY(3)"),
        ("VARBINARY", "VARBINARY(65535)"),
        ("TIMESTAMP(3)", "TIMESTAMP"),
        ("TIME(0)", "TIME"),
        ("DATE", "DATE"),
        ("INTERVAL DAY TO SECOND(3)", "INTERVAL DAY TO SECOND"),
        ("INTERVAL YEAR(4) TO MONTH", "INTERVAL YEAR TO MONTH"),
    ];
    for (written, ty) in cases {
        let cast = parse_expression(&format!("CAST(a AS {written})")).unwrap();
        let ExpressionKind::Cast { ty: read, .. } = cast.kind else {
            panic!("{written}");
        };
        assert_eq!(read.to_string(), ty, "{written}");
    }
}
