//! What a destination has said of the pieces of an open cut, as far as later tries go by it.

use bincode::{Decode, Encode};

/// Kept with the open cut, so that a restart changes no outcome.
#[derive(Clone, Debug, Default, PartialEq, Eq, Encode, Decode)]
pub struct Answers {
    /// Pieces of delivered records that the destination never takes, in order: their records go to
    /// the error output.
    pub refused: Vec<Refused>,
    /// The piece that was handed over last and not taken, if the time for it is counted.
    pub trying: Option<Trying>,
}

/// Pieces that are refused for good, for one reason.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub struct Refused {
    /// The first of them.
    pub from: u16,
    /// The last of them.
    pub to: u16,
    /// One of AWS's words.
    pub code: String,
    /// What happened.
    pub message: String,
    /// How often each was handed over.
    pub attempts: u32,
    /// When it was handed over last, in milliseconds since 1970.
    pub ended_at_ms: u64,
}

/// A piece that is handed over again and again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode)]
pub struct Trying {
    /// Which piece of delivered records.
    pub part: u16,
    /// How often it was handed over.
    pub attempts: u32,
    /// When its first try had failed, in milliseconds since 1970.
    pub since_ms: u64,
    /// How long answers were waited for since then, which does not count.
    pub waited_ms: u64,
}
