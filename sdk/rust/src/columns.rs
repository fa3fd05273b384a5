//! What the host knows of the records of a batch besides their data: asked for column by column,
//! each once in a batch, when a record is asked first.

use std::cell::OnceCell;
use std::fmt;
use std::num::TryFromIntError;

use crate::bindings::imports::records::SequenceNumber as RawNumber;
use crate::bindings::imports::types::Slab;
use crate::host::records as host;

/// Where a batch comes from.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Source {
    /// The stream's ARN, or the delivery stream's where records are put to it directly.
    pub arn: String,
    /// The shard's id; none where records are put to a delivery stream directly.
    pub shard: Option<String>,
}

/// The number of a record in its stream. It is shown as the decimal digits that AWS's clients see;
/// numbers of a shard rise, and all records that were put in one aggregate have the same.
#[derive(Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SequenceNumber([u64; 3]);

impl SequenceNumber {
    /// The number of 192 bits in three words, the highest first.
    pub fn from_words(words: [u64; 3]) -> Self {
        Self(words)
    }

    /// Its three words, the highest first.
    pub fn words(self) -> [u64; 3] {
        self.0
    }
}

/// A power of ten below 2^64, and its digits.
const BASE: u64 = 1_000_000_000_000_000_000;
const BASE_DIGITS: usize = 18;

impl fmt::Display for SequenceNumber {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Four digits of the base are enough for 192 bits.
        let (mut words, mut digits) = (self.0, [0; 4]);
        for digit in digits.iter_mut().rev() {
            (words, *digit) = divided(words).map_err(|_| fmt::Error)?;
        }
        let all: String = digits
            .iter()
            .map(|digit| format!("{digit:0BASE_DIGITS$}"))
            .collect();
        let number = all.trim_start_matches('0');
        f.write_str(if number.is_empty() { "0" } else { number })
    }
}

/// A number divided by the base, and the rest, which both fit: the rest is below the base, and with
/// it each word of the quotient is one.
fn divided(words: [u64; 3]) -> Result<([u64; 3], u64), TryFromIntError> {
    let (mut quotient, mut rest) = ([0; 3], 0);
    for (place, word) in words.into_iter().enumerate() {
        let number = u128::from(rest) << 64 | u128::from(word);
        quotient[place] = u64::try_from(number / u128::from(BASE))?;
        rest = u64::try_from(number % u128::from(BASE))?;
    }
    Ok((quotient, rest))
}

impl fmt::Debug for SequenceNumber {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// The columns of the batch at work, as far as they were asked for.
#[derive(Default)]
pub(crate) struct Columns {
    source: OnceCell<Source>,
    partition_keys: OnceCell<Slab>,
    arrivals_ms: OnceCell<Vec<u64>>,
    sequence_numbers: OnceCell<Vec<RawNumber>>,
    places: OnceCell<Vec<u64>>,
}

impl Columns {
    pub(crate) fn source(&self) -> &Source {
        self.source.get_or_init(|| {
            let origin = host::source();
            Source {
                arn: origin.arn,
                shard: origin.shard,
            }
        })
    }

    pub(crate) fn partition_key(&self, index: usize) -> Option<&str> {
        let keys = self.partition_keys.get_or_init(host::partition_keys);
        let end = *keys.ends.get(index)? as usize;
        let start = match index {
            0 => 0,
            _ => keys.ends[index - 1] as usize,
        };
        // The host gives text; what is none is no key.
        str::from_utf8(keys.bytes.get(start..end)?).ok()
    }

    pub(crate) fn arrival_ms(&self, index: usize) -> Option<u64> {
        let arrivals = self.arrivals_ms.get_or_init(host::arrivals_ms);
        arrivals.get(index).copied()
    }

    pub(crate) fn sequence_number(&self, index: usize) -> Option<SequenceNumber> {
        let numbers = self.sequence_numbers.get_or_init(host::sequence_numbers);
        let number = numbers.get(index)?;
        Some(SequenceNumber([number.high, number.middle, number.low]))
    }

    pub(crate) fn sub_sequence_number(&self, index: usize) -> Option<u64> {
        let places = self.places.get_or_init(host::sub_sequence_numbers);
        places.get(index).copied()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sequence_number_is_shown_in_decimal_digits_and_ordered_as_they_are() {
        let number = |words| SequenceNumber(words);
        for (words, digits) in [
            ([0, 0, 0], "0"),
            ([0, 0, 7], "7"),
            ([0, 0, u64::MAX], "18446744073709551615"),
            ([0, 1, 0], "18446744073709551616"),
            ([1, 0, 0], "340282366920938463463374607431768211456"),
            (
                [u64::MAX; 3],
                "6277101735386680763835789423207666416102355444464034512895",
            ),
        ] {
            assert_eq!(number(words).to_string(), digits);
        }
        assert!(number([0, 1, 0]) > number([0, 0, u64::MAX]));
    }
}
