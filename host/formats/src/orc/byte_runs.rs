//! Byte run length encoding (ORC specification v1, "Byte Run Length Encoding").

use super::varint::low_byte;

/// Values of a run.
const RUN_MIN: usize = 3;
const RUN_MAX: usize = 130;
/// Values of a list of literals at most.
const LITERALS_MAX: usize = 128;

/// Appends these values.
pub fn encode(values: &[u8], out: &mut Vec<u8>) {
    let (mut literals, mut at) = (0, 0);
    while let Some(rest) = values.get(at..).filter(|rest| !rest.is_empty()) {
        let run = run_of(rest);
        if run >= RUN_MIN {
            write_literals(values.get(literals..at).unwrap_or_default(), out);
            out.push(low_byte((run - RUN_MIN) as u64));
            out.extend_from_slice(rest.get(..1).unwrap_or_default());
            literals = at + run;
        }
        at += run;
    }
    write_literals(values.get(literals..).unwrap_or_default(), out);
}

/// How many values at the beginning are the same.
fn run_of(values: &[u8]) -> usize {
    let same = values.iter().take(RUN_MAX);
    same.take_while(|value| Some(*value) == values.first())
        .count()
}

fn write_literals(values: &[u8], out: &mut Vec<u8>) {
    for values in values.chunks(LITERALS_MAX) {
        out.push(low_byte((values.len() as u64).wrapping_neg()));
        out.extend_from_slice(values);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn encoded(values: &[u8]) -> Vec<u8> {
        let mut out = Vec::new();
        encode(values, &mut out);
        out
    }

    /// The first two are the examples of the specification.
    #[test]
    fn bytes_are_runs_and_literals() {
        assert_eq!(encoded(&[0; 100]), [0x61, 0x00]);
        assert_eq!(encoded(&[0x44, 0x45]), [0xfe, 0x44, 0x45]);
        assert_eq!(encoded(&[]), [0; 0]);
        assert_eq!(encoded(&[7, 7]), [0xfe, 7, 7]);
        assert_eq!(encoded(&[1, 2, 2, 2, 3]), [0xff, 1, 0, 2, 0xff, 3]);
        assert_eq!(encoded(&[9; 132]), [0x7f, 9, 0xfe, 9, 9]);
        let many: Vec<u8> = (0..130).collect();
        let out = encoded(&many);
        assert_eq!((out[0], out[129], out.len()), (0x80, 0xfe, 132));
    }
}
