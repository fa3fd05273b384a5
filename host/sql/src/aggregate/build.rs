//! Which state gathers which aggregate.

use super::double::{DoubleTotal, ExponentialAverage, Spread};
use super::extreme::{Edge, Extreme, SlidingEdge, SlidingExtreme};
use super::state::{Distinct, Grouped, Single, State};
use super::total::{Count, Total};
use super::{Accumulator, Accumulators, AggregateCall, AggregateKind};
use crate::ty::{Family, SqlType};

/// What is made of a state.
pub trait Made: Sized {
    type Out;
    fn of<S: State>(fresh: S) -> Self::Out;
}

pub struct OfOne;

impl Made for OfOne {
    type Out = Box<dyn Accumulator>;

    fn of<S: State>(fresh: S) -> Self::Out {
        Box::new(Single::new(fresh))
    }
}

pub struct OfMany;

impl Made for OfMany {
    type Out = Box<dyn Accumulators>;

    fn of<S: State>(fresh: S) -> Self::Out {
        Box::new(Grouped::new(fresh))
    }
}

/// The state of a call; `sliding`: rows leave it.
pub fn build<M: Made>(call: &AggregateCall, sliding: bool, _: M) -> M::Out {
    // `COUNT(*)` has no argument, and its state asks for none.
    let argument = call.aggregate.arguments.first().copied();
    let argument = argument.unwrap_or(SqlType::Null);
    let distinct = call.distinct;
    match call.aggregate.kind {
        AggregateKind::Count => distinct_or_not::<M, _>(distinct, Count::default()),
        AggregateKind::Sum | AggregateKind::Average => {
            let average = call.aggregate.kind == AggregateKind::Average;
            if argument.family() == Family::Float {
                distinct_or_not::<M, _>(distinct, DoubleTotal::new(average))
            } else {
                let total = Total::new(average, argument, call.aggregate.result);
                distinct_or_not::<M, _>(distinct, total)
            }
        }
        AggregateKind::VariancePopulation
        | AggregateKind::VarianceSample
        | AggregateKind::DeviationPopulation
        | AggregateKind::DeviationSample => {
            distinct_or_not::<M, _>(distinct, Spread::new(call.aggregate.kind, argument))
        }
        AggregateKind::Minimum | AggregateKind::Maximum => {
            let greatest = call.aggregate.kind == AggregateKind::Maximum;
            if sliding {
                M::of(SlidingExtreme::new(greatest))
            } else {
                M::of(Extreme::new(greatest))
            }
        }
        AggregateKind::ExponentialAverage { time_constant } => {
            M::of(ExponentialAverage::new(time_constant, argument))
        }
        AggregateKind::First | AggregateKind::Last => {
            let last = call.aggregate.kind == AggregateKind::Last;
            if sliding {
                M::of(SlidingEdge::new(last))
            } else {
                M::of(Edge::new(last))
            }
        }
    }
}

fn distinct_or_not<M: Made, S: State>(distinct: bool, fresh: S) -> M::Out {
    if distinct {
        M::of(Distinct::new(fresh))
    } else {
        M::of(fresh)
    }
}
