//! Members that hold bytes.

use std::borrow::Cow;
use std::fmt;
use std::marker::PhantomData;

use base64_simd::STANDARD;
use serde::de::{Error, Visitor};
use serde::{Deserialize, Deserializer};

use crate::ApiError;
use crate::bounded::bounded;
use crate::mismatch::BLOB;

/// Bytes as the body holds them: in JSON as strict standard base64 with padding, in CBOR as they
/// are. They stay there, borrowed from the body, until they are decoded to where they are kept: a
/// record's bytes are copied once.
#[derive(Clone, PartialEq, Eq)]
pub struct Blob<'a>(Held<'a>);

#[derive(Clone, PartialEq, Eq)]
enum Held<'a> {
    Base64(Cow<'a, [u8]>),
    Plain(Cow<'a, [u8]>),
}

impl<'a> Blob<'a> {
    /// Bytes that came from elsewhere than a body.
    pub fn plain(bytes: &'a [u8]) -> Self {
        Self(Held::Plain(Cow::Borrowed(bytes)))
    }

    /// How many bytes [`Blob::decode_onto`] will append if the encoding is right.
    pub fn decoded_len(&self) -> usize {
        match &self.0 {
            Held::Base64(text) => {
                let padding = text.iter().rev().take(2).filter(|&&b| b == b'=').count();
                (text.len() / 4 * 3).saturating_sub(padding)
            }
            Held::Plain(bytes) => bytes.len(),
        }
    }

    /// Appends the bytes to `out`, which is left as it was if the encoding is wrong.
    ///
    /// # Errors
    /// SerializationException when the text is not base64: a foreign character, padding within,
    /// bits left over in the last character.
    pub fn decode_onto(&self, out: &mut Vec<u8>) -> Result<(), ApiError> {
        let text = match &self.0 {
            Held::Base64(text) => text,
            Held::Plain(bytes) => {
                out.extend_from_slice(bytes);
                return Ok(());
            }
        };
        let start = out.len();
        match STANDARD.decode_append(&**text, out) {
            Ok(()) => Ok(()),
            Err(_) => {
                out.truncate(start);
                Err(ApiError::serialization(encoding_text(text)))
            }
        }
    }

    /// What is wrong with the encoding, if anything is.
    pub(crate) fn wrong_encoding(&self) -> Option<String> {
        match &self.0 {
            Held::Base64(text) if STANDARD.check(text).is_err() => Some(encoding_text(text)),
            Held::Base64(_) | Held::Plain(_) => None,
        }
    }
}

/// What is wrong with `text` as base64.
fn encoding_text(text: &[u8]) -> String {
    let text = String::from_utf8_lossy(text);
    let digits = text.trim_end_matches('=');
    // More than two signs of padding are padding where a digit belongs.
    let foreign = match text.len() - digits.len() {
        0..=2 => digits.chars().find(|&c| !is_base64_digit(c)),
        _ => Some('='),
    };
    let reason = match foreign {
        Some(foreign) => format!("Invalid Base64 character: '{foreign}'"),
        // The misspelling is AWS's.
        None => "Invalid last non-pad Base64 character dectected".to_owned(),
    };
    not_a_blob(&text, &reason)
}

fn is_base64_digit(c: char) -> bool {
    c.is_ascii_alphanumeric() || c == '+' || c == '/'
}

fn not_a_blob(text: &str, reason: &str) -> String {
    format!(
        "'{}' can not be converted to a Blob: {reason}",
        bounded(text)
    )
}

impl fmt::Debug for Blob<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Record data never goes to a log.
        write!(f, "Blob({} bytes)", self.decoded_len())
    }
}

impl<'de: 'a, 'a> Deserialize<'de> for Blob<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct BlobVisitor<'a> {
            is_base64: bool,
            body: PhantomData<&'a [u8]>,
        }

        impl<'a> BlobVisitor<'a> {
            fn blob<E: Error>(self, held: Cow<'a, [u8]>) -> Result<Blob<'a>, E> {
                match (self.is_base64, held.len() % 4) {
                    (false, _) => Ok(Blob(Held::Plain(held))),
                    (true, 0) => Ok(Blob(Held::Base64(held))),
                    (true, _) => Err(E::custom(not_a_blob(
                        &String::from_utf8_lossy(&held),
                        &format!(
                            "Base64 encoded length is expected a multiple of 4 bytes but found: {}",
                            held.len()
                        ),
                    ))),
                }
            }
        }

        impl<'de: 'a, 'a> Visitor<'de> for BlobVisitor<'a> {
            type Value = Blob<'a>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(BLOB)
            }

            fn visit_borrowed_bytes<E: Error>(self, held: &'de [u8]) -> Result<Blob<'a>, E> {
                self.blob(Cow::Borrowed(held))
            }

            fn visit_bytes<E: Error>(self, held: &[u8]) -> Result<Blob<'a>, E> {
                self.blob(Cow::Owned(held.to_owned()))
            }

            fn visit_byte_buf<E: Error>(self, held: Vec<u8>) -> Result<Blob<'a>, E> {
                self.blob(Cow::Owned(held))
            }
        }

        let visitor = BlobVisitor {
            is_base64: deserializer.is_human_readable(),
            body: PhantomData,
        };
        // As bytes: base64 is checked when it is decoded, so it need not be valid UTF-8 before.
        deserializer.deserialize_bytes(visitor)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cbor;
    use crate::shape::{Check, Shape};

    #[test]
    fn a_blob_is_a_part_of_the_body_unless_it_is_escaped() {
        let blob: Blob<'_> = serde_json::from_slice(b"\"AA//\"").unwrap();
        assert!(matches!(blob.0, Held::Base64(Cow::Borrowed(b"AA//"))));
        let blob: Blob<'_> = serde_json::from_slice(b"\"AA\\/\\/\"").unwrap();
        assert!(matches!(&blob.0, Held::Base64(Cow::Owned(text)) if text == b"AA//"));
    }
    #[derive(Deserialize)]
    struct Input<'a> {
        #[serde(borrow)]
        data: Option<Blob<'a>>,
    }

    impl Shape for Input<'_> {
        fn check(&self, _: &mut Check) {}
    }

    #[test]
    fn a_blob_of_cbor_is_a_part_of_the_body_unless_it_comes_in_parts() {
        let held = |body: &'static [u8]| cbor::parse::<Input<'_>>(body).unwrap().data.unwrap().0;
        let whole = held(b"\xa1\x64data\x42AB");
        assert!(matches!(whole, Held::Plain(Cow::Borrowed(b"AB"))));
        let parts = held(b"\xa1\x64data\x5f\x41A\x41B\xff");
        assert!(matches!(&parts, Held::Plain(Cow::Owned(bytes)) if bytes == b"AB"));
    }
}
