//! `GET /_millrace/delivery-streams/NAME/logs`: what went wrong with a delivery stream lately.
//!
//! The query is that of a plugin's log: `after=N` and `run=ID`. The answer is `{"run", "lines",
//! "next", "missed"}`: `next` is what `after` should be the next time, `missed` how many lines were
//! gone before they were read. A line has the members of Firehose's log events (developer guide,
//! "Monitor with CloudWatch Logs"), its number, its time and the lane.

use delivery::{Delivery, DeliveryError};
use serde::Serialize;
use types::{Caller, LogEntry, LogPart};
use wire::{Answer, ApiError, json};

use super::api::no_delivery_stream;
use super::log_query;

#[derive(Serialize)]
struct LogPage {
    run: String,
    lines: Vec<LinePage>,
    next: u64,
    missed: u64,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct LinePage {
    number: u64,
    at_ms: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    lane: Option<String>,
    destination: String,
    delivery_stream_version_id: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    error_code: Option<String>,
    message: String,
}

impl LinePage {
    fn of(entry: LogEntry<DeliveryError>) -> Self {
        let DeliveryError {
            lane,
            version_id,
            destination,
            code,
            message,
            ..
        } = entry.what;
        Self {
            number: entry.number,
            at_ms: entry.at.0,
            lane,
            destination,
            delivery_stream_version_id: version_id,
            error_code: code,
            message,
        }
    }
}

/// What went wrong, from where it is read on.
pub(super) fn logs(
    delivery: &Delivery,
    caller: &Caller,
    (name, query): (&str, Option<&str>),
) -> Result<Answer, ApiError> {
    let from = log_query::from(query.unwrap_or_default())?;
    let read = delivery.errors(caller, name, (&from, log_query::ENTRIES_MAX));
    let LogPart {
        run,
        entries,
        next,
        missed,
    } = read.ok_or_else(|| no_delivery_stream(name))?;
    let lines = entries.into_iter().map(LinePage::of).collect();
    json::answer(&LogPage {
        run,
        lines,
        next,
        missed,
    })
}
