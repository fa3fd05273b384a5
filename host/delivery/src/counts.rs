//! What became of records.

use bincode::{Decode, Encode};

/// Numbers of an object, of a cut, or of all cuts of a lane together. Records are counted as they
/// came in, those of an aggregate each for itself where it is taken apart, so
/// `records_in = delivered + dropped + failed`, however many records a transform makes of one. With
/// `lost` that is every record that the lane has passed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Encode, Decode)]
pub struct Counts {
    /// Records that became something: of a cut that is done, or that is left out in part.
    pub records_in: u64,
    /// Bytes of their data.
    pub bytes_in: u64,
    /// Records that are in delivered objects.
    pub delivered: u64,
    /// Bytes of what was delivered, before it was packed.
    pub bytes_delivered: u64,
    /// Records that a transform left out.
    pub dropped: u64,
    /// Records that are in objects below the error prefix.
    pub failed: u64,
    /// Records that came to nothing: retention took them before they were delivered, or an operator
    /// left them out.
    pub lost: u64,
    /// Those of the lost that an operator left out.
    pub left_out: u64,
    /// Objects of delivered records, or requests that an endpoint has taken.
    pub objects: u64,
    /// Objects of failed records.
    pub failed_objects: u64,
}

impl Counts {
    /// The sum.
    pub fn and(self, other: Self) -> Self {
        Self {
            records_in: self.records_in + other.records_in,
            bytes_in: self.bytes_in + other.bytes_in,
            delivered: self.delivered + other.delivered,
            bytes_delivered: self.bytes_delivered + other.bytes_delivered,
            dropped: self.dropped + other.dropped,
            failed: self.failed + other.failed,
            lost: self.lost + other.lost,
            left_out: self.left_out + other.left_out,
            objects: self.objects + other.objects,
            failed_objects: self.failed_objects + other.failed_objects,
        }
    }
}

/// What became of a stretch of a log.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Became {
    /// Of its records. Those of an aggregate count each.
    pub counts: Counts,
    /// How many places of the log that is all of: an aggregate has one.
    pub places: u64,
}

impl Counts {
    /// So many delivered ones of these records. How many bytes they have is not known.
    pub fn delivered(count: u64) -> Self {
        Self {
            records_in: count,
            delivered: count,
            ..Self::default()
        }
    }

    /// The same without these records, which were among those that are delivered.
    pub fn without_records(self, delivered: Self) -> Self {
        Self {
            records_in: self.records_in - delivered.records_in,
            bytes_in: self.bytes_in - delivered.bytes_in,
            delivered: self.delivered - delivered.delivered,
            ..self
        }
    }
}

/// What one version of a plugin did with records.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub struct VersionCounts {
    /// The plugin.
    pub plugin: String,
    /// The version's hash, in hexadecimal.
    pub hash: String,
    /// The author's word for the version.
    pub label: String,
    /// What it did.
    pub counts: Counts,
}

/// Versions whose counts are kept apart; those of older ones are added to the oldest kept.
pub const VERSIONS_KEPT_MAX: usize = 8;

/// Adds a cut's counts to those of the version that it went through, if it went through one.
pub fn add_by_version(all: &mut Vec<VersionCounts>, new: Option<VersionCounts>) {
    let Some(new) = new else {
        return;
    };
    if let Some(known) = all.iter_mut().find(|known| known.hash == new.hash) {
        known.counts = known.counts.and(new.counts);
        if known.label.is_empty() {
            // What was left out of it came before anything that was delivered through it.
            known.label = new.label;
        }
        return;
    }
    all.push(new);
    while all.len() > VERSIONS_KEPT_MAX {
        let oldest = all.remove(0);
        if let Some(next) = all.first_mut() {
            next.counts = next.counts.and(oldest.counts);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_counted_apart_and_none_is_lost() {
        let mut all = Vec::new();
        for number in 0..20_u64 {
            let counts = Counts {
                delivered: number,
                ..Counts::default()
            };
            for _ in 0..2 {
                let new = VersionCounts {
                    plugin: "a".to_owned(),
                    hash: number.to_string(),
                    label: String::new(),
                    counts,
                };
                add_by_version(&mut all, Some(new));
            }
        }
        assert_eq!(all.len(), VERSIONS_KEPT_MAX);
        let sum: u64 = all.iter().map(|version| version.counts.delivered).sum();
        assert_eq!(sum, 2 * (0..20).sum::<u64>());
        assert_eq!(all.last().unwrap().counts.delivered, 38);
    }
}
