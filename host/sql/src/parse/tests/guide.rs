//! Statements after the patterns of AWS's developer guide and SQL reference.

use super::{parse, understood};

/// Queries of a pump, by what they show. Each is read by itself and as the query of a pump.
const QUERIES: &[&str] = &[
    // Filters and projections.
    "SELECT STREAM ticker_symbol, sector, change, price FROM \"SOURCE_SQL_STREAM_001\" \
     WHERE sector SIMILAR TO '%TECH%'",
    "SELECT STREAM \"ticker_symbol\", \"price\" FROM \"SOURCE_SQL_STREAM_001\" \
     WHERE \"ticker_symbol\" = 'AMZN' AND (\"price\" > 10.5 OR \"price\" < .5)",
    "SELECT STREAM rowtime, s.* FROM \"SOURCE_SQL_STREAM_001\" AS s",
    "SELECT STREAM \"APPROXIMATE_ARRIVAL_TIME\", ROWTIME AS \"at\", value, type FROM s",
    "SELECT STREAM UPPER(a) || ' ' || INITCAP(b) AS c, CHAR_LENGTH(d) FROM s",
    "SELECT STREAM CASE WHEN a > 1 THEN 'x' ELSE CAST(NULL AS VARCHAR(4)) END FROM s",
    "SELECT STREAM COALESCE(a, b, 'n/a'), NULLIF(c, 0) FROM s WHERE d IS NOT NULL",
    "SELECT STREAM CAST(\"price\" AS DECIMAL(10, 2)) AS price FROM s",
    "SELECT STREAM SUBSTRING(\"raw\", POSITION('[' IN \"raw\"), 5) AS part FROM s",
    "SELECT STREAM SUBSTRING(a FROM 3 FOR 4), TRIM(BOTH ' ' FROM b) FROM s",
    "SELECT STREAM REGEX_REPLACE(\"REFERRER\", 'http://', 'https://', 1, 0) FROM s",
    "SELECT STREAM OVERLAY('12345' PLACING 'foo' FROM 3 FOR 2) FROM s",
    "SELECT STREAM MOD(a, 5), ABS(b), POWER(c, 2), EXP(d), LN(e), LOG10(f) FROM s",
    "SELECT STREAM a % 3, a + -1, (a - 2) * 4 / 5 FROM s WHERE a BETWEEN 1 AND 10",
    "SELECT STREAM * FROM s WHERE a LIKE '%x!%' ESCAPE '!' AND b NOT IN ('c', 'd')",
    "SELECT STREAM * FROM s WHERE a IS DISTINCT FROM b AND (c IS TRUE) IS NOT FALSE",
    // Dates and times.
    "SELECT STREAM TO_TIMESTAMP(CHAR_TO_TIMESTAMP('dd/MMM/yyyy', \"EVENT_TIME\")) FROM s",
    "SELECT STREAM UNIX_TIMESTAMP(event_time), CURRENT_TIMESTAMP, LOCALTIME FROM s",
    "SELECT STREAM CURRENT_ROW_TIMESTAMP, CURRENT_DATE FROM s",
    "SELECT STREAM TSDIFF(s.ROWTIME, TIMESTAMP '2017-11-29 00:00:00') FROM s",
    "SELECT STREAM EXTRACT(YEAR FROM DATE '2013-07-04'), EXTRACT(DOW FROM ROWTIME) FROM s",
    "SELECT STREAM FLOOR(rowtime TO HOUR), CEIL(rowtime TO MINUTE) FROM s",
    "SELECT STREAM STEP(rowtime BY INTERVAL '10' SECOND) FROM s",
    "SELECT STREAM ROWTIME + INTERVAL '1' DAY - INTERVAL '3 4' DAY TO HOUR FROM s",
    "SELECT STREAM 2 * INTERVAL '3 4' DAY TO HOUR, INTERVAL '3 4' DAY TO HOUR / 2 FROM s",
    "SELECT STREAM (a.ROWTIME - b.t) SECOND AS waited FROM a, b",
    "VALUES CAST((TIME '12:03:34' - TIME '11:57:23') MINUTE TO SECOND AS VARCHAR(8))",
    "VALUES CAST(DATE '2004-05-01' AS TIMESTAMP), (TIME '01:02:03')",
    "SELECT STREAM * FROM s WHERE t BETWEEN TIMESTAMP '2006-01-01 00:00:00' AND \
     TIMESTAMP '2006-12-31 23:59:59.999'",
    // Tumbling windows.
    "SELECT STREAM ticker, COUNT(*) AS ticker_count FROM \"S\" \
     GROUP BY ticker, STEP(\"S\".ROWTIME BY INTERVAL '60' SECOND)",
    "SELECT STREAM FLOOR(\"S\".ROWTIME TO SECOND), MIN(price), MAX(price) FROM \"S\" \
     GROUP BY ticker, FLOOR(\"S\".ROWTIME TO MINUTE)",
    "SELECT STREAM STEP(s.APPROXIMATE_ARRIVAL_TIME BY INTERVAL '10' SECOND), COUNT(*) FROM s \
     GROUP BY ticker, STEP(s.ROWTIME BY INTERVAL '10' SECOND), \
     STEP(s.APPROXIMATE_ARRIVAL_TIME BY INTERVAL '10' SECOND)",
    "SELECT STREAM ticker_symbol, AVG(price) FROM s \
     GROUP BY ticker_symbol, FLOOR((s.ROWTIME - TIMESTAMP '1970-01-01 00:00:00') SECOND / 10 TO \
     SECOND)",
    "SELECT STREAM sector, VAR_POP(price), VAR_SAMP(price), STDDEV_POP(price), \
     STDDEV_SAMP(price) FROM s GROUP BY sector, FLOOR(s.ROWTIME TO MINUTE) \
     HAVING COUNT(*) > 1",
    "SELECT STREAM COUNT(DISTINCT a), SUM(b) FILTER (WHERE c > 0) FROM s \
     GROUP BY FLOOR(s.ROWTIME TO HOUR)",
    "SELECT STREAM MONOTONIC(a), COUNT(*) FROM s GROUP BY MONOTONIC(a)",
    "SELECT STREAM TICKER_SYMBOL, COUNT(distinct_stream.price) AS unique_count FROM (\
     SELECT STREAM DISTINCT rowtime AS window_time, TICKER_SYMBOL, CHANGE, PRICE, \
     STEP((SOURCE_SQL_STREAM_001.rowtime) BY INTERVAL '5' SECOND) FROM SOURCE_SQL_STREAM_001) \
     AS distinct_stream GROUP BY TICKER_SYMBOL, \
     STEP((distinct_stream.window_time) BY INTERVAL '5' SECOND)",
    "SELECT STREAM state, city, SUM(amount) FROM orders \
     GROUP BY FLOOR(ROWTIME TO HOUR), state, city ORDER BY FLOOR(ROWTIME TO HOUR), SUM(amount)",
    // Stagger windows.
    "SELECT STREAM TICKER_SYMBOL, FLOOR(EVENT_TIME TO MINUTE), COUNT(TICKER_SYMBOL) AS n \
     FROM \"SOURCE_SQL_STREAM_001\" WINDOWED BY STAGGER (\
     PARTITION BY FLOOR(EVENT_TIME TO MINUTE), TICKER_SYMBOL RANGE INTERVAL '1' MINUTE)",
    // Sliding windows.
    "SELECT STREAM ticker_symbol, MIN(price) OVER W1 AS low, AVG(price) OVER W1 AS mean FROM s \
     WINDOW W1 AS (PARTITION BY ticker_symbol RANGE INTERVAL '1' MINUTE PRECEDING)",
    "SELECT STREAM ticker_symbol, AVG(price) OVER last2rows, AVG(price) OVER last10rows FROM s \
     WINDOW last2rows AS (PARTITION BY ticker_symbol ROWS 2 PRECEDING), \
     last10rows AS (PARTITION BY ticker_symbol ROWS 10 PRECEDING)",
    "SELECT STREAM AVG(price) OVER (PARTITION BY t RANGE INTERVAL '1' HOUR PRECEDING) FROM s",
    "SELECT STREAM LAG(price, 1) OVER (PARTITION BY t ROWS 1 PRECEDING) AS previous FROM s",
    "SELECT STREAM LAG(a, 2, 0) RESPECT NULLS OVER w FROM s WINDOW w AS (ROWS 3 PRECEDING)",
    "SELECT STREAM FIRST_VALUE(a) OVER w, LAST_VALUE(a) IGNORE NULLS OVER w FROM s \
     WINDOW w AS (RANGE INTERVAL '0 0:0:1' DAY TO SECOND PRECEDING)",
    "SELECT STREAM NTH_VALUE(a, 3) FROM FIRST RESPECT NULLS OVER w FROM s \
     WINDOW w AS (ROWS 10 PRECEDING)",
    "SELECT STREAM ticker, EXP_AVG(price, INTERVAL '5' SECOND) OVER w AS smooth FROM s \
     WINDOW w AS (PARTITION BY ticker RANGE INTERVAL '1' HOUR PRECEDING)",
    "SELECT STREAM COUNT(*) OVER (RANGE BETWEEN INTERVAL '1' MINUTE PRECEDING AND CURRENT ROW) \
     FROM s",
    "SELECT STREAM SUM(a) OVER (ORDER BY s.ROWTIME ROWS BETWEEN 4 PRECEDING AND 0 PRECEDING) \
     FROM s",
    "SELECT STREAM a, COUNT(a) OVER (PARTITION BY b RANGE CURRENT ROW) FROM s",
    // Joins.
    "SELECT STREAM ROWTIME, o.orderId, o.ticker, o.amount AS orderAmount FROM OrderStream AS o \
     JOIN TradeStream OVER (RANGE INTERVAL '1' MINUTE PRECEDING) AS t ON o.orderId = t.orderId",
    "SELECT STREAM o.a FROM OrderStream OVER (RANGE INTERVAL '1' MINUTE PRECEDING) AS o \
     LEFT OUTER JOIN TradeStream AS t ON o.id = t.id",
    "SELECT STREAM a.x, b.y FROM a OVER (RANGE INTERVAL '1' MINUTE FOLLOWING) AS a \
     FULL OUTER JOIN b OVER (ROWS 10 PRECEDING) AS b USING (id)",
    "SELECT STREAM ticker_symbol, \"c\".\"Company\", sector FROM \"SOURCE_SQL_STREAM_001\" \
     LEFT JOIN \"CompanyName\" AS \"c\" ON \"SOURCE_SQL_STREAM_001\".ticker_symbol = \"c\".\"T\"",
    "SELECT STREAM * FROM orders AS o, shipments OVER (ROWS 5 PRECEDING) AS s WHERE o.id = s.id",
    "SELECT STREAM * FROM a OVER w AS x JOIN b OVER w AS y ON x.id = y.id \
     WINDOW w AS (RANGE INTERVAL '3' SECOND PRECEDING)",
    "SELECT STREAM * FROM a CROSS JOIN reference AS r",
    // Order and sets.
    "SELECT STREAM x, y FROM t1 UNION ALL SELECT STREAM a, b FROM t2 ORDER BY ROWTIME, MOD(x, 5)",
    "SELECT STREAM DISTINCT rowtime, ticker FROM trades ORDER BY ROWTIME, ticker",
    "SELECT STREAM event_time AS ROWTIME, a FROM s ORDER BY event_time WITHIN INTERVAL '10' MINUTE",
    "(SELECT STREAM a FROM s EXCEPT SELECT STREAM a FROM t) INTERSECT SELECT STREAM a FROM u",
    "SELECT STREAM ALL a FROM s ORDER BY FLOOR(ROWTIME TO SECOND) ASC, 2 DESC",
    "SELECT STREAM * FROM (VALUES (1, 'a'), (2, 'b')) AS v (id, name)",
    // Logs.
    "SELECT STREAM l.r.\"COLUMN1\", l.r.\"COLUMN2\" FROM (SELECT STREAM \
     W3C_LOG_PARSE(\"log\", 'COMMON') FROM s) AS l (r)",
    "SELECT STREAM t.r.\"LOGENTRY\", t.r.\"MATCH1\" FROM (SELECT STREAM logentry, \
     REGEX_LOG_PARSE(logentry, '(\\w.+) (\\d.+) (\\w.+)') AS rec FROM s) AS t (r)",
    "SELECT STREAM x.r.\"a\" FROM (SELECT STREAM VARIABLE_COLUMN_LOG_PARSE(\"c\", \
     'column_1 TYPE VARCHAR(10), column_2', ',', '\\', '\"') AS r FROM s) AS x",
    "SELECT STREAM FIXED_COLUMN_LOG_PARSE(a, 'x, 0, 5'), SYS_LOG_PARSE(b), \
     FAST_REGEX_LOG_PARSER('a(b)', c) FROM s",
    // Table functions.
    "SELECT STREAM ITEM, ITEM_COUNT FROM TABLE(TOP_K_ITEMS_TUMBLING(CURSOR(SELECT STREAM * FROM \
     \"SOURCE_SQL_STREAM_001\"), 'column1', 10, 60))",
    "SELECT STREAM NUMBER_OF_DISTINCT_ITEMS FROM TABLE(COUNT_DISTINCT_ITEMS_TUMBLING(\
     CURSOR(SELECT STREAM * FROM \"SOURCE_SQL_STREAM_001\"), 'TICKER_SYMBOL', 60))",
    "SELECT STREAM \"heartRate\", \"rateType\", ANOMALY_SCORE FROM TABLE(RANDOM_CUT_FOREST(\
     CURSOR(SELECT STREAM * FROM \"SOURCE_SQL_STREAM_001\")))",
    "SELECT STREAM a, ANOMALY_SCORE, ANOMALY_EXPLANATION FROM TABLE(\
     RANDOM_CUT_FOREST_WITH_EXPLANATION(CURSOR(SELECT STREAM a, b / 100 FROM s), 100, 256, \
     100000, 1, true)) WHERE ANOMALY_SCORE > 0",
    "SELECT \"x\", \"y\", HOTSPOTS_RESULT FROM TABLE(HOTSPOTS(\
     CURSOR(SELECT STREAM \"x\", \"y\" FROM s), 1000, 0.2, 17))",
    "SELECT STREAM \"groupRank\", price FROM TABLE(GROUP_RANK(CURSOR(SELECT STREAM * FROM s), \
     'PRICE', 'groupRank', 'desc', 'asc', 10, 5))",
    "SELECT window_start, window_end, SUM(price) FROM TABLE(CUMULATE(TABLE bids, \
     DESCRIPTOR(bidtime), INTERVAL '2' MINUTES, INTERVAL '10' MINUTES)) \
     GROUP BY window_start, window_end",
    "SELECT * FROM TABLE(SESSION(DATA => TABLE bids, TIMECOL => DESCRIPTOR(bidtime), \
     GAP => INTERVAL '5' MINUTES))",
];

/// Programs of several statements with how many they have.
const PROGRAMS: &[(&str, usize)] = &[
    (
        "-- a filter\nCREATE OR REPLACE STREAM \"DESTINATION_SQL_STREAM\" (\
         ticker_symbol VARCHAR(4), sector VARCHAR(12), change REAL, price REAL);\n\
         // one pump\nCREATE OR REPLACE PUMP \"STREAM_PUMP\" AS INSERT INTO \
         \"DESTINATION_SQL_STREAM\"\n \
         SELECT STREAM ticker_symbol, sector, change, price FROM \"SOURCE_SQL_STREAM_001\";",
        2,
    ),
    (
        "CREATE OR REPLACE STREAM \"in_app_stream\" (ingest_time TIMESTAMP, a INTEGER); \
         CREATE OR REPLACE PUMP \"p1\" AS INSERT INTO \"in_app_stream\" \
         SELECT STREAM APPROXIMATE_ARRIVAL_TIME, a FROM s; /* two */ \
         CREATE OR REPLACE PUMP \"p2\" AS INSERT INTO \"out\" SELECT STREAM a \
         FROM \"in_app_stream\"",
        3,
    ),
    (
        "CREATE STREAM a (\"key_order\" VARCHAR(20), \"eur\" INTEGER) DESCRIPTION 'origin'; \
         CREATE STREAM b (\"key_order\" VARCHAR(20), \"eur\" INTEGER) DESCRIPTION 'goal'; \
         CREATE PUMP \"200-ConditionedOrdersPump\" AS INSERT INTO b (\"key_order\", \"eur\")\n\
         //note the list\nSELECT STREAM \"key_order\", \"eur\"\n//again\nFROM a; \
         ALTER PUMP \"200-ConditionedOrdersPump\" START; DROP PUMP p; DROP STREAM a",
        6,
    ),
    (
        "CREATE OR REPLACE STREAM t (\"orderid\" int, \"orderrowtime\" timestamp); \
         CREATE OR REPLACE STREAM types (a BOOLEAN, b TINYINT, c SMALLINT, d BIGINT, e FLOAT, \
         f DOUBLE, g DECIMAL(19, 4), h CHAR(3), i BINARY(4), j VARBINARY(16), k DATE, l TIME, \
         m INTERVAL DAY TO SECOND, n NUMERIC(5), o CHARACTER VARYING(3), status VARCHAR(8), \
         date_time TIMESTAMP, \"year\" INT);",
        2,
    ),
    (
        "CREATE FUNCTION twice(x INT) RETURNS INT LANGUAGE SQL DETERMINISTIC CONTAINS SQL \
         RETURN x + x; CREATE FUNCTION country(ip VARCHAR) RETURNS CHAR(2) LANGUAGE WASM \
         EXTERNAL NAME 'geo.country'; ALTER PUMP \"a\", \"b\" STOP; DROP FUNCTION IF EXISTS twice;",
        4,
    ),
];

#[test]
fn more_than_a_hundred_statements_of_the_guides_are_read() {
    let mut read = 0;
    for query in QUERIES {
        let alone = understood(query);
        let pump = format!("CREATE OR REPLACE PUMP \"p\" AS INSERT INTO \"d\" {query};");
        let in_pump = understood(&pump);
        let expected = format!("CREATE OR REPLACE PUMP \"p\" STARTED AS INSERT INTO \"d\" {alone}");
        assert_eq!(in_pump, expected);
        read += 2;
    }
    for (program, statements) in PROGRAMS {
        understood(program);
        assert_eq!(parse(program).unwrap().len(), *statements, "{program}");
        read += statements;
    }
    assert!(read > 100, "{read}");
}

#[test]
fn a_stream_keyword_is_seen_in_every_streaming_query_of_the_guides() {
    for query in QUERIES
        .iter()
        .filter(|query| query.starts_with("SELECT STREAM"))
    {
        assert!(understood(query).contains("SELECT STREAM "), "{query}");
    }
}
