//! What went wrong with a delivery stream lately, as log events have it. It is in memory, and
//! begins anew with each process; the server's log has all of it.

use std::sync::Arc;

use types::{Clock, LogBounds, LogFrom, LogPart, LogRing};

use crate::delivery_stream::DeliveryStream;

/// What is kept of a delivery stream. There may be ten thousand of them, and what all keep is in
/// memory.
const BOUNDS: LogBounds = LogBounds {
    entries_max: 64,
    bytes_max: 16 * 1024,
};
/// Bytes of one message; the rest of a longer one is cut off.
const MESSAGE_BYTES_MAX: usize = 1_000;

/// What kind of thing went wrong. One that happens with each delivery leaves room for the others.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Wrong {
    /// Something is not done, and tried again.
    Trouble,
    /// A destination refuses records for good.
    Refusal,
    /// Records are in the error output.
    Failed,
    /// Records are lost.
    Lost,
}

/// Something that went wrong: the members of a log event of Firehose (developer guide, "Monitor
/// with CloudWatch Logs"), and the lane.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DeliveryError {
    /// What kind of thing it is.
    pub(crate) wrong: Wrong,
    /// Which lane it concerns; `None`: all of the delivery stream.
    pub lane: Option<String>,
    /// The version of the configuration that was in force.
    pub version_id: u64,
    /// Where records went: the ARN of a bucket, or the URL of something else.
    pub destination: String,
    /// One of AWS's words, if it has one for this.
    pub code: Option<String>,
    /// What happened, without control characters.
    pub message: String,
}

/// The last things that went wrong with one delivery stream.
pub struct ErrorLog(LogRing<DeliveryError>);

impl ErrorLog {
    pub(crate) fn new(clock: Arc<dyn Clock>) -> Self {
        Self(LogRing::of_kinds(clock, BOUNDS, |error| {
            match error.wrong {
                Wrong::Trouble => 0,
                Wrong::Refusal => 1,
                Wrong::Failed => 2,
                Wrong::Lost => 3,
            }
        }))
    }

    /// Notes what went wrong with a lane, or with all of the delivery stream.
    pub(crate) fn note(
        &self,
        stream: &DeliveryStream,
        lane: Option<String>,
        (wrong, code, message): (Wrong, Option<&str>, &str),
    ) {
        let destination = &stream.destination;
        let bucket = destination.bucket_arn.as_str();
        let error = DeliveryError {
            wrong,
            lane,
            version_id: stream.version_id,
            destination: destination.kind.url().unwrap_or(bucket).to_owned(),
            code: code.map(str::to_owned),
            message: shown(message),
        };
        let bytes = error.message.len() + error.destination.len();
        self.0.push(error, bytes);
    }

    /// What went wrong from there on, the oldest first, at most so many.
    pub(crate) fn read(&self, from: &LogFrom, errors_max: usize) -> LogPart<DeliveryError> {
        self.0.read(from, errors_max, |_| true)
    }
}

/// A message as it is kept: bounded, and as one line that moves no terminal's cursor.
fn shown(message: &str) -> String {
    let end = message.floor_char_boundary(MESSAGE_BYTES_MAX);
    let plain = |char: char| if char.is_control() { ' ' } else { char };
    message[..end].chars().map(plain).collect()
}
