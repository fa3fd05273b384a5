//! A record's place in its shard, as shown to clients.
//!
//! The layout is the service's own, since KCL and other tools read it: a number of 186 bits, from
//! the top down
//!
//! ```text
//!  2 bits     36        4       64        8       36       32       4
//!    10    created    0000    place   00000000  arrival   shard   0010
//! ```
//!
//! | part | what it is |
//! |---|---|
//! | created | the second in which the shard was made; a child's is greater than its parents' |
//! | place | which record of the shard it is, counted from 1; 0 comes before all |
//! | arrival | the second in which the record arrived |
//! | shard | the shard's number |
//! | the last four bits | the version of the layout, 2 |
//!
//! So numbers are unique within a stream, those of a shard rise with its log, and those of children
//! come after those of their parents. The two bits at the top make every number one of 56 digits
//! that begins with 49 (until the year 2240), so that the order of text is the order of numbers.

mod given;
#[cfg(test)]
mod tests;

use std::fmt;

use crate::{ShardId, Timestamp};

pub use given::{GivenNumber, InShard};

/// A second of the calendar that a sequence number has room for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Second(u64);

impl Second {
    /// Bits of a second in a sequence number.
    const BITS: u32 = 36;
    /// A second of the year 4147. A clock that is past it shows this one.
    pub const LAST: Self = Self((1 << Self::BITS) - 1);

    /// The second that a moment lies in.
    pub fn of(at: Timestamp) -> Self {
        Self(at.0 / 1_000).min(Self::LAST)
    }

    /// A second by its number; `None` past [`Second::LAST`].
    pub fn new(since_1970: u64) -> Option<Self> {
        (since_1970 <= Self::LAST.0).then_some(Self(since_1970))
    }

    /// Seconds since 1970.
    pub fn number(self) -> u64 {
        self.0
    }

    /// When a shard is taken to be made: in the second of `now`, but later than all of its
    /// `parents`, so that its numbers come after theirs.
    pub fn of_shard(now: Timestamp, parents: impl IntoIterator<Item = Self>) -> Self {
        let parents = parents.into_iter();
        let after = parents.map(|parent| Self(parent.0 + 1).min(Self::LAST));
        after.fold(Self::of(now), Self::max)
    }
}

/// The number of one record, or of the place before or behind all records of a shard. Ordered as
/// the numbers are.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct SequenceNumber {
    // In the order of the layout, which is what makes the derived order the right one.
    created: Second,
    place: u64,
    arrival: Second,
    shard: ShardId,
}

/// 10^19, the greatest power of ten in 64 bits: a number is written as three digits of this base.
const BASE: u64 = 10_000_000_000_000_000_000;
const BASE_DIGITS: usize = 19;
/// 2^128 / 10^19 without its fraction and its topmost bit, which is always set.
#[expect(
    clippy::cast_possible_truncation,
    reason = "the topmost bit is left out"
)]
const BASE_RECIPROCAL: u64 = (u128::MAX / BASE as u128) as u64;

impl SequenceNumber {
    /// Decimal digits of every sequence number.
    pub const DIGITS: usize = 56;
    /// The place behind all records of a shard: as AWS ends a shard, the greatest of 63 bits.
    const PLACE_LAST: u64 = i64::MAX as u64;

    /// The number of a record of a shard that was made in the second `created`; `before` records of
    /// the shard arrived before it.
    pub fn of_record(shard: ShardId, created: Second, before: u64, arrival: Timestamp) -> Self {
        Self {
            created,
            // No shard has as many records as there are places.
            place: before.saturating_add(1),
            arrival: Second::of(arrival),
            shard,
        }
    }

    /// The number that comes before all of a shard's records.
    pub fn starting(shard: ShardId, created: Second) -> Self {
        Self {
            created,
            place: 0,
            arrival: created,
            shard,
        }
    }

    /// The number that comes after all records of a shard that was closed at `closed`.
    pub fn ending(shard: ShardId, created: Second, closed: Timestamp) -> Self {
        Self {
            created,
            place: Self::PLACE_LAST,
            arrival: Second::of(closed),
            shard,
        }
    }

    /// The 56 digits, without a heap allocation: answers hold thousands of them.
    pub fn digits(self) -> [u8; Self::DIGITS] {
        let [high, middle, low] = self.words();
        // Long division by the base, twice; what is left over is a digit each time. The topmost
        // word is below the base, so every quotient of a step fits in a word.
        let (quotient_high, rest) = divide(high, middle);
        let (quotient_low, third) = divide(rest, low);
        let (first, second) = divide(quotient_high, quotient_low);
        let mut digits = [b'0'; Self::DIGITS];
        let (head, tail) = digits.split_at_mut(Self::DIGITS - 2 * BASE_DIGITS);
        let (middle, end) = tail.split_at_mut(BASE_DIGITS);
        write_digits(head, first);
        write_digits(middle, second);
        write_digits(end, third);
        digits
    }

    /// The 186 bits in three words, the topmost first.
    pub fn words(self) -> [u64; 3] {
        let (created, arrival, shard) = (self.created.0, self.arrival.0, u64::from(self.shard.0));
        [
            1 << 57 | created << 20 | self.place >> 48,
            self.place << 16 | arrival >> 28,
            arrival << 36 | shard << 4 | u64::from(GivenNumber::VERSION),
        ]
    }
}

/// Quotient and remainder of a number of two words, the higher of which is below the base.
///
/// An answer holds hundreds of sequence numbers, and multiplying by the reciprocal of the base
/// takes a quarter of the time of dividing by it (N. Möller and T. Granlund, "Improved division by
/// invariant integers", algorithm 4). The product's higher word plus one is the quotient, or one
/// more than it; in rare cases one less.
#[expect(
    clippy::cast_possible_truncation,
    reason = "a word is half of a product"
)]
fn divide(high: u64, low: u64) -> (u64, u64) {
    let number = u128::from(high) << 64 | u128::from(low);
    let product = u128::from(high) * u128::from(BASE_RECIPROCAL) + number;
    let mut quotient = ((product >> 64) as u64).wrapping_add(1);
    let mut rest = low.wrapping_sub(quotient.wrapping_mul(BASE));
    if rest > product as u64 {
        quotient = quotient.wrapping_sub(1);
        rest = rest.wrapping_add(BASE);
    }
    if rest >= BASE {
        quotient += 1;
        rest -= BASE;
    }
    (quotient, rest)
}

/// Fills `place`, of 16 to 24 bytes, with the digits of `number` and zeros before them.
fn write_digits(place: &mut [u8], number: u64) {
    const EIGHT: u64 = 100_000_000;
    let (head, tail) = place.split_at_mut(place.len() - 16);
    let (middle, end) = tail.split_at_mut(8);
    let first = eight_digits(number / EIGHT / EIGHT);
    head.copy_from_slice(&first[8 - head.len()..]);
    middle.copy_from_slice(&eight_digits(number / EIGHT % EIGHT));
    end.copy_from_slice(&eight_digits(number % EIGHT));
}

/// The digits of a number below 10^8. All are found in one word: it is cut into halves of four
/// digits, those into quarters of two, those into digits. Dividing by 100 and by 10 is multiplying
/// and shifting, which is exact for numbers as small as these. Digit by digit it takes three times
/// as long, and an answer holds thousands of numbers.
fn eight_digits(number: u64) -> [u8; 8] {
    let halves = (number / 10_000) | ((number % 10_000) << 32);
    let hundreds = ((halves * 10_486) >> 20) & 0x0000_007f_0000_007f;
    let quarters = hundreds | ((halves - 100 * hundreds) << 16);
    let tens = ((quarters * 103) >> 10) & 0x000f_000f_000f_000f;
    let digits = tens | ((quarters - 10 * tens) << 8);
    (digits | 0x3030_3030_3030_3030).to_le_bytes()
}

impl fmt::Display for SequenceNumber {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let digits = self.digits();
        let text = std::str::from_utf8(&digits).map_err(|_| fmt::Error)?;
        f.write_str(text)
    }
}
