//! Consumers: what an author implements, and what a batch of a shard is.

use crate::bindings::imports::types::Slab;
use crate::columns::Columns;
use crate::{Error, Record, panic, slab};

/// What an instance of a consumer is for, all its life.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Assignment {
    /// The application's name.
    pub application: String,
    /// The stream's ARN.
    pub stream: String,
    /// The shard's id.
    pub shard: String,
}

/// An application that consumes a stream: each shard has an instance of its own.
///
/// What a batch writes to tables, what it emits and how far it came become durable together or not
/// at all, so that each record has its effects once. What an instance keeps in its own memory is
/// gone with it: what must last belongs into tables, or into the state that [`Consumer::snapshot`]
/// gives. The host keeps the state of each shard with its checkpoint, in the same commit, and gives
/// it to the instance that goes on, be it after a crash or of the next version of the plugin.
pub trait Consumer: Sized + 'static {
    /// Which layout [`Consumer::snapshot`] gives.
    const STATE_VERSION: u32 = 0;

    /// Begins with a shard, before its first batch.
    ///
    /// # Errors
    /// That it cannot begin; the version of the plugin is not taken.
    fn start(assignment: &Assignment) -> Result<Self, Error>;

    /// Works on one batch.
    ///
    /// # Errors
    /// That the batch was not worked on: for good, or for now, where it is
    /// [`Error::retryable`].
    fn process(&mut self, batch: &Batch) -> Result<(), Error>;

    /// The shard was split or merged, and all its records are done.
    ///
    /// # Errors
    /// That something is left to do: it is asked again.
    fn shard_ended(&mut self) -> Result<(), Error> {
        Ok(())
    }

    /// The application is being stopped, or swapped for another version.
    ///
    /// # Errors
    /// That something is left to do.
    fn shutdown_requested(&mut self) -> Result<(), Error> {
        Ok(())
    }

    /// Another worker has the shard. Nothing that is called from here on has an effect.
    fn lease_lost(&mut self) {}

    /// The state after all records so far, at most 256 KiB. Asked for after each batch; without it
    /// there is none.
    ///
    /// # Errors
    /// That it cannot be told; the batch is not done then.
    fn snapshot(&self) -> Result<Vec<u8>, Error> {
        Ok(Vec::new())
    }

    /// Takes over the state that a version kept whose layout was this one, right after
    /// [`Consumer::start`]. Without it an empty state is taken, and any other refused.
    ///
    /// # Errors
    /// That it cannot go on with that: the version is not taken, and the one before goes on.
    fn restore(&mut self, version: u32, state: &[u8]) -> Result<(), Error> {
        if state.is_empty() {
            return Ok(());
        }
        let bytes = state.len();
        Err(Error::new(format!(
            "there is a state of version {version}, of {bytes} bytes, and this takes none over"
        )))
    }
}

/// Some records of a shard, in order.
pub struct Batch {
    records: Slab,
    columns: Columns,
    millis_behind: u64,
}

impl Batch {
    pub(crate) fn new(records: Slab, millis_behind: u64) -> Self {
        Self {
            records,
            columns: Columns::default(),
            millis_behind,
        }
    }

    /// How many records there are.
    pub fn len(&self) -> usize {
        self.records.ends.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.records.ends.is_empty()
    }

    /// How long ago the last record arrived; 0 where none is left in the shard.
    pub fn millis_behind(&self) -> u64 {
        self.millis_behind
    }

    /// All records in order. A panic is told as one of the record that was given last.
    pub fn iter(&self) -> impl Iterator<Item = Record<'_>> {
        let records = (0..).zip(slab::strings(&self.records));
        records.map(|(index, data)| {
            panic::works_on(Some(index));
            Record::of_batch(index, data, &self.columns)
        })
    }
}

/// Says that the first so many records of the batch are done: what was written and emitted until
/// now is kept with them even if a later record fails. Not needed for a batch that goes well.
///
/// # Errors
/// When that is not more than was said before, or more than the batch has.
pub fn done(records: u32) -> Result<(), Error> {
    match records {
        // Nothing is done, and nothing was before.
        0 => Ok(()),
        _ => crate::host::checkpoint::done(records).map_err(Error::new),
    }
}
