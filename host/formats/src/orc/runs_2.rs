//! Integer run length encoding of the second version (ORC specification v1, "Integer Run Length
//! Encoding, version 2"). Of its four ways of writing values three are used: numbers of very
//! different widths, for which the fourth is, are left to what packs the stream.

use super::varint::{self, as_unsigned, low_byte};

/// Values that are encoded at once at most.
pub const VALUES_MAX: usize = 512;
/// Same values that are written once, and how many of them go with the short way.
const REPEATS_MIN: usize = 5;
const SHORT_REPEATS_MIN: usize = 3;
const SHORT_REPEATS_MAX: usize = 10;
/// Values that differ by the same and are written as their first and the difference.
const STEPS_MIN: usize = 8;
/// Widths of values in bits, and their numbers, those that are not deprecated.
const WIDTHS: [(u32, u8); 11] = [
    (1, 0),
    (2, 1),
    (4, 3),
    (8, 7),
    (16, 15),
    (24, 23),
    (32, 27),
    (40, 28),
    (48, 29),
    (56, 30),
    (64, 31),
];
/// The two bits that a way of writing begins with.
const DIRECT: u8 = 0b0100_0000;
const DELTA: u8 = 0b1100_0000;
/// The least width of differences: the number of one bit means none of them.
const DELTA_BITS_MIN: u32 = 2;

/// Appends these values, up to [`VALUES_MAX`].
pub fn encode(values: &[i64], is_signed: bool, out: &mut Vec<u8>) {
    let (mut literals, mut at) = (0, 0);
    while let Some(rest) = values.get(at..).filter(|rest| !rest.is_empty()) {
        let (steps, step) = steps_of(rest);
        let is_run = steps >= if step == 0 { REPEATS_MIN } else { STEPS_MIN };
        if is_run {
            write_literals(values.get(literals..at).unwrap_or_default(), is_signed, out);
            write_steps(rest, (steps, step), is_signed, out);
            at += steps;
            literals = at;
        } else {
            at += 1;
        }
    }
    let rest = values.get(literals..).unwrap_or_default();
    write_literals(rest, is_signed, out);
}

/// How many values at the beginning differ by the same, and by what.
fn steps_of(values: &[i64]) -> (usize, i64) {
    let mut deltas = deltas_of(values);
    match deltas.next() {
        Some(Some(step)) => {
            let more = deltas.take_while(|delta| *delta == Some(step));
            (2 + more.count(), step)
        }
        _ => (1, 0),
    }
}

/// What each value has more than the one before it, where that is a number.
fn deltas_of(values: &[i64]) -> impl Iterator<Item = Option<i64>> {
    values.windows(2).map(|pair| match pair {
        [one, other] => other.checked_sub(*one),
        _ => None,
    })
}

fn write_steps(values: &[i64], (count, step): (usize, i64), is_signed: bool, out: &mut Vec<u8>) {
    let Some(first) = values.first() else {
        return;
    };
    let base = as_unsigned(*first, is_signed);
    if step == 0 && count <= SHORT_REPEATS_MAX {
        let bytes = (u64::BITS - base.leading_zeros()).div_ceil(8).max(1);
        let repeats = low_byte((count - SHORT_REPEATS_MIN) as u64);
        out.push((low_byte(u64::from(bytes - 1)) << 3) | repeats);
        write_low(base, bytes * 8, out);
        return;
    }
    // No bits for differences: all are the first one.
    write_head((DELTA, 0), count, out);
    varint::write(out, base);
    varint::write(out, varint::zigzag(step));
}

/// The first byte and the length.
fn write_head((way, width): (u8, u8), count: usize, out: &mut Vec<u8>) {
    let [length, high, ..] = (count - 1).to_le_bytes();
    out.push(way | (width << 1) | high);
    out.push(length);
}

/// Values that are no runs, by whichever way is shorter.
fn write_literals(values: &[i64], is_signed: bool, out: &mut Vec<u8>) {
    let Some(first) = values.first() else {
        return;
    };
    let all = || values.iter().map(|value| as_unsigned(*value, is_signed));
    let width = width_of(all().fold(0, |bits, value| bits | value), 1);
    if let Some(deltas) = Deltas::of(values).filter(|deltas| deltas.width.0 < width.0) {
        write_head((DELTA, deltas.width.1), values.len(), out);
        varint::write(out, as_unsigned(*first, is_signed));
        varint::write(out, varint::zigzag(deltas.first));
        let rest = deltas_of(values).skip(1).flatten();
        write_packed(rest.map(i64::unsigned_abs), deltas.width.0, out);
    } else {
        write_head((DIRECT, width.1), values.len(), out);
        write_packed(all(), width.0, out);
    }
}

/// The differences of values that only rise, or only fall.
struct Deltas {
    first: i64,
    width: (u32, u8),
}

impl Deltas {
    /// Of values whose first two are not the same, since the first difference says in which
    /// direction all go.
    fn of(values: &[i64]) -> Option<Self> {
        let mut deltas = deltas_of(values);
        let first = deltas.next().flatten().filter(|first| *first != 0)?;
        let mut bits = 0;
        for delta in deltas {
            let delta = delta?;
            if delta != 0 && delta.signum() != first.signum() {
                return None;
            }
            bits |= delta.unsigned_abs();
        }
        let width = width_of(bits, DELTA_BITS_MIN);
        Some(Self { first, width })
    }
}

/// The least width that has all these bits, and its number.
fn width_of(bits: u64, least: u32) -> (u32, u8) {
    let wanted = (u64::BITS - bits.leading_zeros()).max(least);
    let found = WIDTHS.into_iter().find(|(width, _)| *width >= wanted);
    let [.., widest] = WIDTHS;
    found.unwrap_or(widest)
}

/// Appends the lowest bits of each value, the highest of them first, up to a whole byte.
fn write_packed(values: impl Iterator<Item = u64>, width: u32, out: &mut Vec<u8>) {
    if width >= 8 {
        values.for_each(|value| write_low(value, width, out));
        return;
    }
    let (mut byte, mut bits) = (0_u8, 0);
    for value in values {
        byte = (byte << width) | low_byte(value);
        bits += width;
        if bits == 8 {
            out.push(byte);
            (byte, bits) = (0, 0);
        }
    }
    if bits > 0 {
        out.push(byte << (8 - bits));
    }
}

/// Appends so many of the lowest bits, which are whole bytes.
fn write_low(value: u64, width: u32, out: &mut Vec<u8>) {
    let bytes = (value << (u64::BITS - width)).to_be_bytes();
    let count = bytes.iter().zip(0..width / 8).map(|(byte, _)| *byte);
    out.extend(count);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn encoded(values: &[i64], is_signed: bool) -> Vec<u8> {
        let mut out = Vec::new();
        encode(values, is_signed, &mut out);
        out
    }

    /// The examples of the specification.
    #[test]
    fn numbers_are_written_as_the_specification_shows() {
        assert_eq!(encoded(&[10_000; 5], false), [0x0a, 0x27, 0x10]);
        assert_eq!(
            encoded(&[23_713, 43_806, 57_005, 48_879], false),
            [0x5e, 0x03, 0x5c, 0xa1, 0xab, 0x1e, 0xde, 0xad, 0xbe, 0xef]
        );
        assert_eq!(
            encoded(&[2, 3, 5, 7, 11, 13, 17, 19, 23, 29], false),
            [0xc6, 0x09, 0x02, 0x02, 0x22, 0x42, 0x42, 0x46]
        );
    }

    #[test]
    fn other_numbers_are_written_in_the_shortest_of_three_ways() {
        // A long repeat and steps: no bits for differences.
        assert_eq!(encoded(&[-1; 512], true), [0xc1, 0xff, 1, 0]);
        let steps: Vec<i64> = (0..100).map(|number| 1_000 - 10 * number).collect();
        assert_eq!(encoded(&steps, true), [0xc0, 0x63, 0xd0, 0x0f, 0x13]);
        // One bit each.
        assert_eq!(encoded(&[1, 0, 1, 1], false), [0x40, 0x03, 0b1011_0000]);
        // Sixty-four, and differences that are no numbers.
        let far = encoded(&[i64::MIN, i64::MAX, 0], true);
        assert_eq!(far[..2], [0x7e, 0x02]);
        assert_eq!(far[2..10], [0xff; 8]);
        assert_eq!(far.len(), 2 + 3 * 8);
        assert_eq!(encoded(&[], true), [0; 0]);
        assert_eq!(encoded(&[5], true), [0x46, 0x00, 0xa0]);
    }
}
