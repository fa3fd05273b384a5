//! Integer run length encoding of the first version, which is that of Hive 0.11 (ORC specification
//! v1, "Integer Run Length Encoding, version 1").

use super::varint::{self, as_unsigned, low_byte};

/// Values of a run.
const RUN_MIN: usize = 3;
const RUN_MAX: usize = 130;
/// Values of a list of literals at most.
const LITERALS_MAX: usize = 128;

/// Appends these values.
pub fn encode(values: &[i64], is_signed: bool, out: &mut Vec<u8>) {
    let (mut literals, mut at) = (0, 0);
    while let Some(rest) = values.get(at..)
        && let Some(first) = rest.first()
    {
        let (run, delta) = run_of(rest);
        if run >= RUN_MIN {
            write_literals(values.get(literals..at).unwrap_or_default(), is_signed, out);
            out.push(low_byte((run - RUN_MIN) as u64));
            out.extend_from_slice(&delta.to_le_bytes());
            varint::write(out, as_unsigned(*first, is_signed));
            at += run;
            literals = at;
        } else {
            at += 1;
        }
    }
    let rest = values.get(literals..).unwrap_or_default();
    write_literals(rest, is_signed, out);
}

/// How many values at the beginning differ by the same, and by what.
fn run_of(values: &[i64]) -> (usize, i8) {
    let delta = |pair: &[i64]| match pair {
        [one, other] => other.checked_sub(*one),
        _ => None,
    };
    let mut deltas = values.windows(2).map(delta);
    let first = deltas.next().flatten();
    let Some(Ok(step)) = first.map(i8::try_from) else {
        return (1, 0);
    };
    let more = deltas.take(RUN_MAX - 2).take_while(|delta| *delta == first);
    (2 + more.count(), step)
}

fn write_literals(values: &[i64], is_signed: bool, out: &mut Vec<u8>) {
    for values in values.chunks(LITERALS_MAX) {
        out.push(low_byte((values.len() as u64).wrapping_neg()));
        for value in values {
            varint::write(out, as_unsigned(*value, is_signed));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn encoded(values: &[i64], is_signed: bool) -> Vec<u8> {
        let mut out = Vec::new();
        encode(values, is_signed, &mut out);
        out
    }

    /// The first three are the examples of the specification.
    #[test]
    fn numbers_are_runs_and_literals() {
        assert_eq!(encoded(&[7; 100], false), [0x61, 0x00, 0x07]);
        let down: Vec<i64> = (1..=100).rev().collect();
        assert_eq!(encoded(&down, false), [0x61, 0xff, 0x64]);
        let primes = [2, 3, 4, 7, 11];
        let wanted = [0, 1, 2, 0xfe, 7, 11];
        assert_eq!(encoded(&primes, false), wanted, "it has a run in it");
        assert_eq!(encoded(&[2, 3, 6, 7, 11], false), [0xfb, 2, 3, 6, 7, 11]);
        assert_eq!(encoded(&[-1, -1, -1], true), [0, 0, 1]);
        let far = [i64::MIN, i64::MAX, i64::MIN];
        assert_eq!(encoded(&far, true).len(), 1 + 3 * 10);
        let long: Vec<i64> = (0..131).collect();
        assert_eq!(encoded(&long, true), [0x7f, 1, 0, 0xff, 0x84, 0x02]);
    }
}
