//! Programs that run: what comes out of their streams, also over a restart and a change.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::{Outcome, Program, Running, Source};
use crate::batch::Millis;
use crate::input::{Decoder, InputSchema, Record, SourceSchema};
use crate::operator::StateWriter;
use crate::output::JsonRows;
use crate::plan::StreamId;

const SCHEMA: &str = r#"{
    "RecordFormat": {"RecordFormatType": "JSON"},
    "RecordColumns": [
        {"Name": "K", "SqlType": "VARCHAR(8)", "Mapping": "$.k"},
        {"Name": "V", "SqlType": "INTEGER", "Mapping": "$.v"}
    ]
}"#;

const SOURCE: &str = "SOURCE_SQL_STREAM_001";

/// Sums of minutes, and of those the large ones.
const TWO_STEPS: &str = "
    CREATE STREAM sums (k VARCHAR(8), total BIGINT);
    CREATE PUMP p1 AS INSERT INTO sums SELECT STREAM k, SUM(v) FROM source_sql_stream_001 AS s
      GROUP BY k, FLOOR(s.ROWTIME TO MINUTE);
    CREATE STREAM large (k VARCHAR(8), total BIGINT);
    CREATE PUMP p2 AS INSERT INTO large SELECT STREAM k, total FROM sums WHERE total > 10;";

/// A state as it would be kept.
#[derive(Clone, Default)]
struct Kept(BTreeMap<Vec<u8>, Vec<u8>>);

impl StateWriter for Kept {
    fn put(&mut self, key: &[u8], value: &[u8]) {
        self.0.insert(key.to_vec(), value.to_vec());
    }

    fn delete(&mut self, key: &[u8]) {
        self.0.remove(key);
    }
}

/// A program at work, and what came out of it.
struct Trial {
    running: Running,
    source: StreamId,
    schema: InputSchema,
    rows: Vec<(String, String)>,
    faults: Vec<String>,
}

impl Trial {
    fn new(code: &str) -> Self {
        let schema: SourceSchema = serde_json::from_str(SCHEMA).unwrap();
        let schema = InputSchema::parse(&schema).unwrap();
        let source = Source {
            name: SOURCE.to_owned(),
            rows: schema.row_type(),
            hidden: schema.hidden_columns(),
        };
        let program = Program::compile(code, &[source], &[]).unwrap();
        let source = program.stream(SOURCE).unwrap();
        Self {
            running: Running::new(Arc::new(program)).unwrap(),
            source,
            schema,
            rows: Vec::new(),
            faults: Vec::new(),
        }
    }

    fn put(&mut self, at: Millis, record: &str) {
        let mut decoder = Decoder::with_all_columns(&self.schema).unwrap();
        let record = Record {
            data: record.as_bytes(),
            rowtime: at,
            arrival: at,
            partition_key: "key",
            sequence_number: "1",
            shard_id: "shardId-000000000000",
        };
        let mut faults = Vec::new();
        decoder.decode(&record, &mut faults).unwrap();
        let mut out = Outcome::default();
        for batch in decoder.finish().unwrap() {
            self.running
                .on_batch(self.source, &batch, &mut out)
                .unwrap();
        }
        self.running.on_faults(faults, &mut out).unwrap();
        self.take(out);
    }

    fn time(&mut self, time: Millis) {
        let mut out = Outcome::default();
        self.running.on_time(time, &mut out).unwrap();
        self.take(out);
    }

    fn take(&mut self, out: Outcome) {
        let program = self.running.program().clone();
        for (stream, batch) in out.rows {
            let name = program.streams()[stream.0].name.clone();
            let mut encoder = JsonRows::new(program.rows(stream)).unwrap();
            let rows = &mut self.rows;
            let encoded = encoder.encode(&batch, |row| {
                rows.push((name.clone(), String::from_utf8(row.to_vec()).unwrap()));
            });
            encoded.unwrap();
        }
        for (pump, row) in out.faults {
            self.faults
                .push(format!("{pump} {}", row.fault.kind.name()));
        }
    }

    fn rows_of(&self, stream: &str) -> Vec<&str> {
        let of = self.rows.iter().filter(|(name, _)| name == stream);
        of.map(|(_, row)| row.as_str()).collect()
    }
}

fn row(k: &str, v: &str) -> String {
    format!(r#"{{"k":"{k}","v":{v}}}"#)
}

#[test]
fn a_second_query_takes_the_rows_of_the_first() {
    let mut trial = Trial::new(TWO_STEPS);
    trial.put(1_000, &row("a", "4"));
    trial.put(2_000, &row("b", "30"));
    trial.put(59_999, &row("a", "5"));
    assert_eq!(trial.rows, []);
    trial.put(60_000, &row("a", "12"));
    assert_eq!(
        trial.rows_of("SUMS"),
        [r#"{"K":"a","TOTAL":9}"#, r#"{"K":"b","TOTAL":30}"#]
    );
    assert_eq!(trial.rows_of("LARGE"), [r#"{"K":"b","TOTAL":30}"#]);
    trial.time(119_999);
    assert_eq!(trial.rows_of("SUMS").len(), 2);
    trial.time(120_000);
    assert_eq!(
        trial.rows_of("LARGE").last(),
        Some(&r#"{"K":"a","TOTAL":12}"#)
    );
}

#[test]
fn a_restart_between_any_two_records_changes_no_row() {
    let records: Vec<(Millis, String)> = (0..40)
        .map(|number| {
            let key = ["a", "b", "c"][number % 3];
            let at = Millis::try_from(number).unwrap() * 7_000;
            (at, row(key, &number.to_string()))
        })
        .collect();
    let mut whole = Trial::new(TWO_STEPS);
    for (at, record) in &records {
        whole.put(*at, record);
    }
    assert!(whole.rows_of("LARGE").len() > 3);
    let mut kept = Kept::default();
    let mut rows = Vec::new();
    for (at, record) in &records {
        let mut trial = Trial::new(TWO_STEPS);
        let restored = trial.running.restore(kept.0.clone()).unwrap();
        assert_eq!((restored.changed, restored.gone), (vec![], vec![]));
        trial.put(*at, record);
        trial.running.save(&mut kept).unwrap();
        rows.extend(trial.rows);
    }
    assert_eq!(rows, whole.rows);
}

#[test]
fn a_changed_second_query_leaves_the_first_its_sums() {
    let mut before = Trial::new(TWO_STEPS);
    before.put(1_000, &row("a", "4"));
    let mut kept = Kept::default();
    before.running.save(&mut kept).unwrap();
    let changed = TWO_STEPS.replace("total > 10", "total > 1");
    let mut after = Trial::new(&changed);
    let restored = after.running.restore(kept.0.clone()).unwrap();
    assert!(restored.kept > 0, "{restored:?}");
    after.put(2_000, &row("a", "5"));
    after.time(60_000);
    assert_eq!(after.rows_of("LARGE"), [r#"{"K":"a","TOTAL":9}"#]);
}

#[test]
fn a_changed_window_begins_anew_and_says_so_and_leaves_nothing_behind() {
    let mut before = Trial::new(TWO_STEPS);
    before.put(1_000, &row("a", "4"));
    let mut kept = Kept::default();
    before.running.save(&mut kept).unwrap();
    let changed = TWO_STEPS.replace("TO MINUTE", "TO HOUR");
    let mut after = Trial::new(&changed);
    let restored = after.running.restore(kept.0.clone()).unwrap();
    assert_eq!(restored.changed, ["P1"]);
    after.put(2_000, &row("a", "50"));
    after.time(3_600_000);
    assert_eq!(after.rows_of("LARGE"), [r#"{"K":"a","TOTAL":50}"#]);
    after.running.save(&mut kept).unwrap();
    // What is left is the latest time of each stream, and nothing of a window.
    let mut fresh = Trial::new(&changed);
    assert_eq!(
        fresh.running.restore(kept.0).unwrap().changed,
        Vec::<String>::new()
    );
}

#[test]
fn a_row_that_fails_is_in_the_stream_of_errors_and_its_neighbours_go_on() {
    let mut trial = Trial::new(
        "CREATE STREAM halves (k VARCHAR(8), half INTEGER);
         CREATE PUMP divide AS INSERT INTO halves
           SELECT STREAM k, 100 / v FROM source_sql_stream_001;
         CREATE STREAM told (name VARCHAR(32), pump VARCHAR(128));
         CREATE PUMP tell AS INSERT INTO told
           SELECT STREAM error_name, pump_name FROM error_stream;",
    );
    trial.put(1_000, &row("a", "50"));
    trial.put(2_000, &row("b", "0"));
    trial.put(3_000, "no JSON");
    trial.put(4_000, &row("c", "\"many\""));
    trial.put(5_000, &row("d", "20"));
    assert_eq!(
        trial.rows_of("HALVES"),
        [r#"{"K":"a","HALF":2}"#, r#"{"K":"d","HALF":5}"#]
    );
    assert_eq!(
        trial.rows_of("TOLD"),
        [
            r#"{"NAME":"DIVISION_BY_ZERO","PUMP":"DIVIDE"}"#,
            r#"{"NAME":"PARSE_ERROR","PUMP":""}"#,
            r#"{"NAME":"COERCION_ERROR","PUMP":""}"#,
        ]
    );
    assert_eq!(trial.faults.len(), 3);
}

#[test]
fn a_column_that_is_not_null_takes_no_null() {
    let mut trial = Trial::new(
        "CREATE STREAM full_rows (k VARCHAR(8) NOT NULL, v INTEGER);
         CREATE PUMP p AS INSERT INTO full_rows SELECT STREAM k, v FROM source_sql_stream_001;",
    );
    trial.put(1_000, &row("a", "null"));
    trial.put(2_000, r#"{"k":null,"v":1}"#);
    trial.put(3_000, r#"{"v":2}"#);
    assert_eq!(trial.rows_of("FULL_ROWS"), [r#"{"K":"a","V":null}"#]);
    assert_eq!(trial.faults, ["P COERCION_ERROR", "P COERCION_ERROR"]);
}

#[test]
fn texts_that_are_padded_match_those_that_are_not() {
    let mut trial = Trial::new(
        "CREATE STREAM padded (c CHAR(6), v INTEGER);
         CREATE PUMP p1 AS INSERT INTO padded SELECT STREAM k, v FROM source_sql_stream_001;
         CREATE STREAM met (k VARCHAR(8), v INTEGER);
         CREATE PUMP p2 AS INSERT INTO met SELECT STREAM s.k, p.v FROM source_sql_stream_001 AS s
           JOIN padded OVER (RANGE INTERVAL '1' MINUTE PRECEDING) AS p ON p.c = s.k;",
    );
    trial.put(1_000, &row("ab", "1"));
    trial.put(2_000, &row("ab", "2"));
    trial.put(3_000, &row("b", "3"));
    trial.time(10_000);
    assert_eq!(
        trial.rows_of("MET"),
        [
            r#"{"K":"ab","V":1}"#,
            r#"{"K":"ab","V":1}"#,
            r#"{"K":"ab","V":2}"#,
            r#"{"K":"b","V":3}"#
        ]
    );
}

#[test]
fn rows_of_a_stream_never_go_back_in_time() {
    // What is sorted by its own time is older than what is not.
    let mut trial = Trial::new(
        "CREATE STREAM both (v INTEGER);
         CREATE PUMP now_rows AS INSERT INTO both SELECT STREAM v FROM source_sql_stream_001;
         CREATE PUMP old_rows AS INSERT INTO both
           SELECT STREAM v + 1000 FROM source_sql_stream_001 AS s
           ORDER BY s.ROWTIME - INTERVAL '10' SECOND WITHIN INTERVAL '1' SECOND;",
    );
    trial.put(20_000, &row("a", "1"));
    trial.put(30_000, &row("a", "2"));
    assert_eq!(trial.rows_of("BOTH"), [r#"{"V":1}"#, r#"{"V":2}"#]);
    assert_eq!(trial.faults, ["BOTH LATE_ROW"]);
}
