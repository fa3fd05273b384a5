//! Continuous SQL: queries of the Nexmark benchmark over records of JSON, from bytes to bytes, on
//! one thread, without a log before or behind them.

use std::sync::Arc;
use std::time::Duration;

use sql::input::{Decoder, InputSchema, Record, SourceSchema};
use sql::output::JsonRows;
use sql::{Millis, Outcome, Program, Running, Source, StreamId};

use crate::Failure;
use crate::bench::Bench;
use crate::nexmark::Events;
use crate::report::{Goal, Line};
use crate::usage::own_cpu;

const EVENTS: u64 = 1_000_000;
const SOURCE: &str = "SOURCE_SQL_STREAM_001";

const SCHEMA: &str = r#"{
    "RecordFormat": {
        "RecordFormatType": "JSON",
        "MappingParameters": {"JSONMappingParameters": {"RecordRowPath": "$"}}
    },
    "RecordColumns": [
        {"Name": "KIND", "SqlType": "VARCHAR(8)", "Mapping": "$.kind"},
        {"Name": "ID", "SqlType": "BIGINT", "Mapping": "$.id"},
        {"Name": "NAME", "SqlType": "VARCHAR(64)", "Mapping": "$.name"},
        {"Name": "CITY", "SqlType": "VARCHAR(32)", "Mapping": "$.city"},
        {"Name": "STATE", "SqlType": "VARCHAR(8)", "Mapping": "$.state"},
        {"Name": "SELLER", "SqlType": "BIGINT", "Mapping": "$.seller"},
        {"Name": "CATEGORY", "SqlType": "INTEGER", "Mapping": "$.category"},
        {"Name": "RESERVE", "SqlType": "BIGINT", "Mapping": "$.reserve"},
        {"Name": "AUCTION", "SqlType": "BIGINT", "Mapping": "$.auction"},
        {"Name": "BIDDER", "SqlType": "BIGINT", "Mapping": "$.bidder"},
        {"Name": "PRICE", "SqlType": "BIGINT", "Mapping": "$.price"},
        {"Name": "CHANNEL", "SqlType": "VARCHAR(16)", "Mapping": "$.channel"},
        {"Name": "URL", "SqlType": "VARCHAR(128)", "Mapping": "$.url"}
    ]
}"#;

/// A query, and how many million events in a second of a processor it should take.
struct Query {
    name: &'static str,
    goal: f64,
    program: &'static str,
}

const QUERIES: [Query; 7] = [
    Query {
        name: "q0",
        goal: 1.0,
        program: "SELECT STREAM auction, bidder, price, channel, url FROM source_sql_stream_001
                  WHERE kind = 'bid'",
    },
    Query {
        name: "q1",
        goal: 1.0,
        program: "SELECT STREAM auction, bidder, price * 0.908 AS price FROM source_sql_stream_001
                  WHERE kind = 'bid'",
    },
    Query {
        name: "q2",
        goal: 1.0,
        program: "SELECT STREAM auction, price FROM source_sql_stream_001
                  WHERE kind = 'bid' AND MOD(auction, 123) = 0",
    },
    Query {
        name: "q3",
        goal: 1.0,
        program: "SELECT STREAM p.name, p.city, p.state, a.id FROM
                  (SELECT STREAM id, seller FROM source_sql_stream_001
                   WHERE kind = 'auction' AND category = 10) AS a
                  JOIN (SELECT STREAM id, name, city, state FROM source_sql_stream_001
                        WHERE kind = 'person' AND state IN ('OR', 'ID', 'CA'))
                    OVER (RANGE INTERVAL '1' HOUR PRECEDING) AS p ON a.seller = p.id",
    },
    Query {
        name: "q5",
        goal: 0.7,
        program: "CREATE STREAM counts (began TIMESTAMP, auction BIGINT, bids BIGINT);
                  CREATE PUMP count_bids AS INSERT INTO counts
                    SELECT STREAM window_start, auction, COUNT(*)
                    FROM TABLE(HOP(TABLE source_sql_stream_001, DESCRIPTOR(ROWTIME),
                                   INTERVAL '2' SECOND, INTERVAL '10' SECOND))
                    GROUP BY auction, window_start, window_end;
                  CREATE STREAM most (began TIMESTAMP, bids BIGINT);
                  CREATE PUMP find_most AS INSERT INTO most
                    SELECT STREAM c.began, MAX(c.bids) FROM counts AS c
                    GROUP BY c.began, STEP(c.ROWTIME BY INTERVAL '1' SECOND);
                  SELECT STREAM m.began, c.auction, c.bids FROM most AS m
                    JOIN counts OVER (RANGE INTERVAL '5' SECOND PRECEDING) AS c
                    ON c.began = m.began AND c.bids = m.bids",
    },
    Query {
        name: "q7",
        goal: 0.7,
        program: "CREATE STREAM highest (price BIGINT);
                  CREATE PUMP find_highest AS INSERT INTO highest
                    SELECT STREAM MAX(price) FROM source_sql_stream_001 AS s
                    WHERE kind = 'bid' GROUP BY STEP(s.ROWTIME BY INTERVAL '10' SECOND);
                  SELECT STREAM b.auction, b.bidder, b.price FROM highest AS h
                    JOIN source_sql_stream_001 OVER (RANGE INTERVAL '11' SECOND PRECEDING) AS b
                    ON b.price = h.price",
    },
    Query {
        name: "q8",
        goal: 1.0,
        program: "CREATE STREAM persons (id BIGINT, name VARCHAR(64), began TIMESTAMP);
                  CREATE PUMP new_persons AS INSERT INTO persons
                    SELECT STREAM id, name, STEP(s.ROWTIME BY INTERVAL '10' SECOND)
                    FROM source_sql_stream_001 AS s WHERE kind = 'person'
                    GROUP BY id, name, STEP(s.ROWTIME BY INTERVAL '10' SECOND);
                  CREATE STREAM sellers (id BIGINT, began TIMESTAMP);
                  CREATE PUMP new_sellers AS INSERT INTO sellers
                    SELECT STREAM seller, STEP(s.ROWTIME BY INTERVAL '10' SECOND)
                    FROM source_sql_stream_001 AS s WHERE kind = 'auction'
                    GROUP BY seller, STEP(s.ROWTIME BY INTERVAL '10' SECOND);
                  SELECT STREAM p.id, p.name, p.began FROM
                    persons OVER (RANGE INTERVAL '1' SECOND PRECEDING) AS p
                    JOIN sellers OVER (RANGE INTERVAL '1' SECOND PRECEDING) AS s
                    ON p.id = s.id AND p.began = s.began",
    },
];

/// All queries, and reading the records alone.
pub fn run(_bench: &Bench) -> Result<Vec<Line>, Failure> {
    let events = Events::new(EVENTS)?;
    let schema: SourceSchema = serde_json::from_str(SCHEMA)?;
    let schema = InputSchema::parse(&schema)?;
    let mut lines = vec![decode(&events, &schema)?];
    for query in &QUERIES {
        let mut work = Work::new(query.program, &schema)?;
        let before = own_cpu();
        work.take_all(&events)?;
        let cpu = own_cpu().saturating_sub(before);
        lines.push(Line {
            goal: Some(Goal::AtLeast(query.goal)),
            note: format!(
                "{} rows out, {} bytes of state",
                work.rows,
                work.running.state_bytes()
            ),
            ..Line::new(format!("sql/{}", query.name), millions(&events, cpu), "M/s")
        });
    }
    Ok(lines)
}

fn millions(events: &Events, cpu: Duration) -> f64 {
    events.count() as f64 / 1e6 / cpu.as_secs_f64()
}

/// Bytes into rows, of all columns.
fn decode(events: &Events, schema: &InputSchema) -> Result<Line, Failure> {
    let mut decoder = Decoder::with_all_columns(schema)?;
    let mut rows = 0;
    let before = own_cpu();
    for (data, at) in events.each() {
        decoder.decode(&record(data, at)?, &mut Vec::new())?;
        if decoder.is_full() {
            rows += decoder
                .finish()?
                .iter()
                .map(sql::Batch::rows)
                .sum::<usize>();
        }
    }
    let cpu = own_cpu().saturating_sub(before);
    let megabytes = events.bytes() as f64 / 1e6;
    Ok(Line {
        note: format!(
            "{:.2} million events in a second of a processor, {rows} rows",
            millions(events, cpu)
        ),
        ..Line::new("sql/decode", megabytes / cpu.as_secs_f64(), "MB/s")
    })
}

fn record(data: &[u8], at: u64) -> Result<Record<'_>, Failure> {
    let at = Millis::try_from(at)?;
    Ok(Record {
        data,
        rowtime: at,
        arrival: at,
        partition_key: "",
        sequence_number: "",
        shard_id: "",
    })
}

/// A program over the events.
struct Work {
    running: Running,
    source: StreamId,
    result: StreamId,
    decoder: Decoder,
    encoder: JsonRows,
    /// Rows that came out, and their bytes.
    rows: u64,
    bytes: usize,
}

impl Work {
    fn new(program: &str, schema: &InputSchema) -> Result<Self, Failure> {
        let source = Source {
            name: SOURCE.to_owned(),
            rows: schema.row_type(),
            hidden: schema.hidden_columns(),
        };
        let program = Arc::new(Program::compile(program, &[source], &[])?);
        let source = program.stream(SOURCE).ok_or("no source")?;
        let result = program.result().ok_or("no query by itself")?;
        Ok(Self {
            decoder: Decoder::new(schema, &program.needed(source))?,
            encoder: JsonRows::new(program.rows(result))?,
            running: Running::new(program)?,
            source,
            result,
            rows: 0,
            bytes: 0,
        })
    }

    fn take_all(&mut self, events: &Events) -> Result<(), Failure> {
        for (data, at) in events.each() {
            let mut faults = Vec::new();
            self.decoder.decode(&record(data, at)?, &mut faults)?;
            if !faults.is_empty() {
                return Err("an event could not be read".into());
            }
            if self.decoder.is_full() {
                self.take()?;
            }
        }
        self.take()?;
        let mut out = Outcome::default();
        self.running.on_end(&mut out)?;
        self.encode(&out)
    }

    fn take(&mut self) -> Result<(), Failure> {
        for batch in self.decoder.finish()? {
            let mut out = Outcome::default();
            self.running.on_batch(self.source, &batch, &mut out)?;
            self.encode(&out)?;
        }
        Ok(())
    }

    fn encode(&mut self, out: &Outcome) -> Result<(), Failure> {
        if let Some((pump, row)) = out.faults.first() {
            return Err(format!("a row of {pump} failed: {}", row.fault.message).into());
        }
        for (stream, batch) in &out.rows {
            if *stream == self.result {
                let (rows, bytes) = (&mut self.rows, &mut self.bytes);
                self.encoder.encode(batch, |row| {
                    *rows += 1;
                    *bytes += row.len();
                })?;
            }
        }
        Ok(())
    }
}
