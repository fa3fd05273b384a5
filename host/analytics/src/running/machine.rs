//! What an application does with records, without I/O.

use std::sync::Arc;

use streams::SourceShard;
use types::Timestamp;

use super::merge::Taken;
use super::outputs::Packed;
use super::place::Counts;
use super::state::Changes;

/// What came of records.
#[derive(Clone, Debug, Default)]
pub struct Produced {
    /// Records for each output, in the order of the configuration.
    pub outputs: Vec<Packed>,
    /// What is counted of it.
    pub counts: Counts,
}

impl Produced {
    /// Nothing yet, for so many outputs.
    pub fn nothing(outputs: usize) -> Self {
        Self {
            outputs: vec![Packed::default(); outputs],
            counts: Counts::default(),
        }
    }

    /// Bytes of records for outputs.
    pub fn bytes(&self) -> usize {
        self.outputs.iter().map(Packed::bytes).sum()
    }
}

/// A program at work.
pub trait Machine: Send {
    /// Takes frames in the order of their times. `shards` are those that they come from.
    ///
    /// # Errors
    /// The program cannot go on.
    fn take(
        &mut self,
        frames: &[Taken],
        shards: &Arc<Vec<SourceShard>>,
        out: &mut Produced,
    ) -> Result<(), String>;

    /// Hears that no row that comes is older.
    ///
    /// # Errors
    /// The program cannot go on.
    fn pass(&mut self, time: Timestamp, out: &mut Produced) -> Result<(), String>;

    /// What changed in its state since this was asked last.
    fn save(&mut self) -> Changes;

    /// Takes up a state that was saved, before the first record. What began without any, in words.
    ///
    /// # Errors
    /// It is none of this program.
    fn restore(&mut self, rows: Vec<(Vec<u8>, Vec<u8>)>) -> Result<Vec<String>, String>;

    /// Bytes that its state holds in memory, about.
    fn state_bytes(&self) -> usize;
}
