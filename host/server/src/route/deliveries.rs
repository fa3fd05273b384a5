//! `GET /_millrace/delivery-streams/NAME/deliveries`: what a delivery stream has delivered lately.
//!
//! Query and answer are those of its log of what went wrong, and a line has its number, its time,
//! the lane, the name of the object or of the request, how many records end in it, `delivered` and
//! `failed`, and the `bytes` of them before they were packed.

use delivery::{Delivered, Delivery};
use serde::Serialize;
use types::{Caller, LogEntry, LogPart};
use wire::{Answer, ApiError, json};

use super::api::no_delivery_stream;
use super::log_query;

#[derive(Serialize)]
struct Page {
    run: String,
    lines: Vec<Line>,
    next: u64,
    missed: u64,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Line {
    number: u64,
    at_ms: u64,
    lane: String,
    name: String,
    delivered: u64,
    failed: u64,
    bytes: u64,
}

impl Line {
    fn of(entry: LogEntry<Delivered>) -> Self {
        let Delivered {
            lane,
            name,
            delivered,
            failed,
            bytes,
        } = entry.what;
        Self {
            number: entry.number,
            at_ms: entry.at.0,
            lane,
            name,
            delivered,
            failed,
            bytes,
        }
    }
}

/// What was delivered, from where it is read on.
pub(super) fn deliveries(
    delivery: &Delivery,
    caller: &Caller,
    (name, query): (&str, Option<&str>),
) -> Result<Answer, ApiError> {
    let from = log_query::from(query.unwrap_or_default())?;
    let read = delivery.delivered(caller, name, (&from, log_query::ENTRIES_MAX));
    let LogPart {
        run,
        entries,
        next,
        missed,
    } = read.ok_or_else(|| no_delivery_stream(name))?;
    let lines = entries.into_iter().map(Line::of).collect();
    json::answer(&Page {
        run,
        lines,
        next,
        missed,
    })
}
