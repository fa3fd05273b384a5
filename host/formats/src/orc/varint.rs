//! Base 128 varints and zigzag (ORC specification v1, "Run Length Encoding").

/// Bits of a number that a byte has.
const BITS: u32 = 7;
/// What says that another byte follows.
const MORE: u8 = 0x80;

/// The lowest eight bits of a number.
pub fn low_byte(number: u64) -> u8 {
    let [low, ..] = number.to_le_bytes();
    low
}

/// A signed number as one without a sign: small ones are small.
pub fn zigzag(number: i64) -> u64 {
    ((number << 1) ^ (number >> 63)).cast_unsigned()
}

/// What an integer is without a sign: itself, or in zigzag. One that has no sign is never less than
/// none.
pub fn as_unsigned(value: i64, is_signed: bool) -> u64 {
    if is_signed {
        zigzag(value)
    } else {
        value.cast_unsigned()
    }
}

/// Appends a number, its lowest bits first.
pub fn write(out: &mut Vec<u8>, mut number: u64) {
    while number >= u64::from(MORE) {
        out.push(low_byte(number) | MORE);
        number >>= BITS;
    }
    out.push(low_byte(number));
}

/// Appends the digits of a decimal, in zigzag.
pub fn write_digits(out: &mut Vec<u8>, digits: i128) {
    let mut number = ((digits << 1) ^ (digits >> 127)).cast_unsigned();
    while number >= u128::from(MORE) {
        let [low, ..] = number.to_le_bytes();
        out.push(low | MORE);
        number >>= BITS;
    }
    let [low, ..] = number.to_le_bytes();
    out.push(low);
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The examples of the specification.
    #[test]
    fn numbers_are_written_as_the_specification_shows() {
        for (number, wanted) in [
            (0, &[0][..]),
            (1, &[1]),
            (127, &[0x7f]),
            (128, &[0x80, 0x01]),
            (129, &[0x81, 0x01]),
            (16_383, &[0xff, 0x7f]),
            (16_384, &[0x80, 0x80, 0x01]),
            (16_385, &[0x81, 0x80, 0x01]),
        ] {
            let mut out = Vec::new();
            write(&mut out, number);
            assert_eq!(out, wanted, "{number}");
        }
        for (number, wanted) in [(0, 0), (-1, 1), (1, 2), (-2, 3), (2, 4)] {
            assert_eq!(zigzag(number), wanted);
        }
        assert_eq!(zigzag(i64::MIN), u64::MAX);
        assert_eq!(zigzag(i64::MAX), u64::MAX - 1);
    }

    #[test]
    fn digits_of_any_decimal_are_read_back() {
        let most = 10_i128.pow(38) - 1;
        for digits in [
            0,
            1,
            -1,
            63,
            64,
            -64,
            -65,
            most,
            -most,
            i128::from(i64::MIN),
        ] {
            let mut out = Vec::new();
            write_digits(&mut out, digits);
            let number = out.iter().rev().fold(0_u128, |number, byte| {
                (number << 7) | u128::from(byte & 0x7f)
            });
            let half = i128::try_from(number >> 1).unwrap();
            let read = if number % 2 == 0 { half } else { -half - 1 };
            assert_eq!(read, digits);
        }
    }
}
