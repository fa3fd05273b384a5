//! What a consumer's guest asks of whoever runs it.

use std::fmt;

use bytes::Bytes;

use crate::slab::Slab;

/// The tables, the streams and the checkpoint of a consumer. It is called on the thread of the
/// guest, in the middle of a call, and may block: the guest's time is that of a processor, so
/// whoever implements this ends a wait that takes too long.
///
/// Names, keys and values are within the limits of `wit/` when they come here. How much a batch may
/// ask for is bounded too: see `CallLimits::output_bytes_max`.
pub trait Effects: Send {
    /// The values of some keys, one for each in their order; `None` where there is none.
    ///
    /// # Errors
    /// That the table is not granted, or cannot be read.
    fn get(&mut self, table: &str, keys: &Slab) -> Result<Vec<Option<Bytes>>, EffectError>;

    /// Puts entries, or deletes those without a value; of one key twice the last holds.
    ///
    /// # Errors
    /// That the table is not granted, or cannot be written.
    fn write(
        &mut self,
        table: &str,
        entries: Vec<(Bytes, Option<Bytes>)>,
    ) -> Result<(), EffectError>;

    /// Entries in order of their keys, from `first` on, of keys that begin with `prefix`: as many
    /// as there are, up to `limit`.
    ///
    /// # Errors
    /// That the table is not granted, or cannot be read.
    fn scan(
        &mut self,
        table: &str,
        prefix: &[u8],
        first: &[u8],
        limit: u32,
    ) -> Result<Vec<(Bytes, Bytes)>, EffectError>;

    /// Puts a record for each of `data`, which has as many partition keys.
    ///
    /// # Errors
    /// That the stream is not granted, or takes no records.
    fn emit(&mut self, stream: &str, keys: Slab, data: Slab) -> Result<(), EffectError>;

    /// The call at work has so many bytes of memory in all, on their way into the guest or out of
    /// it: whoever runs it makes room for them.
    ///
    /// # Errors
    /// That there is no room.
    fn carries(&mut self, bytes: usize) -> Result<(), EffectError> {
        let _ = bytes;
        Ok(())
    }

    /// The first so many records of the batch are done. The counts of a batch rise, and none is
    /// more than it has.
    ///
    /// # Errors
    /// That there can be no checkpoint.
    fn done(&mut self, records: u32) -> Result<(), EffectError>;
}

/// Why a guest does not get what it asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum EffectError {
    /// The guest is told, and goes on.
    Refused(String),
    /// The guest's call ends here; the batch is tried again.
    Unavailable(String),
}

/// The error that ends a guest's call for no fault of its own.
#[derive(Debug)]
pub(crate) struct EffectsUnavailable(pub(crate) String);

impl fmt::Display for EffectsUnavailable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for EffectsUnavailable {}
