//! The last things that somebody said, for whoever asks and reads on from where they were. It is
//! bounded, in memory, and begins anew with each process. Where several kinds of things are said,
//! what is said often takes the place of nothing but its own kind.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::{Clock, Timestamp};

/// How much a ring keeps; the oldest entries go first, of the kind that has most of them.
#[derive(Clone, Copy, Debug)]
pub struct LogBounds {
    /// Entries.
    pub entries_max: usize,
    /// Bytes of their texts together.
    pub bytes_max: usize,
}

/// One thing that was said.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogEntry<T> {
    /// Its number: those of a ring rise by one, also of entries that are gone, from 1 on.
    pub number: u64,
    /// When it was said.
    pub at: Timestamp,
    /// What was said.
    pub what: T,
}

/// From where a ring is read on.
#[derive(Clone, Debug, Default)]
pub struct LogFrom {
    /// Entries with a greater number are wanted.
    pub after: u64,
    /// The run whose number that is, if it was told. The numbers of another run mean nothing, so
    /// that all entries are wanted.
    pub run: Option<String>,
}

/// Entries that were read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogPart<T> {
    /// What tells the numbers of entries from those of another ring, of this process or of one
    /// before.
    pub run: String,
    /// The entries, the oldest first.
    pub entries: Vec<LogEntry<T>>,
    /// Whoever reads on asks for those after this.
    pub next: u64,
    /// Entries that were gone before they were read, whatever they said.
    pub missed: u64,
}

/// The last entries of one log.
pub struct LogRing<T> {
    run: String,
    bounds: LogBounds,
    clock: Arc<dyn Clock>,
    /// Of which kind an entry is, if there are several.
    kind_of: Option<fn(&T) -> u8>,
    kept: Mutex<Kept<T>>,
}

struct Kept<T> {
    /// With the bytes of each.
    entries: VecDeque<(LogEntry<T>, usize)>,
    bytes: usize,
    last: u64,
}

impl<T: Clone> LogRing<T> {
    /// A ring in which nothing was said yet.
    pub fn new(clock: Arc<dyn Clock>, bounds: LogBounds) -> Self {
        Self {
            run: new_run(clock.now()),
            bounds,
            clock,
            kind_of: None,
            kept: Mutex::new(Kept {
                entries: VecDeque::new(),
                bytes: 0,
                last: 0,
            }),
        }
    }

    /// A ring of entries of several kinds, none of which takes the place of one that is rarer.
    pub fn of_kinds(clock: Arc<dyn Clock>, bounds: LogBounds, kind_of: fn(&T) -> u8) -> Self {
        Self {
            kind_of: Some(kind_of),
            ..Self::new(clock, bounds)
        }
    }

    /// Keeps what is said now, with a text of so many bytes.
    pub fn push(&self, what: T, bytes: usize) {
        let at = self.clock.now();
        let mut kept = self.lock();
        kept.last += 1;
        kept.bytes += bytes;
        let number = kept.last;
        let entry = LogEntry { number, at, what };
        kept.entries.push_back((entry, bytes));
        let LogBounds {
            entries_max,
            bytes_max,
        } = self.bounds;
        while kept.entries.len() > entries_max || kept.bytes > bytes_max {
            let oldest = self.oldest_of_most(&kept.entries);
            let Some((_, bytes)) = kept.entries.remove(oldest) else {
                break;
            };
            kept.bytes -= bytes;
        }
    }

    /// The entries that are wanted, the oldest first, at most so many.
    pub fn read(
        &self,
        from: &LogFrom,
        entries_max: usize,
        is_wanted: impl Fn(&T) -> bool,
    ) -> LogPart<T> {
        let kept = self.lock();
        let is_of_run = from.run.as_ref().is_none_or(|run| *run == self.run);
        // Who has read further than there is was told by a process before this one.
        let after = if is_of_run && from.after <= kept.last {
            from.after
        } else {
            0
        };
        let later = kept.entries.partition_point(|(it, _)| it.number <= after);
        let later = kept.entries.range(later..).map(|(entry, _)| entry);
        let gone = later.clone().fold(kept.last - after, |gone, _| gone - 1);
        let wanted = later.filter(|entry| is_wanted(&entry.what));
        let entries: Vec<_> = wanted.take(entries_max).cloned().collect();
        let is_full = entries.len() == entries_max;
        let read_to = entries.last().filter(|_| is_full).map(|it| it.number);
        LogPart {
            run: self.run.clone(),
            next: read_to.unwrap_or(kept.last),
            missed: gone,
            entries,
        }
    }

    /// Where the oldest entry is of the kind that has most of them.
    fn oldest_of_most(&self, entries: &VecDeque<(LogEntry<T>, usize)>) -> usize {
        let Some(kind_of) = self.kind_of else {
            return 0;
        };
        let kinds = || entries.iter().map(|(entry, _)| kind_of(&entry.what));
        let mut counts = [0_usize; 256];
        for kind in kinds() {
            counts[usize::from(kind)] += 1;
        }
        let most = counts.iter().max();
        let is_most = |kind: u8| Some(&counts[usize::from(kind)]) == most;
        kinds().position(is_most).unwrap_or(0)
    }

    fn lock(&self) -> MutexGuard<'_, Kept<T>> {
        // Nothing under the lock can leave the entries and their bytes apart.
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What no other ring has: of this process because of its number, of one before because of the
/// time.
fn new_run(now: Timestamp) -> String {
    static RINGS: AtomicU64 = AtomicU64::new(0);
    let ring = RINGS.fetch_add(1, Ordering::Relaxed);
    format!("{:x}-{ring:x}", now.0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ManualClock;

    const BOUNDS: LogBounds = LogBounds {
        entries_max: 10,
        bytes_max: 100,
    };

    fn ring() -> LogRing<char> {
        LogRing::new(Arc::new(ManualClock::new(Timestamp(7))), BOUNDS)
    }

    fn after(after: u64) -> LogFrom {
        LogFrom { after, run: None }
    }

    fn read(ring: &LogRing<char>, from: &LogFrom, most: usize) -> (Vec<u64>, u64, u64) {
        let part = ring.read(from, most, |_| true);
        let numbers = part.entries.iter().map(|entry| entry.number).collect();
        (numbers, part.next, part.missed)
    }

    #[test]
    fn entries_are_kept_up_to_their_number_and_their_bytes_and_never_numbered_anew() {
        let ring = ring();
        for _ in 0..12 {
            ring.push('x', 1);
        }
        assert_eq!(read(&ring, &after(0), 99).0, (3..=12).collect::<Vec<_>>());
        ring.push('y', 95);
        assert_eq!(read(&ring, &after(0), 99).0, (8..=13).collect::<Vec<_>>());
        ring.push('z', 101);
        assert_eq!(read(&ring, &after(0), 99), (vec![], 14, 14));
        ring.push('a', 100);
        let part = ring.read(&after(0), 99, |_| true);
        assert_eq!(part.entries[0].at, Timestamp(7));
        assert_eq!(part.entries[0].what, 'a');
    }

    #[test]
    fn what_is_said_often_takes_the_place_of_its_own_kind() {
        let clock = Arc::new(ManualClock::new(Timestamp(7)));
        let ring = LogRing::of_kinds(clock, BOUNDS, |what: &char| u8::from(what.is_uppercase()));
        for what in ['A', 'b', 'C']
            .into_iter()
            .chain("dddddddddddddddd".chars())
        {
            ring.push(what, 1);
        }
        // Numbers 1 and 3, and the last of the others.
        let (numbers, next, missed) = read(&ring, &after(0), 99);
        assert_eq!(numbers, [1, 3, 12, 13, 14, 15, 16, 17, 18, 19]);
        assert_eq!((next, missed), (19, 9));
        assert_eq!(read(&ring, &after(3), 99).2, 8);
        assert_eq!(read(&ring, &after(12), 99).2, 0);
        for _ in 0..9 {
            ring.push('E', 1);
        }
        let part = ring.read(&after(0), 99, |_| true);
        let said: String = part.entries.iter().map(|entry| entry.what).collect();
        assert_eq!(said, "dddddEEEEE");
    }

    #[test]
    fn who_reads_on_gets_what_came_since_and_is_told_what_was_gone() {
        let ring = ring();
        for _ in 0..4 {
            ring.push('x', 1);
        }
        assert_eq!(read(&ring, &after(0), 3), (vec![1, 2, 3], 3, 0));
        assert_eq!(read(&ring, &after(3), 3), (vec![4], 4, 0));
        assert_eq!(read(&ring, &after(4), 3), (vec![], 4, 0));
        for _ in 0..10 {
            ring.push('y', 1);
        }
        assert_eq!(read(&ring, &after(2), 1), (vec![5], 5, 2));
    }

    #[test]
    fn numbers_of_another_run_mean_nothing() {
        let ring = ring();
        ring.push('x', 1);
        let of_another = LogFrom {
            after: 1,
            run: Some("another".to_owned()),
        };
        for from in [of_another, after(2)] {
            assert_eq!(read(&ring, &from, 9), (vec![1], 1, 0));
        }
        let runs = [&ring, &self::ring()].map(|ring| ring.read(&after(0), 1, |_| true).run);
        assert_ne!(runs[0], runs[1]);
    }

    #[test]
    fn what_is_not_wanted_is_passed_over_all_the_same() {
        let ring = ring();
        for what in ['a', 'b', 'c'] {
            ring.push(what, 1);
        }
        let part = ring.read(&after(0), 9, |what| *what == 'b');
        assert_eq!((part.entries.len(), part.next, part.missed), (1, 3, 0));
    }
}
