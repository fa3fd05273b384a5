//! What the pages of dead letters take and say.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::commands::app::Letter;
use crate::output;

/// Which letter, and whose.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Named<'a> {
    pub(super) letter: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) application: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) delivery_stream: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) version: Option<&'a str>,
}

/// Objects of failed records.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Objects {
    pub(super) dead_letters: Vec<Object>,
    pub(super) next: Option<String>,
}

/// One of them.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Object {
    pub(super) object: String,
    pub(super) bytes: u64,
    pub(super) put_at_ms: u64,
    pub(super) records: Option<u64>,
    pub(super) codes: BTreeMap<String, u64>,
    state: String,
    replayed: u64,
    pub(super) why: Option<String>,
}

impl Object {
    /// Whether something is left to be replayed.
    pub(super) fn is_open(&self) -> bool {
        matches!(self.state.as_str(), "open" | "begun")
    }

    pub(super) fn state(&self) -> String {
        match (self.state.as_str(), self.records) {
            ("begun", Some(records)) => format!("{} of {records} replayed", self.replayed),
            (state, _) => state.to_owned(),
        }
    }

    pub(super) fn codes(&self) -> String {
        if let Some(why) = &self.why {
            return why.clone();
        }
        let codes = self.codes.iter();
        let codes = codes.map(|(code, count)| format!("{code} {}", output::count(*count)));
        codes.collect::<Vec<_>>().join(", ")
    }
}

/// The first records of an object.
#[derive(Deserialize)]
pub(super) struct Shown {
    pub(super) records: Vec<Record>,
    pub(super) more: bool,
}

/// A failed record.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Record {
    data: Option<String>,
    data_base64: Option<String>,
    bytes: u64,
    arrival_ms: u64,
    attempts: u32,
    code: String,
    message: String,
    reason: Option<String>,
}

impl Record {
    /// Why it failed, on a line.
    pub(super) fn what(&self) -> String {
        let reason = self.reason.as_ref().unwrap_or(&self.message);
        format!(
            "{} ({}) after {} attempts; arrived {}, {} bytes",
            self.code,
            reason.escape_debug(),
            self.attempts,
            output::time(self.arrival_ms),
            output::count(self.bytes),
        )
    }

    /// What it holds, on a line.
    pub(super) fn data(&self) -> String {
        match (&self.data, &self.data_base64) {
            (Some(text), _) => text.escape_debug().to_string(),
            (None, Some(base64)) => format!("base64 {base64}"),
            (None, None) => String::new(),
        }
    }
}

/// What became of an object.
#[derive(Deserialize)]
pub(super) struct Replayed {
    object: String,
    records: u64,
    pub(super) now: u64,
    pub(super) done: bool,
}

impl Replayed {
    /// The same as a sentence, with how many records all calls together replayed.
    pub(super) fn text(&self, now: u64) -> String {
        let (object, records) = (&self.object, output::count(self.records));
        if now == 0 && self.records > 0 {
            return format!("{object}: all of its {records} records were replayed before");
        }
        let now = output::count(now);
        format!("{object}: replayed {now} of {records} records")
    }
}

/// What all readers have.
#[derive(Deserialize)]
pub(super) struct Readers {
    pub(super) readers: Vec<Read>,
    pub(super) denied: u64,
}

/// What one of them has.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Read {
    pub(super) application: Option<String>,
    pub(super) delivery_stream: Option<String>,
    pub(super) dead_letters: Records,
    pub(super) next: Option<String>,
    pub(super) why: Option<String>,
}

/// Letters of an application or of a delivery stream.
#[derive(Deserialize)]
#[serde(untagged)]
pub(super) enum Records {
    Objects(Vec<Object>),
    Letters(Vec<Letter>),
}
