//! Delivered records become the bodies of requests, which look as the destination's [`Envelope`]
//! says.
//!
//! All that a record becomes is in one request. Where a request ends follows from the records
//! before, and not from what became of other requests: so the requests of a cut are the same in
//! every try, whichever of them were refused meanwhile. The records of one that was refused for
//! good become lines in its place. Pure.

use object_store::PutPayload;
use types::Timestamp;

use crate::answers::{Answers, Refused};
use crate::content::{Chunks, FAILED_OBJECT_BYTES_MAX};
use crate::counts::Counts;
use crate::encoder::Encoder;
use crate::failed_record::{self, Failure};
use crate::object_name::{NamingKey, Place};
use crate::piece::{Piece, PieceKind};
use crate::replayed::History;
use crate::sink::envelope::{BODY_BYTES_MAX, ENVELOPE_BYTES_MAX, Envelope, RECORDS_MAX};

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
    lines: Option<Lines>,
}

/// Records of a refused request.
struct Lines {
    why: Refused,
    lines: Chunks,
    ended: Vec<(PutPayload, Counts)>,
}

/// A record, and all that it becomes.
struct Source {
    data: Vec<u8>,
    history: History,
    /// What it becomes, as it stands in a body.
    fragment: Vec<u8>,
    records: usize,
    delivered_bytes: u64,
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
            terms,
            open: None,
            source: None,
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
        self.source = Some(Source {
            data: record.data.to_vec(),
            history: record.history,
            fragment: Vec::new(),
            records: 0,
            delivered_bytes: 0,
        });
    }

    /// Something that the record becomes, and what it ends with.
    pub fn add(&mut self, data: &[u8], delimiter: &[u8]) {
        let Some(source) = &mut self.source else {
            self.broken = Some("something came of no record".to_owned());
            return;
        };
        let envelope = self.terms.envelope;
        if source.records > 0 {
            source.fragment.extend_from_slice(envelope.between());
        }
        envelope.write(&mut source.fragment, data, delimiter);
        source.records += 1;
        source.delivered_bytes += data.len() as u64;
    }

    /// No more comes of the record. It is given back where no request can hold it.
    pub fn end_source(&mut self) -> Option<TooLarge> {
        let source = self.source.take()?;
        let envelope = self.terms.envelope;
        let bytes = source.fragment.len() + envelope.between().len();
        if source.records > RECORDS_MAX || ENVELOPE_BYTES_MAX + bytes > BODY_BYTES_MAX {
            return Some(TooLarge {
                data: source.data,
                history: source.history,
            });
        }
        let fits = |open: &Open| {
            open.records + source.records <= RECORDS_MAX
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
        let lines = self.terms.answers.refused(self.part).map(|why| Lines {
            why: why.clone(),
            lines: Chunks::default(),
            ended: Vec::new(),
        });
        let place = Place {
            part: self.part,
            ..self.terms.place
        };
        let id = self.terms.naming.uuid(place);
        let head = self.terms.envelope.head(&id, self.terms.made_at);
        if lines.is_none() {
            self.encoder.write(&head);
        }
        Open {
            body_bytes: head.len(),
            records: 0,
            holds: Counts::default(),
            lines,
        }
    }

    fn put(&mut self, open: &mut Open, source: &Source) {
        let between: &[u8] = if open.records > 0 {
            self.terms.envelope.between()
        } else {
            b""
        };
        open.body_bytes += between.len() + source.fragment.len();
        open.records += source.records;
        let one = Counts {
            records_in: 1,
            bytes_in: source.data.len() as u64,
            ..Counts::default()
        };
        match &mut open.lines {
            None => {
                self.encoder.write(between);
                self.encoder.write(&source.fragment);
                open.holds = open.holds.and(Counts {
                    delivered: 1,
                    bytes_delivered: source.delivered_bytes,
                    ..one
                });
            }
            Some(lines) => {
                lines.write(source, self.terms.envelope, &mut self.line);
                open.holds = open.holds.and(Counts { failed: 1, ..one });
                if lines.lines.len() >= FAILED_OBJECT_BYTES_MAX {
                    lines.end(&mut open.holds);
                }
            }
        }
    }

    /// Ends the request that has begun, if one has. Whether one had.
    pub fn end_request(&mut self) -> bool {
        let Some(open) = self.open.take() else {
            return false;
        };
        let part = self.part;
        self.part = self.after(part);
        match open.lines {
            None => {
                self.encoder.write(self.terms.envelope.end());
                let holds = Counts {
                    objects: 1,
                    ..open.holds
                };
                match self.encoder.finish() {
                    Some(content) => self.end((part, PieceKind::Delivered), content, holds),
                    None => self.broken = Some(format!("request {part} has no content")),
                }
            }
            Some(mut lines) => {
                let mut holds = open.holds;
                lines.end(&mut holds);
                for (content, holds) in lines.ended {
                    let part = self.refused_part;
                    self.refused_part = self.after(part);
                    self.end((part, PieceKind::Refused), content, holds);
                }
            }
        }
        true
    }

    fn end(&mut self, (part, kind): (u16, PieceKind), content: PutPayload, holds: Counts) {
        self.counts = self.counts.and(Counts {
            // They were counted as they came in.
            records_in: 0,
            bytes_in: 0,
            ..holds
        });
        self.ready.push(Piece {
            part,
            kind,
            content,
            holds,
        });
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
        let lines = self.open.as_ref().and_then(|open| open.lines.as_ref());
        let lines = lines.map_or(0, |lines| {
            let ended = lines.ended.iter();
            let ended: usize = ended.map(|(content, _)| content.content_length()).sum();
            ended + lines.lines.held_bytes()
        });
        source + lines + self.line.capacity() + self.encoder.held_bytes()
    }

    /// Lets everything go.
    pub fn forget(&mut self) {
        (self.open, self.source, self.line) = (None, None, Vec::new());
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

impl Lines {
    fn write(&mut self, source: &Source, envelope: Envelope, line: &mut Vec<u8>) {
        let (code, message) = self.why.words(envelope.exception());
        let attempts = self.why.attempts;
        let failure = Failure {
            code,
            message,
            reason: None,
            attempts: attempts.saturating_add(source.history.attempts),
        };
        let record = (&source.data[..], source.history.arrival);
        let ended_at = Timestamp(self.why.ended_at_ms);
        line.clear();
        failed_record::write_line(line, record, failure, ended_at, None);
        self.lines.write(line);
    }

    /// Ends the object that has begun: it holds what is counted so far.
    fn end(&mut self, holds: &mut Counts) {
        if self.lines.is_empty() {
            return;
        }
        let content = std::mem::take(&mut self.lines).finish();
        let holds = Counts {
            failed_objects: 1,
            ..std::mem::take(holds)
        };
        self.ended.push((content, holds));
    }
}

#[cfg(test)]
mod tests;
