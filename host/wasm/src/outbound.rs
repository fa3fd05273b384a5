//! Who makes a guest's calls over HTTP. This crate says which calls may be made and to where; how
//! bytes come there is for whoever implements [`Outbound`].

use std::any::Any;
use std::fmt;
use std::net::IpAddr;
use std::time::Duration;

use bytes::Bytes;
use types::AccountId;

use crate::addresses::{AddressRange, address_kind};
use crate::http_url::HttpUrl;
use crate::name::PluginName;

/// Makes calls. Called on the thread of a guest, in the middle of a call, and blocks.
pub trait Outbound: Send + Sync {
    /// Makes one call and reads its answer; a redirect is an answer like others. The name is
    /// resolved once, and a connection made to an address that came of that and that
    /// [`Call::forbids`] does not forbid.
    ///
    /// # Errors
    /// That the call may not be made, or that there was no answer.
    fn fetch(&self, call: &Call<'_>) -> Result<Answer, CallError>;
}

/// One call, checked: its server is granted, and nothing of it can be taken for more than one
/// request.
pub struct Call<'a> {
    /// Whose call it is: a plugin, at work for an account if somebody waits for it.
    pub plugin: &'a PluginName,
    /// The account.
    pub account: Option<AccountId>,
    /// In capitals.
    pub method: &'a str,
    /// Where to.
    pub url: &'a HttpUrl,
    /// Names in lower case, and values without an end of line.
    pub headers: &'a [(String, Vec<u8>)],
    /// What is sent.
    pub body: &'a Bytes,
    /// How long it may take, all in all.
    pub time_max: Duration,
    /// Bytes of the answer's body; one that has more is no answer.
    pub answer_bytes_max: usize,
    /// Ranges of addresses that are granted besides those that all may call.
    pub ranges: &'a [AddressRange],
    /// Whether nobody waits for the answer any more.
    pub is_stopped: &'a (dyn Fn() -> bool + Sync),
}

impl Call<'_> {
    /// Why no connection may be made to an address; `None`: one may.
    pub fn forbids(&self, address: IpAddr) -> Option<String> {
        let kind = address_kind(address)?;
        if self.ranges.iter().any(|range| range.contains(address)) {
            return None;
        }
        let (plugin, canonical) = (self.plugin, address.to_canonical());
        Some(format!(
            "it leads to {canonical}, {kind}; the operator would write [[plugin_grants]] name = \
             \"{plugin}\" addresses = [\"{canonical}\"]"
        ))
    }

    /// Whether nobody waits for the answer any more, so that the call may end at once.
    pub fn is_stopped(&self) -> bool {
        (self.is_stopped)()
    }
}

/// What a server answered.
#[derive(Debug)]
pub struct Answer {
    /// 100 to 999.
    pub status: u16,
    /// Names in lower case, with their values.
    pub headers: Vec<(String, Vec<u8>)>,
    /// All of it.
    pub body: Vec<u8>,
    /// The memory that it counts for as long as it lies here: until the guest has it.
    pub room: AnswerRoom,
}

/// Memory that something counts for until this is dropped, whoever counts it.
pub struct AnswerRoom {
    _held: Box<dyn Any + Send>,
}

impl AnswerRoom {
    /// Keeps what is held.
    pub fn of(held: impl Any + Send) -> Self {
        Self {
            _held: Box::new(held),
        }
    }
}

impl fmt::Debug for AnswerRoom {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("AnswerRoom")
    }
}

/// Why there is no answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CallError {
    /// The call may not be made.
    Refused(String),
    /// It had no answer, or not in time.
    Failed(String),
    /// Its answer has more bytes than it may have.
    TooLarge,
    /// Nobody waits for the answer any more.
    Stopped,
}
