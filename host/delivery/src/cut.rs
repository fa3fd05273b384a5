//! Which records go together. Pure: told the time, it reads no clock and does no I/O.
//!
//! A cut is a stretch of one lane's log, decided once and kept before a byte of it leaves. What
//! comes after is a function of the cut and the log: the same objects with the same names, however
//! often it is done.

use std::time::Duration;

use store::{Frame, Position};
use types::Timestamp;

use crate::delivery_stream::Plan;
use crate::pins::Pins;

/// Bytes of an object at which another begins: those of the cut's frames so many times over, within
/// these bounds. Where an object ends is a function of the cut, like its name, and never of what
/// else is at work; most cuts become one object.
const OBJECT_BYTES_PER_BYTE: u64 = 4;
const OBJECT_BYTES_MIN: u64 = 16 * 1024 * 1024;
pub const OBJECT_BYTES_MAX: u64 = 128 * 1024 * 1024;

/// A decision to deliver a stretch of a lane's log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cut {
    /// Its number in the lane, from 0.
    pub number: u64,
    /// Its first record.
    pub from: Position,
    /// The first record after it.
    pub to: Position,
    /// The arrival of its oldest record.
    pub oldest: Timestamp,
    /// When it was decided.
    pub decided_at: Timestamp,
    /// Records in it.
    pub records: u64,
    /// Where the records of aggregates count and are delivered each for itself: how many they are
    /// beyond one for each aggregate. `None` where an aggregate is delivered as it is: it was put
    /// directly, or a build that did so decided the cut.
    pub unpacked: Option<u64>,
    /// How many they are beyond that where records come several in one, each of which counts for
    /// itself.
    pub divided: u64,
    /// Bytes of their frames.
    pub bytes: u64,
    /// Packed bytes after which an object of delivered records ends. It is kept with the decision:
    /// another build may have less room for an object, and ends it where this one did all the same.
    pub object_bytes_max: u64,
    /// The version of the delivery stream's configuration that it is delivered by.
    pub version_id: u64,
    /// The version of the plugin that its records go through, if they go through one.
    pub plugin: Option<Pins>,
}

/// Packed bytes after which an object of a cut of so many bytes ends, where nothing else has its
/// room within that of the largest object.
pub fn object_bytes_max(bytes: u64) -> u64 {
    let bytes = bytes.saturating_mul(OBJECT_BYTES_PER_BYTE);
    bytes.clamp(OBJECT_BYTES_MIN, OBJECT_BYTES_MAX)
}

impl Cut {
    /// How many records it has more than the log has places for them.
    pub fn extra(&self) -> u64 {
        self.unpacked.unwrap_or(0) + self.divided
    }

    /// What the cut was gathered as.
    pub fn gathering(&self) -> Gathering {
        Gathering {
            from: self.from,
            to: self.to,
            oldest: Some(self.oldest),
            records: self.records,
            extra: Extra {
                of_aggregates: self.unpacked.unwrap_or(0),
                divided: self.divided,
            },
            bytes: self.bytes,
        }
    }
}

/// When a cut is closed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Hints {
    /// Once it has so many bytes.
    pub size_bytes: u64,
    /// Once its oldest record has waited for so long.
    pub interval: Duration,
}

impl Hints {
    /// As a delivery stream has them.
    pub fn of(plan: &Plan) -> Self {
        Self {
            size_bytes: plan.size_bytes,
            interval: plan.interval,
        }
    }
}

/// Frames that wait to be cut.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Gathering {
    /// The first record.
    pub from: Position,
    /// The first record that was not looked at.
    pub to: Position,
    /// The arrival of the first record; `None` while there is none.
    pub oldest: Option<Timestamp>,
    /// Records so far.
    pub records: u64,
    /// Those of them that the log does not count.
    pub extra: Extra,
    /// Bytes of their frames.
    pub bytes: u64,
}

/// How many records there are beyond those that the log counts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Extra {
    /// Those in an aggregate beyond one for each.
    pub of_aggregates: u64,
    /// Those that come several in one, beyond one for each.
    pub divided: u64,
}

impl Extra {
    fn all(self) -> u64 {
        self.of_aggregates + self.divided
    }

    fn and(self, other: Self) -> Self {
        Self {
            of_aggregates: self.of_aggregates + other.of_aggregates,
            divided: self.divided + other.divided,
        }
    }
}

impl Gathering {
    /// Nothing yet, from `from` on.
    pub fn new(from: Position) -> Self {
        Self {
            from,
            to: from,
            oldest: None,
            records: 0,
            extra: Extra::default(),
            bytes: 0,
        }
    }

    /// Adds the frame that comes next, with so many records beyond those that the log counts. A
    /// frame is never divided, so that a cut may be larger than its hint by the rest of one.
    pub fn add(&mut self, frame: &Frame, extra: Extra) {
        if self.oldest.is_none() {
            self.from = frame.position;
        }
        self.oldest.get_or_insert(frame.arrival);
        self.to = frame.end();
        self.records += u64::from(frame.count) + extra.all();
        self.extra = self.extra.and(extra);
        self.bytes += frame.body.len() as u64;
    }

    /// How many records it has in aggregates beyond one for each, where these are taken apart.
    pub fn unpacked(&self, unpacks: bool) -> Option<u64> {
        unpacks.then_some(self.extra.of_aggregates)
    }

    /// Everything before `next` was looked at, whether or not there was a frame.
    pub fn reaches(&mut self, next: Position) {
        self.to = self.to.max(next);
    }

    /// Whether what was gathered, or what is looked at next, lies before a place.
    pub fn is_before(&self, place: Position) -> bool {
        match self.oldest {
            Some(_) => self.from < place,
            None => self.to < place,
        }
    }

    /// Whether there is as much as goes together.
    pub fn is_full(&self, hints: Hints) -> bool {
        self.oldest.is_some() && hints.size_bytes <= self.bytes
    }

    /// How long the oldest record may still wait; `None` while there is none.
    pub fn left(&self, hints: Hints, now: Timestamp) -> Option<Duration> {
        let oldest = self.oldest?;
        Some(oldest.after(hints.interval).since(now))
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::*;

    const HINTS: Hints = Hints {
        size_bytes: 100,
        interval: Duration::from_secs(60),
    };

    fn frame(position: u64, arrival: u64, bytes: usize) -> Frame {
        Frame {
            position: Position(position),
            arrival: Timestamp(arrival),
            count: 2,
            body: Bytes::from(vec![0; bytes]),
            key: None,
        }
    }

    #[test]
    fn a_cut_is_full_when_its_size_is_reached() {
        let mut gathering = Gathering::new(Position(3));
        assert!(!gathering.is_full(HINTS));
        gathering.add(&frame(5, 1_000, 99), Extra::default());
        assert!(!gathering.is_full(HINTS));
        let extra = Extra {
            of_aggregates: 2,
            divided: 1,
        };
        gathering.add(&frame(7, 2_000, 1), extra);
        assert!(gathering.is_full(HINTS));
        assert_eq!((gathering.from, gathering.to), (Position(5), Position(9)));
        let counts = (gathering.records, gathering.extra, gathering.bytes);
        assert_eq!(counts, (7, extra, 100));
    }

    #[test]
    fn a_cut_waits_from_the_arrival_of_its_oldest_record() {
        let mut gathering = Gathering::new(Position(0));
        assert_eq!(gathering.left(HINTS, Timestamp(0)), None);
        gathering.add(&frame(0, 1_000, 1), Extra::default());
        gathering.add(&frame(1, 50_000, 1), Extra::default());
        let left = |now| gathering.left(HINTS, Timestamp(now)).unwrap();
        assert_eq!(left(1_000), Duration::from_secs(60));
        assert_eq!(left(31_000), Duration::from_secs(30));
        assert_eq!(left(61_000), Duration::ZERO);
        assert_eq!(left(99_000), Duration::ZERO);
    }
}
