//! Which outcomes of an open cut no later try may change.

use std::ops::Range;

use bincode::{Decode, Encode};

/// Of the first `to` records of a cut those in `late` failed because a deadline was missed, and all
/// others are what the plugin made of them.
///
/// A plugin gives the same every time, a machine does not: it may be too slow for a record now and
/// not the next time. So this is kept before anything of these records leaves. A try after that
/// fails the same records, and does not let another fail for a deadline: that may be in an object.
#[derive(Clone, Debug, Default, PartialEq, Eq, Encode, Decode)]
pub struct Settled {
    /// Records that this is about, from the cut's first on.
    pub to: u64,
    /// Start and end, in order, apart from each other.
    late: Vec<(u64, u64)>,
}

impl Settled {
    /// Notes records that come after all that were noted.
    pub fn add_late(&mut self, records: Range<u64>) {
        match self.late.last_mut() {
            Some((_, end)) if *end == records.start => *end = records.end,
            _ => self.late.push((records.start, records.end)),
        }
    }

    /// The parts of `records` that are late, and those between, in order.
    pub fn parts(&self, records: Range<u64>) -> Vec<(Range<u64>, bool)> {
        let mut parts = Vec::new();
        let mut at = records.start;
        for (start, end) in &self.late {
            let (start, end) = ((*start).max(at), (*end).min(records.end));
            if start < end {
                parts.extend((at < start).then_some((at..start, false)));
                parts.push((start..end, true));
                at = end;
            }
        }
        parts.extend((at < records.end).then_some((at..records.end, false)));
        parts
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn late_records_stand_apart_from_those_between_them() {
        let mut settled = Settled::default();
        assert_eq!(settled.parts(3..9), [(3..9, false)]);
        assert_eq!(settled.parts(3..3), []);
        for late in [2..4, 4..5, 7..8, 20..30] {
            settled.add_late(late);
        }
        let parts = settled.parts(0..10);
        let wanted = [
            (0..2, false),
            (2..5, true),
            (5..7, false),
            (7..8, true),
            (8..10, false),
        ];
        assert_eq!(parts, wanted);
        assert_eq!(
            settled.parts(4..8),
            [(4..5, true), (5..7, false), (7..8, true)]
        );
        assert_eq!(settled.parts(25..40), [(25..30, true), (30..40, false)]);
        assert_eq!(settled.parts(21..29), [(21..29, true)]);
        assert_eq!(settled.parts(5..7), [(5..7, false)]);
    }
}
