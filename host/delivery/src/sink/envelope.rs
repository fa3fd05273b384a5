//! How records stand in the body of a request, by the kind of the destination. Pure.

use types::Timestamp;
use wire::json::{write_base64, write_string};

use crate::compression::Compression;
use crate::delivery_stream::Destination;
use crate::kind::Kind;
use crate::sink::collector_reply::{INVALID_DATA_FORMAT, SERVER_ERROR};
use crate::sink::events;
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

/// What the bodies of a destination look like.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Envelope {
    /// Of an HTTP endpoint:
    /// `{"requestId":"<id>","timestamp":<ms>,"records":[{"data":"<base64>"},...]}`
    Endpoint {
        /// Whether bodies are packed with gzip.
        packs: bool,
    },
    /// Of a Splunk event collector: one record after the other, as they are.
    Collector(EventForm),
}

/// Bytes of what a Splunk event collector gets at once: the most that records wait for (model,
/// SplunkBufferingSizeInMBs). What one record becomes may be more.
const COLLECTOR_BYTES_USUAL: usize = 5 * 1024 * 1024;

impl Envelope {
    /// That of a destination, if it gets requests.
    pub fn of(destination: &Destination) -> Option<Self> {
        match &destination.kind {
            Kind::Bucket => None,
            Kind::HttpEndpoint(endpoint) => Some(Self::Endpoint {
                packs: endpoint.packs,
            }),
            Kind::Splunk(splunk) => Some(Self::Collector(splunk.form)),
        }
    }

    /// How bodies are packed.
    pub fn compression(self) -> Compression {
        match self {
            Self::Endpoint { packs: true } => Compression::Gzip,
            Self::Endpoint { packs: false } | Self::Collector(_) => Compression::Uncompressed,
        }
    }

    /// Bytes of a body after which another begins, unless what one record becomes is more.
    pub fn body_bytes_usual(self) -> usize {
        match self {
            Self::Endpoint { .. } => BODY_BYTES_MAX,
            Self::Collector(_) => COLLECTOR_BYTES_USUAL,
        }
    }

    /// AWS's word for why requests were not taken, where there is no better one.
    pub fn exception(self) -> &'static str {
        match self {
            Self::Endpoint { .. } => "HttpEndpoint.DestinationException",
            Self::Collector(_) => SERVER_ERROR,
        }
    }

    /// AWS's word for a record that the destination never takes, and why it does not, if that is
    /// certain of what stands in the body: others are not to be refused with it.
    pub fn fault(self, written: &[u8]) -> Option<(&'static str, String)> {
        match self {
            Self::Endpoint { .. } | Self::Collector(EventForm::Raw) => None,
            Self::Collector(EventForm::Event) => {
                events::fault(written).map(|why| (INVALID_DATA_FORMAT, why))
            }
        }
    }

    /// What stands before the records of the request of this id.
    pub fn head(self, id: &str, made_at: Timestamp) -> Vec<u8> {
        match self {
            Self::Endpoint { .. } => {
                let mut head = b"{\"requestId\":".to_vec();
                write_string(&mut head, id);
                let rest = format!(",\"timestamp\":{},\"records\":[", made_at.0);
                head.extend_from_slice(rest.as_bytes());
                head
            }
            Self::Collector(_) => Vec::new(),
        }
    }

    /// What stands between two records.
    pub fn between(self) -> &'static [u8] {
        match self {
            Self::Endpoint { .. } => b",",
            Self::Collector(_) => b"",
        }
    }

    /// What stands after the last record.
    pub fn end(self) -> &'static [u8] {
        match self {
            Self::Endpoint { .. } => b"]}",
            Self::Collector(_) => b"",
        }
    }

    /// Writes a record, which ends with the delimiter once.
    pub fn write(self, out: &mut Vec<u8>, data: &[u8], delimiter: &[u8]) {
        let has_end = delimiter.is_empty() || data.ends_with(delimiter);
        match self {
            Self::Endpoint { .. } => {
                out.extend_from_slice(RECORD_BEGIN);
                if has_end {
                    write_base64(out, data);
                } else {
                    write_base64(out, &[data, delimiter].concat());
                }
                out.extend_from_slice(RECORD_END);
            }
            Self::Collector(_) => {
                out.extend_from_slice(data);
                if !has_end {
                    out.extend_from_slice(delimiter);
                }
            }
        }
    }

    /// Bytes that the records of a cut of so many become in bodies, at least, before they are
    /// packed.
    pub fn bytes_likely(self, (records, bytes): (u64, u64)) -> u64 {
        match self {
            Self::Endpoint { packs } => {
                let besides = records.saturating_mul(RECORD_BYTES as u64);
                let bodies = (bytes.div_ceil(3) * 4).saturating_add(besides);
                let bodies = bodies.min(2 * BODY_BYTES_MAX as u64);
                if packs { bodies / 2 } else { bodies }
            }
            Self::Collector(_) => bytes.min(2 * COLLECTOR_BYTES_USUAL as u64),
        }
    }
}
