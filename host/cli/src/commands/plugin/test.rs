//! `millrace plugin test`: what a plugin makes of records in files, compared with what it should
//! make of them, and what each record costs, compared with what it did.

mod change;
mod compare;
mod cost;
mod fixture;

use std::path::PathBuf;
use std::sync::Arc;

use clap::Args;
use types::{Clock, SystemClock};
use wasm::{Version, Workbench};

use super::cache;
use super::limits::LimitArgs;
use super::outcome::Outcome;
use super::project::Project;
use super::trials::{Ran, Runner};
use crate::failure::Failure;
use crate::output;
use change::{ChangeMax, KeptCost};
pub(super) use compare::window;
pub(super) use fixture::Fixture;

/// Runs the plugin's fixtures on the engine of a server, within its limits: each line of
/// `tests/X.in.jsonl` is a record, and the same line of `tests/X.out.jsonl` what becomes of it. A
/// consumer's tables hold what `tests/X.before.jsonl` says, and are compared with
/// `tests/X.after.jsonl`; what records cost is compared with `tests/X.cost.jsonl`.
///
/// The exit code is 0 when all is as expected, 1 when something is not, and 2 when nothing could be
/// tested.
#[derive(Args)]
pub(crate) struct TestArgs {
    /// The folder of the plugin's sources; what was built last is tested
    #[arg(value_name = "DIR", default_value = ".")]
    dir: PathBuf,
    /// Write what becomes of the records, and what they cost, as what is expected from now on
    #[arg(long)]
    bless: bool,
    /// How much more a record may cost (fuel), or the plugin keep (memory), than was blessed
    #[arg(long, value_name = "PERCENT", default_value_t, value_parser = ChangeMax::parse)]
    max_cost_change: ChangeMax,
    #[command(flatten)]
    limits: LimitArgs,
}

pub(crate) fn run(args: &TestArgs) -> Result<(), Failure> {
    let limits = args.limits.limits().map_err(Failure::Unable)?;
    let project = Project::open(&args.dir).map_err(Failure::Unable)?;
    let files = project.files(&limits).map_err(Failure::Unable)?;
    let fixtures = Fixture::all(&project.dir).map_err(Failure::Unable)?;
    let bench = Workbench::open_metered(&cache::options(limits).map_err(Failure::Unable)?);
    let bench = bench.map_err(|error| Failure::Unable(error.to_string()))?;
    let version = bench.load(&project.name, &files, SystemClock.now());
    let version = version.map_err(|why| Failure::Text(format!("refused: {why}")))?;
    let mut sum = Sum::default();
    for fixture in &fixtures {
        sum.add(&test(fixture, &version, args)?);
    }
    sum.verdict()
}

/// Records of all fixtures.
#[derive(Default)]
struct Sum {
    right: usize,
    wrong: usize,
    blessed: usize,
    /// Fixtures that cost more than they may.
    costlier: usize,
    /// Fixtures that leave tables otherwise than they should.
    tables: usize,
}

impl Sum {
    fn add(&mut self, other: &Self) {
        self.right += other.right;
        self.wrong += other.wrong;
        self.blessed += other.blessed;
        self.costlier += other.costlier;
        self.tables += other.tables;
    }

    fn verdict(&self) -> Result<(), Failure> {
        let Self {
            right,
            wrong,
            blessed,
            costlier,
            tables,
        } = self;
        if *blessed > 0 {
            return Ok(output::lines(&format!("{blessed} records blessed"))?);
        }
        let mut sum = format!("{right} records as expected, {wrong} not");
        for (count, what) in [
            (costlier, "cost more than they may"),
            (tables, "leave tables otherwise than expected"),
        ] {
            if *count > 0 {
                sum.push_str(&format!("; {count} fixtures {what}"));
            }
        }
        if wrong + costlier + tables > 0 {
            return Err(Failure::Text(sum));
        }
        Ok(output::lines(&sum)?)
    }
}

/// Runs one fixture and says what came of it.
fn test(fixture: &Fixture, version: &Arc<Version>, args: &TestArgs) -> Result<Sum, Failure> {
    let mut runner = Runner::new(version);
    let filled = runner.fill(&fixture.before()?);
    filled.map_err(|why| format!("{}: {why}", fixture.shown))?;
    let ran = runner.run_all(&fixture.records)?;
    output::lines(&format!("{}: {} records", fixture.shown, ran.len()))?;
    output::raw(cost::table(&ran, &version.call_limits()).as_bytes())?;
    let costs: Vec<KeptCost> = ran.iter().map(KeptCost::of).collect();
    let mut sum = Sum::default();
    if args.bless {
        fixture.bless(&ran, &costs, &runner.entries())?;
        sum.blessed = ran.len();
    } else {
        let expected = fixture.expected()?;
        let wrong = compare::compare(fixture, &expected, &ran)?;
        sum.wrong = wrong;
        sum.right = ran.len().max(expected.len()) - wrong;
        sum.tables = usize::from(!compare::compare_tables(fixture, &runner.entries())?);
        sum.costlier = usize::from(!is_worth_it(fixture, &costs, args.max_cost_change)?);
    }
    if let Some(difference) = together(fixture, version, &ran)? {
        output::lines(&difference)?;
        sum.wrong += 1;
    }
    output::flush()?;
    Ok(sum)
}

/// Says how far the costs are from those that were blessed; whether they may be.
fn is_worth_it(fixture: &Fixture, now: &[KeptCost], max: ChangeMax) -> Result<bool, Failure> {
    let Some(before) = fixture.costs()? else {
        output::lines("  cost: nothing to compare it with: --bless keeps it")?;
        return Ok(true);
    };
    let verdict = change::compare(&before, now, max);
    output::raw(verdict.text.as_bytes())?;
    Ok(!verdict.is_too_much)
}

/// What is wrong with the outcomes of all records in one batch, which are those of each record
/// alone where a transform is right.
fn together(
    fixture: &Fixture,
    version: &Arc<Version>,
    alone: &[Ran],
) -> Result<Option<String>, String> {
    let mut runner = Runner::new(version);
    if runner.is_of_a_consumer() {
        return Ok(None);
    }
    let Some(batch) = runner.run_batch(&fixture.records)? else {
        return Ok(None);
    };
    let differs = |(one, other): &(&Outcome, &Ran)| **one != other.outcome;
    let different = batch.iter().zip(alone).enumerate();
    let mut different = different.filter(|(_, pair)| differs(pair));
    Ok(different.next().map(|(place, (batch, alone))| {
        format!(
            "  record {} comes out otherwise in a batch with the others, as a server has it:\n    \
             alone     {}\n    in batch  {}",
            place + 1,
            alone.outcome.line(),
            batch.line()
        )
    }))
}
