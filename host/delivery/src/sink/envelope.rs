//! How records stand in the body of a request, by the kind of the destination. Pure.

use std::borrow::Cow;

use types::{Invalid, Timestamp};
use wire::json::{write_base64, write_string};

use crate::compression::Compression;
use crate::delivery_stream::Destination;
use crate::endpoints::ANSWER_BYTES_MAX;
use crate::kind::Kind;
use crate::sink::cluster_reply::{Wrong, code_of};
use crate::sink::collector_reply::{INVALID_DATA_FORMAT, SERVER_ERROR};
use crate::sink::documents::{self, Documents, Placed};
use crate::sink::{body, cluster, database, events};
use crate::splunk::EventForm;

/// Records of one request (developer guide, "HTTP endpoint delivery request and response
/// specifications"). It holds for all kinds: the records of a refused request become lines.
pub const RECORDS_MAX: usize = 10_000;
/// Bytes of a body before it is packed (the same page). What one record becomes is in one body: it
/// fails where that is more.
pub const BODY_BYTES_MAX: usize = 64 * 1024 * 1024;
/// No less than what a body has besides its records.
pub const ENVELOPE_BYTES_MAX: usize = 256;

const RECORD_BEGIN: &[u8] = b"{\"data\":\"";
const RECORD_END: &[u8] = b"\"}";
/// Bytes of a record of a body besides its data in base64, with the comma before it.
pub const RECORD_BYTES: usize = RECORD_BEGIN.len() + RECORD_END.len() + 1;

/// About what a document has before it.
const DOCUMENT_BYTES: u64 = 128;

/// What the bodies of a destination look like.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Envelope {
    /// Of an HTTP endpoint:
    /// `{"requestId":"<id>","timestamp":<ms>,"records":[{"data":"<base64>"},...]}`
    Endpoint {
        /// Whether bodies are packed with gzip.
        packs: bool,
    },
    /// Of a Splunk event collector: one record after the other, as they are.
    Collector(EventForm),
    /// Of a cluster: documents, with what is done with each.
    Documents(Documents),
    /// Of a database: what becomes rows, each with its length before it (`body`).
    Rows,
    /// Of Redshift, which fetches an object: one record after the other, as they are.
    Staged {
        /// How the object is packed.
        compression: Compression,
    },
}

/// Something that a record becomes, on its way into a body.
#[derive(Clone, Copy, Debug)]
pub struct Written<'a> {
    /// What it is.
    pub data: &'a [u8],
    /// What it ends with.
    pub delimiter: &'a [u8],
    /// When the record arrived.
    pub arrival: Timestamp,
    /// What no other cut is called.
    pub of_cut: &'a str,
    /// Which record of the cut, and what of it.
    pub number: (u64, usize),
}

impl<'a> Written<'a> {
    /// All of it, which ends with the delimiter once.
    fn text(&self) -> Cow<'a, [u8]> {
        if self.delimiter.is_empty() || self.data.ends_with(self.delimiter) {
            Cow::Borrowed(self.data)
        } else {
            Cow::Owned([self.data, self.delimiter].concat())
        }
    }
}

/// Bytes of what a Splunk event collector, a cluster or a database gets at once: the most that
/// records wait for (model, SplunkBufferingSizeInMBs), and half of what the smallest clusters take.
/// What one record becomes may be more.
const BYTES_USUAL: usize = 5 * 1024 * 1024;

impl Envelope {
    /// That of a destination, if it gets requests.
    pub fn of(destination: &Destination) -> Option<Self> {
        match &destination.kind {
            Kind::Bucket => None,
            Kind::HttpEndpoint(endpoint) => Some(Self::Endpoint {
                packs: endpoint.packs,
            }),
            Kind::Splunk(splunk) => Some(Self::Collector(splunk.form)),
            Kind::Search(search) => Some(Self::Documents(Documents::of(search))),
            Kind::Redshift(redshift) if redshift.fetches() => Some(Self::Staged {
                compression: destination.compression,
            }),
            Kind::Redshift(_) => Some(Self::Rows),
        }
    }

    /// How bodies are packed.
    pub fn compression(&self) -> Compression {
        match self {
            Self::Endpoint { packs: true } => Compression::Gzip,
            Self::Endpoint { packs: false }
            | Self::Collector(_)
            | Self::Documents(_)
            | Self::Rows => Compression::Uncompressed,
            Self::Staged { compression } => *compression,
        }
    }

    /// Records of one body. Nothing is kept of each that lies in an object and is answered with all
    /// others: there the bytes alone are a limit.
    pub fn records_max(&self) -> usize {
        match self {
            Self::Endpoint { .. } | Self::Collector(_) | Self::Documents(_) | Self::Rows => {
                RECORDS_MAX
            }
            Self::Staged { .. } => usize::MAX,
        }
    }

    /// Whether what is refused stays one object in the place where it was staged, and its records
    /// become no lines.
    pub fn stays_staged(&self) -> bool {
        matches!(self, Self::Staged { .. })
    }

    /// Bytes of a body after which another begins, unless what one record becomes is more.
    pub fn body_bytes_usual(&self) -> usize {
        match self {
            Self::Endpoint { .. } | Self::Staged { .. } => BODY_BYTES_MAX,
            Self::Collector(_) | Self::Documents(_) | Self::Rows => BYTES_USUAL,
        }
    }

    /// AWS's word for why requests were not taken, where there is no better one.
    pub fn exception(&self) -> &'static str {
        match self {
            Self::Endpoint { .. } => "HttpEndpoint.DestinationException",
            Self::Collector(_) => SERVER_ERROR,
            Self::Documents(documents) => code_of(documents.product(), Wrong::Service),
            Self::Rows | Self::Staged { .. } => database::LOAD_FAILED,
        }
    }

    /// AWS's word for a record that the destination never takes, and why it does not, if that is
    /// certain of what stands in the body: others are not to be refused with it.
    pub fn fault(&self, written: &Written<'_>) -> Option<(&'static str, String)> {
        match self {
            // Whether a database takes something is known by nobody else.
            Self::Endpoint { .. }
            | Self::Collector(EventForm::Raw)
            | Self::Rows
            | Self::Staged { .. } => None,
            Self::Collector(EventForm::Event) => {
                events::fault(&written.text()).map(|why| (INVALID_DATA_FORMAT, why))
            }
            Self::Documents(documents) => {
                let code = code_of(documents.product(), Wrong::Document);
                documents::fault(&written.text()).map(|why| (code, why))
            }
        }
    }

    /// What stands before the records of the request of this id.
    pub fn head(&self, id: &str, made_at: Timestamp) -> Vec<u8> {
        match self {
            Self::Endpoint { .. } => {
                let mut head = b"{\"requestId\":".to_vec();
                write_string(&mut head, id);
                let rest = format!(",\"timestamp\":{},\"records\":[", made_at.0);
                head.extend_from_slice(rest.as_bytes());
                head
            }
            Self::Collector(_) | Self::Documents(_) | Self::Rows | Self::Staged { .. } => {
                Vec::new()
            }
        }
    }

    /// What stands between two records.
    pub fn between(&self) -> &'static [u8] {
        match self {
            Self::Endpoint { .. } => b",",
            Self::Collector(_) | Self::Documents(_) | Self::Rows | Self::Staged { .. } => b"",
        }
    }

    /// What stands after the last record.
    pub fn end(&self) -> &'static [u8] {
        match self {
            Self::Endpoint { .. } => b"]}",
            Self::Collector(_) | Self::Documents(_) | Self::Rows | Self::Staged { .. } => b"",
        }
    }

    /// Writes something that a record becomes. Where it goes, if each goes to a place of its own.
    ///
    /// # Errors
    /// When that cannot be said.
    pub fn write(
        &self,
        out: &mut Vec<u8>,
        written: &Written<'_>,
    ) -> Result<Option<Placed>, Invalid> {
        let text = written.text();
        match self {
            Self::Endpoint { .. } => {
                out.extend_from_slice(RECORD_BEGIN);
                write_base64(out, &text);
                out.extend_from_slice(RECORD_END);
            }
            Self::Collector(_) | Self::Staged { .. } => out.extend_from_slice(&text),
            Self::Rows => body::write(out, &text)?,
            Self::Documents(documents) => {
                let (arrival, of_cut) = (written.arrival, written.of_cut);
                let placed = documents.place(arrival, of_cut, written.number)?;
                placed.write(out, &text);
                return Ok(Some(placed));
            }
        }
        Ok(None)
    }

    /// Bytes of an answer to a request.
    pub fn answer_bytes_max(&self) -> usize {
        match self {
            Self::Endpoint { .. } | Self::Collector(_) | Self::Staged { .. } => ANSWER_BYTES_MAX,
            Self::Documents(_) => cluster::ANSWER_BYTES_MAX,
            Self::Rows => database::MEMORY_BYTES,
        }
    }

    /// Bytes that the records of a cut of so many become in bodies, at least, before they are
    /// packed.
    pub fn bytes_likely(&self, (records, bytes): (u64, u64)) -> u64 {
        match self {
            Self::Endpoint { packs } => {
                let besides = records.saturating_mul(RECORD_BYTES as u64);
                let bodies = (bytes.div_ceil(3) * 4).saturating_add(besides);
                let bodies = bodies.min(2 * BODY_BYTES_MAX as u64);
                if *packs { bodies / 2 } else { bodies }
            }
            Self::Collector(_) => bytes.min(2 * BYTES_USUAL as u64),
            Self::Documents(_) => {
                let besides = records.saturating_mul(DOCUMENT_BYTES);
                bytes.saturating_add(besides).min(2 * BYTES_USUAL as u64)
            }
            Self::Rows => {
                let besides = records.saturating_mul(body::LENGTH_BYTES as u64);
                bytes.saturating_add(besides).min(2 * BYTES_USUAL as u64)
            }
            Self::Staged { compression } => {
                let bodies = bytes.min(2 * BODY_BYTES_MAX as u64);
                match compression {
                    Compression::Uncompressed => bodies,
                    _ => bodies / 2,
                }
            }
        }
    }
}
