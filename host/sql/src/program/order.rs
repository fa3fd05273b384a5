//! In which order pumps go, so that each stream is whole before it is read.

use super::{InStream, Pump, Stage};
use crate::fault::Invalid;
use crate::plan::{JoinInput, Plan, Step, StreamId};

/// Pumps in an order in which all that write a stream come before all that read it. The stream of
/// errors is written by every pump that does not hang on it.
///
/// # Errors
///
/// A pump reads what comes of its own rows.
pub(super) fn stages(
    streams: &[InStream],
    pumps: &[Pump],
    error_stream: StreamId,
) -> Result<Vec<Stage>, Invalid> {
    let mut stages = Vec::with_capacity(streams.len() + pumps.len());
    let mut closed = vec![false; streams.len()];
    let mut done = vec![false; pumps.len()];
    loop {
        let before = stages.len();
        for (index, stream) in closed.iter_mut().enumerate() {
            let id = StreamId(index);
            let mut writers = pumps.iter().zip(&done);
            if id != error_stream
                && !*stream
                && writers.all(|(pump, done)| pump.target != id || *done)
            {
                *stream = true;
                stages.push(Stage::Stream(id));
            }
        }
        for (index, pump) in pumps.iter().enumerate() {
            if !done[index] && pump.reads.iter().all(|stream| closed[stream.0]) {
                done[index] = true;
                stages.push(Stage::Pump(index));
            }
        }
        if stages.len() == before {
            // All that is left hangs on the errors of what went before, or on itself.
            if closed[error_stream.0] {
                break;
            }
            closed[error_stream.0] = true;
            stages.push(Stage::Stream(error_stream));
        }
    }
    match pumps.iter().zip(&done).find(|(_, done)| !**done) {
        Some((pump, _)) => Err(Invalid::at(
            pump.at,
            format!("pump '{}' reads what comes of its own rows", pump.name),
        )),
        None => Ok(stages),
    }
}

impl Plan {
    /// The plans that give it rows.
    pub fn inputs(&self) -> Vec<&Self> {
        match &self.step {
            Step::Stream(_) | Step::Values { .. } => Vec::new(),
            Step::Filter { input, .. } | Step::Project { input, .. } => vec![input],
            Step::Aggregate(aggregate) => vec![&aggregate.input],
            Step::Over(over) => vec![&over.input],
            Step::Join(join) => [&join.left.input, &join.right.input]
                .into_iter()
                .filter_map(|input| match input {
                    JoinInput::Stream(plan) => Some(plan),
                    JoinInput::Table(..) => None,
                })
                .collect(),
            Step::Union { inputs } => inputs.iter().collect(),
            Step::Set(set) => set.inputs.iter().collect(),
            Step::Sort(sort) => vec![&sort.input],
            Step::Table(table) => vec![&table.input],
        }
    }

    /// The streams that it reads, each once.
    pub fn streams(&self) -> Vec<StreamId> {
        let mut streams = Vec::new();
        self.add_streams(&mut streams);
        streams.sort_unstable();
        streams.dedup();
        streams
    }

    fn add_streams(&self, to: &mut Vec<StreamId>) {
        if let Step::Stream(stream) = self.step {
            to.push(stream);
        }
        for input in self.inputs() {
            input.add_streams(to);
        }
    }
}
