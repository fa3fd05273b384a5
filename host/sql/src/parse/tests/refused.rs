use super::{parse, parse_expression};
use crate::fault::Place;
use crate::parse::DEPTH_MAX;

/// Programs with the line and the column of what is wrong and how the message begins.
const WRONG: &[(&str, u32, u32, &str)] = &[
    (
        "SELEC a",
        1,
        1,
        "expected CREATE, ALTER, DROP, SELECT or VALUES, found SELEC",
    ),
    (
        "SELECT STREAM\n  a b c\nFROM s",
        2,
        7,
        "expected ';', found C",
    ),
    (
        "SELECT a FROM",
        1,
        14,
        "expected the name of a stream, a table function or a query",
    ),
    (
        "SELECT a, FROM s",
        1,
        11,
        "expected an expression, found FROM",
    ),
    ("SELECT (a FROM s", 1, 11, "expected ')', found FROM"),
    (
        "SELECT a FROM s WHERE",
        1,
        22,
        "expected an expression, found the end of the program",
    ),
    (
        "CREATE TABLE t (a INT)",
        1,
        8,
        "expected STREAM, PUMP or FUNCTION, found TABLE",
    ),
    (
        "CREATE STREAM s (a INT, b TEXT)",
        1,
        27,
        "expected a type, found TEXT",
    ),
    (
        "CREATE STREAM s ()",
        1,
        18,
        "expected the name of a column, found ')'",
    ),
    (
        "CREATE STREAM s (order INT)",
        1,
        18,
        "expected the name of a column, found the reserved word ORDER; quote it",
    ),
    (
        "CREATE STREAM s (a DECIMAL(39))",
        1,
        28,
        "expected a whole number of at most 38",
    ),
    (
        "CREATE STREAM s (a DECIMAL(3, 4))",
        1,
        27,
        "a decimal has at least one digit",
    ),
    (
        "CREATE STREAM s (a VARCHAR(0))",
        1,
        27,
        "a length of 0 is too short",
    ),
    (
        "CREATE PUMP p AS SELECT a FROM s",
        1,
        18,
        "expected INSERT, found SELECT",
    ),
    (
        "CREATE PUMP p AS INSERT INTO s (a) DELETE",
        1,
        36,
        "expected SELECT or VALUES",
    ),
    (
        "ALTER PUMP p RUN",
        1,
        14,
        "expected START or STOP, found RUN",
    ),
    ("ALTER STREAM s", 1, 7, "expected PUMP, found STREAM"),
    (
        "SELECT a FROM s JOIN t",
        1,
        23,
        "expected ON or USING, found the end",
    ),
    (
        "SELECT a FROM s NATURAL JOIN t",
        1,
        17,
        "expected ';', found NATURAL",
    ),
    (
        "SELECT a IN (SELECT b FROM t) FROM s",
        1,
        13,
        "expected a list of values",
    ),
    (
        "SELECT (SELECT b FROM t) FROM s",
        1,
        8,
        "expected an expression (a query cannot",
    ),
    (
        "SELECT SUM(a) OVER (a b) FROM s",
        1,
        23,
        "expected PARTITION BY, ORDER BY, ROWS,",
    ),
    (
        "SELECT SUM(a) OVER (ROWS 3) FROM s",
        1,
        27,
        "expected PRECEDING or FOLLOWING",
    ),
    (
        "SELECT INTERVAL 'x' DAY",
        1,
        8,
        "'x' is not an interval of DAY",
    ),
    (
        "SELECT INTERVAL '1' LIGHTYEAR",
        1,
        21,
        "expected YEAR, MONTH, DAY, HOUR, MINUTE",
    ),
    (
        "SELECT INTERVAL '1' DAY TO YEAR",
        1,
        28,
        "an interval goes from a unit TO a smaller",
    ),
    (
        "SELECT INTERVAL '100' DAY(2)",
        1,
        8,
        "'100' is not an interval of DAY",
    ),
    (
        "SELECT INTERVAL '1 25' DAY TO HOUR",
        1,
        8,
        "'1 25' is not an interval of DAY TO HOUR",
    ),
    (
        "SELECT DATE '2021-02-29'",
        1,
        8,
        "'2021-02-29' is not a DATE",
    ),
    ("SELECT TIME '25:00:00'", 1, 8, "'25:00:00' is not a TIME"),
    (
        "SELECT TIMESTAMP '2021-02-01'",
        1,
        8,
        "'2021-02-01' is not a TIMESTAMP",
    ),
    ("SELECT 1e999", 1, 8, "the number 1e999 is too large"),
    (
        "SELECT a FROM s; SELECT 'b",
        1,
        25,
        "this text does not end",
    ),
    (
        "SELECT a IS 3",
        1,
        13,
        "expected NULL, TRUE, FALSE, UNKNOWN or DISTINCT FROM",
    ),
    (
        "SELECT CASE END",
        1,
        13,
        "expected an expression, found END",
    ),
    (
        "SELECT EXTRACT(a FROM b)",
        1,
        16,
        "expected a unit of time such as MINUTE, found A",
    ),
    (
        "CREATE FUNCTION f() RETURNS INT LANGUAGE JAVA RETURN 1",
        1,
        42,
        "expected the language SQL or WASM, found JAVA",
    ),
    (
        "SELECT * FROM TABLE(TUMBLE(DATA => TABLE s, WIDTH => 1))",
        1,
        45,
        "TUMBLE has no argument called WIDTH",
    ),
    (
        "SELECT * FROM TABLE(SESSION(TABLE s PARTITION BY a, DESCRIPTOR(t), 1))",
        1,
        37,
        "expected no PARTITION BY here",
    ),
    ("SELECT EXISTS (SELECT 1)", 1, 8, "expected an expression"),
    (
        "SELECT a -- b\n  FROM s WHERE /* c */ )",
        2,
        24,
        "expected an expression, found ')'",
    ),
];

#[test]
fn an_error_says_where_and_what_was_expected_and_found() {
    for (code, line, column, message) in WRONG {
        let invalid = parse(code).expect_err(code);
        let (line, column) = (*line, *column);
        assert_eq!(
            invalid.at,
            Some(Place { line, column }),
            "{code}: {invalid}"
        );
        assert!(
            invalid.message.starts_with(message),
            "{code}: {}",
            invalid.message
        );
    }
}

#[test]
fn a_number_of_more_than_38_digits_is_refused() {
    for number in ["1".repeat(39), format!("1.{}", "0".repeat(39))] {
        let invalid = parse_expression(&number).unwrap_err();
        assert!(
            invalid.message.ends_with("more than 38 digits"),
            "{invalid}"
        );
    }
}

/// Runs with no more stack than a thread of a server has.
fn with_small_stack(run: impl FnOnce() + Send + 'static) {
    let thread = std::thread::Builder::new().stack_size(2 * 1024 * 1024);
    thread.spawn(run).unwrap().join().unwrap();
}

#[test]
fn hostile_nesting_is_refused_before_the_stack_ends() {
    with_small_stack(|| {
        let times = 3_000;
        let nests = [
            ("(", ")"),
            ("- ", ""),
            ("NOT ", ""),
            ("f(", ")"),
            ("CASE WHEN ", " THEN 1 END"),
            ("CAST(", " AS INT)"),
            ("f(a, a IN (", "))"),
            ("CURSOR(SELECT ", " FROM s)"),
            ("1 + (", ")"),
            ("SUM(1) OVER (PARTITION BY ", ")"),
        ];
        for (open, close) in nests {
            let code = format!("{}a{}", open.repeat(times), close.repeat(times));
            let invalid = parse_expression(&code).unwrap_err();
            assert!(
                invalid.message.contains("deep in each other"),
                "{open}: {invalid}"
            );
        }
        let queries = [
            ("SELECT a FROM (", ")"),
            ("(", ")"),
            ("SELECT a FROM s JOIN (SELECT b FROM ", ") ON x"),
        ];
        for (open, close) in queries {
            let inner = "SELECT a FROM s";
            let code = format!("{}{inner}{}", open.repeat(times), close.repeat(times));
            assert!(parse(&code).is_err(), "{open}");
        }
        let relations = format!("SELECT a FROM {}s{}", "(".repeat(times), ")".repeat(times));
        assert!(parse(&relations).is_err());
    });
}

#[test]
fn nesting_up_to_the_limit_is_read_with_a_small_stack() {
    with_small_stack(|| {
        let times = DEPTH_MAX - 1;
        for (open, close) in [("(", ")"), ("f(", ")"), ("CASE WHEN ", " THEN 1 END")] {
            let code = format!("{}a{}", open.repeat(times), close.repeat(times));
            parse_expression(&code).unwrap_or_else(|invalid| panic!("{open}: {invalid}"));
        }
        let times = DEPTH_MAX / 2 - 1;
        let (open, close) = ("SELECT a FROM (".repeat(times), ")".repeat(times));
        parse(&format!("{open}SELECT a FROM s{close}")).unwrap();
    });
}

#[test]
fn a_long_row_of_operators_is_as_deep_as_a_nest() {
    let sum = |count: usize| vec!["a"; count].join(" + ");
    assert!(parse_expression(&sum(DEPTH_MAX)).is_ok());
    assert!(parse_expression(&sum(DEPTH_MAX + 2)).is_err());
    // Rows within rows count together.
    let row = format!("({}) + {}", sum(60), sum(60));
    assert!(parse_expression(&row).is_err());
    // Values beside each other do not.
    let beside = format!("f({}, {}, {})", sum(90), sum(90), sum(90));
    assert!(parse_expression(&beside).is_ok());
}

#[test]
fn thousands_of_conditions_are_read() {
    let conditions = vec!["a = 1 AND b = 2"; 2_000].join(" OR ");
    assert!(parse_expression(&conditions).is_ok());
}

#[test]
fn queries_and_relations_in_a_row_have_a_limit() {
    let unions = |count: usize| vec!["SELECT a FROM s"; count].join(" UNION ALL ");
    assert!(parse(&unions(64)).is_ok());
    assert!(parse(&unions(66)).is_err());
    let joins = |count: usize| format!("SELECT a FROM s{}", " JOIN t ON x".repeat(count));
    assert!(parse(&joins(63)).is_ok());
    assert!(parse(&joins(65)).is_err());
}

/// Numbers that look random and are the same in each run.
struct Random(u64);

impl Random {
    fn below(&mut self, limit: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 % u64::try_from(limit).unwrap()).unwrap()
    }
}

#[test]
fn random_programs_never_panic() {
    let words: Vec<&str> = "SELECT STREAM DISTINCT ALL FROM WHERE GROUP BY HAVING ORDER WITHIN \
        WINDOW OVER PARTITION ROWS RANGE BETWEEN UNBOUNDED PRECEDING CURRENT ROW INTERVAL '1' DAY \
        TO SECOND CREATE OR REPLACE PUMP STARTED AS INSERT INTO VALUES a \"b\" 1 2.5 3e4 ( ) ( ) \
        , . ; + - * / % = <> || => CASE WHEN THEN ELSE END CAST INT NOT NULL IS IN LIKE ESCAPE \
        SIMILAR EXTRACT TRIM SUBSTRING POSITION OVERLAY PLACING FLOOR STEP FOR JOIN LEFT OUTER ON \
        USING UNION EXCEPT INTERSECT TABLE TUMBLE CURSOR DESCRIPTOR COUNT FILTER IGNORE NULLS \
        WINDOWED STAGGER DATE TIME TIMESTAMP X'00' FUNCTION RETURNS LANGUAGE WASM DROP ALTER"
        .split_whitespace()
        .collect();
    let mut random = Random(0x5eed);
    let mut read = 0;
    for _ in 0..10_000 {
        let count = 1 + random.below(30);
        let mut code = String::from(["", "SELECT ", "SELECT a FROM "][random.below(3)]);
        for _ in 0..count {
            code.push_str(words[random.below(words.len())]);
            code.push(' ');
        }
        read += usize::from(parse(&code).is_ok());
    }
    assert!(read > 0, "no random program was one at all");
}

#[test]
fn random_characters_never_panic() {
    let characters: Vec<char> = "aX'\"\\-/*();,.0123456789eé\u{1f600}\n\t$u&<>!=|%?#"
        .chars()
        .collect();
    let mut random = Random(0xc0de);
    for _ in 0..10_000 {
        let count = random.below(40);
        let code: String = (0..count)
            .map(|_| characters[random.below(characters.len())])
            .collect();
        let _ignored_since_only_a_panic_matters = parse(&code).is_ok();
    }
}
