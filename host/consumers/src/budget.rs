//! Memory for the batches of all applications: what they read, what comes of it, what tables answer
//! meanwhile and what their instances keep. A batch takes its share before anything of it is read,
//! asks for more on the way, and holds no other.

use std::collections::{BTreeMap, VecDeque};
use std::sync::mpsc::{SyncSender, sync_channel};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::oneshot;
use types::AccountId;

use crate::application::Payer;

/// The part of all that is left to others, however many shards one application has, and however
/// many applications one account.
const LEFT_TO_OTHERS_PART: u64 = 4;
/// How long a batch in the middle of its work waits for more memory, on its thread. After that it
/// gives back what it has, so that nobody waits for what those hold who wait as well, and comes
/// again with all that it wants: see [`Budget::take`].
const GROW_TIME_MAX: Duration = Duration::from_millis(200);

/// So many bytes for all batches at work.
///
/// Of the account that holds least the application that holds least comes next, each with the batch
/// of it that has waited longest. One whose batch does not fit is waited for, so that a large one
/// comes at last; one that has its part already is passed over. A batch that is larger than all
/// there is goes alone. As many wait as there are shards at work.
///
/// Batches at work that want more come before those that have not begun, in the order in which they
/// asked. The oldest batch of all gets what it wants though there is no more, which is beyond all
/// there is by what one batch may come to: so one always gets on, and gives back what it has.
pub struct Budget {
    line: Mutex<Line>,
}

/// What a batch may take, given back when this is dropped.
pub struct Share {
    budget: Arc<Budget>,
    payer: Payer,
    /// Shares that are older have a lower one.
    age: u64,
    bytes: u64,
}

/// What is held and who waits, without the waiting.
struct Line {
    all: u64,
    held: u64,
    /// What accounts hold, of those that hold anything.
    by_account: BTreeMap<AccountId, u64>,
    by_payer: BTreeMap<Payer, Member>,
    /// Whose the shares are that there are, by their age.
    shares: BTreeMap<u64, Payer>,
    /// Shares that are to be larger, in the order in which they asked.
    growing: VecDeque<Growing>,
    next_ticket: u64,
}

#[derive(Default)]
struct Member {
    held: u64,
    waiting: VecDeque<Asking>,
}

struct Asking {
    ticket: u64,
    bytes: u64,
    tell: oneshot::Sender<Share>,
}

struct Growing {
    age: u64,
    bytes: u64,
    tell: SyncSender<()>,
}

/// One that may go: whose it is, what it asked for and the age of its share.
type Begun = (Payer, Asking, u64);

/// A place in the line, left when this is dropped.
struct Place<'a> {
    budget: &'a Arc<Budget>,
    payer: Payer,
    ticket: u64,
}

impl Drop for Place<'_> {
    fn drop(&mut self) {
        {
            let mut line = self.budget.lock();
            let member = line.by_payer.get_mut(&self.payer);
            if let Some(member) = member {
                member.waiting.retain(|asking| asking.ticket != self.ticket);
            }
            line.forget(self.payer);
        }
        // It may have been in the way of others.
        self.budget.give();
    }
}

impl Budget {
    /// Nothing is held.
    pub fn new(bytes: u64) -> Arc<Self> {
        Arc::new(Self {
            line: Mutex::new(Line {
                all: bytes,
                held: 0,
                by_account: BTreeMap::new(),
                by_payer: BTreeMap::new(),
                shares: BTreeMap::new(),
                growing: VecDeque::new(),
                next_ticket: 0,
            }),
        })
    }

    /// Waits for so many bytes. `None` if the budget is gone, which it is not while a caller
    /// holds it.
    pub async fn take(self: &Arc<Self>, payer: Payer, bytes: u64) -> Option<Share> {
        let (tell, told) = oneshot::channel();
        let place = {
            let mut line = self.lock();
            let ticket = line.ticket();
            let member = line.by_payer.entry(payer).or_default();
            let asking = Asking {
                ticket,
                bytes,
                tell,
            };
            member.waiting.push_back(asking);
            Place {
                budget: self,
                payer,
                ticket,
            }
        };
        self.give();
        let share = told.await.ok();
        drop(place);
        share
    }

    /// Bytes that batches hold, of how many, and how many batches wait.
    pub fn held(&self) -> (u64, u64, usize) {
        let line = self.lock();
        let members = line.by_payer.values();
        let waiting: usize = members.map(|member| member.waiting.len()).sum();
        (line.held, line.all, waiting + line.growing.len())
    }

    fn give(self: &Arc<Self>) {
        let (mut given, mut grown) = (Vec::new(), Vec::new());
        {
            let mut line = self.lock();
            while let Some(growing) = line.next_growing() {
                grown.push(growing.tell);
            }
            while let Some((payer, asking, age)) = line.next() {
                let share = Share {
                    budget: Arc::clone(self),
                    payer,
                    age,
                    bytes: asking.bytes,
                };
                given.push((asking.tell, share));
            }
        }
        for tell in grown {
            // There is room for the one word; one that has given up saw in the line that it has it.
            let _ = tell.try_send(());
        }
        for (tell, share) in given {
            // Outside of the lock: where nobody waits any more, the share is given back here.
            let _ = tell.send(share);
        }
    }

    fn lock(&self) -> MutexGuard<'_, Line> {
        // Each call under the lock leaves the line whole.
        self.line.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Share {
    /// Takes so many bytes more, and blocks until they are there, for no longer than a moment.
    /// Whether they are: else the batch is to give back what it has and to ask for all of it anew.
    pub fn grow(&mut self, bytes: u64) -> bool {
        let told = {
            let (tell, told) = sync_channel(1);
            let age = self.age;
            self.budget
                .lock()
                .growing
                .push_back(Growing { age, bytes, tell });
            told
        };
        self.budget.give();
        let is_given = told.recv_timeout(GROW_TIME_MAX).is_ok() || !self.gives_up();
        if is_given {
            self.bytes = self.bytes.saturating_add(bytes);
        }
        is_given
    }

    /// Leaves the line of those who want more. Whether it stood there still: else it has just got
    /// what it wants.
    fn gives_up(&self) -> bool {
        let was_there = {
            let mut line = self.budget.lock();
            let before = line.growing.len();
            line.growing.retain(|growing| growing.age != self.age);
            line.growing.len() < before
        };
        // It may have been in the way of others.
        self.budget.give();
        was_there
    }

    /// How many bytes it is.
    pub fn bytes(&self) -> u64 {
        self.bytes
    }
}

impl Line {
    fn ticket(&mut self) -> u64 {
        let ticket = self.next_ticket;
        self.next_ticket += 1;
        ticket
    }

    /// What one application may hold, and one account.
    fn part(&self) -> u64 {
        self.all - self.all / LEFT_TO_OTHERS_PART
    }

    /// The next share that may be larger, with its bytes taken.
    fn next_growing(&mut self) -> Option<Growing> {
        let oldest = self.shares.first_key_value().map(|(age, _)| *age);
        let of_oldest = |growing: &Growing| Some(growing.age) == oldest;
        let place = match self.growing.iter().position(of_oldest) {
            Some(place) => place,
            None => {
                let place = self.growing.iter().position(|it| self.has_part_for(it))?;
                let bytes = self.growing.get(place)?.bytes;
                if self.held.saturating_add(bytes) > self.all {
                    return None;
                }
                place
            }
        };
        let growing = self.growing.remove(place)?;
        let payer = *self.shares.get(&growing.age)?;
        self.hold(payer, growing.bytes);
        Some(growing)
    }

    /// Whether a share may be larger as far as the parts of its application and account go. The
    /// oldest of each application may.
    fn has_part_for(&self, growing: &Growing) -> bool {
        let Some(payer) = self.shares.get(&growing.age) else {
            return false;
        };
        let mut of_payer = self.shares.iter().filter(|(_, of)| *of == payer);
        let is_oldest = of_payer.next().map(|(age, _)| age) == Some(&growing.age);
        // The account holds what the application holds, at least.
        let held = self.held_by(payer.account);
        is_oldest || held.saturating_add(growing.bytes) <= self.part()
    }

    /// The next one that may begin, with its bytes taken. None does while one waits that has begun.
    fn next(&mut self) -> Option<Begun> {
        if self
            .growing
            .iter()
            .any(|growing| self.has_part_for(growing))
        {
            return None;
        }
        let part = self.part();
        let waiting = self.by_payer.iter().filter_map(|(payer, member)| {
            let first = member.waiting.front()?;
            // The account holds what the application holds, at least.
            let held = self.held_by(payer.account);
            let fits = held == 0 || held.saturating_add(first.bytes) <= part;
            fits.then_some(((held, member.held, first.ticket), *payer, first.bytes))
        });
        let (_, payer, bytes) = waiting.min_by_key(|(order, ..)| *order)?;
        if self.held != 0 && self.held.saturating_add(bytes) > self.all {
            return None;
        }
        let asking = self.by_payer.get_mut(&payer)?.waiting.pop_front()?;
        self.hold(payer, bytes);
        let age = self.ticket();
        self.shares.insert(age, payer);
        Some((payer, asking, age))
    }

    fn held_by(&self, account: AccountId) -> u64 {
        self.by_account.get(&account).copied().unwrap_or(0)
    }

    fn hold(&mut self, payer: Payer, bytes: u64) {
        self.held = self.held.saturating_add(bytes);
        let of_account = self.by_account.entry(payer.account).or_default();
        *of_account = of_account.saturating_add(bytes);
        let member = self.by_payer.entry(payer).or_default();
        member.held = member.held.saturating_add(bytes);
    }

    fn give_back(&mut self, payer: Payer, bytes: u64) {
        self.held = self.held.saturating_sub(bytes);
        if let Some(held) = self.by_account.get_mut(&payer.account) {
            *held = held.saturating_sub(bytes);
            if *held == 0 {
                self.by_account.remove(&payer.account);
            }
        }
        if let Some(member) = self.by_payer.get_mut(&payer) {
            member.held = member.held.saturating_sub(bytes);
        }
        self.forget(payer);
    }

    fn forget(&mut self, payer: Payer) {
        let member = self.by_payer.get(&payer);
        if member.is_some_and(|member| member.held == 0 && member.waiting.is_empty()) {
            self.by_payer.remove(&payer);
        }
    }
}

impl Drop for Share {
    fn drop(&mut self) {
        {
            let mut line = self.budget.lock();
            line.shares.remove(&self.age);
            line.give_back(self.payer, self.bytes);
        }
        self.budget.give();
    }
}

#[cfg(test)]
mod tests {
    use std::pin::pin;
    use std::task::{Context, Poll, Waker};

    use super::*;
    use crate::application::ApplicationId;

    /// An application, by its number; those of one ten are of one account.
    fn payer(number: u64) -> Payer {
        Payer {
            account: AccountId::parse(&format!("{:012}", number / 10)).unwrap(),
            application: ApplicationId(number),
        }
    }

    fn look<F: Future>(future: std::pin::Pin<&mut F>) -> Option<F::Output> {
        match future.poll(&mut Context::from_waker(Waker::noop())) {
            Poll::Ready(share) => Some(share),
            Poll::Pending => None,
        }
    }

    #[tokio::test]
    async fn one_application_leaves_a_quarter_to_others_and_who_holds_least_comes_next() {
        let budget = Budget::new(100);
        let first = budget.take(payer(10), 75).await.unwrap();
        let mut more_of_a = pin!(budget.take(payer(10), 10));
        assert!(look(more_of_a.as_mut()).is_none(), "it has its part");
        let of_b = budget.take(payer(20), 25).await.unwrap();
        let mut more_of_b = pin!(budget.take(payer(20), 25));
        assert!(look(more_of_b.as_mut()).is_none(), "there is no more");
        drop(first);
        assert!(look(more_of_b.as_mut()).is_some());
        assert!(look(more_of_a.as_mut()).is_some());
        drop(of_b);
        assert_eq!(budget.held(), (0, 100, 0));
    }

    #[tokio::test]
    async fn all_applications_of_an_account_leave_a_quarter_to_other_accounts() {
        let budget = Budget::new(100);
        let held = [
            budget.take(payer(10), 40).await.unwrap(),
            budget.take(payer(11), 35).await.unwrap(),
        ];
        let mut third = pin!(budget.take(payer(12), 10));
        assert!(look(third.as_mut()).is_none(), "the account has its part");
        let of_b = budget.take(payer(20), 25).await.unwrap();
        let mut more_of_b = pin!(budget.take(payer(20), 10));
        assert!(look(more_of_b.as_mut()).is_none(), "there is no more");
        drop(of_b);
        assert!(
            look(more_of_b.as_mut()).is_some(),
            "its account holds least"
        );
        drop(held);
        assert!(look(third.as_mut()).is_some());
        assert_eq!(budget.held(), (0, 100, 0));
    }

    #[tokio::test]
    async fn a_large_one_is_not_passed_over_by_small_ones_and_goes_alone_if_it_must() {
        let budget = Budget::new(100);
        let small = budget.take(payer(10), 10).await.unwrap();
        let mut large = pin!(budget.take(payer(20), 500));
        assert!(look(large.as_mut()).is_none());
        let mut later = pin!(budget.take(payer(10), 10));
        let mut last = pin!(budget.take(payer(30), 10));
        assert!(look(last.as_mut()).is_none() && look(later.as_mut()).is_none());
        drop(small);
        let large = look(large.as_mut()).flatten().unwrap();
        assert!(look(last.as_mut()).is_none());
        drop(large);
        assert!(look(last.as_mut()).is_some() && look(later.as_mut()).is_some());
    }

    #[tokio::test]
    async fn one_that_does_not_wait_any_more_is_in_nobodys_way() {
        let budget = Budget::new(100);
        let held = budget.take(payer(10), 60).await.unwrap();
        let mut next = pin!(budget.take(payer(30), 40));
        {
            let mut given_up = pin!(budget.take(payer(20), 90));
            assert!(look(given_up.as_mut()).is_none());
            assert!(look(next.as_mut()).is_none());
        }
        assert!(look(next.as_mut()).is_some());
        drop(held);
        assert_eq!(budget.held(), (0, 100, 0));
    }

    /// Waits on another thread until `share` has so many bytes more, or does not get them.
    fn growing(mut share: Share, bytes: u64) -> std::thread::JoinHandle<(bool, Share)> {
        std::thread::spawn(move || (share.grow(bytes), share))
    }

    /// Returns once so many wait.
    fn until_waiting(budget: &Budget, count: usize) {
        while budget.held().2 != count {
            std::thread::yield_now();
        }
    }

    #[tokio::test]
    async fn one_that_wants_more_waits_until_another_gives_it_back_and_before_all_that_begin() {
        let budget = Budget::new(100);
        let oldest = budget.take(payer(10), 70).await.unwrap();
        let younger = budget.take(payer(20), 20).await.unwrap();
        let more = growing(younger, 20);
        until_waiting(&budget, 1);
        let mut begins = pin!(budget.take(payer(30), 10));
        assert!(
            look(begins.as_mut()).is_none(),
            "there is room, and one was first"
        );
        drop(oldest);
        let (is_given, younger) = more.join().unwrap();
        assert!(is_given);
        assert_eq!(younger.bytes(), 40);
        assert!(look(begins.as_mut()).is_some());
        drop(younger);
        assert_eq!(budget.held(), (0, 100, 0));
    }

    #[tokio::test]
    async fn the_oldest_gets_on_though_there_is_no_more_and_all_wait_for_each_other() {
        let budget = Budget::new(100);
        let oldest = budget.take(payer(10), 40).await.unwrap();
        let younger = budget.take(payer(20), 60).await.unwrap();
        let more = growing(younger, 30);
        until_waiting(&budget, 1);
        let mut oldest = oldest;
        assert!(oldest.grow(30));
        assert_eq!(budget.held().0, 130);
        drop(oldest);
        assert!(more.join().unwrap().0, "it is the oldest now");
    }

    #[tokio::test]
    async fn one_that_gets_no_more_within_a_moment_leaves_the_line() {
        let budget = Budget::new(100);
        let oldest = budget.take(payer(10), 60).await.unwrap();
        let younger = budget.take(payer(20), 40).await.unwrap();
        let (is_given, younger) = growing(younger, 1).join().unwrap();
        assert!(!is_given);
        assert_eq!((younger.bytes(), budget.held()), (40, (100, 100, 0)));
        drop((oldest, younger));
        assert_eq!(budget.held(), (0, 100, 0));
    }

    #[tokio::test]
    async fn an_application_that_grows_leaves_a_quarter_to_others_but_for_its_oldest() {
        let budget = Budget::new(100);
        let oldest = budget.take(payer(20), 10).await.unwrap();
        let first = budget.take(payer(10), 30).await.unwrap();
        let mut second = budget.take(payer(10), 40).await.unwrap();
        assert!(second.grow(5));
        let (is_given, second) = growing(second, 10).join().unwrap();
        assert!(!is_given, "it would have 85 of 100");
        let (is_given, _first) = growing(first, 10).join().unwrap();
        assert!(is_given);
        drop((oldest, second));
    }
}
