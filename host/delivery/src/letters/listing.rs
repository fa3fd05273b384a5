//! Objects of failed records are listed with what they hold, and shown.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use serde::Serialize;
use tokio::time::Instant;

use super::limits::{
    ASKED_MAX, CALL_TIME_MAX, CODES_MAX, LISTED_DEFAULT, LISTED_MAX, LISTING_BYTES_MAX,
    SHOWN_BYTES_MAX, SHOWN_DATA_BYTES_MAX, SHOWN_DEFAULT, SHOWN_MAX, WORDS_CHARS_MAX,
};
use super::line::FailedRecord;
use super::notes::{self, Note, NoteKey, State};
use super::reading::Reading;
use super::{LetterError, object};
use crate::Delivery;
use crate::objects::Found;
use crate::running::Running;

/// What further codes of an object count as.
const OTHER_CODES: &str = "others";

/// Which objects of failed records are asked for.
#[derive(Clone, Copy, Debug, Default)]
pub struct Wanted<'a> {
    /// Those whose keys begin so.
    pub prefix: Option<&'a str>,
    /// Those after this key.
    pub after: Option<&'a str>,
    /// So many at most.
    pub limit: Option<usize>,
    /// Also those that were discarded.
    pub all: bool,
}

/// Some objects of failed records.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct LetterPage {
    /// In the order of their keys.
    pub dead_letters: Vec<LetterObject>,
    /// The key after which there may be more.
    pub next: Option<String>,
}

/// An object of failed records.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct LetterObject {
    /// Its key in the bucket.
    pub object: String,
    /// How long it is.
    pub bytes: u64,
    /// When it was put, in milliseconds since 1970.
    pub put_at_ms: u64,
    /// Its records, where they were counted.
    pub records: Option<u64>,
    /// How many of them have which code, where they were counted now.
    pub codes: BTreeMap<String, u64>,
    /// `open`, `begun`, `replayed` or `discarded`.
    pub state: &'static str,
    /// Records of it that were replayed.
    pub replayed: u64,
    /// Why its records were not counted, where they were not.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub why: Option<String>,
}

/// Some records of an object.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct LetterText {
    /// Its key in the bucket.
    pub object: String,
    /// How long it is.
    pub bytes: u64,
    /// When it was put, in milliseconds since 1970.
    pub put_at_ms: u64,
    /// The first of its records.
    pub records: Vec<LetterRecord>,
    /// Whether there are more.
    pub more: bool,
}

/// A failed record.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct LetterRecord {
    /// What it holds, where that is text.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub data: Option<String>,
    /// The same in base64, where it is not.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub data_base64: Option<String>,
    /// Bytes of it. Only the first 64 KiB are shown.
    pub bytes: usize,
    /// When it arrived, in milliseconds since 1970.
    pub arrival_ms: u64,
    /// When it was given up.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub failed_at_ms: Option<u64>,
    /// How often it was tried.
    pub attempts: u32,
    /// AWS's word for what happened.
    pub code: String,
    /// What happened.
    pub message: String,
    /// What the plugin said of it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
}

impl LetterRecord {
    fn of(record: &FailedRecord) -> Self {
        let shown = record.data.len().min(SHOWN_DATA_BYTES_MAX);
        let shown = record.data.get(..shown).unwrap_or_default();
        let text = match std::str::from_utf8(shown) {
            Ok(text) => Some(text),
            // A sign may end behind what is shown.
            Err(error) if error.error_len().is_none() && shown.len() < record.data.len() => {
                let valid = shown.get(..error.valid_up_to()).unwrap_or_default();
                std::str::from_utf8(valid).ok()
            }
            Err(_) => None,
        };
        let encoded = || base64_simd::STANDARD.encode_to_string(shown);
        Self {
            data_base64: text.is_none().then(encoded),
            data: text.map(str::to_owned),
            bytes: record.data.len(),
            arrival_ms: record.history.arrival.0,
            failed_at_ms: record.ended_at.map(|at| at.0),
            attempts: record.history.attempts,
            code: words(&record.code),
            message: words(&record.message),
            reason: record.reason.as_deref().map(words),
        }
    }

    fn shown_bytes(&self) -> usize {
        let data = [&self.data, &self.data_base64];
        data.iter()
            .filter_map(|it| it.as_ref())
            .map(String::len)
            .sum()
    }
}

fn words(text: &str) -> String {
    text.chars().take(WORDS_CHARS_MAX).collect()
}

/// A number of something that is asked for.
fn within(limit: Option<usize>, default: usize, max: usize) -> Result<usize, LetterError> {
    match limit {
        None => Ok(default),
        Some(limit) if (1..=max).contains(&limit) => Ok(limit),
        Some(limit) => Err(LetterError::Refused(format!(
            "{limit} is not a number from 1 to {max}."
        ))),
    }
}

/// A listing on its way.
struct Listing<'a> {
    delivery: &'a Delivery,
    running: &'a Running,
    wanted: Wanted<'a>,
    /// Bytes that may still be read.
    bytes_left: u64,
    end_at: Instant,
}

/// See [`Delivery::dead_letters`].
pub async fn list(
    delivery: &Delivery,
    running: &Arc<Running>,
    wanted: Wanted<'_>,
) -> Result<LetterPage, LetterError> {
    let limit = within(wanted.limit, LISTED_DEFAULT, LISTED_MAX)?;
    let stream = running.stream();
    let mut prefixes = prefixes(object::first_texts(&stream), wanted.prefix)?;
    let mut listing = Listing {
        delivery,
        running,
        wanted,
        bytes_left: LISTING_BYTES_MAX,
        end_at: Instant::now() + CALL_TIME_MAX,
    };
    let mut dead_letters = Vec::new();
    let mut next = wanted.after.map(str::to_owned);
    for _ in 0..ASKED_MAX {
        let Some(prefix) = prefixes.front() else {
            break;
        };
        let objects = &delivery.tools.objects;
        // What comes before all keys of the prefix need not be said.
        let after = next.as_deref().filter(|next| *next >= prefix.as_str());
        let from = (prefix.as_str(), after);
        let found = objects.list(&stream.plan.bucket, from, LISTED_MAX).await?;
        // A store may give fewer than it has.
        let is_last = found.is_empty();
        for found in found {
            next = Some(found.key.clone());
            if let Some(letter) = listing.letter(&found).await? {
                dead_letters.push(letter);
            }
            if dead_letters.len() >= limit {
                return Ok(LetterPage { dead_letters, next });
            }
        }
        if is_last {
            prefixes.pop_front();
        }
        if prefixes.is_empty() {
            next = None;
            break;
        }
        if listing.is_over() {
            break;
        }
    }
    Ok(LetterPage { dead_letters, next })
}

/// What keys begin with that are looked at: of all that failed records of a delivery stream begin
/// with, what is wanted of them.
fn prefixes(all: Vec<String>, wanted: Option<&str>) -> Result<VecDeque<String>, LetterError> {
    let Some(wanted) = wanted else {
        return Ok(all.into());
    };
    if all.iter().any(|below| wanted.starts_with(below.as_str())) {
        return Ok(VecDeque::from([wanted.to_owned()]));
    }
    let places = format!("{all:?}");
    let some: VecDeque<String> = all
        .into_iter()
        .filter(|it| it.starts_with(wanted))
        .collect();
    if some.is_empty() {
        return Err(LetterError::Refused(format!(
            "{wanted:?} is not below one of {places}, where failed records of this delivery stream \
             go."
        )));
    }
    Ok(some)
}

impl Listing<'_> {
    fn is_over(&self) -> bool {
        Instant::now() >= self.end_at
    }

    /// What is listed of an object, if it is.
    async fn letter(&mut self, found: &Found) -> Result<Option<LetterObject>, LetterError> {
        if !object::is_of(self.delivery, self.running, &found.key) {
            return Ok(None);
        }
        let engine = &*self.delivery.tools.engine;
        let id = self.running.stream().id;
        let bucket = &self.running.stream().plan.bucket;
        let mut note = notes::find_by_tag(engine, id, (bucket, found)).await?;
        let (mut counted, mut why) = (None, None);
        if note.is_none() {
            match self.count(found).await {
                Ok((codes, content)) => {
                    let key = NoteKey {
                        delivery_stream: id,
                        object: notes::digest(bucket, &found.key),
                        content,
                    };
                    note = notes::find(engine, key).await?.map(|(note, _)| note);
                    counted = Some(codes);
                }
                // It went while the others were looked at.
                Err(LetterError::NotFound(_)) => return Ok(None),
                Err(error) => why = Some(error.to_string()),
            }
        }
        let is_hidden = |note: &Note| note.state == State::Discarded && !self.wanted.all;
        if note.as_ref().is_some_and(is_hidden) {
            return Ok(None);
        }
        let records = match (&counted, &note) {
            (Some(codes), _) => Some(codes.values().sum()),
            (None, note) => note.as_ref().map(|note| note.records),
        };
        Ok(Some(LetterObject {
            object: found.key.clone(),
            bytes: found.bytes,
            put_at_ms: found.made_at.0,
            records,
            codes: counted.unwrap_or_default(),
            state: state(note.as_ref()),
            replayed: note.map_or(0, |note| note.replayed),
            why,
        }))
    }

    /// How many records of an object have which code, and the digest of the object.
    async fn count(
        &mut self,
        found: &Found,
    ) -> Result<(BTreeMap<String, u64>, [u8; 32]), LetterError> {
        if found.bytes > self.bytes_left || self.is_over() {
            return Err(LetterError::Busy(
                "enough was read for one listing, and another one may begin here".to_owned(),
            ));
        }
        self.bytes_left -= found.bytes;
        let bucket = self.running.stream().plan.bucket.clone();
        let objects = &*self.delivery.tools.objects;
        let mut reading = Reading::begin(objects, &bucket, found)?;
        let mut codes: BTreeMap<String, u64> = BTreeMap::new();
        while let Some(records) = reading.next().await? {
            for record in records {
                let code = words(&record.code);
                let is_known = codes.len() < CODES_MAX || codes.contains_key(&code);
                let code = if is_known {
                    code
                } else {
                    OTHER_CODES.to_owned()
                };
                *codes.entry(code).or_default() += 1;
            }
        }
        Ok((codes, reading.digest()?))
    }
}

fn state(note: Option<&Note>) -> &'static str {
    match note.map(|note| note.state) {
        None => "open",
        Some(State::Begun) => "begun",
        Some(State::Replayed) => "replayed",
        Some(State::Discarded) => "discarded",
    }
}

/// See [`Delivery::dead_letter`].
pub async fn show(
    delivery: &Delivery,
    running: &Running,
    (found, limit): (&Found, Option<usize>),
) -> Result<LetterText, LetterError> {
    let limit = within(limit, SHOWN_DEFAULT, SHOWN_MAX)?;
    let bucket = running.stream().plan.bucket.clone();
    let mut reading = Reading::begin(&*delivery.tools.objects, &bucket, found)?;
    let (mut shown, mut bytes, mut more) = (Vec::new(), 0, false);
    'reading: while let Some(records) = reading.next().await? {
        for record in &records {
            let record = LetterRecord::of(record);
            let record_bytes = record.shown_bytes();
            let is_room = shown.is_empty() || bytes + record_bytes <= SHOWN_BYTES_MAX;
            if shown.len() >= limit || !is_room {
                more = true;
                break 'reading;
            }
            bytes += record_bytes;
            shown.push(record);
        }
    }
    Ok(LetterText {
        object: found.key.clone(),
        bytes: found.bytes,
        put_at_ms: found.made_at.0,
        records: shown,
        more,
    })
}
