//! Programs that are compiled, and what is said of those that are wrong.

use super::{Program, Source};
use crate::fault::Invalid;
use crate::ty::{Column, RowType, SqlType};

fn source() -> Source {
    let columns = [
        ("TICKER_SYMBOL", SqlType::Varchar { length: 4 }),
        ("SECTOR", SqlType::Varchar { length: 16 }),
        ("CHANGE", SqlType::Real),
        ("PRICE", SqlType::Real),
        ("EVENT_TIME", SqlType::Timestamp),
    ];
    let columns = columns.map(|(name, ty)| Column {
        name: name.to_owned(),
        ty,
    });
    Source {
        name: "SOURCE_SQL_STREAM_001".to_owned(),
        rows: RowType::with_rowtime(columns),
        hidden: 0,
    }
}

fn compile(code: &str) -> Result<Program, Invalid> {
    Program::compile(code, &[source()], &[])
}

/// The message and the place of what is wrong.
fn refused(code: &str) -> String {
    match compile(code) {
        Ok(_) => panic!("it was taken: {code}"),
        Err(invalid) => invalid.to_string(),
    }
}

#[test]
fn a_program_of_two_steps_has_its_streams_and_what_it_reads() {
    let program = compile(
        "CREATE OR REPLACE STREAM \"middle\" (ticker VARCHAR(4), price REAL);
         CREATE OR REPLACE PUMP p1 AS INSERT INTO \"middle\"
           SELECT STREAM ticker_symbol, price FROM \"SOURCE_SQL_STREAM_001\"
           WHERE sector SIMILAR TO '%TECH%' OR price > 10;
         CREATE OR REPLACE STREAM destination_sql_stream (ticker VARCHAR(4), rows_in BIGINT);
         CREATE OR REPLACE PUMP p2 AS INSERT INTO destination_sql_stream
           SELECT STREAM ticker, COUNT(*) FROM \"middle\"
           GROUP BY ticker, FLOOR(\"middle\".ROWTIME TO MINUTE);",
    );
    let program = program.unwrap();
    let names: Vec<&str> = program
        .streams()
        .iter()
        .map(|stream| stream.name.as_str())
        .collect();
    let wanted = [
        "SOURCE_SQL_STREAM_001",
        "ERROR_STREAM",
        "middle",
        "DESTINATION_SQL_STREAM",
    ];
    assert_eq!(names, wanted);
    let source = program.stream("SOURCE_SQL_STREAM_001").unwrap();
    assert_eq!(program.needed(source), [0, 1, 2, 4]);
    let last = program.stream("DESTINATION_SQL_STREAM").unwrap();
    assert_eq!(program.last_streams(), [last]);
}

#[test]
fn pumps_may_stand_before_what_they_read_is_filled() {
    let program = compile(
        "CREATE STREAM a (x VARCHAR(4)); CREATE STREAM b (x VARCHAR(4));
         CREATE PUMP second AS INSERT INTO b SELECT STREAM x FROM a;
         CREATE PUMP first AS INSERT INTO a SELECT STREAM sector FROM source_sql_stream_001;",
    );
    assert_eq!(program.unwrap().streams().len(), 4);
}

#[test]
fn what_is_wrong_is_said_with_its_place() {
    let wrong = [
        (
            "SELECT STREAM colour FROM source_sql_stream_001",
            "line 1, column 15: Column 'COLOUR' not found in any table",
        ),
        (
            "SELECT STREAM *\nFROM nowhere",
            "line 2, column 6: Table 'NOWHERE' not found",
        ),
        (
            "SELECT STREAM sector, COUNT(*) FROM source_sql_stream_001 GROUP BY sector",
            "line 1, column 1: a query with aggregates has to say when a group is over",
        ),
        (
            "SELECT STREAM price, COUNT(*) FROM source_sql_stream_001
             GROUP BY FLOOR(ROWTIME TO MINUTE)",
            "line 1, column 15: Expression 'PRICE' is not being grouped",
        ),
        (
            "SELECT STREAM a.price FROM source_sql_stream_001 a
             JOIN source_sql_stream_001 b ON a.sector = b.sector",
            "a join of two streams keeps rows for ever",
        ),
        (
            "CREATE STREAM a (x VARCHAR(4));
             CREATE PUMP p AS INSERT INTO a SELECT STREAM x FROM a;",
            "line 2, column 26: pump 'P' reads what comes of its own rows",
        ),
        (
            "CREATE STREAM a (x VARCHAR(4));
             CREATE PUMP p AS INSERT INTO a SELECT STREAM sector, price
               FROM source_sql_stream_001;",
            "Number of INSERT target columns (1) does not equal number of source items (2)",
        ),
        (
            "CREATE STREAM a (x VARCHAR(4));
             CREATE PUMP p AS INSERT INTO source_sql_stream_001 SELECT STREAM x FROM a;",
            "rows cannot be inserted into 'SOURCE_SQL_STREAM_001'",
        ),
        (
            "SELECT STREAM price FROM source_sql_stream_001 ORDER BY price",
            "line 1, column 57: ORDER BY needs ROWTIME first",
        ),
        (
            "SELECT STREAM event_time AS ROWTIME, price FROM source_sql_stream_001",
            "what is called ROWTIME has to be ROWTIME",
        ),
        (
            "CREATE FUNCTION f(a INTEGER) RETURNS INTEGER RETURN b + 1;",
            "'B' is no argument of F",
        ),
    ];
    for (code, wanted) in wrong {
        let message = refused(code);
        assert!(message.contains(wanted), "{code}\n{message}\n{wanted}");
    }
}

#[test]
fn each_kind_of_query_is_taken() {
    let queries = [
        "SELECT STREAM ROWTIME, * FROM source_sql_stream_001",
        "SELECT STREAM STEP(s.ROWTIME BY INTERVAL '10' SECOND) AS w, SUM(price) AS total
         FROM source_sql_stream_001 AS s GROUP BY STEP(s.ROWTIME BY INTERVAL '10' SECOND)
         HAVING COUNT(*) > 1 ORDER BY w, total DESC",
        "SELECT STREAM sector, AVG(price) OVER w AS a, LAG(price, 2, 0) OVER w AS l
         FROM source_sql_stream_001
         WINDOW w AS (PARTITION BY sector RANGE INTERVAL '1' MINUTE PRECEDING)",
        "SELECT STREAM sector, COUNT(*) FROM source_sql_stream_001
         WINDOWED BY STAGGER (PARTITION BY sector, FLOOR(event_time TO MINUTE)
                              RANGE INTERVAL '1' MINUTE)",
        "SELECT STREAM a.sector, b.price FROM source_sql_stream_001 AS a
         LEFT JOIN source_sql_stream_001 OVER (RANGE INTERVAL '1' MINUTE PRECEDING) AS b
         ON a.sector = b.sector AND b.price > a.price + 1",
        "SELECT STREAM event_time AS ROWTIME, price FROM source_sql_stream_001
         ORDER BY event_time WITHIN INTERVAL '5' SECOND",
        "SELECT STREAM sector FROM source_sql_stream_001 UNION ALL
         SELECT STREAM ticker_symbol FROM source_sql_stream_001",
        "SELECT STREAM DISTINCT sector FROM source_sql_stream_001",
        "SELECT STREAM item, item_count FROM TABLE(TOP_K_ITEMS_TUMBLING(
           CURSOR(SELECT STREAM * FROM source_sql_stream_001), 'SECTOR', 10, 60))",
        "SELECT STREAM sector, window_start, COUNT(*) AS c FROM TABLE(
           HOP(TABLE source_sql_stream_001, DESCRIPTOR(ROWTIME), INTERVAL '1' MINUTE,
               INTERVAL '5' MINUTE)) GROUP BY sector, window_start, window_end",
        "SELECT STREAM x.p FROM (SELECT STREAM price * 2 AS p FROM source_sql_stream_001) AS x
         WHERE x.p BETWEEN 1 AND 5 AND x.p NOT IN (2, 3) OR CASE WHEN x.p > 1 THEN TRUE END",
    ];
    for query in queries {
        if let Err(invalid) = compile(query) {
            panic!("{query}\n{invalid}");
        }
    }
}

/// A value in so many calls that lie in each other.
fn nested(levels: usize, call: impl Fn(&str) -> String) -> String {
    (0..levels).fold("change".to_owned(), |inner, _| call(&inner))
}

#[test]
fn a_short_program_that_would_come_to_a_huge_one_is_refused() {
    let too_large = "the expression is too large";
    let values = [
        nested(60, |inner| format!("NULLIF({inner}, 5)")),
        nested(60, |inner| format!("COALESCE({inner}, 5)")),
        nested(60, |inner| {
            format!("CASE {inner} WHEN 1 THEN 1 WHEN 2 THEN 2 END")
        }),
    ];
    for value in values {
        let message = refused(&format!("SELECT STREAM {value} FROM source_sql_stream_001"));
        assert!(message.contains(too_large), "{message}");
    }
    let mut code = "CREATE FUNCTION f0(x REAL) RETURNS REAL RETURN x + 1;".to_owned();
    for level in 1..12 {
        let call = format!("f{}(x)", level - 1);
        let calls = [call.as_str(); 8].join(" + ");
        code += &format!("CREATE FUNCTION f{level}(x REAL) RETURNS REAL RETURN {calls};");
    }
    code += "SELECT STREAM f11(change) FROM source_sql_stream_001;";
    assert!(refused(&code).contains(too_large));
}

#[test]
fn a_row_is_not_in_more_windows_than_a_number() {
    let query = |size: &str| {
        format!(
            "SELECT STREAM COUNT(*) FROM TABLE(HOP(TABLE source_sql_stream_001,
             DESCRIPTOR(ROWTIME), INTERVAL '1' SECOND, INTERVAL '{size}' SECOND))
             GROUP BY window_start, window_end"
        )
    };
    assert!(compile(&query("10000")).is_ok());
    assert!(refused(&query("10001")).contains("a row may be in 10000 windows"));
}
