//! What functions and operators give, as AWS's pages and another engine say it.

mod casts;
mod evaluate;
mod hostile;
mod laws;

use evaluate::{LITERALS, Literals, evaluate_with};

/// Pairs of an expression and what it gives; `error` is any error with that beginning.
fn check(pairs: &[(&str, &str)]) {
    let mut wrong = Vec::new();
    for (code, expected) in pairs {
        for literals in LITERALS {
            let found = evaluate_with(code, literals);
            let fits = match expected.strip_prefix("error") {
                Some(_) => found.starts_with("error"),
                None => found == *expected,
            };
            let named = literals != Literals::Inside || found.starts_with(expected);
            if !fits || !named {
                wrong.push(format!(
                    "{code} with literals {literals:?}\n  gives {found}"
                ));
                wrong.push(format!("  not   {expected}"));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn numeric_functions_give_what_the_pages_of_aws_say() {
    check(&[
        ("FLOOR(2.0)", "2"),
        ("FLOOR(-1.0)", "-1"),
        ("FLOOR(5.2)", "5"),
        ("FLOOR(-3.3)", "-4"),
        ("FLOOR(-3 * 3.1)", "-10"),
        ("CEIL(2.0)", "2"),
        ("CEIL(-1.0)", "-1"),
        ("CEIL(5.2)", "6"),
        ("CEILING(-3.3)", "-3"),
        ("CEILING(-3 * 3.1)", "-9"),
        ("MOD(4,2)", "0"),
        ("MOD(5,3)", "2"),
        ("MOD(-4,3)", "-1"),
        ("MOD(5,12)", "5"),
        ("MOD(5,0)", "error: DIVISION_BY_ZERO"),
        ("POWER(3,2)", "9.0"),
        ("POWER(-2,3)", "-8.0"),
        ("POWER(4,-2)", "0.0625"),
        ("POWER(10.1,2.5)", "324.19285157140644"),
        ("POWER(0,-1)", "error: INVALID_ARGUMENT"),
        ("POWER(-2,0.5)", "error: INVALID_ARGUMENT"),
        ("ABS(2.0)", "2.0"),
        ("ABS(-1.0)", "1.0"),
        ("ABS(0)", "0"),
        ("ABS(-3 * 3)", "9"),
        ("EXP(1)", "2.718281828459045"),
        ("EXP(0)", "1.0"),
        ("LN(1)", "0.0"),
        ("LN(10)", "2.302585092994046"),
        ("LN(0)", "error: INVALID_ARGUMENT"),
        ("LOG10(1)", "0.0"),
        ("LOG10(100)", "2.0"),
        ("LOG10(-1)", "error: INVALID_ARGUMENT"),
        ("STEP(23 BY 5)", "20"),
        ("STEP(30 BY 10)", "30"),
        ("STEP(-3 BY 5)", "-5"),
        ("STEP(3 BY 0)", "error: DIVISION_BY_ZERO"),
    ]);
}

#[test]
fn text_functions_give_what_the_pages_of_aws_say() {
    check(&[
        ("OVERLAY('12345' PLACING 'foo' FROM 1)", "foo45"),
        ("OVERLAY('12345' PLACING 'foo' FROM 0)", "foo345"),
        ("OVERLAY('12345' PLACING 'foo' FROM -2)", "foo12345"),
        ("OVERLAY('12345' PLACING 'foo' FROM 4)", "123foo"),
        ("OVERLAY('12345' PLACING 'foo' FROM 17)", "12345foo"),
        ("OVERLAY('12345' PLACING 'foo' FROM 2 FOR 0)", "1foo2345"),
        ("OVERLAY('12345' PLACING 'foo' FROM 2 FOR 2)", "1foo45"),
        ("OVERLAY('12345' PLACING 'foo' FROM 2 FOR 9)", "1foo"),
        (
            "OVERLAY('12345' PLACING 'foo' FROM 2 FOR -1)",
            "error: INVALID_ARGUMENT",
        ),
        ("POSITION('findme' IN '1234findmexyz')", "5"),
        ("POSITION('findme' IN '1234not-herexyz')", "0"),
        ("POSITION('1' IN '1234567')", "1"),
        ("POSITION('7' IN '1234567')", "7"),
        ("POSITION('' IN '1234567')", "1"),
        ("SUBSTRING('123456789' FROM 3 FOR 4)", "3456"),
        ("SUBSTRING('123456789' FROM 17 FOR 4)", ""),
        ("SUBSTRING('123456789' FROM -1 FOR 4)", "12"),
        ("SUBSTRING('123456789' FROM 6 FOR 0)", ""),
        ("SUBSTRING('123456789' FROM 8 FOR 4)", "89"),
        ("SUBSTRING('123456789', 3)", "3456789"),
        (
            "INITCAP('Each FIRST lEtTeR is cAPITALIZED')",
            "Each First Letter Is Capitalized",
        ),
        ("LOWER('abcDEFghi123')", "abcdefghi123"),
        ("UPPER('abcDEFghi123')", "ABCDEFGHI123"),
        ("CHAR_LENGTH('one')", "3"),
        ("CHAR_LENGTH('')", "0"),
        ("CHARACTER_LENGTH('fred')", "4"),
        ("TRIM('   x ')", "x"),
        ("TRIM(LEADING '0' FROM '00120')", "120"),
        ("TRIM(TRAILING 'c' FROM 'abcc')", "ab"),
        (
            "REGEX_REPLACE('TECHNOLOGY', 'TECHNOLOGY', 'INFORMATION TECHNOLOGY', 1, 0)",
            "INFORMATION TECHNOLOGY",
        ),
        ("REGEX_REPLACE('aXbXc', 'X', '-', 1, 2)", "aXb-c"),
        ("REGEX_REPLACE('aXbXc', 'X', '-', 3, 0)", "aXb-c"),
        ("REGEX_REPLACE('aXbXc', 'X', '-', 9, 0)", "aXbXc"),
        (
            "REGEX_REPLACE('aXbXc', 'X', '-', 0, 0)",
            "error: INVALID_ARGUMENT",
        ),
        (
            "REGEX_REPLACE('aXbXc', 'X', '-', 1, -1)",
            "error: INVALID_ARGUMENT",
        ),
        (
            "REGEX_REPLACE('john smith', '(\\w+) (\\w+)', '$2, $1', 1, 0)",
            "smith, john",
        ),
        ("REGEX_REPLACE('abc', 'b', '\\$1', 1, 0)", "a$1c"),
        (
            "REGEX_REPLACE('abc', 'b', '$1', 1, 0)",
            "error: INVALID_ARGUMENT",
        ),
    ]);
}

#[test]
fn moments_are_rounded_as_the_pages_of_aws_say() {
    check(&[
        (
            "FLOOR(TIMESTAMP '2004-09-30 13:48:23' TO HOUR)",
            "2004-09-30 13:00:00",
        ),
        (
            "FLOOR(TIMESTAMP '2004-09-30 13:48:23' TO MINUTE)",
            "2004-09-30 13:48:00",
        ),
        (
            "FLOOR(TIMESTAMP '2004-09-30 13:48:23' TO DAY)",
            "2004-09-30 00:00:00",
        ),
        (
            "FLOOR(TIMESTAMP '2004-09-30 13:48:23' TO YEAR)",
            "2004-01-01 00:00:00",
        ),
        (
            "FLOOR(TIMESTAMP '2004-09-30 13:48:23' TO MONTH)",
            "2004-09-01 00:00:00",
        ),
        (
            "CEILING(TIMESTAMP '2004-09-30 13:48:23' TO HOUR)",
            "2004-09-30 14:00:00",
        ),
        (
            "CEILING(TIMESTAMP '2004-09-30 13:48:23' TO MINUTE)",
            "2004-09-30 13:49:00",
        ),
        (
            "CEILING(TIMESTAMP '2004-09-30 13:48:23' TO DAY)",
            "2004-10-01 00:00:00",
        ),
        (
            "CEILING(TIMESTAMP '2004-09-30 13:48:23' TO YEAR)",
            "2005-01-01 00:00:00",
        ),
        (
            "CEIL(TIMESTAMP '2004-09-30 00:00:00' TO DAY)",
            "2004-09-30 00:00:00",
        ),
        (
            "FLOOR(TIMESTAMP '1969-12-31 23:59:59' TO MINUTE)",
            "1969-12-31 23:59:00",
        ),
        (
            "STEP(CAST('2004-09-30 13:48:23' as TIMESTAMP) BY INTERVAL '10' SECOND)",
            "2004-09-30 13:48:20",
        ),
        (
            "STEP(CAST('2004-09-30 13:48:23' as TIMESTAMP) BY INTERVAL '2' HOUR)",
            "2004-09-30 12:00:00",
        ),
        (
            "STEP(CAST('2004-09-30 13:48:23' as TIMESTAMP) BY INTERVAL '5' MINUTE)",
            "2004-09-30 13:45:00",
        ),
        (
            "STEP(TIMESTAMP '2004-09-30 13:48:23' BY INTERVAL '3' MONTH)",
            "2004-07-01 00:00:00",
        ),
    ]);
}

#[test]
fn intervals_are_reckoned_with_as_the_pages_of_aws_say() {
    check(&[
        ("INTERVAL '1' DAY + INTERVAL '3' DAY", "4 00:00:00"),
        (
            "INTERVAL '1' DAY + INTERVAL '3 4' DAY TO HOUR",
            "4 04:00:00",
        ),
        (
            "INTERVAL '1' DAY - INTERVAL '3 4' DAY TO HOUR",
            "-2 04:00:00",
        ),
        ("INTERVAL '1' YEAR + INTERVAL '3-4' YEAR TO MONTH", "4-04"),
        ("2 * INTERVAL '3 4' DAY TO HOUR", "6 08:00:00"),
        ("INTERVAL '3 4' DAY TO HOUR / 2", "1 14:00:00"),
        (
            "EXTRACT(DAY FROM INTERVAL '2 3:4:5.678' DAY TO SECOND)",
            "2",
        ),
        (
            "EXTRACT(HOUR FROM INTERVAL '2 3:4:5.678' DAY TO SECOND)",
            "3",
        ),
        (
            "EXTRACT(MINUTE FROM INTERVAL '2 3:4:5.678' DAY TO SECOND)",
            "4",
        ),
        (
            "EXTRACT(SECOND FROM INTERVAL '2 3:4:5.678' DAY TO SECOND)",
            "5",
        ),
        (
            "TIMESTAMP '2004-01-31 10:00:00' + INTERVAL '1' MONTH",
            "2004-02-29 10:00:00",
        ),
        ("DATE '2004-02-29' - INTERVAL '1' DAY", "2004-02-28"),
        ("TIME '23:30:00' + INTERVAL '1' HOUR", "00:30:00"),
        (
            "(TIMESTAMP '2004-09-30 13:48:23' - TIMESTAMP '2004-09-30 12:00:00') MINUTE",
            "0 01:48:00",
        ),
        ("(DATE '2005-03-01' - DATE '2004-02-29') YEAR", "1-00"),
        ("(DATE '2005-02-28' - DATE '2004-02-29') MONTH", "0-11"),
        ("INTERVAL '1' DAY / 0", "error: DIVISION_BY_ZERO"),
        (
            "TIMESTAMP '9999-12-31 10:00:00' + INTERVAL '1' DAY",
            "error: NUMERIC_OVERFLOW",
        ),
    ]);
}

#[test]
fn dates_are_read_and_written_in_patterns_of_letters() {
    check(&[
        (
            "CHAR_TO_TIMESTAMP('yyyy-MM-dd hh:mm:ss', '2009-09-16 03:15:24')",
            "2009-09-16 03:15:24",
        ),
        (
            "CHAR_TO_TIMESTAMP('yyyy-MM', '2009-09-16 03:15:24')",
            "2009-09-01 00:00:00",
        ),
        (
            "CHAR_TO_TIMESTAMP('dd/MMM/yyyy:HH:mm:ss Z', '25/Mar/2018:15:25:37 -0700')",
            "2018-03-25 22:25:37",
        ),
        (
            "CHAR_TO_TIMESTAMP('yyyyMMddHHmmssSSS', '20180325152537042')",
            "2018-03-25 15:25:37.042",
        ),
        (
            "CHAR_TO_TIMESTAMP('yyyy-MM-dd''T''HH:mm:ss.SSSX', '2018-03-25T15:25:37.123456Z')",
            "2018-03-25 15:25:37.123",
        ),
        (
            "CHAR_TO_TIMESTAMP('h:mm a', '12:05 AM')",
            "1970-01-01 00:05:00",
        ),
        (
            "CHAR_TO_TIMESTAMP('h:mm a', '12:05 PM')",
            "1970-01-01 12:05:00",
        ),
        (
            "CHAR_TO_TIMESTAMP('EEE, d MMM yy', 'Thu, 7 sep 99')",
            "1999-09-07 00:00:00",
        ),
        (
            "CHAR_TO_TIMESTAMP('yyyy-MM-dd', 'yesterday')",
            "error: COERCION_ERROR",
        ),
        (
            "CHAR_TO_TIMESTAMP('yyyy-MM-dd', '2009-13-01')",
            "error: COERCION_ERROR",
        ),
        ("CHAR_TO_TIMESTAMP('bbb', '2009')", "error: b in"),
        ("CHAR_TO_DATE('yyyy/MM/dd', '2009/09/16')", "2009-09-16"),
        ("CHAR_TO_TIME('HH.mm', '15.42')", "15:42:00"),
        (
            "TIMESTAMP_TO_CHAR('yyyy/M/d hh:mm:ss.SSS a E', TIMESTAMP '2009-09-06 15:05:09')",
            "2009/9/6 03:05:09.000 PM Sun",
        ),
        (
            "DATE_TO_CHAR('d MMMM yy', DATE '2009-09-06')",
            "6 September 09",
        ),
        ("TIME_TO_CHAR('kk''h''mm', TIME '00:07:00')", "24h07"),
    ]);
}

#[test]
fn moments_are_numbers_and_have_parts() {
    check(&[
        ("TO_TIMESTAMP(1521937537042)", "2018-03-25 00:25:37.042"),
        (
            "TO_TIMESTAMP(CAST(9223372036854775807 AS BIGINT))",
            "error: NUMERIC_OVERFLOW",
        ),
        (
            "UNIX_TIMESTAMP(TIMESTAMP '1970-01-02 00:00:00')",
            "86400000",
        ),
        (
            "TSDIFF(TIMESTAMP '1970-01-01 00:00:00', TIMESTAMP '1970-01-01 00:01:00')",
            "60000",
        ),
        ("TSDIFF(1000, CAST(NULL AS BIGINT))", "NULL"),
        ("EXTRACT(DOW FROM DATE '2009-09-06')", "1"),
        ("EXTRACT(DOY FROM DATE '2009-12-31')", "365"),
        ("EXTRACT(YEAR FROM TIMESTAMP '2009-09-06 15:05:09')", "2009"),
    ]);
}

/// Whether two texts write the same value. The other engine writes numbers with twelve digits.
fn same(found: &str, expected: &str) -> bool {
    if expected == "error" {
        return found.starts_with("error");
    }
    if let (Ok(found), Ok(expected)) = (found.parse::<f64>(), expected.parse::<f64>()) {
        return (found - expected).abs() <= 1e-11 * expected.abs().max(1e-3);
    }
    let moment = expected.replacen('T', " ", 1);
    match expected {
        "true" | "false" => found.eq_ignore_ascii_case(expected),
        "(empty)" => found.is_empty(),
        _ => found == expected || found == moment,
    }
}

#[test]
fn expressions_give_what_another_engine_says() {
    let pairs = include_str!("tests/datafusion.txt").lines();
    let pairs = pairs.filter(|line| !line.starts_with("# "));
    let mut count = 0;
    let mut wrong = Vec::new();
    for line in pairs {
        let (code, expected) = line.split_once(" => ").unwrap();
        count += 1;
        for literals in LITERALS {
            let found = evaluate_with(code, literals);
            if !same(&found, expected) {
                wrong.push(format!(
                    "{code} with literals {literals:?}\n  gives {found}"
                ));
                wrong.push(format!("  not   {expected}"));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert!(count >= 700, "{count} pairs");
}

/// The columns that a function of a line gives, with their values.
fn columns(name: &str, arguments: &[&str]) -> Vec<(String, String)> {
    let bound = arguments.iter().map(|code| evaluate::bound(code).unwrap());
    let bound: Vec<crate::expr::Expr> = bound.collect();
    let columns = super::row_columns(name, &bound).unwrap().unwrap();
    let columns = columns.into_iter();
    columns
        .map(|(name, expr)| (name, evaluate::value(&expr, &[])))
        .collect()
}

fn values(name: &str, arguments: &[&str]) -> Vec<String> {
    let columns = columns(name, arguments).into_iter().enumerate();
    let values = columns.map(|(index, (name, value))| {
        assert_eq!(name, format!("COLUMN{}", index + 1));
        value
    });
    values.collect()
}

#[test]
fn lines_of_web_servers_are_taken_apart() {
    let line = "'192.168.254.30 - John [24/May/2004:22:01:02 -0700] \"GET /icons/apache_pb.gif \
                HTTP/1.1\" 304 0'";
    let found = values("W3C_LOG_PARSE", &[line, "'COMMON'"]);
    let expected = [
        "192.168.254.30",
        "-",
        "John",
        "24/May/2004:22:01:02 -0700",
        "GET /icons/apache_pb.gif HTTP/1.1",
        "304",
        "0",
    ];
    assert_eq!(found, expected);
    let found = values("W3C_LOG_PARSE", &["'nothing of the kind'", "'COMMON'"]);
    assert_eq!(found, ["NULL"; 7]);
    let found = values("W3C_LOG_PARSE", &["'a ---> /b'", "'%[Referer]i ---> %U'"]);
    assert_eq!(found, ["a", "/b"]);
}

#[test]
fn lines_are_taken_apart_by_groups_of_patterns() {
    let line =
        "'203.0.113.24 - - [25/Mar/2018:15:25:37 -0700] \"GET /index.php HTTP/1.1\" 200 125'";
    let found = values(
        "REGEX_LOG_PARSE",
        &[line, "'(\\d+\\.\\S+).*\" (\\d+) (\\d+)'"],
    );
    assert_eq!(found, ["203.0.113.24", "200", "125"]);
    let found = values("REGEX_LOG_PARSE", &["'TECHNOLOGY'", "'(.*)(CHN)(.*)'"]);
    assert_eq!(found, ["TE", "CHN", "OLOGY"]);
    let found = values("REGEX_LOG_PARSE", &["'ENERGY'", "'(.*)(CHN)(.*)'"]);
    assert_eq!(found, ["NULL", "NULL", "NULL"]);
    let found = values("FAST_REGEX_LOG_PARSER", &["'ab:c:d'", "'(.*):(.*)'"]);
    assert_eq!(found, ["ab", "c:d"]);
    let found = values("FAST_REGEX_LOG_PARSER", &["'ab'", "'(a)'"]);
    assert_eq!(found, ["NULL"]);
    let found = values("SYS_LOG_PARSE", &["'Mar  7 04:02:01 host cron: done'"]);
    assert_eq!(found, ["1970-03-07 04:02:01", "host cron: done"]);
}

#[test]
fn lines_are_taken_apart_by_places_and_delimiters() {
    let description = "'a TYPE INTEGER START 0 FOR 3, \"b\" TYPE VARCHAR(10) NOT NULL START 3'";
    let found = columns("FIXED_COLUMN_LOG_PARSE", &["' 42 hello'", description]);
    let expected = [("A", "42"), ("b", "hello")];
    assert_eq!(found, expected.map(|(a, b)| (a.to_owned(), b.to_owned())));
    let found = values(
        "VARIABLE_COLUMN_LOG_PARSE",
        &["'a\\,b,c'", "3", "','", "'\\'"],
    );
    assert_eq!(found, ["a,b", "c", "NULL"]);
    let arguments = ["'(a,b),c'", "2", "','", "''", "'()'"];
    assert_eq!(
        values("VARIABLE_COLUMN_LOG_PARSE", &arguments),
        ["a,b", "c"]
    );
    let description = "'t TYPE TIMESTAMP ''dd/MMM/yyyy:HH:mm:ss'', n TYPE DECIMAL(5,2)'";
    let arguments = ["'25/Mar/2018:15:25:37|1.5'", description, "'|'"];
    let found = columns("VARIABLE_COLUMN_LOG_PARSE", &arguments);
    let expected = [("T", "2018-03-25 15:25:37"), ("N", "1.50")];
    assert_eq!(found, expected.map(|(a, b)| (a.to_owned(), b.to_owned())));
}
