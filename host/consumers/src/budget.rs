//! Memory for the batches of all applications: what they read, what comes of it, and what tables
//! answer meanwhile. A batch takes its share before anything of it is read, and holds no other.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::oneshot;

use crate::application::ApplicationId;

/// The part of all that is left to others, however many shards one application has.
const LEFT_TO_OTHERS_PART: u64 = 4;

/// So many bytes for all batches at work.
///
/// The application that holds least comes next, each with the batch of it that has waited longest.
/// One whose batch does not fit is waited for, so that a large one comes at last; one that has its
/// part already is passed over. A batch that is larger than all there is goes alone. As many wait
/// as there are shards at work.
pub struct Budget {
    line: Mutex<Line>,
}

/// What a batch may take, given back when this is dropped.
pub struct Share {
    budget: Arc<Budget>,
    application: ApplicationId,
    bytes: u64,
}

/// What is held and who waits, without the waiting.
struct Line {
    all: u64,
    held: u64,
    by_application: BTreeMap<ApplicationId, Member>,
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

/// A place in the line, left when this is dropped.
struct Place<'a> {
    budget: &'a Arc<Budget>,
    application: ApplicationId,
    ticket: u64,
}

impl Drop for Place<'_> {
    fn drop(&mut self) {
        {
            let mut line = self.budget.lock();
            let member = line.by_application.get_mut(&self.application);
            if let Some(member) = member {
                member.waiting.retain(|asking| asking.ticket != self.ticket);
            }
            line.forget(self.application);
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
                by_application: BTreeMap::new(),
                next_ticket: 0,
            }),
        })
    }

    /// Waits for so many bytes. `None` if the budget is gone, which it is not while a caller
    /// holds it.
    pub async fn take(self: &Arc<Self>, application: ApplicationId, bytes: u64) -> Option<Share> {
        let (tell, told) = oneshot::channel();
        let place = {
            let mut line = self.lock();
            let ticket = line.next_ticket;
            line.next_ticket += 1;
            let member = line.by_application.entry(application).or_default();
            let asking = Asking {
                ticket,
                bytes,
                tell,
            };
            member.waiting.push_back(asking);
            Place {
                budget: self,
                application,
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
        let members = line.by_application.values();
        let waiting = members.map(|member| member.waiting.len()).sum();
        (line.held, line.all, waiting)
    }

    fn give(self: &Arc<Self>) {
        let mut given = Vec::new();
        {
            let mut line = self.lock();
            while let Some((application, asking)) = line.next() {
                let share = Share {
                    budget: Arc::clone(self),
                    application,
                    bytes: asking.bytes,
                };
                given.push((asking.tell, share));
            }
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
    /// Takes so many bytes more, at once or not at all. A share that is all that is held always
    /// gets them.
    pub fn grow(&mut self, bytes: u64) -> bool {
        let mut line = self.budget.lock();
        let is_alone = line.held == self.bytes;
        if !is_alone && line.held.saturating_add(bytes) > line.all {
            return false;
        }
        line.held = line.held.saturating_add(bytes);
        if let Some(member) = line.by_application.get_mut(&self.application) {
            member.held = member.held.saturating_add(bytes);
        }
        self.bytes = self.bytes.saturating_add(bytes);
        true
    }

    /// How many bytes it is.
    pub fn bytes(&self) -> u64 {
        self.bytes
    }
}

impl Line {
    /// The next one that may go, with its bytes taken.
    fn next(&mut self) -> Option<(ApplicationId, Asking)> {
        let part = self.all - self.all / LEFT_TO_OTHERS_PART;
        let members = self.by_application.iter_mut();
        let waiting = members.filter_map(|(application, member)| {
            let first = member.waiting.front()?;
            let fits = member.held == 0 || member.held.saturating_add(first.bytes) <= part;
            let (bytes, ticket) = (first.bytes, first.ticket);
            fits.then_some(((member.held, ticket), *application, member, bytes))
        });
        let (_, application, member, bytes) = waiting.min_by_key(|(order, ..)| *order)?;
        if self.held != 0 && self.held.saturating_add(bytes) > self.all {
            return None;
        }
        let asking = member.waiting.pop_front()?;
        member.held = member.held.saturating_add(bytes);
        self.held = self.held.saturating_add(bytes);
        Some((application, asking))
    }

    fn forget(&mut self, application: ApplicationId) {
        let member = self.by_application.get(&application);
        if member.is_some_and(|member| member.held == 0 && member.waiting.is_empty()) {
            self.by_application.remove(&application);
        }
    }
}

impl Drop for Share {
    fn drop(&mut self) {
        {
            let mut line = self.budget.lock();
            line.held = line.held.saturating_sub(self.bytes);
            if let Some(member) = line.by_application.get_mut(&self.application) {
                member.held = member.held.saturating_sub(self.bytes);
            }
            line.forget(self.application);
        }
        self.budget.give();
    }
}

#[cfg(test)]
mod tests {
    use std::pin::pin;
    use std::task::{Context, Poll, Waker};

    use super::*;

    const A: ApplicationId = ApplicationId(1);
    const B: ApplicationId = ApplicationId(2);

    fn look<F: Future>(future: std::pin::Pin<&mut F>) -> Option<F::Output> {
        match future.poll(&mut Context::from_waker(Waker::noop())) {
            Poll::Ready(share) => Some(share),
            Poll::Pending => None,
        }
    }

    #[tokio::test]
    async fn one_application_leaves_a_quarter_to_others_and_who_holds_least_comes_next() {
        let budget = Budget::new(100);
        let first = budget.take(A, 75).await.unwrap();
        let mut more_of_a = pin!(budget.take(A, 10));
        assert!(look(more_of_a.as_mut()).is_none(), "it has its part");
        let of_b = budget.take(B, 25).await.unwrap();
        let mut more_of_b = pin!(budget.take(B, 25));
        assert!(look(more_of_b.as_mut()).is_none(), "there is no more");
        drop(first);
        assert!(look(more_of_b.as_mut()).is_some());
        assert!(look(more_of_a.as_mut()).is_some());
        drop(of_b);
        assert_eq!(budget.held(), (0, 100, 0));
    }

    #[tokio::test]
    async fn a_large_one_is_not_passed_over_by_small_ones_and_goes_alone_if_it_must() {
        let budget = Budget::new(100);
        let small = budget.take(A, 10).await.unwrap();
        let mut large = pin!(budget.take(B, 500));
        assert!(look(large.as_mut()).is_none());
        let mut later = pin!(budget.take(A, 10));
        let third = ApplicationId(3);
        let mut last = pin!(budget.take(third, 10));
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
        let held = budget.take(A, 60).await.unwrap();
        let mut next = pin!(budget.take(ApplicationId(3), 40));
        {
            let mut given_up = pin!(budget.take(B, 90));
            assert!(look(given_up.as_mut()).is_none());
            assert!(look(next.as_mut()).is_none());
        }
        assert!(look(next.as_mut()).is_some());
        drop(held);
        assert_eq!(budget.held(), (0, 100, 0));
    }
}
