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

/// Bytes that the body holds as strict standard base64 with padding. They stay encoded, borrowed
/// from the body, until they are decoded to where they are kept: a record's bytes are copied once.
#[derive(Clone, PartialEq, Eq)]
pub struct Blob<'a>(Cow<'a, [u8]>);

impl Blob<'_> {
    /// How many bytes [`Blob::decode_onto`] will append if the encoding is right.
    pub fn decoded_len(&self) -> usize {
        let padding = self.0.iter().rev().take(2).filter(|&&b| b == b'=').count();
        (self.0.len() / 4 * 3).saturating_sub(padding)
    }

    /// Appends the bytes to `out`, which is left as it was if the encoding is wrong.
    ///
    /// # Errors
    /// SerializationException when the text is not base64: a foreign character, padding within,
    /// bits left over in the last character.
    pub fn decode_onto(&self, out: &mut Vec<u8>) -> Result<(), ApiError> {
        let start = out.len();
        match STANDARD.decode_append(&*self.0, out) {
            Ok(()) => Ok(()),
            Err(_) => {
                out.truncate(start);
                Err(ApiError::serialization(self.encoding_text()))
            }
        }
    }

    /// What is wrong with the encoding, if anything is.
    pub(crate) fn wrong_encoding(&self) -> Option<String> {
        let is_right = STANDARD.check(&self.0).is_ok();
        (!is_right).then(|| self.encoding_text())
    }

    fn encoding_text(&self) -> String {
        let text = String::from_utf8_lossy(&self.0);
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
        struct BlobVisitor<'a>(PhantomData<&'a [u8]>);

        impl<'a> BlobVisitor<'a> {
            fn blob<E: Error>(self, text: Cow<'a, [u8]>) -> Result<Blob<'a>, E> {
                match text.len() % 4 {
                    0 => Ok(Blob(text)),
                    _ => Err(E::custom(not_a_blob(
                        &String::from_utf8_lossy(&text),
                        &format!(
                            "Base64 encoded length is expected a multiple of 4 bytes but found: {}",
                            text.len()
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

            fn visit_borrowed_bytes<E: Error>(self, text: &'de [u8]) -> Result<Blob<'a>, E> {
                self.blob(Cow::Borrowed(text))
            }

            fn visit_bytes<E: Error>(self, text: &[u8]) -> Result<Blob<'a>, E> {
                self.blob(Cow::Owned(text.to_owned()))
            }
        }

        // As bytes: base64 is checked when it is decoded, so it need not be valid UTF-8 before.
        deserializer.deserialize_bytes(BlobVisitor(PhantomData))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_blob_is_a_part_of_the_body_unless_it_is_escaped() {
        let blob: Blob<'_> = serde_json::from_slice(b"\"AA//\"").unwrap();
        assert!(matches!(blob.0, Cow::Borrowed(b"AA//")));
        let blob: Blob<'_> = serde_json::from_slice(b"\"AA\\/\\/\"").unwrap();
        assert!(matches!(&blob.0, Cow::Owned(text) if text == b"AA//"));
    }
}
