//! `millrace sql test`: a program over the records of a file, on a clock that only they move.

use std::path::{Path, PathBuf};

use clap::Args;
use sql::input::{Decoder, InputSchema, Record};
use sql::output::JsonRows;
use sql::{Millis, Outcome, StreamId};

use super::schema;
use super::source::{Code, Fed};
use crate::failure::Failure;
use crate::output;

/// Differences that are shown; of more only the number is.
const SHOWN_MAX: usize = 20;
/// How far apart records arrive of which nothing says when they did.
const ARRIVALS_APART_MS: Millis = 1;
/// Faults that are shown.
const FAULTS_SHOWN_MAX: usize = 5;
/// What the stream of the records is called besides `SOURCE_SQL_STREAM_001`.
const SOURCE: &str = "INPUT";

/// Runs a program over the records of a file, each on a line, without a server and without a clock:
/// when a record arrived is a value in it, or one millisecond after the one before. The same
/// records always give the same rows.
///
/// The exit code is 0 when the rows are those of OUT, 1 when they are not (what is missing is
/// shown with -, what came instead with +), and 2 when nothing could be tested.
#[derive(Args)]
pub(crate) struct TestArgs {
    /// The program
    #[arg(value_name = "APP")]
    program: PathBuf,
    /// Records, one on a line: JSON, or values with delimiters
    #[arg(value_name = "IN")]
    records: PathBuf,
    /// The rows that are expected, an object of JSON on a line
    #[arg(value_name = "OUT")]
    rows: PathBuf,
    /// The columns of the records: an InputSchema as the API has it, as JSON [default: as the
    /// records look]
    #[arg(long, value_name = "FILE")]
    schema: Option<PathBuf>,
    /// The column that says when a record arrived: a time, or milliseconds since 1970
    #[arg(long, value_name = "COLUMN")]
    arrival: Option<String>,
    /// The stream whose rows are compared [default: the one that nothing in the program reads]
    #[arg(long, value_name = "STREAM")]
    output: Option<String>,
    /// Write the rows that come as those that are expected from now on
    #[arg(long)]
    bless: bool,
}

pub(crate) fn run(args: &TestArgs) -> Result<(), Failure> {
    let (rows, faults) = rows_of(args).map_err(Failure::Unable)?;
    tell(&faults)?;
    if args.bless {
        let written = std::fs::write(&args.rows, lines_of(&rows));
        written
            .map_err(|error| Failure::Unable(format!("write {}: {error}", args.rows.display())))?;
        let count = output::count(rows.len() as u64);
        output::lines(&format!("{count} rows written to {}", args.rows.display()))?;
        return Ok(());
    }
    let expected = read(&args.rows).map_err(Failure::Unable)?;
    let expected: Vec<&str> = expected.lines().collect();
    let differences = differences(&expected, &rows);
    if differences.is_empty() {
        let count = output::count(rows.len() as u64);
        output::lines(&format!("{count} rows, as expected"))?;
        return Ok(());
    }
    for line in differences.iter().take(SHOWN_MAX) {
        output::lines(line)?;
    }
    if differences.len() > SHOWN_MAX {
        output::lines(&format!("and {} more", differences.len() - SHOWN_MAX))?;
    }
    Err(Failure::Text(format!(
        "the rows are not those of {}; --bless makes them so",
        args.rows.display()
    )))
}

fn read(path: &Path) -> Result<String, String> {
    std::fs::read_to_string(path).map_err(|error| format!("read {}: {error}", path.display()))
}

fn lines_of(rows: &[String]) -> String {
    let lines = rows.iter().map(|row| format!("{row}\n"));
    lines.collect()
}

/// The rows of the program, and what is said of those that failed.
fn rows_of(args: &TestArgs) -> Result<(Vec<String>, Vec<String>), String> {
    let code = read(&args.program)?;
    let text = read(&args.records)?;
    let records: Vec<Vec<u8>> = text.lines().map(|line| line.as_bytes().to_vec()).collect();
    let schema = match &args.schema {
        Some(path) => schema::read(path)?,
        None => schema::discovered(&records)?,
    };
    let mut fed = Fed::new(&Code {
        text: &code,
        source: SOURCE,
        schema: &schema,
    })
    .map_err(|what| format!("{}: {what}", args.program.display()))?;
    let wanted = fed.output(args.output.as_deref())?;
    let mut arrivals = Arrivals::new(&schema, args.arrival.as_deref())?;
    let mut gathered = Gathered::new(&fed, wanted)?;
    for (number, record) in records.iter().enumerate() {
        let arrival = arrivals.of(record);
        let arrival = arrival
            .map_err(|what| format!("{}, line {}: {what}", args.records.display(), number + 1))?;
        let sequence_number = (number + 1).to_string();
        let record = Record {
            data: record,
            rowtime: arrival,
            arrival,
            partition_key: "",
            sequence_number: &sequence_number,
            shard_id: "shardId-000000000000",
        };
        let mut out = Outcome::default();
        fed.record(&record, &mut out)?;
        gathered.add(out)?;
    }
    let mut out = Outcome::default();
    fed.end(&mut out)?;
    gathered.add(out)?;
    Ok((gathered.rows, gathered.faults))
}

/// Rows of one stream as lines.
struct Gathered {
    wanted: StreamId,
    encoder: JsonRows,
    rows: Vec<String>,
    faults: Vec<String>,
}

impl Gathered {
    fn new(fed: &Fed, wanted: StreamId) -> Result<Self, String> {
        let encoder = JsonRows::new(fed.program().rows(wanted));
        Ok(Self {
            wanted,
            encoder: encoder.map_err(|invalid| invalid.to_string())?,
            rows: Vec::new(),
            faults: Vec::new(),
        })
    }

    fn add(&mut self, out: Outcome) -> Result<(), String> {
        for (stream, batch) in out.rows {
            if stream != self.wanted {
                continue;
            }
            let rows = &mut self.rows;
            let encoded = self.encoder.encode(&batch, |row| {
                rows.push(String::from_utf8_lossy(row).into_owned());
            });
            encoded.map_err(|invalid| invalid.to_string())?;
        }
        for (pump, row) in out.faults {
            let fault = row.fault;
            let of = if pump.is_empty() { "input" } else { &pump };
            self.faults
                .push(format!("{}: {} ({of})", fault.kind.name(), fault.message));
        }
        Ok(())
    }
}

/// Says on standard error what failed: those rows are in the stream of errors.
fn tell(faults: &[String]) -> Result<(), Failure> {
    if faults.is_empty() {
        return Ok(());
    }
    let count = output::count(faults.len() as u64);
    output::complain(&format!("{count} rows failed:"))?;
    for fault in faults.iter().take(FAULTS_SHOWN_MAX) {
        output::complain(&format!("  {fault}"))?;
    }
    if faults.len() > FAULTS_SHOWN_MAX {
        output::complain("  …")?;
    }
    Ok(())
}

/// When each record arrived.
enum Arrivals {
    Apart {
        next: Millis,
    },
    Column {
        decoder: Box<Decoder>,
        column: usize,
    },
}

impl Arrivals {
    fn new(schema: &InputSchema, column: Option<&str>) -> Result<Self, String> {
        let Some(name) = column else {
            return Ok(Self::Apart { next: 0 });
        };
        let rows = schema.row_type();
        let place = |is: &dyn Fn(&str) -> bool| {
            let mut columns = rows.columns().iter();
            columns.position(|column| is(&column.name))
        };
        let column = place(&|known| known == name);
        let column = column.or_else(|| place(&|known| known.eq_ignore_ascii_case(name)));
        // What a schema that is discovered calls a member whose name is a word of SQL.
        let column = column.or_else(|| place(&|known| known == format!("COL_{name}")));
        let column = column.ok_or_else(|| format!("the records have no column '{name}'"))?;
        let decoder = Decoder::new(schema, &[column]).map_err(|invalid| invalid.to_string())?;
        Ok(Self::Column {
            decoder: Box::new(decoder),
            column,
        })
    }

    fn of(&mut self, data: &[u8]) -> Result<Millis, String> {
        match self {
            Self::Apart { next } => {
                let arrival = *next;
                *next += ARRIVALS_APART_MS;
                Ok(arrival)
            }
            Self::Column { decoder, column } => {
                let record = Record {
                    data,
                    rowtime: 0,
                    arrival: 0,
                    partition_key: "",
                    sequence_number: "",
                    shard_id: "",
                };
                let mut faults = Vec::new();
                let said = |invalid: sql::Invalid| invalid.to_string();
                decoder.decode(&record, &mut faults).map_err(said)?;
                let batches = decoder.finish().map_err(said)?;
                let first = batches.first();
                let time = first.and_then(|batch| sql::first_moment(batch, *column));
                time.ok_or_else(|| "nothing says when this record arrived".to_owned())
            }
        }
    }
}

/// What is missing (-) and what came instead (+).
fn differences(expected: &[&str], rows: &[String]) -> Vec<String> {
    let same_before = expected
        .iter()
        .zip(rows)
        .take_while(|(wanted, row)| *wanted == row)
        .count();
    let (expected, rows) = (&expected[same_before..], &rows[same_before..]);
    let same_after = expected
        .iter()
        .rev()
        .zip(rows.iter().rev())
        .take_while(|(wanted, row)| *wanted == row)
        .count();
    let expected = &expected[..expected.len() - same_after];
    let rows = &rows[..rows.len() - same_after];
    let missing = expected.iter().enumerate();
    let missing = missing.map(|(at, line)| format!("- {} {line}", same_before + at + 1));
    let came = rows.iter().enumerate();
    let came = came.map(|(at, line)| format!("+ {} {line}", same_before + at + 1));
    missing.chain(came).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_differs_is_shown_with_the_numbers_of_its_lines() {
        let rows = ["a", "x", "c"].map(str::to_owned);
        assert_eq!(differences(&["a", "b", "c"], &rows), ["- 2 b", "+ 2 x"]);
        assert_eq!(differences(&["a", "x", "c"], &rows), Vec::<String>::new());
        assert_eq!(differences(&["a", "x"], &rows), ["+ 3 c"]);
        assert_eq!(differences(&["a", "x", "c", "c"], &rows), ["- 4 c"]);
    }
}
