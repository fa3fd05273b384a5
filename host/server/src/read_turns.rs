//! Turns to read much: how many are taken at once in all, and by one account.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::{AcquireError, OwnedSemaphorePermit, Semaphore, SemaphorePermit};
use types::AccountId;

use crate::limits::{READS_AT_ONCE_MAX, READS_AT_ONCE_MIN, READS_PER_PROCESSOR};

/// Turns in all, and the accounts that have some or wait for them.
///
/// An account waits for one of its own turns first, and so has no more than those in the line for
/// the turns of all: whoever comes from another account waits behind some of its requests, and
/// not behind all of them.
pub(crate) struct ReadTurns {
    all: Semaphore,
    account_max: usize,
    accounts: Mutex<HashMap<AccountId, Arc<Semaphore>>>,
}

/// One turn, given back when this is dropped.
pub(crate) struct ReadTurn<'a> {
    _of_all: SemaphorePermit<'a>,
    _of_account: OfAccount<'a>,
}

/// A turn of an account, or a place in the line for one.
struct OfAccount<'a> {
    turns: &'a ReadTurns,
    account: AccountId,
    /// `None` while it waits, and once it was given back.
    permit: Option<OwnedSemaphorePermit>,
}

impl ReadTurns {
    /// As many turns as suit so many processors.
    pub(crate) fn new(processors: usize) -> Self {
        let all = processors.saturating_mul(READS_PER_PROCESSOR);
        let all = all.clamp(READS_AT_ONCE_MIN, READS_AT_ONCE_MAX);
        Self {
            all: Semaphore::new(all),
            // A quarter is left to others.
            account_max: all - all / 4,
            accounts: Mutex::new(HashMap::new()),
        }
    }

    /// Waits for a turn. Who stops waiting gives back the place in the line.
    pub(crate) async fn take(&self, account: AccountId) -> Result<ReadTurn<'_>, AcquireError> {
        let own = {
            let mut accounts = self.accounts();
            let own = accounts
                .entry(account)
                .or_insert_with(|| Arc::new(Semaphore::new(self.account_max)));
            Arc::clone(own)
        };
        let mut of_account = OfAccount {
            turns: self,
            account,
            permit: None,
        };
        of_account.permit = Some(own.acquire_owned().await?);
        Ok(ReadTurn {
            _of_all: self.all.acquire().await?,
            _of_account: of_account,
        })
    }

    fn accounts(&self) -> MutexGuard<'_, HashMap<AccountId, Arc<Semaphore>>> {
        // It is whole between any two statements, so a panic elsewhere spoils nothing.
        self.accounts.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for OfAccount<'_> {
    fn drop(&mut self) {
        self.permit = None;
        let mut accounts = self.turns.accounts();
        // Those who have a turn or wait for one hold it, too; nobody begins to without the lock.
        let is_last = |own: &Arc<Semaphore>| Arc::strong_count(own) == 1;
        if accounts.get(&self.account).is_some_and(is_last) {
            accounts.remove(&self.account);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::pin::pin;
    use std::task::{Context, Poll, Waker};

    use super::*;

    fn account(number: usize) -> AccountId {
        AccountId::parse(&format!("{number:012}")).unwrap()
    }

    fn at_once<T>(future: impl Future<Output = T>) -> Option<T> {
        match pin!(future).poll(&mut Context::from_waker(Waker::noop())) {
            Poll::Ready(value) => Some(value),
            Poll::Pending => None,
        }
    }

    /// As many turns of an account as it gets without waiting.
    fn all_of(turns: &ReadTurns, account: AccountId) -> Vec<ReadTurn<'_>> {
        std::iter::from_fn(|| at_once(turns.take(account)))
            .map(Result::unwrap)
            .collect()
    }

    #[test]
    fn an_account_leaves_turns_to_others_however_many_processors_there_are() {
        for (processors, all) in [(0, 4), (1, 4), (2, 8), (3, 12), (4, 16), (64, 16)] {
            let turns = ReadTurns::new(processors);
            let greedy = all_of(&turns, account(1));
            assert_eq!(greedy.len(), all - all / 4, "{processors}");
            let other = all_of(&turns, account(2));
            assert_eq!(other.len(), all / 4, "{processors}");
        }
    }

    /// A thousand requests of one account stood in one line, and others behind them.
    #[test]
    fn who_comes_from_another_account_does_not_wait_behind_all_that_one_account_asks_for() {
        let turns = ReadTurns::new(2);
        let mut held = all_of(&turns, account(1));
        held.extend(all_of(&turns, account(2)));
        let mut context = Context::from_waker(Waker::noop());
        let mut waiting: Vec<_> = (0..1_000)
            .map(|_| Box::pin(turns.take(account(1))))
            .collect();
        for turn in &mut waiting {
            assert!(turn.as_mut().poll(&mut context).is_pending());
        }
        let mut other = pin!(turns.take(account(3)));
        assert!(other.as_mut().poll(&mut context).is_pending());
        held.pop();
        assert!(other.as_mut().poll(&mut context).is_ready());
    }

    #[test]
    fn who_stops_waiting_leaves_nothing_behind() {
        let turns = ReadTurns::new(1);
        let held = all_of(&turns, account(1));
        let others: Vec<_> = (1..100).map(|n| at_once(turns.take(account(n)))).collect();
        drop(others);
        assert_eq!(turns.accounts().len(), 1);
        drop(held);
        assert!(turns.accounts().is_empty());
        assert_eq!(all_of(&turns, account(7)).len(), 3);
    }
}
