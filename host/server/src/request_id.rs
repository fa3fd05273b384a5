//! The id that every answer carries and every log line of a request names.

use std::fmt::{self, Write};
use std::sync::atomic::{AtomicU64, Ordering};

use bytes::Bytes;
use http::HeaderValue;

/// Characters of a request id: `xxxxxxxx-xxxx-xxxx-xxxx-xxxxxxxxxxxx`.
const CHARS: usize = 36;
/// Where the digits of an id begin and end between its hyphens.
const GROUPS: [(usize, usize); 5] = [(0, 8), (9, 13), (14, 18), (19, 23), (24, 36)];
/// The count is multiplied by this odd number, so that ids in a row do not look alike.
const SPREAD: u64 = 0x9e37_79b9_7f4a_7c15;

/// Makes request ids. Half of each is a random number of the process, the other half counts, so
/// that an id is unique. It is no secret.
pub(crate) struct RequestIds {
    process: u64,
    count: AtomicU64,
    host: HeaderValue,
}

/// A UUID in its usual form.
#[derive(Clone, Copy)]
pub(crate) struct RequestId([u8; CHARS]);

impl RequestIds {
    /// Ids of a process that drew the random number `process`.
    pub(crate) fn new(process: u64) -> Self {
        let host = uuid(process, process.wrapping_mul(SPREAD));
        Self {
            process,
            count: AtomicU64::new(1),
            host: host.header(),
        }
    }

    pub(crate) fn next(&self) -> RequestId {
        let count = self.count.fetch_add(1, Ordering::Relaxed);
        uuid(self.process, count.wrapping_mul(SPREAD))
    }

    /// The value of `x-amz-id-2`: which server it was.
    pub(crate) fn host(&self) -> HeaderValue {
        self.host.clone()
    }
}

impl RequestId {
    pub(crate) fn header(&self) -> HeaderValue {
        match HeaderValue::from_maybe_shared(Bytes::copy_from_slice(&self.0)) {
            Ok(value) => value,
            Err(error) => unreachable!("hex digits and hyphens can stand in a header: {error}"),
        }
    }
}

impl fmt::Display for RequestId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut characters = self.0.iter().map(|byte| char::from(*byte));
        characters.try_for_each(|character| f.write_char(character))
    }
}

/// 128 bits as a UUID of version 4 and the usual variant.
fn uuid(high: u64, low: u64) -> RequestId {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let bits = (u128::from(high) << 64) | u128::from(low);
    let mut rest = bits & !(0xf000_u128 << 64) & !(0xc000_u128 << 48);
    rest |= (0x4000_u128 << 64) | (0x8000_u128 << 48);
    let mut text = [b'-'; CHARS];
    for (from, to) in GROUPS {
        for digit in &mut text[from..to] {
            *digit = DIGITS[(rest >> 124) as usize];
            rest <<= 4;
        }
    }
    RequestId(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_have_the_form_of_a_uuid_and_differ() {
        let ids = RequestIds::new(0x0123_4567_89ab_cdef);
        let (first, second) = (ids.next().to_string(), ids.next().to_string());
        assert_ne!(first, second);
        assert!(first.starts_with("01234567-89ab-4def-"), "{first}");
        let lengths: Vec<usize> = first.split('-').map(str::len).collect();
        assert_eq!(lengths, [8, 4, 4, 4, 12]);
        assert!(matches!(first.as_bytes()[19], b'8' | b'9' | b'a' | b'b'));
        assert_eq!(ids.next().header().len(), CHARS);
    }
}
