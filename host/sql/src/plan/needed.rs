//! Which columns of the streams a plan reads, so that nothing is decoded for the others.

use std::collections::{BTreeMap, BTreeSet};

use super::{Aggregate, Clock, Join, JoinInput, Over, OverCall, Plan, Step, StreamId, Window};
use crate::aggregate::AggregateCall;
use crate::expr::Expr;

/// Columns by stream.
pub type Needed = BTreeMap<StreamId, BTreeSet<usize>>;

type Columns = BTreeSet<usize>;

impl Plan {
    /// Adds the columns of streams that are needed for all columns of the plan.
    pub fn add_needed(&self, to: &mut Needed) {
        self.add_needed_for(&(0..self.rows.columns().len()).collect(), to);
    }

    /// The same for some columns of the plan.
    fn add_needed_for(&self, wanted: &Columns, to: &mut Needed) {
        match &self.step {
            Step::Stream(stream) => {
                let columns = to.entry(*stream).or_default();
                columns.insert(0);
                columns.extend(wanted);
            }
            Step::Filter { input, condition } => {
                input.add_needed_for(&with(wanted, [condition]), to);
            }
            Step::Project { input, values } => {
                let asked = values.iter().enumerate();
                let asked = asked.filter(|(index, _)| *index == 0 || wanted.contains(index));
                let asked = asked.map(|(_, value)| value);
                input.add_needed_for(&with(&Columns::new(), asked), to);
            }
            Step::Aggregate(aggregate) => {
                let columns = of_aggregate(aggregate);
                aggregate.input.add_needed_for(&columns, to);
            }
            Step::Over(over) => over.input.add_needed_for(&of_over(over, wanted), to),
            Step::Join(join) => add_join(join, wanted, to),
            Step::Union { inputs } => {
                for input in inputs {
                    input.add_needed_for(wanted, to);
                }
            }
            // Whole rows are compared.
            Step::Set(set) => set.inputs.iter().for_each(|input| input.add_needed(to)),
            Step::Sort(sort) => {
                let keys = sort.then.iter().map(|key| &key.value);
                let columns = with(wanted, keys.chain([&sort.by]));
                sort.input.add_needed_for(&columns, to);
            }
            Step::Table(table) => table.input.add_needed(to),
            Step::Values { .. } => {}
        }
    }
}

fn with<'e>(wanted: &Columns, values: impl IntoIterator<Item = &'e Expr>) -> Columns {
    let mut columns = wanted.clone();
    columns.insert(0);
    columns.extend(values.into_iter().flat_map(Expr::columns));
    columns
}

fn of_call(call: &AggregateCall) -> impl Iterator<Item = &Expr> {
    call.arguments.iter().chain(&call.filter)
}

fn of_aggregate(aggregate: &Aggregate) -> Columns {
    let clock = |clock: &Clock| match clock {
        Clock::Rowtime => None,
        Clock::Watermark { column, .. } => Some(column.clone()),
    };
    let times: Vec<Expr> = match &aggregate.window {
        Window::Hop {
            time, clock: by, ..
        }
        | Window::Session {
            time, clock: by, ..
        }
        | Window::Cumulate {
            time, clock: by, ..
        } => [time.clone()].into_iter().chain(clock(by)).collect(),
        Window::Change { .. } | Window::Stagger { .. } => Vec::new(),
    };
    let calls = aggregate.aggregates.iter().flat_map(of_call);
    with(
        &Columns::new(),
        aggregate.keys.iter().chain(calls).chain(&times),
    )
}

fn of_over(over: &Over, wanted: &Columns) -> Columns {
    let width = over.input.rows.columns().len();
    let own = wanted.iter().copied().filter(|column| *column < width);
    let mut columns: Columns = own.collect();
    for window in &over.windows {
        columns = with(&columns, &window.partition);
        for call in &window.calls {
            columns = match call {
                OverCall::Aggregate(call) => with(&columns, of_call(call)),
                OverCall::Analytic(call) => {
                    with(&columns, [&call.argument].into_iter().chain(&call.default))
                }
            };
        }
    }
    columns
}

fn add_join(join: &Join, wanted: &Columns, to: &mut Needed) {
    let width = match &join.left.input {
        JoinInput::Stream(plan) => plan.rows.columns().len(),
        JoinInput::Table(_, rows) => rows.columns().len(),
    };
    let joined = with(wanted, &join.condition);
    let (left, right): (Columns, Columns) = joined
        .into_iter()
        .filter(|column| *column > 0)
        .partition(|column| *column <= width);
    let left: Columns = left.into_iter().map(|column| column - 1).collect();
    let right: Columns = right.into_iter().map(|column| column - 1 - width).collect();
    if let JoinInput::Stream(plan) = &join.left.input {
        plan.add_needed_for(&with(&left, join.equal.iter().map(|(key, _)| key)), to);
    }
    if let JoinInput::Stream(plan) = &join.right.input {
        plan.add_needed_for(&with(&right, join.equal.iter().map(|(_, key)| key)), to);
    }
}
