//! The memory that requests and their answers may hold together, and who holds it.
//!
//! A request holds a share from the moment that it first waits for something until its client has
//! taken its answer: for the bytes of its body as they come, for what it works on, then for its
//! answer. What waits for a client can be ended from outside, and is: when its client is too slow,
//! or when somebody who holds less needs the room (`shares`).
//!
//! An ordinary request takes the lock twice: once it has proven who it is, and when it is over. Its
//! share has room for a short answer, so that one takes the place of its request.

mod crowd;
mod events;
mod holder;
mod payer;
mod places;
mod shares;

use std::collections::hash_map::RandomState;
use std::hash::BuildHasher;
use std::net::IpAddr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use types::Clock;

pub(crate) use events::EventsHeld;
pub(crate) use payer::{Payer, network_of};
pub(crate) use shares::NoRoom;

use crate::ending::Lever;
use crate::limits::Limits;
use crate::pace::Pace;
use holder::{Holder, Phase};
use shares::{Ended, Shares, Sizes, Wish};

/// Bytes that a request counts for besides its headers, its body or its answer, so that many small
/// ones are bounded, too: its task, its stream and its buffers.
const REQUEST_BYTES: usize = 4 * 1024;
/// Bytes of an answer for which every request at work has room.
const SHORT_ANSWER_BYTES: usize = 4 * 1024;
/// The part of all memory that short answers to those may have who have proven nothing. Over it
/// `shares` says whose answer is ended; one that finds no room is not given at all.
const UNPROVEN_PART: usize = 16;
/// The part of the rest that bodies may have while they come in. Their signatures can only be
/// checked when they are whole, so whoever knows a public access key id can hold this much and no
/// more. Over it, `shares` says whose body is given up, with status 503.
const RECEIVING_PART: usize = 2;
/// The part of the rest that answers may have until they are taken. Over it, `shares` says whose
/// answer is ended; one that finds no room is status 503.
const ANSWERING_PART: usize = 2;
/// The part of the rest that is left to bodies by what is at work and by answers. Over it, answers
/// are ended, or what would come to work is refused with status 503.
const LEFT_TO_BODIES_PART: usize = 4;
/// The part of what accounts may hold, at work and in answers, that streams of events may take
/// apart from their events. Over it `shares` says whose next one is refused.
const RESTING_PART: usize = 2;
/// Answers that there must be room for at the same time: a larger one is not made, so that one that
/// is refused because of others comes through later.
const ANSWERS_AT_ONCE_MIN: usize = 2;
/// Bytes of an answer that may be taken before they are given back: giving back takes a lock.
const UNSETTLED_BYTES_MAX: usize = 64 * 1024;

/// All memory for requests and answers.
pub(crate) struct Budget {
    shares: Mutex<Shares>,
    keys: RandomState,
    clock: Arc<dyn Clock>,
    /// The moment from which the clock's uptime counts here. Only differences matter.
    began: Instant,
}

/// The memory of one request, given back when this is dropped.
pub(crate) struct Held {
    budget: Arc<Budget>,
    holder: Arc<Holder>,
    /// Where it comes from.
    address: IpAddr,
    /// Bytes of its headers.
    head_bytes: usize,
    standing: Standing,
    /// Bytes that were taken and not yet given back.
    unsettled: AtomicUsize,
}

/// How far a request has come, and the place of its share.
#[derive(Clone, Copy)]
enum Standing {
    /// It has not waited for anything yet, so that there are no more of them than threads.
    Uncounted,
    Receiving(usize),
    AtWork {
        place: usize,
        bytes: usize,
        payer: Payer,
    },
    Answered(usize),
    /// It is answered by a stream of events: see [`events`].
    Streams {
        place: usize,
        payer: Payer,
    },
}

impl Standing {
    fn place(self) -> Option<usize> {
        match self {
            Self::Uncounted => None,
            Self::Receiving(place)
            | Self::AtWork { place, .. }
            | Self::Answered(place)
            | Self::Streams { place, .. } => Some(place),
        }
    }
}

fn sizes(limits: &Limits) -> Sizes {
    let unproven = limits.in_flight_bytes_max / UNPROVEN_PART;
    let shared = limits.in_flight_bytes_max - unproven;
    let proven = shared - shared / LEFT_TO_BODIES_PART;
    Sizes {
        unproven,
        shared,
        receiving: shared / RECEIVING_PART,
        answering: shared / ANSWERING_PART,
        proven,
        resting: proven / RESTING_PART,
    }
}

/// Bytes that an answer of records may have where it can have fewer: those of more would never, or
/// hardly ever, be taken for want of room.
pub(crate) fn answer_bytes_max(limits: &Limits) -> usize {
    let most = sizes(limits).answering / ANSWERS_AT_ONCE_MIN;
    most.saturating_sub(REQUEST_BYTES)
}

impl Budget {
    pub(crate) fn new(limits: &Limits, clock: Arc<dyn Clock>) -> Self {
        let sizes = sizes(limits);
        let receiving = Pace {
            grace: limits.body_grace,
            bytes_per_second_min: limits.body_bytes_per_second_min,
        };
        let answering = Pace {
            grace: limits.answer_grace,
            bytes_per_second_min: limits.answer_bytes_per_second_min,
        };
        Self {
            shares: Mutex::new(Shares::new(sizes, receiving, answering)),
            keys: RandomState::new(),
            clock,
            began: Instant::now(),
        }
    }

    /// Bytes that are held now.
    pub(crate) fn bytes(&self) -> usize {
        self.shares().bytes()
    }

    /// Begins a request from `address` with so many bytes of headers. Its answer is ended by
    /// `lever`.
    pub(crate) fn begin(
        self: &Arc<Self>,
        address: IpAddr,
        head_bytes: usize,
        lever: Lever,
    ) -> Held {
        Held {
            budget: Arc::clone(self),
            holder: Arc::new(Holder::new(lever)),
            address,
            head_bytes,
            standing: Standing::Uncounted,
            unsettled: AtomicUsize::new(0),
        }
    }

    /// Looks at all answers, and ends those whose clients do not keep the pace.
    pub(crate) fn look(&self) {
        let now = self.now();
        self.ending(|shares, ended| shares.look(now, ended));
    }

    /// What paces go by.
    fn now(&self) -> Instant {
        self.began + self.clock.uptime()
    }

    fn ending<T>(&self, work: impl FnOnce(&mut Shares, &mut Ended) -> T) -> T {
        let mut ended = Vec::new();
        let out = work(&mut self.shares(), &mut ended);
        for (holder, phase) in ended {
            holder.end(phase);
        }
        out
    }

    fn shares(&self) -> MutexGuard<'_, Shares> {
        // Every method leaves the sums whole, so a panic elsewhere spoils nothing.
        self.shares.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Held {
    /// `came` bytes of its body have come, and it is counted from now on: it waits for the rest,
    /// or there are too many of them already. There will be `most` of them at most. Until it has
    /// proven who it is, whoever says to have the key `key` is charged in its network.
    pub(crate) fn receives(
        &mut self,
        key: Option<&str>,
        came: usize,
        most: usize,
    ) -> Result<(), NoRoom> {
        let besides = self.head_bytes + REQUEST_BYTES;
        let place = self.settle(&Wish {
            phase: Phase::Receiving,
            payer: self.claimed(key),
            bytes: came.saturating_add(besides),
            needs: most.saturating_add(besides),
            is_due: false,
        })?;
        self.standing = Standing::Receiving(place);
        Ok(())
    }

    /// More of its body has come, which is counted.
    pub(crate) fn came(&self, bytes: usize) -> Result<(), NoRoom> {
        self.holder.moves(bytes);
        let Standing::Receiving(place) = self.standing else {
            return Ok(());
        };
        let now = self.budget.now();
        self.budget
            .ending(|shares, ended| shares.grow(place, bytes, now, ended))
    }

    /// Whether its body is counted as it comes.
    pub(crate) fn is_receiving(&self) -> bool {
        matches!(self.standing, Standing::Receiving(_))
    }

    /// Waits until its body is no longer wanted, because somebody else needs the room.
    pub(crate) async fn ended(&self) {
        self.holder.ended().await;
    }

    /// It has proven who it is, and works on `body_bytes`. Whatever it does, an answer of
    /// `answer_bytes` will have room.
    pub(crate) fn works(
        &mut self,
        payer: Payer,
        body_bytes: usize,
        answer_bytes: usize,
    ) -> Result<(), NoRoom> {
        let bytes = body_bytes.max(answer_bytes);
        let bytes = bytes.saturating_add(self.head_bytes + REQUEST_BYTES + SHORT_ANSWER_BYTES);
        let place = self.settle(&Wish {
            phase: Phase::AtWork,
            payer,
            bytes,
            needs: bytes,
            is_due: false,
        })?;
        self.standing = Standing::AtWork {
            place,
            bytes,
            payer,
        };
        Ok(())
    }

    /// It is answered with `bytes`; what it held before is gone. An answer that `is_due`, since
    /// something durable hangs on it, is sent whether or not there is room. Where nothing is proven
    /// it has to find room among answers of its kind.
    pub(crate) fn answers(&mut self, bytes: u64, is_due: bool) -> Result<(), NoRoom> {
        let bytes = usize::try_from(bytes).map_err(|_| NoRoom)?;
        let needs = bytes.saturating_add(REQUEST_BYTES);
        let (place, held, payer) = match self.standing {
            Standing::Uncounted | Standing::Receiving(_) => return self.answers_unproven(bytes),
            Standing::Answered(_) | Standing::Streams { .. } => return Ok(()),
            Standing::AtWork {
                place,
                bytes,
                payer,
            } => (place, bytes, payer),
        };
        if needs <= held {
            // It has the room of its request until somebody looks, when most are taken already.
            let spare = held - needs;
            if spare > UNSETTLED_BYTES_MAX {
                self.budget.shares().shrink(place, spare);
            }
            self.holder.answers(needs);
            self.standing = Standing::Answered(place);
            return Ok(());
        }
        let place = self.settle(&Wish {
            phase: Phase::Answering,
            payer,
            bytes: needs,
            needs,
            is_due,
        })?;
        self.standing = Standing::Answered(place);
        Ok(())
    }

    fn answers_unproven(&mut self, bytes: usize) -> Result<(), NoRoom> {
        let bytes = bytes.saturating_add(self.head_bytes + REQUEST_BYTES);
        let place = self.settle(&Wish {
            phase: Phase::Unproven,
            payer: self.claimed(None),
            bytes,
            needs: bytes,
            is_due: false,
        })?;
        self.standing = Standing::Answered(place);
        Ok(())
    }

    /// The client has taken so many bytes of the answer.
    pub(crate) fn sent(&self, bytes: usize) {
        self.holder.moves(bytes);
        let unsettled = self.unsettled.fetch_add(bytes, Ordering::Relaxed) + bytes;
        if unsettled >= UNSETTLED_BYTES_MAX
            && let Some(place) = self.standing.place()
        {
            let settled = self.unsettled.swap(0, Ordering::Relaxed);
            self.budget.shares().shrink(place, settled);
        }
    }

    /// The place of its share, which is as it wishes.
    fn settle(&self, wish: &Wish) -> Result<usize, NoRoom> {
        let now = self.budget.now();
        self.budget
            .ending(|shares, ended| match self.standing.place() {
                Some(place) => shares.turn(place, wish, now, ended).map(|()| place),
                None => shares.add(&self.holder, wish, now, ended),
            })
    }

    /// Who pays before anything is proven.
    fn claimed(&self, key: Option<&str>) -> Payer {
        Payer::Claimed {
            network: network_of(self.address),
            key: self.budget.keys.hash_one(key),
        }
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        if let Some(place) = self.standing.place() {
            self.budget.shares().remove(place);
        }
    }
}
