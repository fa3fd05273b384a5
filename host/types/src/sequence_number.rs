//! A record's place in its shard, as shown to clients.

use std::fmt;

use crate::Invalid;

/// How many reshardings lie between a shard and the stream's creation. A child's generation is
/// one more than the greatest of its parents', so its sequence numbers come after theirs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Generation(u32);

impl Generation {
    /// The shards that a stream is created with.
    pub const FIRST: Self = Self(0);
    const MAX: u32 = (1 << 24) - 1;

    /// `None` past 2^24 - 1, which is all that a sequence number has room for.
    pub fn new(number: u32) -> Option<Self> {
        (number <= Self::MAX).then_some(Self(number))
    }

    /// The generation as a number.
    pub fn number(self) -> u32 {
        self.0
    }
}

/// A 128-bit number whose top bit is set, so that it always has exactly 39 decimal digits and
/// text order is numeric order:
///
/// ```text
/// bit 127   126..124   123..100     99..36     35..20          19..0
///     1     version    generation   position   index in frame  spare, zero
/// ```
///
/// Clients treat it as opaque; KCL compares it as an integer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct SequenceNumber(u128);

impl SequenceNumber {
    const TOP: u128 = 1 << 127;
    const VERSION_MASK: u128 = 0b111 << 124;
    const SPARE_MASK: u128 = (1 << 20) - 1;
    /// Decimal digits of every sequence number.
    pub const DIGITS: usize = 39;

    /// The number of the record at `index` within the frame at `position` of a shard's log.
    pub fn new(generation: Generation, position: u64, index: u16) -> Self {
        let generation = u128::from(generation.0) << 100;
        Self(Self::TOP | generation | u128::from(position) << 36 | u128::from(index) << 20)
    }

    /// Takes only what [`SequenceNumber::new`] can make.
    pub fn parse(text: &str) -> Result<Self, Invalid> {
        let digits = text.len() == Self::DIGITS && text.bytes().all(|b| b.is_ascii_digit());
        let ours = |n: u128| {
            n & Self::TOP != 0 && n & Self::VERSION_MASK == 0 && n & Self::SPARE_MASK == 0
        };
        match text.parse() {
            Ok(number) if digits && ours(number) => Ok(Self(number)),
            _ => Err(Invalid(format!(
                "'{text}' is not a sequence number of this service"
            ))),
        }
    }

    /// The generation of the shard that the record is in.
    pub fn generation(self) -> Generation {
        Generation((self.0 >> 100) as u32 & Generation::MAX)
    }

    /// The place of the record's frame in the shard's log.
    pub fn position(self) -> u64 {
        #[expect(clippy::cast_possible_truncation, reason = "the field is 64 bits wide")]
        let position = (self.0 >> 36) as u64;
        position
    }

    /// The record's place within its frame.
    pub fn index(self) -> u16 {
        #[expect(clippy::cast_possible_truncation, reason = "the field is 16 bits wide")]
        let index = (self.0 >> 20) as u16;
        index
    }

    /// The 39 digits, without a heap allocation: answers hold thousands of them.
    pub fn digits(self) -> [u8; Self::DIGITS] {
        let mut digits = [b'0'; Self::DIGITS];
        // The top bit is set, so there are always exactly as many.
        for (place, digit) in digits
            .iter_mut()
            .zip(itoa::Buffer::new().format(self.0).bytes())
        {
            *place = digit;
        }
        digits
    }
}

impl fmt::Display for SequenceNumber {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_sequence_number_has_39_digits_and_reads_back() {
        let last = Generation::new(Generation::MAX).unwrap();
        for (generation, position, index) in [
            (Generation::FIRST, 0, 0),
            (Generation::FIRST, 1, 499),
            (last, u64::MAX, u16::MAX),
            (Generation::new(7).unwrap(), 1 << 40, 3),
        ] {
            let number = SequenceNumber::new(generation, position, index);
            let text = number.to_string();
            assert_eq!(text.len(), SequenceNumber::DIGITS);
            assert_eq!(number.digits().as_slice(), text.as_bytes());
            let back = SequenceNumber::parse(&text).unwrap();
            assert_eq!(
                (back.generation(), back.position(), back.index()),
                (generation, position, index)
            );
        }
    }

    #[test]
    fn text_order_is_the_order_of_the_log_and_children_come_after_parents() {
        let next = Generation::new(1).unwrap();
        let in_order = [
            SequenceNumber::new(Generation::FIRST, 5, 499),
            SequenceNumber::new(Generation::FIRST, 6, 0),
            SequenceNumber::new(Generation::FIRST, u64::MAX, u16::MAX),
            SequenceNumber::new(next, 0, 0),
        ];
        assert!(in_order.windows(2).all(|w| w[0] < w[1]));
        assert!(
            in_order
                .windows(2)
                .all(|w| w[0].to_string() < w[1].to_string())
        );
    }

    #[test]
    fn numbers_that_we_never_gave_are_refused() {
        let spare = (SequenceNumber::TOP | 1).to_string();
        let version = (SequenceNumber::TOP | 1 << 124).to_string();
        for bad in [
            "",
            "0",
            "1",
            "49590338271490256608559692538361571095921575989136588898",
            &spare,
            &version,
            "+70141183460469231731687303715884105728",
        ] {
            assert!(SequenceNumber::parse(bad).is_err(), "{bad}");
        }
    }
}
