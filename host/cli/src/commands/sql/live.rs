//! `millrace sql QUERY --stream S`: rows of a query as the records of a stream come.

use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, ValueEnum};
use sql::input::Record;
use sql::output::{CsvRows, JsonRows};
use sql::{Millis, Outcome, RowType, StreamId};
use tokio::time::timeout;
use types::{Clock, SystemClock};

use super::schema;
use super::source::{Code, Fed};
use crate::client::TargetArgs;
use crate::commands::stream::{Begin, Framed, Since, Tail, each};
use crate::failure::Failure;
use crate::output;

/// How long nothing may come before time goes on without a record.
const QUIET: Duration = Duration::from_millis(250);
/// How far time stays behind the clock where nothing comes: what has just been put is on its way.
const BEHIND_MS: Millis = 1_000;
/// How long records are gathered to see what their columns are.
const SAMPLE_TIME: Duration = Duration::from_secs(1);
/// Records that are taken at once, at most.
const RECORDS_MAX: usize = 8_192;

#[derive(Args)]
pub(crate) struct LiveArgs {
    /// The query, or a program that ends with one: SELECT STREAM … FROM the stream
    #[arg(value_name = "QUERY", requires = "stream")]
    query: Option<String>,
    /// The stream that is read; the query knows it by its name, and as SOURCE_SQL_STREAM_001
    #[arg(long, value_name = "NAME")]
    stream: Option<String>,
    /// Where to begin in every shard, as `stream tail` takes it
    #[arg(
        long, visible_alias = "from", value_name = "WHEN", value_parser = Since::parse,
        default_value = "latest", allow_hyphen_values = true
    )]
    since: Since,
    /// The columns of the records: an InputSchema as the API has it, as JSON [default: as the
    /// first records look]
    #[arg(long, value_name = "FILE")]
    schema: Option<PathBuf>,
    /// What a row is printed as
    #[arg(long, value_enum, default_value_t = Format::Json)]
    format: Format,
    /// End after so many rows
    #[arg(short = 'n', value_name = "COUNT")]
    count: Option<u64>,
    #[command(flatten)]
    target: TargetArgs,
}

#[derive(Clone, Copy, ValueEnum)]
enum Format {
    /// An object of JSON on a line
    Json,
    /// Values with commas between them
    Csv,
}

pub(crate) async fn run(args: &LiveArgs) -> Result<(), Failure> {
    let (Some(query), Some(stream)) = (&args.query, &args.stream) else {
        return Err(Failure::Unable(
            "a query and the --stream that it reads are needed, or one of the commands that \
             `millrace sql --help` lists"
                .to_owned(),
        ));
    };
    let begin = args.since.begin(SystemClock.now())?;
    tokio::select! {
        ended = follow(args, (query, stream), begin) => ended,
        _ = tokio::signal::ctrl_c() => Ok(()),
    }
}

async fn follow(
    args: &LiveArgs,
    (query, stream): (&str, &str),
    begin: Begin,
) -> Result<(), Failure> {
    let target = args.target.target()?.into();
    let mut tail = Tail::begin(target, begin, stream).await?;
    let mut first = Vec::new();
    let schema = match &args.schema {
        Some(path) => schema::read(path).map_err(Failure::Unable)?,
        None => {
            sample(&mut tail, &mut first).await?;
            let mut records = Vec::new();
            each(&first, |record| {
                records.push(record.data.to_vec());
                Ok(())
            })?;
            schema::discovered(&records)?
        }
    };
    let fed = Fed::new(&Code {
        text: query,
        source: stream,
        schema: &schema,
    });
    let fed = fed.map_err(Failure::Unable)?;
    let wanted = fed.output(None).map_err(Failure::Unable)?;
    let rows = fed.program().rows(wanted).clone();
    let mut printing = Printing::new(args.format, &rows, args.count)?;
    let mut running = Query { fed, wanted };
    running.take(&first, &mut printing)?;
    while printing.left != Some(0) {
        let mut lines = Vec::new();
        match timeout(QUIET, tail.next(&mut lines, RECORDS_MAX)).await {
            Err(_) => {
                output::check_reader()?;
                running.time_passes(&mut printing)?;
            }
            Ok(next) => {
                if next?.is_none() {
                    return running.end(&mut printing);
                }
                running.take(&lines, &mut printing)?;
            }
        }
    }
    Ok(())
}

/// Gathers records until there are enough to see their columns, or for a moment from the first.
async fn sample(tail: &mut Tail, to: &mut Vec<u8>) -> Result<(), Failure> {
    let mut records = 0;
    loop {
        let next = tail.next(to, schema::SAMPLE_RECORDS_MAX);
        let come = if records == 0 {
            next.await?
        } else {
            match timeout(SAMPLE_TIME, next).await {
                Ok(come) => come?,
                Err(_) => return Ok(()),
            }
        };
        match come {
            Some(count) => records += count,
            None => return Ok(()),
        }
        if records >= schema::SAMPLE_RECORDS_MAX {
            return Ok(());
        }
    }
}

/// The running query.
struct Query {
    fed: Fed,
    wanted: StreamId,
}

impl Query {
    fn take(&mut self, records: &[u8], printing: &mut Printing) -> Result<(), Failure> {
        let mut out = Outcome::default();
        each(records, |record: Framed<'_>| {
            self.fed.record(&as_input(&record), &mut out)
        })?;
        self.fed.take(&mut out)?;
        printing.print(out, self.wanted)
    }

    fn time_passes(&mut self, printing: &mut Printing) -> Result<(), Failure> {
        let now = Millis::try_from(SystemClock.now().0);
        let now = now.map_err(|_| "the clock is beyond all times".to_owned())?;
        let mut out = Outcome::default();
        self.fed.time(now - BEHIND_MS, &mut out)?;
        printing.print(out, self.wanted)
    }

    fn end(&mut self, printing: &mut Printing) -> Result<(), Failure> {
        let mut out = Outcome::default();
        self.fed.end(&mut out)?;
        printing.print(out, self.wanted)
    }
}

/// A record as a program takes it.
fn as_input<'a>(record: &Framed<'a>) -> Record<'a> {
    // Beyond this moment no clock goes.
    let arrival = Millis::try_from(record.arrival).unwrap_or(Millis::MAX);
    Record {
        data: record.data,
        rowtime: arrival,
        arrival,
        partition_key: record.partition_key,
        sequence_number: record.sequence_number,
        shard_id: record.shard,
    }
}

enum Encoder {
    Json(JsonRows),
    Csv(CsvRows),
}

struct Printing {
    encoder: Encoder,
    left: Option<u64>,
}

impl Printing {
    fn new(format: Format, rows: &RowType, left: Option<u64>) -> Result<Self, String> {
        let encoder = match format {
            Format::Json => {
                let rows = JsonRows::new(rows);
                Encoder::Json(rows.map_err(|invalid| invalid.to_string())?)
            }
            Format::Csv => Encoder::Csv(CsvRows::new(rows)),
        };
        Ok(Self { encoder, left })
    }

    fn print(&mut self, out: Outcome, wanted: StreamId) -> Result<(), Failure> {
        let mut lines = Vec::new();
        for (stream, batch) in out.rows {
            if stream != wanted {
                continue;
            }
            let left = &mut self.left;
            let mut line = |row: &[u8]| {
                if *left == Some(0) {
                    return;
                }
                *left = left.map(|left| left - 1);
                lines.extend_from_slice(row);
                // A record of CSV ends its line itself.
                if !row.ends_with(b"\n") {
                    lines.push(b'\n');
                }
            };
            let encoded = match &mut self.encoder {
                Encoder::Json(rows) => rows.encode(&batch, &mut line),
                Encoder::Csv(rows) => rows.encode(&batch, &mut line),
            };
            encoded.map_err(|invalid| invalid.to_string())?;
        }
        for (pump, row) in out.faults {
            let of = if pump.is_empty() { "a record" } else { "a row" };
            let fault = row.fault;
            output::complain(&format!(
                "{of} failed: {}: {}",
                fault.kind.name(),
                fault.message
            ))?;
        }
        output::raw(&lines)?;
        output::flush()?;
        Ok(())
    }
}
