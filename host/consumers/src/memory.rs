//! The memory of one batch: its share of all there is, and how much of that it uses.

use crate::budget::Share;
use crate::limits::BATCH_MEMORY_MAX;

/// What a share grows by at least, so that a batch of many small calls asks seldom.
const GROWTH_BYTES_MIN: u64 = 64 * 1024;

/// The memory of one batch, or of whatever else an instance is called for.
#[derive(Default)]
pub struct Memory {
    share: Option<Share>,
    used: u64,
    lacked: Option<u64>,
}

impl Memory {
    /// Of which nothing is used. Without a share there is no end to it.
    pub fn new(share: Option<Share>) -> Self {
        Self {
            share,
            used: 0,
            lacked: None,
        }
    }

    /// So much is used by what the batch begins with, which its share is no less than.
    pub fn begins_with(&mut self, bytes: u64) {
        self.used = bytes;
    }

    /// Uses so many bytes more, and blocks for a moment if there are none. Whether they are there.
    pub fn uses(&mut self, bytes: u64) -> bool {
        let used = self.used.saturating_add(bytes);
        let Some(share) = &mut self.share else {
            self.used = used;
            return true;
        };
        let lacking = used.saturating_sub(share.bytes());
        if lacking == 0 || share.grow(lacking.max(GROWTH_BYTES_MIN)) {
            self.used = used;
            return true;
        }
        // Twice as much as it had, so that few tries tell how much it comes to.
        let twice = share.bytes().saturating_mul(2).min(BATCH_MEMORY_MAX);
        self.lacked = Some(used.max(twice));
        false
    }

    /// Bytes that are used.
    pub fn used(&self) -> u64 {
        self.used
    }

    /// Bytes that there would have had to be, if there were not enough.
    pub fn lacked(&self) -> Option<u64> {
        self.lacked
    }
}

#[cfg(test)]
mod tests {
    use types::AccountId;

    use super::*;
    use crate::application::{ApplicationId, Payer};
    use crate::budget::Budget;

    const MIB: u64 = 1024 * 1024;

    fn payer(number: u64) -> Payer {
        Payer {
            account: AccountId::parse(&format!("{number:012}")).unwrap(),
            application: ApplicationId(number),
        }
    }

    #[tokio::test]
    async fn what_was_asked_for_before_is_used_before_more_is() {
        let budget = Budget::new(16 * MIB);
        let mut memory = Memory::new(budget.take(payer(1), 4 * MIB).await);
        memory.begins_with(MIB);
        assert!(memory.uses(3 * MIB));
        assert_eq!((memory.used(), budget.held().0), (4 * MIB, 4 * MIB));
        assert!(memory.uses(1));
        assert_eq!(memory.used(), 4 * MIB + 1);
        assert_eq!(budget.held().0, 4 * MIB + GROWTH_BYTES_MIN);
        assert!(memory.uses(1));
        assert_eq!(budget.held().0, 4 * MIB + GROWTH_BYTES_MIN);
    }

    #[tokio::test]
    async fn one_that_lacks_some_says_how_much_would_have_done() {
        let budget = Budget::new(4 * MIB);
        let oldest = budget.take(payer(2), 2 * MIB).await;
        let mut memory = Memory::new(budget.take(payer(1), 2 * MIB).await);
        assert!(memory.uses(2 * MIB));
        assert!(!memory.uses(1));
        assert_eq!((memory.used(), memory.lacked()), (2 * MIB, Some(4 * MIB)));
        drop(oldest);
    }
}
