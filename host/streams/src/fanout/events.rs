//! Events as they are pushed: SubscribeToShardEvent of the model.

use bytes::Bytes;
use store::Position;
use types::{SequenceNumber, Timestamp};
use wire::event_stream::{self, Payload, Summed};
use wire::{ApiError, Codec, Writer};

use crate::ops::describe::ChildShard;
use crate::reader::Selection;

/// The model's name of an event.
const EVENT: &str = "SubscribeToShardEvent";
/// The model's exceptions that events may end with, of those that there are here.
const EXCEPTIONS: [&str; 6] = [
    "ResourceNotFoundException",
    "ResourceInUseException",
    "KMSDisabledException",
    "KMSInvalidStateException",
    "KMSAccessDeniedException",
    "KMSNotFoundException",
];
/// What the model calls all others. Clients cannot read an exception that it does not name.
const OTHER_EXCEPTION: &str = "InternalFailureException";
/// Bytes of an event besides the records and its children, at most.
pub const BESIDES_RECORDS_BYTES_MAX: usize = event_stream::BESIDES_PAYLOAD_BYTES_MAX + 256;

/// Records that are pushed together, as text.
pub struct Pushed {
    /// The text, as members of a list.
    pub text: Summed,
    /// How many records there are.
    pub count: usize,
    /// Bytes of their data and partition keys.
    pub bytes: usize,
    /// The number of the last one.
    pub last: Option<SequenceNumber>,
    /// The place of the record that the next event begins with.
    pub next: Position,
    /// When that record arrived; `None` at the tip.
    pub next_arrival: Option<Timestamp>,
    /// The log will never have more than was read.
    pub at_end: bool,
}

impl Pushed {
    /// What was selected.
    pub fn of(selection: Selection<'_>) -> Self {
        Self {
            count: selection.count,
            bytes: selection.bytes,
            last: selection.last,
            next: selection.next,
            next_arrival: selection.next_arrival,
            at_end: selection.at_end,
            text: Summed::new(selection.into_text()),
        }
    }
}

/// An event with these records. A reader who has taken them goes on after `continuation`.
pub fn records(
    pushed: &Pushed,
    continuation: SequenceNumber,
    behind_ms: u64,
    codec: Codec,
) -> Result<Vec<Bytes>, ApiError> {
    let mut out = Writer::with_capacity(codec, BESIDES_RECORDS_BYTES_MAX);
    out.structure(3);
    out.member("ContinuationSequenceNumber");
    out.word(&continuation.digits());
    out.member("MillisBehindLatest");
    out.number(behind_ms);
    out.member("Records");
    out.list(pushed.count);
    let head = out.take();
    out.end_list();
    out.end_structure();
    let payload = Payload {
        head,
        middle: pushed.text.clone(),
        tail: out.take(),
    };
    event_stream::event(EVENT, codec, payload)
}

/// The last event of a shard that was closed: it tells the children, and no place to go on at.
pub fn end(children: &[ChildShard<'_>], codec: Codec) -> Result<Vec<Bytes>, ApiError> {
    let mut out = Writer::with_capacity(codec, BESIDES_RECORDS_BYTES_MAX);
    out.structure(3);
    out.member("Records");
    out.list(0);
    out.end_list();
    out.member("MillisBehindLatest");
    out.number(0);
    out.member("ChildShards");
    out.value(children)?;
    out.end_structure();
    let payload = Payload {
        head: out.take(),
        middle: Summed::default(),
        tail: Vec::new(),
    };
    event_stream::event(EVENT, codec, payload)
}

/// What the events end with before their time.
pub fn exception(error: &ApiError, codec: Codec) -> Result<Vec<Bytes>, ApiError> {
    let mut known = EXCEPTIONS.into_iter();
    let name = known.find(|name| *name == error.code());
    event_stream::exception(name.unwrap_or(OTHER_EXCEPTION), error.message(), codec)
}
