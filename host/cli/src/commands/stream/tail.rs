//! `millrace stream tail`: all shards of a stream, merged as their records arrived.
//!
//! The task that the command is reads nothing itself: it puts the lines that others have made into
//! their order and writes them, many at a time, while the next ones are read.

mod cursor;
mod follow;
mod framed;
mod line;
mod lineage;
mod merge;
mod print;
mod select;
mod since;
mod visible;

use std::sync::Arc;
use std::time::Duration;

use clap::Args;
use tokio::time::timeout;
use types::{Clock, SystemClock};

use follow::Following;
pub(crate) use framed::{Framed, each};
use line::{Format, FormatName};
use print::Printing;
use select::Selection;
pub(crate) use since::{Begin, Since};

use crate::client::{CallError, Target, TargetArgs};
use crate::failure::Failure;
use crate::output;

/// How often we look whether anybody still reads while there is nothing to print.
const READER_CHECK: Duration = Duration::from_millis(500);

#[derive(Args)]
pub(crate) struct TailArgs {
    /// The stream's name
    name: String,
    /// Where to begin in every shard: how long ago (30s, 15m, 2h, 1d, 1h30m), a time
    /// (2026-11-29T13:05:00Z, or 2026-11-29; in UTC unless it ends like +01:00), TRIM_HORIZON (the
    /// oldest record that is kept) or LATEST (after the newest)
    #[arg(
        long, visible_alias = "from", value_name = "WHEN", value_parser = Since::parse,
        default_value = "latest", allow_hyphen_values = true
    )]
    since: Since,
    /// Only records with this partition key. Of records that the Kinesis Producer Library
    /// aggregated, this and what follows is about the user records within
    #[arg(long, value_name = "KEY", allow_hyphen_values = true)]
    key: Option<String>,
    /// Only records whose data hold this text: byte by byte, not a regular expression
    #[arg(long, value_name = "TEXT", allow_hyphen_values = true)]
    grep: Option<String>,
    /// What a record is printed as [default: pretty at a terminal, else raw]
    #[arg(long, value_enum)]
    format: Option<FormatName>,
    /// End after so many records were printed
    #[arg(short = 'n', value_name = "COUNT")]
    count: Option<usize>,
    #[command(flatten)]
    target: TargetArgs,
}

pub(crate) async fn run(args: &TailArgs) -> Result<(), Failure> {
    let target = args.target.target()?.into();
    let begin = args.since.begin(SystemClock.now())?;
    let selection = Selection::new(args.key.as_deref(), args.grep.as_deref());
    let printing = Printing::new(&args.name, selection, Format::of(args.format));
    let mut following = Following::begin(target, begin, printing).await?;
    tokio::select! {
        printed = print(args.count, &mut following) => printed,
        _ = tokio::signal::ctrl_c() => Ok(()),
    }
}

async fn print(count: Option<usize>, following: &mut Following) -> Result<(), Failure> {
    let mut left = count;
    let mut out = Vec::new();
    while left != Some(0) {
        let next = following.next(&mut out, left.unwrap_or(usize::MAX));
        let Ok(next) = timeout(READER_CHECK, next).await else {
            output::check_reader()?;
            continue;
        };
        let Some(taken) = next? else {
            return Ok(()); // Every shard was read to its end.
        };
        left = left.map(|left| left - taken);
        output::raw(&out)?;
        output::flush()?;
        out.clear();
    }
    Ok(())
}

/// All records of a stream, merged as they arrived, for what makes something else of them.
pub(crate) struct Tail(Following);

impl Tail {
    pub(crate) async fn begin(
        target: Arc<Target>,
        begin: Begin,
        stream: &str,
    ) -> Result<Self, CallError> {
        let everything = Selection::new(None, None);
        let printing = Printing::new(stream, everything, Format::Framed);
        Following::begin(target, begin, printing).await.map(Self)
    }

    /// Appends the records that come next to `out`, framed, `records_max` at most. Returns how
    /// many; `None` once every shard was read to its end. Who stops waiting loses nothing.
    pub(crate) async fn next(
        &mut self,
        out: &mut Vec<u8>,
        records_max: usize,
    ) -> Result<Option<usize>, CallError> {
        self.0.next(out, records_max).await
    }
}
