use super::understood;

fn check(cases: &[(&str, &str)]) {
    for (code, expected) in cases {
        assert_eq!(understood(code), *expected, "{code}");
    }
}

#[test]
fn streams_are_created_with_all_that_can_be_said_of_them() {
    check(&[
        (
            "create or replace stream \"Out\" (ticker varchar(4) not null, price double null) \
             description 'prices';",
            "CREATE OR REPLACE STREAM \"Out\" (TICKER VARCHAR(4) NOT NULL, PRICE DOUBLE) \
             DESCRIPTION 'prices'",
        ),
        (
            "CREATE STREAM bids (price INT, at TIMESTAMP(3), \
             WATERMARK FOR at AS at - INTERVAL '5' SECOND)",
            "CREATE STREAM BIDS (PRICE INTEGER, AT TIMESTAMP, \
             WATERMARK FOR AT AS (AT - INTERVAL '5000' MILLISECOND))",
        ),
        (
            "CREATE STREAM s (watermark INT, value INT, type VARCHAR(3), \"count\" BIGINT)",
            "CREATE STREAM S (WATERMARK INTEGER, VALUE INTEGER, TYPE VARCHAR(3), \"count\" BIGINT)",
        ),
    ]);
}

#[test]
fn pumps_are_created_started_unless_they_are_stopped() {
    check(&[
        (
            "CREATE PUMP p AS INSERT INTO t SELECT STREAM a FROM s",
            "CREATE PUMP P STARTED AS INSERT INTO T SELECT STREAM A FROM S",
        ),
        (
            "CREATE OR REPLACE PUMP \"200-Pump\" STOPPED DESCRIPTION 'x' AS \
             INSERT INTO t (a, \"b\") SELECT STREAM a, b FROM s",
            "CREATE OR REPLACE PUMP \"200-Pump\" STOPPED DESCRIPTION 'x' AS \
             INSERT INTO T (A, \"b\") SELECT STREAM A, B FROM S",
        ),
        (
            "CREATE PUMP p STARTED AS INSERT INTO t (SELECT STREAM a FROM s)",
            "CREATE PUMP P STARTED AS INSERT INTO T SELECT STREAM A FROM S",
        ),
    ]);
}

#[test]
fn functions_are_created_in_sql_or_from_a_plugin() {
    check(&[
        (
            "CREATE FUNCTION get_fraction(degrees DOUBLE) RETURNS DOUBLE CONTAINS SQL \
             RETURN degrees - FLOOR(degrees)",
            "CREATE FUNCTION GET_FRACTION (DEGREES DOUBLE) RETURNS DOUBLE \
             RETURN (DEGREES - FLOOR(DEGREES))",
        ),
        (
            "CREATE OR REPLACE FUNCTION f() RETURNS INT LANGUAGE SQL SPECIFIC g NOT DETERMINISTIC \
             READS SQL DATA CALLED ON NULL INPUT RETURN 1",
            "CREATE OR REPLACE FUNCTION F () RETURNS INTEGER RETURN 1",
        ),
        (
            "CREATE FUNCTION f(a INT, b INT) RETURNS INT RETURNS NULL ON NULL INPUT RETURN a + b",
            "CREATE FUNCTION F (A INTEGER, B INTEGER) RETURNS INTEGER RETURN \
             CASE WHEN (A IS NULL) THEN NULL WHEN (B IS NULL) THEN NULL ELSE (A + B) END",
        ),
        (
            "CREATE FUNCTION f(a VARCHAR) RETURNS VARCHAR LANGUAGE WASM NO SQL \
             EXTERNAL NAME 'geo.country'",
            "CREATE FUNCTION F (A VARCHAR(65535)) RETURNS VARCHAR(65535) LANGUAGE WASM \
             EXTERNAL NAME 'geo.country'",
        ),
    ]);
}

#[test]
fn pumps_are_altered_and_things_dropped() {
    check(&[
        ("ALTER PUMP p START", "ALTER PUMP P START"),
        ("ALTER PUMP \"a\", b STOP", "ALTER PUMP \"a\", B STOP"),
        ("ALTER PUMP STOP", "ALTER PUMP ALL STOP"),
        ("ALTER PUMP * START;", "ALTER PUMP ALL START"),
        ("ALTER PUMP start STOP", "ALTER PUMP START STOP"),
        ("DROP STREAM IF EXISTS s", "DROP STREAM IF EXISTS S"),
        (
            "DROP PUMP p; DROP FUNCTION f",
            "DROP PUMP P;\nDROP FUNCTION F",
        ),
        (";;", ""),
    ]);
}

#[test]
fn selects_have_all_their_clauses_in_order() {
    check(&[
        ("SELECT 1", "SELECT 1"),
        ("SELECT STREAM * FROM s", "SELECT STREAM * FROM S"),
        ("SELECT stream, a FROM s", "SELECT STREAM, A FROM S"),
        (
            "SELECT ALL a AS \"b\", c d, s.* FROM s",
            "SELECT A AS \"b\", C AS D, S.* FROM S",
        ),
        (
            "SELECT STREAM DISTINCT a FROM s WHERE b > 1 GROUP BY a, FLOOR(s.ROWTIME TO MINUTE) \
             HAVING COUNT(*) > 2 ORDER BY FLOOR(s.ROWTIME TO MINUTE), a DESC",
            "SELECT STREAM DISTINCT A FROM S WHERE (B > 1) GROUP BY A, \
             FLOOR(S.ROWTIME TO MINUTE) HAVING (COUNT(*) > 2) \
             ORDER BY FLOOR(S.ROWTIME TO MINUTE), A DESC",
        ),
        (
            "SELECT STREAM a, COUNT(*) FROM s WINDOWED BY STAGGER \
             (PARTITION BY FLOOR(t TO MINUTE), a RANGE INTERVAL '1' MINUTE)",
            "SELECT STREAM A, COUNT(*) FROM S WINDOWED BY STAGGER \
             (PARTITION BY FLOOR(T TO MINUTE), A RANGE INTERVAL '60000' MILLISECOND)",
        ),
        (
            "SELECT STREAM AVG(a) OVER w1, SUM(a) OVER w2 FROM s WINDOW \
             w1 AS (PARTITION BY b ROWS 2 PRECEDING), w2 AS (w1 RANGE INTERVAL '1' DAY PRECEDING)",
            "SELECT STREAM AVG(A) OVER W1, SUM(A) OVER W2 FROM S WINDOW \
             W1 AS (PARTITION BY B ROWS 2 PRECEDING), \
             W2 AS (W1 RANGE INTERVAL '86400000' MILLISECOND PRECEDING)",
        ),
        (
            "SELECT STREAM t AS ROWTIME, a FROM s ORDER BY t WITHIN INTERVAL '2' SECOND",
            "SELECT STREAM T AS ROWTIME, A FROM S ORDER BY T WITHIN INTERVAL '2000' MILLISECOND",
        ),
    ]);
}

#[test]
fn set_operators_bind_as_sql_wants_it() {
    check(&[
        (
            "SELECT a FROM s UNION ALL SELECT b FROM t ORDER BY ROWTIME",
            "(SELECT A FROM S) UNION ALL (SELECT B FROM T) ORDER BY ROWTIME",
        ),
        (
            "SELECT 1 UNION SELECT 2 INTERSECT SELECT 3 EXCEPT SELECT 4",
            "((SELECT 1) UNION ((SELECT 2) INTERSECT (SELECT 3))) EXCEPT (SELECT 4)",
        ),
        (
            "SELECT 1 EXCEPT (SELECT 2 UNION DISTINCT SELECT 3)",
            "(SELECT 1) EXCEPT ((SELECT 2) UNION (SELECT 3))",
        ),
        (
            "VALUES (1, 'a'), (2, 'b')",
            "VALUES ROW(1, 'a'), ROW(2, 'b')",
        ),
        ("VALUES 1", "VALUES ROW(1)"),
    ]);
}

#[test]
fn joins_are_of_every_kind_and_over_windows() {
    check(&[
        (
            "SELECT * FROM a, b JOIN c ON x",
            "SELECT * FROM (A CROSS JOIN (B INNER JOIN C ON X))",
        ),
        (
            "SELECT * FROM a LEFT JOIN b ON x RIGHT OUTER JOIN c USING (d, e)",
            "SELECT * FROM ((A LEFT JOIN B ON X) RIGHT JOIN C USING (D, E))",
        ),
        (
            "SELECT * FROM a FULL JOIN b ON x",
            "SELECT * FROM (A FULL JOIN B ON X)",
        ),
        (
            "SELECT * FROM a OUTER JOIN b ON x",
            "SELECT * FROM (A FULL JOIN B ON X)",
        ),
        (
            "SELECT * FROM a CROSS JOIN b",
            "SELECT * FROM (A CROSS JOIN B)",
        ),
        (
            "SELECT * FROM (a INNER JOIN b ON x)",
            "SELECT * FROM (A INNER JOIN B ON X)",
        ),
        (
            "SELECT * FROM o AS o1 JOIN t OVER (RANGE INTERVAL '1' MINUTE PRECEDING) AS t1 ON x",
            "SELECT * FROM (O AS O1 INNER JOIN T OVER (RANGE INTERVAL '60000' MILLISECOND \
             PRECEDING) AS T1 ON X)",
        ),
        (
            "SELECT * FROM o OVER w AS a JOIN (SELECT b FROM t) OVER (ROWS 10 PRECEDING) AS c ON x",
            "SELECT * FROM (O OVER W AS A INNER JOIN (SELECT B FROM T) \
             OVER (ROWS 10 PRECEDING) AS C ON X)",
        ),
        (
            "SELECT * FROM t AS a OVER (ROWS 1 PRECEDING) JOIN b ON x",
            "SELECT * FROM (T OVER (ROWS 1 PRECEDING) AS A INNER JOIN B ON X)",
        ),
    ]);
}

#[test]
fn table_functions_take_cursors_and_tables() {
    let hop = "SELECT * FROM TABLE(HOP(TABLE S, DESCRIPTOR(T), INTERVAL '300000' MILLISECOND, \
               INTERVAL '600000' MILLISECOND))";
    check(&[
        (
            "SELECT STREAM * FROM TABLE(TOP_K_ITEMS_TUMBLING(CURSOR(SELECT STREAM * FROM s), \
             'column1', 10, 60)) AS t (item, n)",
            "SELECT STREAM * FROM TABLE(TOP_K_ITEMS_TUMBLING(CURSOR(SELECT STREAM * FROM S), \
             'column1', 10, 60)) AS T (ITEM, N)",
        ),
        (
            "SELECT * FROM TABLE(HOP(TABLE s, DESCRIPTOR(t), INTERVAL '5' MINUTE, \
             INTERVAL '10' MINUTE))",
            hop,
        ),
        (
            "SELECT * FROM TABLE(HOP(SIZE => INTERVAL '10' MINUTES, DATA => TABLE s, \
             TIMECOL => DESCRIPTOR(t), SLIDE => INTERVAL '5' MINUTES))",
            hop,
        ),
        (
            "SELECT window_start FROM TUMBLE(TABLE s, DESCRIPTOR(t), INTERVAL '1' MINUTE) \
             GROUP BY window_start",
            "SELECT WINDOW_START FROM TABLE(TUMBLE(TABLE S, DESCRIPTOR(T), \
             INTERVAL '60000' MILLISECOND)) GROUP BY WINDOW_START",
        ),
    ]);
}
