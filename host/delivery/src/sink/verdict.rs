//! What the answer to a request means for its records, whatever was asked. Pure.

use std::time::Duration;

use super::Answer;
use crate::answers::Fault;
use crate::endpoints::Reply;

/// Characters of a destination's own words that are kept: of an answer, of a connection's error.
const WORDS_CHARS_MAX: usize = 160;

/// What an answer says of the records of a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// All of them were taken.
    Taken,
    /// They may be taken later.
    Again(Fault),
    /// They never are.
    Never(Fault),
    /// Nothing of it was taken, nor is anything until somebody changes the configuration, here or
    /// there.
    Misconfigured(String),
    /// The same, but for some of it that is there.
    MisconfiguredInPart(String),
}

impl Verdict {
    /// What becomes of the request of this id, which is tried again for so long.
    pub fn answer(self, id: &str, retry_time: Duration) -> Answer {
        let why = |what: &str| why(id, what);
        match self {
            Self::Taken => Answer::Delivered(format!("request {id}")),
            Self::Again(fault) => Answer::AgainForItsTime {
                why: why(&fault.message),
                fault,
                retry_time,
                is_unasked: false,
            },
            Self::Never(fault) => Answer::Refused(fault),
            Self::Misconfigured(what) => misconfigured(id, &what, true),
            Self::MisconfiguredInPart(what) => misconfigured(id, &what, false),
        }
    }
}

/// A request of this id is not taken until somebody changes the configuration, here or there.
/// Whether it is certain that nothing of it is there.
pub fn misconfigured(id: &str, what: &str, is_refused: bool) -> Answer {
    Answer::Again {
        why: why(
            id,
            &format!(
                "{what}. Nothing is dropped: it is tried again until the endpoint or the \
                 configuration is changed"
            ),
        ),
        is_refused,
    }
}

fn why(id: &str, what: &str) -> String {
    format!("send request {id} to the endpoint: {what}")
}

/// An answer in one line.
pub fn said(reply: &Reply) -> String {
    let text = String::from_utf8_lossy(&reply.body);
    let text = words(&text);
    let status = reply.status;
    if text.is_empty() {
        status.to_string()
    } else {
        format!("{status}: {text}")
    }
}

/// What others wrote, bounded and on one line.
pub fn words(text: &str) -> String {
    let shown = text.chars().take(WORDS_CHARS_MAX);
    let printable = |it: char| if it.is_control() { ' ' } else { it };
    shown.map(printable).collect::<String>().trim().to_owned()
}
