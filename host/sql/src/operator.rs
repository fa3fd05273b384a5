//! What a step of a running query is.

use crate::batch::{Batch, Millis};
use crate::cell::Value;
use crate::fault::{Fault, Invalid};
use crate::plan::TableId;

/// A step that runs. It does no I/O and reads no clock; what it gives depends only on what it was
/// given, in that order, and not on how rows were cut into batches.
pub trait Operator: Send {
    /// Takes rows of one of its inputs. `ROWTIME` never falls from one call to the next, over all
    /// inputs together.
    ///
    /// # Errors
    ///
    /// A broken invariant, or more state than the application may hold: the query stands still.
    fn on_batch(&mut self, input: usize, batch: &Batch, out: &mut Out) -> Result<(), Invalid>;

    /// Hears that every row from now on has a `ROWTIME` of at least `time`. Windows that end at
    /// `time` or before it are over.
    fn on_time(&mut self, time: Millis, out: &mut Out) -> Result<(), Invalid>;

    /// Hears that no row comes any more: all that is open is answered.
    fn on_end(&mut self, out: &mut Out) -> Result<(), Invalid>;

    /// When this operator has heard of `time`: what the one that takes its rows may hear. Every row
    /// that it gives from now on has a `ROWTIME` of at least that. None: nothing is known yet.
    fn time_after(&self, time: Millis) -> Option<Millis> {
        Some(time)
    }

    /// Takes all rows of a table of reference data, in place of those it had. An operator that
    /// reads a table gets it before its first row; the others leave it.
    ///
    /// # Errors
    ///
    /// More rows than the application may hold.
    fn set_table(&mut self, _table: TableId, _rows: &[Batch]) -> Result<(), Invalid> {
        Ok(())
    }

    /// Writes what has changed since the last call, so that [`Operator::restore`] of all that was
    /// ever written (the last value for each key) gives the same state.
    fn save(&mut self, changes: &mut dyn StateWriter);

    /// Takes a state that was saved, before the first row.
    ///
    /// # Errors
    ///
    /// Rows that this operator did not write.
    fn restore(
        &mut self,
        rows: &mut dyn Iterator<Item = (Vec<u8>, Vec<u8>)>,
    ) -> Result<(), Invalid>;

    /// Bytes that its state holds in memory, about.
    fn state_bytes(&self) -> usize;
}

/// Takes the rows of an operator's state. Keys are the operator's own; the caller puts its name
/// before them.
pub trait StateWriter {
    /// The row of a key is this from now on.
    fn put(&mut self, key: &[u8], value: &[u8]);
    /// There is no row of a key any more.
    fn delete(&mut self, key: &[u8]);
}

/// What comes out of an operator.
#[derive(Debug, Default)]
pub struct Out {
    /// Rows, in the order of `ROWTIME`, in pieces of at most [`crate::batch::BATCH_ROWS_MAX`].
    pub batches: Vec<Batch>,
    /// Rows that failed.
    pub faults: Vec<FaultedRow>,
    /// Late rows that were dropped, as their stream wants it.
    pub dropped: u64,
}

/// A row that goes to the error stream.
#[derive(Debug, Clone)]
pub struct FaultedRow {
    /// What went wrong with it.
    pub fault: Fault,
    /// Its `ROWTIME`.
    pub rowtime: Millis,
    /// All its values as they came into the operator, without `ROWTIME`.
    pub row: Vec<Value>,
}
