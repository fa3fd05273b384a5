//! Whether the writer waits for those it has just answered, before it writes what waits already.
//!
//! Commits that come back as soon as they are answered fall into two groups else, and each waits
//! for the other's sync. Who is slower to come back is not waited for: that was tried, and tried
//! again ever more rarely.

use std::time::Duration;

/// Never waits longer than this, and never longer than a quarter of the time that the last block
/// took.
const LINGER_MAX: Duration = Duration::from_micros(100);
/// With so many a sync costs each of them little: more are not waited for, and come back while
/// these are written.
const REQUESTS_MAX: usize = 128;
/// After waiting in vain, so many blocks are written without; twice as many after each next time,
/// up to the second.
const BLOCKS_WITHOUT: std::ops::RangeInclusive<u32> = 4..=64;

/// How long to wait for how many.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Wait {
    /// How many requests there are to be.
    pub requests: usize,
    /// How long that may take.
    pub at_most: Duration,
}

/// What waiting brought.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Lingered {
    /// How many requests were waited for; 0 if there was no wait.
    pub missing: usize,
    /// How many of them came.
    pub came: usize,
}

/// What was learned from waiting.
#[derive(Debug, Default)]
pub struct Linger {
    /// Blocks to be written without waiting from now on.
    without: u32,
    /// How many that were after the last time in vain.
    without_last: u32,
}

impl Linger {
    /// How to wait after a block that `took` so long, when `requests` were answered with it or
    /// wait already. `last` is what waiting for that block brought.
    pub fn next(&mut self, last: Lingered, took: Duration, requests: usize) -> Wait {
        if last.missing != 0 {
            self.without_last = if last.missing <= 2 * last.came {
                0
            } else {
                (2 * self.without_last).clamp(*BLOCKS_WITHOUT.start(), *BLOCKS_WITHOUT.end())
            };
            self.without = self.without_last;
        }
        if self.without != 0 {
            self.without -= 1;
            return Wait::default();
        }
        Wait {
            requests: requests.min(REQUESTS_MAX),
            at_most: (took / 4).min(LINGER_MAX),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TOOK: Duration = Duration::from_micros(80);

    #[test]
    fn those_who_come_back_are_waited_for_a_quarter_of_a_block() {
        let mut linger = Linger::default();
        let all = Lingered {
            missing: 10,
            came: 5,
        };
        for last in [Lingered::default(), all, all] {
            let wait = linger.next(last, TOOK, 64);
            assert_eq!((wait.requests, wait.at_most), (64, TOOK / 4));
        }
        let wait = linger.next(all, Duration::from_secs(1), 500);
        assert_eq!((wait.requests, wait.at_most), (REQUESTS_MAX, LINGER_MAX));
    }

    #[test]
    fn those_who_do_not_are_tried_ever_more_rarely() {
        let mut linger = Linger::default();
        let mut pauses = Vec::new();
        for _ in 0..7 {
            assert_ne!(linger.next(Lingered::default(), TOOK, 16).requests, 0);
            let mut last = Lingered {
                missing: 8,
                came: 3,
            };
            let mut blocks = 0;
            while linger.without != 0 || last.missing != 0 {
                assert_eq!(linger.next(last, TOOK, 16), Wait::default());
                (last, blocks) = (Lingered::default(), blocks + 1);
            }
            pauses.push(blocks);
        }
        assert_eq!(pauses, [4, 8, 16, 32, 64, 64, 64]);
    }
}
