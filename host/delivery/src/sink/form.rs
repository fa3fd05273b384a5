//! What the pieces of delivered records are written as. Pure.

use crate::encoder::Encoder;

use super::envelope::Envelope;
use super::requests::{Requests, Terms};
use crate::conversion;
use crate::converted::Converted;
use crate::delivery_stream::Destination;
use crate::partitions::Partitions;

/// What delivered records are written into.
pub enum Form {
    /// One object after another.
    Object(Encoder),
    /// One request after another.
    Requests(Box<Requests>),
    /// Objects of each partition.
    Partitions(Box<Partitions>),
    /// Rows in one object after another.
    Rows(Box<Converted>),
}

/// What the records of one cut are written into.
pub struct Forms {
    /// Those that are delivered.
    pub delivered: Form,
    /// All as they came in, where the bucket gets these, too.
    pub backup: Option<Encoder>,
}

impl Forms {
    /// What the destination of a cut asks for; `terms` are those of requests, and partitions those
    /// of a destination that has some. `conversion` is what records become rows by.
    pub fn of(
        destination: &Destination,
        terms: impl FnOnce(Envelope) -> Terms,
        (partitions, conversion): (Option<Partitions>, Option<conversion::Terms>),
    ) -> Self {
        let encoder = || Encoder::new(destination.compression);
        let all = destination.kind.fallback();
        let all = all.filter(|fallback| fallback.backs_up_all);
        let backup = destination.backup.as_ref();
        Self {
            delivered: match (Envelope::of(destination), partitions, conversion) {
                (Some(envelope), ..) => Form::Requests(Box::new(Requests::begin(terms(envelope)))),
                (None, Some(partitions), _) => Form::Partitions(Box::new(partitions)),
                (None, None, Some(terms)) => Form::Rows(Box::new(Converted::new(terms))),
                (None, None, None) => Form::Object(encoder()),
            },
            backup: all
                .map(|_| encoder())
                .or_else(|| backup.map(|backup| Encoder::new(backup.compression))),
        }
    }
}

impl Form {
    /// Bytes of memory that what has begun takes.
    pub fn held_bytes(&self) -> usize {
        match self {
            Self::Object(encoder) => encoder.held_bytes(),
            Self::Requests(requests) => requests.held_bytes(),
            Self::Partitions(partitions) => partitions.held_bytes(),
            Self::Rows(rows) => rows.held_bytes(),
        }
    }

    /// Lets it go.
    pub fn forget(&mut self) {
        match self {
            Self::Object(encoder) => encoder.forget(),
            Self::Requests(requests) => requests.forget(),
            Self::Partitions(partitions) => partitions.forget(),
            Self::Rows(rows) => rows.forget(),
        }
    }

    /// Whether all that was written is in the pieces that have ended.
    ///
    /// # Errors
    /// Why it is not.
    pub fn check(&self) -> Result<(), String> {
        match self {
            Self::Object(encoder) => {
                let packed = encoder.check();
                packed.map_err(|error| format!("pack records: {error}"))
            }
            Self::Requests(requests) => requests.check(),
            Self::Partitions(partitions) => partitions.check(),
            Self::Rows(rows) => rows.check(),
        }
    }
}
