//! An answer or an error as it is said to a client, in what its request was written in.

use http::StatusCode;
use wire::{Answer, ApiError, Codec};

use crate::budget::{Held, NoRoom};
use crate::request_id::RequestId;
use crate::sts;

/// What is said to a request.
pub(super) struct Reply {
    pub(super) status: StatusCode,
    pub(super) kind: &'static str,
    pub(super) answer: Answer,
}

impl Reply {
    /// The answer to a request in `codec`. Errors of the service come from `home`.
    pub(super) fn of(answer: Result<Answer, ApiError>, codec: Codec, home: &str) -> Self {
        match answer {
            Ok(answer) => Self {
                status: StatusCode::OK,
                kind: answer.content_type(codec),
                answer,
            },
            Err(error) => Self {
                status: status(error.status()),
                kind: error.content_type(codec),
                answer: Answer::whole(error.body_of(codec, home)),
            },
        }
    }

    /// The answer to a request that speaks as clients of STS do.
    pub(super) fn of_sts(answer: Result<Answer, ApiError>, id: &RequestId) -> Self {
        let (status, answer) = match answer {
            Ok(answer) => (StatusCode::OK, answer),
            Err(error) => {
                let (code, answer) = sts::error(&error, id);
                (status(code), answer)
            }
        };
        Self {
            status,
            kind: sts::XML,
            answer,
        }
    }
}

fn status(status: u16) -> StatusCode {
    StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR)
}

/// Charges an answer for its memory, unless that was done before.
pub(super) fn charge(held: &mut Held, answer: &Answer, is_due: bool) -> Result<(), NoRoom> {
    match answer.length() {
        Some(bytes) => held.answers(bytes, is_due),
        None => held.streams(),
    }
}
