//! Messages of `application/vnd.amazon.eventstream`, as SubscribeToShard answers with them.
//!
//! ```text
//! total bytes u32 | bytes of headers u32 | CRC-32 of these 8 bytes u32
//!   | headers: name length u8, name, 7 (text), value length u16, value
//!   | payload | CRC-32 of all before u32                                 all numbers big-endian
//! ```
//!
//! The checksums are those of gzip. The format is that of "Event stream encoding" in the
//! developer guide of Amazon Transcribe and of Smithy's "Amazon Event Stream" specification; that
//! the first message is an `initial-response` is what Smithy's RPC protocols ask for.

use std::sync::Arc;

use bytes::Bytes;
use flate2::Crc;

use crate::{ApiError, Codec, Writer};

/// The type of a body of messages.
pub const CONTENT_TYPE: &str = "application/vnd.amazon.eventstream";
/// Bytes of a message before its headers.
const PRELUDE_BYTES: usize = 12;
/// Bytes of a message after its payload.
const CHECKSUM_BYTES: usize = 4;
/// The type of a header's value that is text.
const TEXT: u8 = 7;
/// Bytes of a message's headers at most: a few short ones.
const HEADERS_BYTES_MAX: usize = 256;
/// Bytes of a message besides its payload, at most.
pub const BESIDES_PAYLOAD_BYTES_MAX: usize = PRELUDE_BYTES + HEADERS_BYTES_MAX + CHECKSUM_BYTES;
/// Bytes of a payload up to which it is copied, so that the message is one piece: cheaper to send
/// than to share.
const COPIED_BYTES_MAX: usize = 16 * 1024;

/// Bytes with their checksum. Messages can share them without going through them again.
#[derive(Clone, Debug, Default)]
pub struct Summed {
    pieces: Vec<Bytes>,
    bytes: usize,
    checksum: Arc<Crc>,
}

impl Summed {
    /// Goes through the bytes once.
    pub fn new(pieces: impl Iterator<Item = Bytes>) -> Self {
        let pieces: Vec<_> = pieces.collect();
        let mut checksum = Crc::new();
        pieces.iter().for_each(|piece| checksum.update(piece));
        Self {
            bytes: pieces.iter().map(Bytes::len).sum(),
            pieces,
            checksum: Arc::new(checksum),
        }
    }

    /// How many bytes there are.
    pub fn bytes(&self) -> usize {
        self.bytes
    }
}

/// The payload of a message: what is its own, around what it may share.
#[derive(Debug)]
pub struct Payload {
    /// What comes first.
    pub head: Vec<u8>,
    /// What follows.
    pub middle: Summed,
    /// What comes last.
    pub tail: Vec<u8>,
}

impl Payload {
    fn bytes(&self) -> usize {
        self.head.len() + self.middle.bytes + self.tail.len()
    }
}

/// The message that comes first: the members of the output that are not the stream, of which there
/// are none.
///
/// # Errors
/// InternalFailure if it is too long for the format.
pub fn initial_response(codec: Codec) -> Result<Vec<Bytes>, ApiError> {
    let mut out = Writer::with_capacity(codec, 2);
    out.structure(0);
    out.end_structure();
    event("initial-response", codec, own(out.take()))
}

/// A message with an event of that name, as in the model.
///
/// # Errors
/// InternalFailure if it is too long for the format.
pub fn event(name: &str, codec: Codec, payload: Payload) -> Result<Vec<Bytes>, ApiError> {
    message(
        &[
            (":event-type", name),
            (":content-type", payload_type(codec)),
            (":message-type", "event"),
        ],
        payload,
    )
}

/// The message with which a stream ends before its time.
///
/// # Errors
/// InternalFailure if it is too long for the format.
pub fn exception(code: &str, text: &str, codec: Codec) -> Result<Vec<Bytes>, ApiError> {
    let mut out = Writer::with_capacity(codec, 64 + text.len());
    out.structure(1);
    out.member("message");
    out.text(text);
    out.end_structure();
    message(
        &[
            (":exception-type", code),
            (":content-type", payload_type(codec)),
            (":message-type", "exception"),
        ],
        own(out.take()),
    )
}

/// Of the payload of one message (Smithy: `application/json` in the protocols of JSON).
fn payload_type(codec: Codec) -> &'static str {
    match codec {
        Codec::Json | Codec::Json10 => "application/json",
        Codec::Cbor | Codec::RpcV2Cbor => "application/cbor",
    }
}

fn own(head: Vec<u8>) -> Payload {
    Payload {
        head,
        middle: Summed::default(),
        tail: Vec::new(),
    }
}

fn message(headers: &[(&str, &str)], payload: Payload) -> Result<Vec<Bytes>, ApiError> {
    let too_long = |_| ApiError::internal("a message of an event stream is too long");
    let mut written = Vec::with_capacity(HEADERS_BYTES_MAX);
    for (name, value) in headers {
        written.push(u8::try_from(name.len()).map_err(too_long)?);
        written.extend_from_slice(name.as_bytes());
        written.push(TEXT);
        let length = u16::try_from(value.len()).map_err(too_long)?;
        written.extend_from_slice(&length.to_be_bytes());
        written.extend_from_slice(value.as_bytes());
    }
    let total = PRELUDE_BYTES + written.len() + payload.bytes() + CHECKSUM_BYTES;
    let copied = payload.bytes().min(COPIED_BYTES_MAX);
    let mut head = Vec::with_capacity(PRELUDE_BYTES + written.len() + copied + CHECKSUM_BYTES);
    head.extend_from_slice(&u32::try_from(total).map_err(too_long)?.to_be_bytes());
    head.extend_from_slice(
        &u32::try_from(written.len())
            .map_err(too_long)?
            .to_be_bytes(),
    );
    let mut checksum = Crc::new();
    checksum.update(&head);
    head.extend_from_slice(&checksum.sum().to_be_bytes());
    head.extend_from_slice(&written);
    head.extend_from_slice(&payload.head);
    let mut checksum = Crc::new();
    checksum.update(&head);
    checksum.combine(&payload.middle.checksum);
    let mut tail = payload.tail;
    checksum.update(&tail);
    tail.extend_from_slice(&checksum.sum().to_be_bytes());
    let middle = payload.middle.pieces;
    if payload.middle.bytes <= COPIED_BYTES_MAX {
        middle
            .iter()
            .for_each(|piece| head.extend_from_slice(piece));
        head.extend_from_slice(&tail);
        return Ok(vec![Bytes::from(head)]);
    }
    let mut pieces = Vec::with_capacity(middle.len() + 2);
    pieces.push(Bytes::from(head));
    pieces.extend(middle);
    pieces.push(Bytes::from(tail));
    Ok(pieces)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Written down by hand from the format, with checksums from another implementation (zlib's
    /// crc32 as Python has it).
    #[test]
    fn a_short_message_is_as_the_format_says() {
        let message = exception("A", "b", Codec::Json).unwrap().concat();
        let headers =
            b"\x0f:exception-type\x07\x00\x01A\x0d:content-type\x07\x00\x10application/json\
                        \x0d:message-type\x07\x00\x09exception";
        let payload = br#"{"message":"b"}"#;
        let total = 12 + headers.len() + payload.len() + 4;
        assert_eq!(message.len(), total);
        assert_eq!(message[..4], u32::try_from(total).unwrap().to_be_bytes());
        let length = u32::try_from(headers.len()).unwrap();
        assert_eq!(message[4..8], length.to_be_bytes());
        assert_eq!(message[8..12], PRELUDE_CHECKSUM.to_be_bytes());
        assert_eq!(message[12..12 + headers.len()], headers[..]);
        assert_eq!(message[12 + headers.len()..total - 4], payload[..]);
        assert_eq!(message[total - 4..], CHECKSUM.to_be_bytes());
    }

    const PRELUDE_CHECKSUM: u32 = 0xa543_4a44;
    const CHECKSUM: u32 = 0x2c1e_3474;

    #[test]
    fn a_message_is_the_same_whether_its_middle_is_copied_or_shared() {
        for bytes in [0, 1, COPIED_BYTES_MAX, COPIED_BYTES_MAX + 1, 300_000] {
            let middle: Vec<u8> = (0..=255).cycle().take(bytes).collect();
            let pieces = middle.chunks(70_000).map(Bytes::copy_from_slice);
            let shared = Payload {
                head: b"[".to_vec(),
                middle: Summed::new(pieces),
                tail: b"]".to_vec(),
            };
            let whole = own([b"[", &middle[..], b"]"].concat());
            let shared = event("E", Codec::Json, shared).unwrap();
            assert_eq!(shared.len() > 1, bytes > COPIED_BYTES_MAX);
            let whole = event("E", Codec::Json, whole).unwrap();
            assert_eq!(shared.concat(), whole.concat());
        }
    }

    #[test]
    fn no_message_has_more_besides_its_payload_than_is_said() {
        let name = "ProvisionedThroughputExceededException";
        let message = exception(name, "", Codec::Cbor).unwrap().concat();
        assert!(message.len() <= BESIDES_PAYLOAD_BYTES_MAX);
    }
}
