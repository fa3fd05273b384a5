//! Delivered records become the bodies of requests, which look as the destination's [`Envelope`]
//! says.
//!
//! All that a record becomes is in one request. Where a request ends follows from the records
//! before, and not from what became of other requests: so the requests of a cut are the same in
//! every try, whichever of them were refused meanwhile. The records of one that was refused for
//! good become lines in its place, or stay one object where that is staged. Pure.

mod lines;

use object_store::PutPayload;
use types::{Invalid, Timestamp};

use self::lines::Lines;
use crate::answers::records::RefusedRecords;
use crate::answers::{Answers, Refused};
use crate::counts::Counts;
use crate::encoder::Encoder;
use crate::failed_record::Failure;
use crate::object_name::{NamingKey, Place};
use crate::piece::{Piece, PieceKind};
use crate::replayed::History;
use crate::sink::documents::Placed;
use crate::sink::envelope::{BODY_BYTES_MAX, ENVELOPE_BYTES_MAX, Envelope, Written};

/// Why a record is failed that becomes more than one request can hold.
pub const TOO_LARGE: &str = "Millrace.TooLarge";
pub const TOO_LARGE_MESSAGE: &str =
    "What came of the record does not fit into one request: 10000 records of 67108864 bytes";

/// What the requests of a cut follow from, besides its records.
#[derive(Clone)]
pub struct Terms {
    /// Ids of requests are made as names of objects are.
    pub naming: NamingKey,
    /// The place of the first request.
    pub place: Place,
    /// What requests say that they were made at: when the cut was decided, so that a request that
    /// is sent again has the same bytes.
    pub made_at: Timestamp,
    /// What bodies look like.
    pub envelope: Envelope,
    /// What is known of requests of earlier tries.
    pub answers: Answers,
}

/// A record as it came in.
#[derive(Clone, Copy, Debug)]
pub struct Record<'a> {
    /// Its data.
    pub data: &'a [u8],
    /// What was before with it.
    pub history: History,
}

/// The requests of one cut, one after the other.
pub struct Requests {
    terms: Terms,
    encoder: Encoder,
    open: Option<Open>,
    /// The record of which not all may have come.
    source: Option<Source>,
    /// Records that the destination would refuse with all others of their request.
    faulty: Lines,
    /// What no other cut is called, and records of this one so far.
    of_cut: String,
    sources: u64,
    /// Numbers of the next request, and of the next object of refused records.
    part: u16,
    refused_part: u16,
    counts: Counts,
    ready: Vec<Piece>,
    line: Vec<u8>,
    broken: Option<String>,
}

/// A request that has begun.
struct Open {
    body_bytes: usize,
    records: usize,
    holds: Counts,
    /// Where it was refused: why, and what became of its records so far.
    refused: Option<(Refused, Lines)>,
    /// It was refused, and stays where it is staged.
    is_given_up: bool,
    /// Where some of its records were refused: which, and what became of them so far.
    in_part: Option<(RefusedRecords, Lines)>,
    /// Records of it so far, as they came in.
    sources: u16,
    /// Of which of them each document is that was written.
    written: Vec<u16>,
}

/// A record, and all that it becomes.
struct Source {
    data: Vec<u8>,
    history: History,
    /// What it becomes, as it stands in a body.
    fragment: Vec<u8>,
    records: usize,
    delivered_bytes: u64,
    /// Why the destination would never take it: one of AWS's words, and what is wrong.
    fault: Option<(&'static str, String)>,
    /// Where the first of what it becomes goes, if each goes to a place of its own.
    placed: Option<Placed>,
}

/// A record that becomes more than one request can hold.
pub struct TooLarge {
    /// Its data.
    pub data: Vec<u8>,
    /// What was before with it.
    pub history: History,
}

impl Requests {
    /// Begins with a cut.
    pub fn begin(terms: Terms) -> Self {
        Self {
            encoder: Encoder::new(terms.envelope.compression()),
            of_cut: terms.naming.uuid(terms.place),
            sources: 0,
            terms,
            open: None,
            source: None,
            faulty: Lines::default(),
            part: 0,
            refused_part: 0,
            counts: Counts::default(),
            ready: Vec::new(),
            line: Vec::new(),
            broken: None,
        }
    }

    /// Begins with a record; the one before has ended.
    pub fn begin_source(&mut self, record: Record<'_>) {
        self.sources += 1;
        self.source = Some(Source {
            data: record.data.to_vec(),
            history: record.history,
            fragment: Vec::new(),
            records: 0,
            delivered_bytes: 0,
            fault: None,
            placed: None,
        });
    }

    /// Something that the record becomes, and what it ends with.
    pub fn add(&mut self, data: &[u8], delimiter: &[u8]) {
        let Some(source) = &mut self.source else {
            self.broken = Some("something came of no record".to_owned());
            return;
        };
        let envelope = &self.terms.envelope;
        if source.records > 0 {
            source.fragment.extend_from_slice(envelope.between());
        }
        let written = Written {
            data,
            delimiter,
            arrival: source.history.arrival,
            of_cut: &self.of_cut,
            number: (self.sources, source.records),
        };
        match envelope.write(&mut source.fragment, &written) {
            Ok(placed) => source.placed = source.placed.take().or(placed),
            Err(Invalid(why)) => self.broken = Some(why),
        }
        if source.fault.is_none() {
            source.fault = envelope.fault(&written);
        }
        source.records += 1;
        source.delivered_bytes += data.len() as u64;
    }

    /// No more comes of the record. It is given back where no request can hold it.
    pub fn end_source(&mut self) -> Option<TooLarge> {
        let source = self.source.take()?;
        if let Some((code, why)) = &source.fault {
            self.leave_out(&source, (code, why));
            return None;
        }
        let envelope = &self.terms.envelope;
        let bytes = source.fragment.len() + envelope.between().len();
        if source.records > envelope.records_max() || ENVELOPE_BYTES_MAX + bytes > BODY_BYTES_MAX {
            return Some(TooLarge {
                data: source.data,
                history: source.history,
            });
        }
        let fits = |open: &Open| {
            open.records.saturating_add(source.records) <= envelope.records_max()
                && open.body_bytes + bytes + envelope.end().len() <= envelope.body_bytes_usual()
        };
        if self.open.as_ref().is_some_and(|open| !fits(open)) {
            self.end_request();
        }
        let mut open = match self.open.take() {
            Some(open) => open,
            None => self.begin_request(),
        };
        self.put(&mut open, &source);
        self.open = Some(open);
        None
    }

    fn begin_request(&mut self) -> Open {
        let refused = self.terms.answers.refused(self.part);
        let is_given_up = refused.is_some() && self.terms.envelope.stays_staged();
        let refused = refused.filter(|_| !is_given_up);
        let refused = refused.map(|why| (why.clone(), Lines::default()));
        let in_part = self.terms.answers.records_of(self.part);
        let in_part = in_part.map(|records| (records.clone(), Lines::default()));
        let place = Place {
            part: self.part,
            ..self.terms.place
        };
        let id = self.terms.naming.uuid(place);
        let head = self.terms.envelope.head(&id, self.terms.made_at);
        if refused.is_none() {
            self.encoder.write(&head);
        }
        Open {
            body_bytes: head.len(),
            records: 0,
            holds: Counts::default(),
            refused,
            is_given_up,
            in_part,
            sources: 0,
            written: Vec::new(),
        }
    }

    fn put(&mut self, open: &mut Open, source: &Source) {
        let between: &[u8] = if open.holds.delivered > 0 {
            self.terms.envelope.between()
        } else {
            b""
        };
        // As if all of them were taken: where the request ends is the same in every try.
        let counted = if open.records > 0 {
            self.terms.envelope.between().len()
        } else {
            0
        };
        open.body_bytes += counted + source.fragment.len();
        open.records += source.records;
        // Each has one part of the request at least, of which there are no more than that.
        let record = open.sources;
        open.sources = record.saturating_add(1);
        let usual = self.terms.envelope.exception();
        let left_out = match (&mut open.refused, &mut open.in_part) {
            (Some((why, lines)), _) => {
                let tries = (why.attempts, why.ended_at_ms);
                Some((why.words(usual), tries, lines))
            }
            (None, Some((records, lines))) => {
                let tries = (records.attempts, records.ended_at_ms);
                let words = records.words(record, usual);
                words.map(|words| (words, tries, lines))
            }
            (None, None) => None,
        };
        let Some(((code, message), (attempts, ended_at_ms), lines)) = left_out else {
            self.encoder.write(between);
            self.encoder.write(&source.fragment);
            // What stays one object is answered as one.
            if !self.terms.envelope.stays_staged() {
                open.written
                    .extend(std::iter::repeat_n(record, source.records));
            }
            open.holds = open.holds.and(Counts {
                delivered: 1,
                bytes_delivered: source.delivered_bytes,
                ..source.counted()
            });
            return;
        };
        let failure = Failure {
            code,
            message,
            reason: None,
            attempts: attempts.saturating_add(source.history.attempts),
        };
        lines.write(source, (failure, Timestamp(ended_at_ms)), &mut self.line);
    }

    /// A record goes into the error output by itself, which no request is the worse for.
    fn leave_out(&mut self, source: &Source, (code, message): (&str, &str)) {
        let failure = Failure {
            code,
            message,
            reason: None,
            attempts: source.history.attempts.saturating_add(1),
        };
        let ended_at = self.terms.made_at;
        self.faulty
            .write(source, (failure, ended_at), &mut self.line);
        self.take_lines_of_faulty();
    }

    fn take_lines_of_faulty(&mut self) {
        let ended = std::mem::take(&mut self.faulty.ended);
        self.end_lines(ended);
    }

    fn end_lines(&mut self, ended: Vec<(PutPayload, Counts)>) {
        for (content, holds) in ended {
            let part = self.refused_part;
            self.refused_part = self.after(part);
            self.end((part, PieceKind::Refused), content, holds);
        }
    }

    /// Ends the request that has begun, if one has, and the lines of records that are in none.
    pub fn end_request(&mut self) {
        if let Some(open) = self.open.take() {
            self.end_open(open);
        }
        self.faulty.end();
        self.take_lines_of_faulty();
    }

    fn end_open(&mut self, open: Open) {
        let part = self.part;
        self.part = self.after(part);
        if let Some((_, mut lines)) = open.refused {
            lines.end();
            self.end_lines(lines.ended);
            return;
        }
        if open.holds.delivered > 0 {
            self.encoder.write(self.terms.envelope.end());
            let (kind, holds) = if open.is_given_up {
                (PieceKind::Refused, given_up(open.holds))
            } else {
                (PieceKind::Delivered, one_request(open.holds))
            };
            match self.encoder.finish() {
                Some(content) => {
                    self.end((part, kind), content, holds);
                    if let Some(piece) = self.ready.last_mut() {
                        piece.records = open.written;
                    }
                }
                None => self.broken = Some(format!("request {part} has no content")),
            }
        } else {
            // All of its records were refused, one by one.
            self.encoder.forget();
        }
        if let Some((_, mut lines)) = open.in_part {
            lines.end();
            self.end_lines(lines.ended);
        }
    }

    fn end(&mut self, (part, kind): (u16, PieceKind), content: PutPayload, holds: Counts) {
        self.counts = self.counts.and(Counts {
            // They were counted as they came in.
            records_in: 0,
            bytes_in: 0,
            ..holds
        });
        self.ready.push(Piece::new(part, kind, content, holds));
    }

    /// The number that comes after this one. Two pieces of one number would be one piece.
    fn after(&mut self, part: u16) -> u16 {
        part.checked_add(1).unwrap_or_else(|| {
            self.broken = Some(format!("a cut became more than {part} requests"));
            part
        })
    }

    /// The pieces that became ready since the last call.
    pub fn take_ready(&mut self) -> Vec<Piece> {
        std::mem::take(&mut self.ready)
    }

    /// What became of the records of all requests that have ended, but for how many there were.
    pub fn counts(&self) -> Counts {
        self.counts
    }

    /// Bytes of memory that all of it takes, but for what is ready.
    pub fn held_bytes(&self) -> usize {
        let source = self.source.as_ref().map_or(0, |source| {
            source.data.capacity() + source.fragment.capacity()
        });
        let refused = self.open.as_ref().and_then(|open| open.refused.as_ref());
        let lines = refused.map_or(0, |(_, lines)| lines.held_bytes());
        let in_part = self.open.as_ref().and_then(|open| open.in_part.as_ref());
        let lines = lines + in_part.map_or(0, |(_, lines)| lines.held_bytes());
        let lines = lines + self.faulty.held_bytes();
        source + lines + self.line.capacity() + self.encoder.held_bytes()
    }

    /// Lets everything go.
    pub fn forget(&mut self) {
        (self.open, self.source, self.line) = (None, None, Vec::new());
        self.faulty = Lines::default();
        self.encoder.forget();
        self.ready.clear();
    }

    /// Whether all that was added is in the requests, as far as they have ended.
    ///
    /// # Errors
    /// Why it is not.
    pub fn check(&self) -> Result<(), String> {
        if let Some(why) = &self.broken {
            return Err(why.clone());
        }
        let packed = self.encoder.check();
        packed.map_err(|error| format!("pack records: {error}"))
    }
}

/// What a request holds of these records, once it is delivered.
fn one_request(holds: Counts) -> Counts {
    Counts {
        objects: 1,
        ..holds
    }
}

/// What becomes of the same records where the request is not taken and stays where it is staged.
fn given_up(holds: Counts) -> Counts {
    Counts {
        delivered: 0,
        bytes_delivered: 0,
        failed: holds.delivered,
        failed_objects: 1,
        ..holds
    }
}

impl Source {
    /// The record, as one that came in.
    fn counted(&self) -> Counts {
        Counts {
            records_in: 1,
            bytes_in: self.data.len() as u64,
            ..Counts::default()
        }
    }
}

#[cfg(test)]
mod tests;
