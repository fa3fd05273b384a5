//! Turns to read much: how many there are.

use streams::turns::AccountTurns;

use crate::limits::{READS_AT_ONCE_MAX, READS_AT_ONCE_MIN, READS_PER_PROCESSOR};

/// As many turns as suit so many processors.
pub(crate) fn read_turns(processors: usize) -> AccountTurns {
    let all = processors.saturating_mul(READS_PER_PROCESSOR);
    AccountTurns::new(all.clamp(READS_AT_ONCE_MIN, READS_AT_ONCE_MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn there_are_more_turns_where_there_are_more_processors_and_no_more_than_memory_allows() {
        for (processors, all) in [(0, 4), (1, 4), (2, 8), (3, 12), (4, 16), (64, 16)] {
            assert_eq!(read_turns(processors).all(), all, "{processors}");
        }
    }
}
