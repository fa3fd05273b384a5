//! How many threads guests run on.

use std::thread;

use types::Invalid;

use crate::limits::{GUEST_THREADS_MAX, GUEST_THREADS_MIN, GUEST_THREADS_PER_PROCESSOR};
use crate::turns::ByPace;

/// Of so many threads that are not for slow guests, one is for those alone who use little of the
/// processors, if there are two.
const OTHERS_PER_LIGHT: usize = 3;

/// How many threads guests run on, and how many of these are for guests that were found slow.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct GuestThreadLimits {
    all: usize,
    slow: usize,
}

impl GuestThreadLimits {
    /// So many threads, of which so many are for guests that were found slow.
    ///
    /// # Errors
    /// When there is not at least one of each kind.
    pub fn new(all: usize, slow: usize) -> Result<Self, Invalid> {
        if slow == 0 || slow >= all {
            return Err(Invalid(format!(
                "of {all} threads, {slow} cannot be for slow plugins: at least one is, and at \
                 least one is not"
            )));
        }
        Ok(Self { all, slow })
    }

    /// So many threads, of which as many are for slow guests as leave others a processor, half of
    /// them at most: where all processors are busy with slow guests, everything else waits, the
    /// disk too.
    ///
    /// # Errors
    /// When there are less than two.
    pub fn of(all: usize) -> Result<Self, Invalid> {
        Self::new(all, slow_of(all))
    }

    /// All of them.
    pub fn all(&self) -> usize {
        self.all
    }

    /// Threads for those who were found slow.
    pub fn slow(&self) -> usize {
        self.slow
    }

    /// Threads for those alone who use little of the processors.
    pub fn light(&self) -> usize {
        match self.all - self.slow {
            0 | 1 => 0,
            others => (others / OTHERS_PER_LIGHT).max(1),
        }
    }

    /// The others.
    pub fn quick(&self) -> usize {
        self.all - self.slow - self.light()
    }

    /// Threads of each group.
    pub(crate) fn by_pace(&self) -> ByPace<usize> {
        ByPace::of(self.light(), self.quick(), self.slow())
    }
}

impl Default for GuestThreadLimits {
    /// Enough for every processor, with as many again for guests that take long.
    fn default() -> Self {
        let all = processors() * GUEST_THREADS_PER_PROCESSOR;
        let all = all.clamp(GUEST_THREADS_MIN, GUEST_THREADS_MAX);
        let slow = slow_of(all);
        Self { all, slow }
    }
}

fn slow_of(all: usize) -> usize {
    (all / 2).min(processors() - 1).max(1)
}

/// A machine that does not say how many processors it has is taken for a small one.
fn processors() -> usize {
    thread::available_parallelism().map_or(1, usize::from)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slow_guests_have_half_of_the_threads_at_most_and_leave_a_processor() {
        let by_default = GuestThreadLimits::default();
        for limits in (2..100).map(|all| GuestThreadLimits::of(all).unwrap()) {
            let others = limits.light() + limits.quick();
            assert!(limits.slow() >= 1 && limits.slow() <= others);
            assert_eq!(limits.slow() + others, limits.all());
            assert!(limits.quick() >= 1 && limits.light() <= limits.quick());
        }
        assert!(by_default.slow() < processors().max(2));
        for (all, slow) in [(1, 1), (2, 0), (2, 2), (0, 0)] {
            assert!(
                GuestThreadLimits::new(all, slow).is_err(),
                "{slow} of {all}"
            );
        }
    }
}
