//! The steps that run.

mod aggregate;
mod analytic;
mod constant;
mod filter;
mod join;
mod over;
mod project;
pub(crate) mod rows;
mod set;
mod sort;
mod table;
#[cfg(test)]
pub(crate) mod testing;

use std::fmt::{self, Write};

use crate::fault::Invalid;
use crate::operator::Operator;
use crate::plan::{JoinInput, JoinSide, Plan, Step};

/// Changes whenever a step writes its state differently, so that no step reads another one's.
const STATE_VERSION: u32 = 1;

/// The last step of a plan, without those before it.
///
/// # Errors
///
/// A step that cannot be run.
pub fn build(plan: &Plan) -> Result<Box<dyn Operator>, Invalid> {
    Ok(match &plan.step {
        Step::Stream(_) => return Err(Invalid::new("internal: a stream is not a step")),
        Step::Filter { input, condition } => Box::new(filter::Filter::new(condition, &input.rows)),
        Step::Project { input, values } => Box::new(project::Project::new(values, &input.rows)),
        Step::Aggregate(step) => Box::new(aggregate::Aggregate::new(step)?),
        Step::Over(step) => Box::new(over::Over::new(step)?),
        Step::Join(step) => join::new(step)?,
        Step::Union { .. } => Box::new(constant::Union),
        Step::Set(step) => Box::new(set::Set::new(step)?),
        Step::Sort(step) => Box::new(sort::Sort::new(step)?),
        Step::Table(step) => table::build(step, &plan.rows)?,
        Step::Values { values } => Box::new(constant::Values::new(values)),
    })
}

/// The plans that a step takes rows from, with the numbers of these inputs. A side of a join has
/// its number also where the other one is a table.
pub fn inputs(step: &Step) -> Vec<(usize, &Plan)> {
    let plans: Vec<Option<&Plan>> = match step {
        Step::Stream(_) | Step::Values { .. } => Vec::new(),
        Step::Filter { input, .. } | Step::Project { input, .. } => vec![Some(input)],
        Step::Aggregate(step) => vec![Some(&step.input)],
        Step::Over(step) => vec![Some(&step.input)],
        Step::Sort(step) => vec![Some(&step.input)],
        Step::Table(step) => vec![Some(&step.input)],
        Step::Union { inputs } => inputs.iter().map(Some).collect(),
        Step::Set(step) => step.inputs.iter().map(Some).collect(),
        Step::Join(step) => vec![stream_of(&step.left), stream_of(&step.right)],
    };
    let numbered = plans.into_iter().enumerate();
    numbered
        .filter_map(|(number, plan)| Some((number, plan?)))
        .collect()
}

fn stream_of(side: &JoinSide) -> Option<&Plan> {
    match &side.input {
        JoinInput::Stream(plan) => Some(plan),
        JoinInput::Table(..) => None,
    }
}

/// What a step is, for people.
pub fn name_of(step: &Step) -> &'static str {
    match step {
        Step::Stream(_) => "a stream",
        Step::Filter { .. } => "WHERE",
        Step::Project { .. } => "SELECT",
        Step::Aggregate(_) => "GROUP BY",
        Step::Over(_) => "OVER",
        Step::Join(_) => "JOIN",
        Step::Union { .. } => "UNION",
        Step::Set(_) => "DISTINCT",
        Step::Sort(_) => "ORDER BY",
        Step::Table(_) => "a table function",
        Step::Values { .. } => "VALUES",
    }
}

/// A digest of all that the state of a plan's last step depends on: what it does, and what the rows
/// look like that it takes; not where they come from. The same for the same program in every build.
pub fn fingerprint(plan: &Plan) -> u64 {
    let mut digest = Digest::default();
    // A digest takes all that is written.
    let written = describe(plan, &mut digest);
    debug_assert!(written.is_ok(), "a digest does not fail");
    digest.state
}

fn describe(plan: &Plan, to: &mut Digest) -> fmt::Result {
    write!(to, "{STATE_VERSION};{};", name_of(&plan.step))?;
    for (_, input) in inputs(&plan.step) {
        write!(to, "{:?};", input.rows)?;
    }
    match &plan.step {
        // These have no state, or one that depends on nothing else.
        Step::Stream(_) | Step::Filter { .. } | Step::Union { .. } => Ok(()),
        Step::Project { values, .. } => write!(to, "{:?}", values.first()),
        Step::Values { values } => write!(to, "{values:?}"),
        Step::Aggregate(step) => write!(
            to,
            "{:?};{:?};{:?};{:?}",
            step.window, step.keys, step.aggregates, step.late
        ),
        Step::Over(step) => write!(to, "{:?}", step.windows),
        Step::Join(step) => {
            for side in [&step.left, &step.right] {
                match &side.input {
                    JoinInput::Stream(_) => write!(to, "{:?};", side.window)?,
                    JoinInput::Table(table, rows) => {
                        write!(to, "{table:?};{rows:?};{:?};", side.window)?;
                    }
                }
            }
            let outer = (step.left_outer, step.right_outer);
            write!(to, "{outer:?};{:?};{:?}", step.equal, step.condition)
        }
        Step::Set(step) => write!(to, "{:?};{:?}", step.kind, step.window),
        Step::Sort(step) => write!(to, "{:?};{:?};{:?}", step.by, step.within, step.then),
        Step::Table(step) => write!(to, "{:?}", step.function),
    }
}

/// FNV-1a of what is written: simple, and fixed for ever.
struct Digest {
    state: u64,
}

impl Default for Digest {
    fn default() -> Self {
        Self {
            state: 0xCBF2_9CE4_8422_2325,
        }
    }
}

impl Write for Digest {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        for byte in text.bytes() {
            self.state ^= u64::from(byte);
            self.state = self.state.wrapping_mul(0x0000_0100_0000_01B3);
        }
        Ok(())
    }
}
