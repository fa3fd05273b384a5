//! The plugins' own code built for this processor, called the way their components call it: what
//! the same work costs without a boundary.

use millrace_sdk::export::{self, BatchResult, Slab};
use millrace_sdk::{Error, Output, Record};

#[path = "../../../plugins/redact-card-numbers/src/cards.rs"]
mod cards;
#[path = "../../../plugins/drop-bots/src/markers.rs"]
mod markers;
#[path = "../../../plugins/drop-bots/src/user_agent.rs"]
mod user_agent;

use markers::Markers;

/// A plugin without its component.
#[derive(Clone, Copy)]
pub struct Native {
    /// Prepares the thread, as an instance is prepared.
    pub prepare: fn() -> Result<(), String>,
    /// Works on one batch.
    pub work: fn(Slab) -> BatchResult,
}

/// The plugin drop-bots.
pub const DROP_BOTS: Native = Native {
    prepare: || export::init(bots),
    work: |records| export::transform(bots, drop_bot, records),
};

/// The plugin redact-card-numbers.
pub const REDACT_CARD_NUMBERS: Native = Native {
    prepare: || export::init(nothing),
    work: |records| export::transform(nothing, redact, records),
};

fn bots() -> Result<Markers, Error> {
    Markers::parse(markers::DEFAULT)
}

fn nothing() -> Result<(), Error> {
    Ok(())
}

fn drop_bot(markers: &Markers, record: Record<'_>) -> Result<Output, Error> {
    match user_agent::find(record.data()) {
        Some(user_agent) if markers.are_in(user_agent) => Ok(Output::Drop),
        _ => Ok(Output::Keep),
    }
}

fn redact(_: &(), record: Record<'_>) -> Result<Output, Error> {
    let data = record.data();
    let mut hidden = cards::hidden_digits(data).peekable();
    if hidden.peek().is_none() {
        return Ok(Output::Keep);
    }
    let mut out = millrace_sdk::buffer();
    out.extend_from_slice(data);
    for place in hidden {
        out[place] = b'*';
    }
    Ok(Output::Replace(out))
}
