//! The protocols of operations: how the same values stand in bytes. This and the module of each
//! codec are all that knows them.

use bytes::Bytes;
use serde::{Deserialize, Serialize};
use types::Timestamp;

use crate::shape::Shape;
use crate::{Answer, ApiError, cbor, json};

/// How the body of a request is written, and so its answer or its error.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Codec {
    /// AWS JSON 1.1.
    Json,
    /// AWS JSON 1.0, which DynamoDB speaks: the same under another name, but for its errors.
    Json10,
    /// CBOR 1.1, which the SDK for Java speaks where it is not told otherwise.
    Cbor,
    /// CBOR as Smithy's RPC v2 has it, which clients of CloudWatch speak: the same values, but for
    /// moments, of which no operation here reads any
    /// (<https://smithy.io/2.0/additional-specs/protocols/smithy-rpc-v2.html>).
    RpcV2Cbor,
}

impl Codec {
    /// The type of what it writes, for the `Content-Type` header.
    pub fn content_type(self) -> &'static str {
        match self {
            Self::Json => "application/x-amz-json-1.1",
            Self::Json10 => "application/x-amz-json-1.0",
            Self::Cbor => "application/x-amz-cbor-1.1",
            Self::RpcV2Cbor => "application/cbor",
        }
    }

    /// Reads an input and checks its constraints.
    pub(crate) fn parse<'a, T>(self, body: &'a [u8]) -> Result<T, ApiError>
    where
        T: Shape + Deserialize<'a>,
    {
        match self {
            Self::Json | Self::Json10 => json::parse(body),
            Self::Cbor | Self::RpcV2Cbor => cbor::parse(body),
        }
    }

    /// Writes an output as a whole body.
    pub(crate) fn answer<T: Serialize>(self, output: &T) -> Result<Answer, ApiError> {
        let mut body = Vec::with_capacity(128);
        self.write_value(&mut body, output)?;
        Ok(Answer::whole(Bytes::from(body)))
    }

    /// Appends a value.
    pub(crate) fn write_value<T>(self, out: &mut Vec<u8>, value: &T) -> Result<(), ApiError>
    where
        T: Serialize + ?Sized,
    {
        match self {
            Self::Json | Self::Json10 => json::write_value(out, value),
            Self::Cbor | Self::RpcV2Cbor => cbor::write_value(out, value),
        }
    }

    /// Begins a structure of so many members.
    pub(crate) fn begin_structure(self, out: &mut Vec<u8>, members: usize) {
        match self {
            Self::Json | Self::Json10 => out.push(b'{'),
            Self::Cbor | Self::RpcV2Cbor => cbor::begin_structure(out, members),
        }
    }

    /// What ends a structure.
    pub(crate) fn end_of_structure(self) -> &'static [u8] {
        match self {
            Self::Json | Self::Json10 => b"}",
            Self::Cbor | Self::RpcV2Cbor => b"",
        }
    }

    /// Begins a list of so many members.
    pub(crate) fn begin_list(self, out: &mut Vec<u8>, members: usize) {
        match self {
            Self::Json | Self::Json10 => out.push(b'['),
            Self::Cbor | Self::RpcV2Cbor => cbor::begin_list(out, members),
        }
    }

    /// What ends a list.
    pub(crate) fn end_of_list(self) -> &'static [u8] {
        match self {
            Self::Json | Self::Json10 => b"]",
            Self::Cbor | Self::RpcV2Cbor => b"",
        }
    }

    /// Appends the name of a member.
    pub(crate) fn write_name(self, out: &mut Vec<u8>, name: &'static str) {
        match self {
            Self::Json | Self::Json10 => {
                self.write_word(out, name.as_bytes());
                out.push(b':');
            }
            Self::Cbor | Self::RpcV2Cbor => cbor::write_word(out, name.as_bytes()),
        }
    }

    /// Appends a whole number.
    pub(crate) fn write_number(self, out: &mut Vec<u8>, number: u64) {
        match self {
            Self::Json | Self::Json10 => out.extend_from_slice(number.to_string().as_bytes()),
            Self::Cbor | Self::RpcV2Cbor => cbor::write_number(out, number),
        }
    }

    /// What stands between two members of a list.
    pub fn separator(self) -> &'static [u8] {
        match self {
            Self::Json | Self::Json10 => b",",
            Self::Cbor | Self::RpcV2Cbor => b"",
        }
    }

    /// Appends text; exactly [`Codec::text_len`] bytes.
    pub fn write_text(self, out: &mut Vec<u8>, text: &str) {
        match self {
            Self::Json | Self::Json10 => json::write_string(out, text),
            Self::Cbor | Self::RpcV2Cbor => cbor::write_text(out, text),
        }
    }

    /// Bytes that [`Codec::write_text`] appends.
    pub fn text_len(self, text: &str) -> usize {
        match self {
            Self::Json | Self::Json10 => json::escaped_len(text),
            Self::Cbor | Self::RpcV2Cbor => cbor::text_len(text.len()),
        }
    }

    /// Appends text of ASCII letters, digits and hyphens, such as a sequence number or the name of
    /// a shard, faster than any text; exactly [`Codec::word_len`] bytes.
    pub fn write_word(self, out: &mut Vec<u8>, word: &[u8]) {
        match self {
            Self::Json | Self::Json10 => {
                out.push(b'"');
                out.extend_from_slice(word);
                out.push(b'"');
            }
            Self::Cbor | Self::RpcV2Cbor => cbor::write_word(out, word),
        }
    }

    /// Bytes that [`Codec::write_word`] appends for a word of `len` bytes.
    pub fn word_len(self, len: usize) -> usize {
        match self {
            Self::Json | Self::Json10 => len + 2,
            Self::Cbor | Self::RpcV2Cbor => cbor::text_len(len),
        }
    }

    /// Appends a blob; exactly [`Codec::blob_len`] bytes.
    pub fn write_blob(self, out: &mut Vec<u8>, data: &[u8]) {
        match self {
            Self::Json | Self::Json10 => {
                out.push(b'"');
                json::write_base64(out, data);
                out.push(b'"');
            }
            Self::Cbor | Self::RpcV2Cbor => cbor::write_blob(out, data),
        }
    }

    /// Bytes that [`Codec::write_blob`] appends for a blob of `len` bytes.
    pub fn blob_len(self, len: usize) -> usize {
        match self {
            Self::Json | Self::Json10 => json::base64_len(len) + 2,
            Self::Cbor | Self::RpcV2Cbor => cbor::blob_len(len),
        }
    }

    /// Appends a moment.
    pub fn write_time(self, out: &mut Vec<u8>, moment: Timestamp) {
        match self {
            Self::Json | Self::Json10 => json::write_epoch_seconds(out, moment),
            Self::Cbor | Self::RpcV2Cbor => cbor::write_time(out, moment),
        }
    }
}
