//! Turns that are shared out between accounts: how many are taken at once in all, and by one
//! account, and who comes next.

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::oneshot;
use tokio::sync::oneshot::error::RecvError;
use types::AccountId;

/// The part of all turns that is left to others, however much one account asks for.
const LEFT_TO_OTHERS_PART: usize = 4;

/// So many turns for all accounts.
///
/// One account has three quarters of them at most. Accounts that wait come one after the other,
/// each with the request of it that has waited longest: who comes from another account waits for
/// one turn of each, and not for all that one asks for. As many may wait as there are requests,
/// which the server bounds; one that is given up leaves the line at once.
pub struct AccountTurns {
    line: Arc<Mutex<Line>>,
    all: usize,
}

/// One turn, given back when this is dropped.
pub struct AccountTurn {
    line: Arc<Mutex<Line>>,
    account: AccountId,
}

/// Who has turns, and who waits for one.
struct Line {
    free: usize,
    account_max: usize,
    accounts: HashMap<AccountId, Member>,
    /// The accounts that wait; the next one first.
    waiting: VecDeque<AccountId>,
    next_ticket: u64,
}

/// What one account has; it is forgotten once that is nothing.
#[derive(Default)]
struct Member {
    taken: usize,
    /// Who waits; the first has waited longest.
    waiting: BTreeMap<u64, oneshot::Sender<AccountTurn>>,
}

/// A place in the line, left when this is dropped.
struct Place<'a> {
    line: &'a Mutex<Line>,
    account: AccountId,
    ticket: u64,
}

impl AccountTurns {
    /// None is taken.
    pub fn new(all: usize) -> Self {
        let line = Line {
            free: all,
            account_max: all - all / LEFT_TO_OTHERS_PART,
            accounts: HashMap::new(),
            waiting: VecDeque::new(),
            next_ticket: 0,
        };
        Self {
            line: Arc::new(Mutex::new(line)),
            all,
        }
    }

    /// How many there are.
    pub fn all(&self) -> usize {
        self.all
    }

    /// Waits for a turn. Who stops waiting leaves the line.
    ///
    /// # Errors
    /// The line was lost. It is not while anybody waits in it.
    pub async fn take(&self, account: AccountId) -> Result<AccountTurn, RecvError> {
        let (place, turn) = {
            let mut line = lock(&self.line);
            if line.may_have_one(account) {
                line.give(account);
                return Ok(self.turn(account));
            }
            let (sender, turn) = oneshot::channel();
            let ticket = line.wait(account, sender);
            let place = Place {
                line: &self.line,
                account,
                ticket,
            };
            (place, turn)
        };
        let turn = turn.await;
        drop(place);
        turn
    }

    fn turn(&self, account: AccountId) -> AccountTurn {
        AccountTurn {
            line: Arc::clone(&self.line),
            account,
        }
    }
}

impl Line {
    /// Whether a turn is free that nobody has to be given before. Whoever waits while one is free
    /// is of an account that has its share.
    fn may_have_one(&self, account: AccountId) -> bool {
        let taken = self.accounts.get(&account).map_or(0, |member| member.taken);
        self.free > 0 && taken < self.account_max
    }

    fn give(&mut self, account: AccountId) {
        self.free -= 1;
        self.accounts.entry(account).or_default().taken += 1;
    }

    /// The number of a new place at the end of its account's line.
    fn wait(&mut self, account: AccountId, sender: oneshot::Sender<AccountTurn>) -> u64 {
        let ticket = self.next_ticket;
        self.next_ticket += 1;
        let member = self.accounts.entry(account).or_default();
        if member.waiting.is_empty() {
            self.waiting.push_back(account);
        }
        member.waiting.insert(ticket, sender);
        ticket
    }

    /// Gives the turn that was given back to whoever comes next, if it may be theirs.
    fn next(&mut self) -> Option<(AccountId, oneshot::Sender<AccountTurn>)> {
        // Two accounts cannot both have their share, so that this looks at two at most.
        let at = self
            .waiting
            .iter()
            .position(|&who| self.may_have_one(who))?;
        let account = self.waiting.remove(at)?;
        let member = self.accounts.get_mut(&account)?;
        let (_, sender) = member.waiting.pop_first()?;
        if !member.waiting.is_empty() {
            self.waiting.push_back(account);
        }
        self.give(account);
        Some((account, sender))
    }

    /// A turn of `account` is free again.
    fn take_back(&mut self, account: AccountId) {
        self.free += 1;
        if let Some(member) = self.accounts.get_mut(&account) {
            member.taken -= 1;
        }
        self.forget(account);
    }

    fn leave(&mut self, account: AccountId, ticket: u64) {
        let Some(member) = self.accounts.get_mut(&account) else {
            return;
        };
        if member.waiting.remove(&ticket).is_some() && member.waiting.is_empty() {
            self.waiting.retain(|&who| who != account);
        }
        self.forget(account);
    }

    fn forget(&mut self, account: AccountId) {
        let member = self.accounts.get(&account);
        if member.is_some_and(|member| member.taken == 0 && member.waiting.is_empty()) {
            self.accounts.remove(&account);
        }
    }
}

impl Drop for AccountTurn {
    fn drop(&mut self) {
        let next = {
            let mut line = lock(&self.line);
            line.take_back(self.account);
            line.next()
        };
        let Some((account, sender)) = next else {
            return;
        };
        let turn = Self {
            line: Arc::clone(&self.line),
            account,
        };
        // Who has stopped waiting in this moment gives it back by dropping it.
        drop(sender.send(turn));
    }
}

impl Drop for Place<'_> {
    fn drop(&mut self) {
        lock(self.line).leave(self.account, self.ticket);
    }
}

fn lock(line: &Mutex<Line>) -> MutexGuard<'_, Line> {
    // Every method leaves it whole, so a panic elsewhere spoils nothing.
    line.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use std::pin::{Pin, pin};
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
    fn all_of(turns: &AccountTurns, account: AccountId) -> Vec<AccountTurn> {
        std::iter::from_fn(|| at_once(turns.take(account)))
            .map(Result::unwrap)
            .collect()
    }

    type Waiting<'a> = Pin<Box<dyn Future<Output = Result<AccountTurn, RecvError>> + 'a>>;

    /// So many requests of an account that wait.
    fn waiting(turns: &AccountTurns, account: AccountId, count: usize) -> Vec<Waiting<'_>> {
        let mut waiting: Vec<Waiting<'_>> = Vec::new();
        for _ in 0..count {
            let mut turn: Waiting<'_> = Box::pin(turns.take(account));
            assert!(at_once(turn.as_mut()).is_none());
            waiting.push(turn);
        }
        waiting
    }

    #[test]
    fn an_account_leaves_a_quarter_of_the_turns_to_others() {
        for all in [4, 8, 12, 16] {
            let turns = AccountTurns::new(all);
            let greedy = all_of(&turns, account(1));
            assert_eq!(greedy.len(), all - all / 4);
            let other = all_of(&turns, account(2));
            assert_eq!(other.len(), all / 4);
        }
    }

    /// A thousand requests of one account stood in one line, and others behind them.
    #[test]
    fn accounts_that_wait_come_one_after_the_other_however_much_each_asks_for() {
        let turns = AccountTurns::new(4);
        let mut held = all_of(&turns, account(1));
        held.extend(all_of(&turns, account(2)));
        let mut first = waiting(&turns, account(1), 1_000);
        let mut second = waiting(&turns, account(2), 1_000);
        let mut third = waiting(&turns, account(3), 1);
        // One turn becomes free at a time, always of the account that has most.
        drop(held.remove(0));
        held.push(at_once(first[0].as_mut()).unwrap().unwrap());
        drop(held.remove(0));
        held.push(at_once(second[0].as_mut()).unwrap().unwrap());
        drop(held.remove(0));
        held.push(at_once(third[0].as_mut()).unwrap().unwrap());
        assert!(at_once(first[1].as_mut()).is_none());
        assert!(at_once(second[1].as_mut()).is_none());
    }

    #[test]
    fn who_stops_waiting_leaves_nothing_behind() {
        let turns = AccountTurns::new(4);
        let held = all_of(&turns, account(1));
        let other = all_of(&turns, account(2));
        drop(waiting(&turns, account(1), 100));
        drop(waiting(&turns, account(3), 100));
        assert_eq!(lock(&turns.line).accounts.len(), 2);
        assert!(lock(&turns.line).waiting.is_empty());
        // One that was given a turn and has not come for it.
        let given = waiting(&turns, account(3), 1);
        drop(other);
        drop(given);
        drop(held);
        assert!(lock(&turns.line).accounts.is_empty());
        assert_eq!(all_of(&turns, account(7)).len(), 3);
    }
}
