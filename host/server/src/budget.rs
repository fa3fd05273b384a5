//! The memory that requests and their answers may hold together, and who holds it.
//!
//! A request holds a share from its headers on: first for the bytes of its body as they come, then
//! for what it works on, then for the bytes of its answer until the client has taken them. What
//! waits for a client can be ended from outside, and is: when its client is too slow, or when
//! somebody who holds less needs the room (`shares`).

mod holder;
mod shares;

use std::net::IpAddr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

pub(crate) use holder::Phase;
pub(crate) use shares::{NoRoom, Payer, network_of};

use crate::ending::Lever;
use crate::limits::Limits;
use crate::pace::Pace;
use holder::Holder;
use shares::{Ended, Shares, Sizes};

/// Bytes that a request counts for besides its body or its answer, so that many small ones are
/// bounded, too.
const REQUEST_BYTES: usize = 4 * 1024;
/// The part of all memory that bodies may have while they come in. Their signatures can only be
/// checked when they are whole, so whoever knows a public access key id can hold this much and no
/// more. Over it, `shares` says whose body is given up, with status 503.
const RECEIVING_PART: usize = 2;
/// The part of all memory that answers may have until they are taken. Over it, `shares` says whose
/// answer is ended; one that finds no room is status 503.
const ANSWERING_PART: usize = 2;
/// Bytes of an answer that may be taken before they are given back: giving back takes a lock.
const UNSETTLED_BYTES_MAX: usize = 64 * 1024;

/// All memory for requests and answers.
pub(crate) struct Budget(Mutex<Shares>);

/// The memory of one request, given back when this is dropped.
pub(crate) struct Held {
    budget: Arc<Budget>,
    place: usize,
    holder: Arc<Holder>,
    /// Bytes that were taken and not yet given back.
    unsettled: AtomicUsize,
}

impl Budget {
    pub(crate) fn new(limits: &Limits) -> Self {
        let all = limits.in_flight_bytes_max;
        let sizes = Sizes {
            all,
            receiving: all / RECEIVING_PART,
            answering: all / ANSWERING_PART,
        };
        let receiving = Pace {
            grace: limits.body_grace,
            bytes_per_second_min: limits.body_bytes_per_second_min,
        };
        let answering = Pace {
            grace: limits.answer_grace,
            bytes_per_second_min: limits.answer_bytes_per_second_min,
        };
        Self(Mutex::new(Shares::new(sizes, receiving, answering)))
    }

    /// Bytes that are held now.
    pub(crate) fn bytes(&self) -> usize {
        self.shares().bytes()
    }

    /// Who pays for a request from `address` that says to have the key `key`, until it has proven
    /// who it is.
    pub(crate) fn claimed(&self, address: IpAddr, key: Option<&str>) -> Payer {
        self.shares().claimed(address, key)
    }

    /// Begins a request. Its answer is ended by `lever`.
    pub(crate) fn begin(self: &Arc<Self>, payer: Payer, lever: Lever) -> Result<Held, NoRoom> {
        let now = Instant::now();
        let holder = Arc::new(Holder::new(lever));
        let place = self.shares().add(payer, Arc::clone(&holder), now);
        let held = Held {
            budget: Arc::clone(self),
            place,
            holder,
            unsettled: AtomicUsize::new(0),
        };
        held.grow(REQUEST_BYTES, now)?;
        Ok(held)
    }

    /// Ends the answers whose clients do not keep the pace.
    pub(crate) fn end_late(&self) {
        self.ending(|shares, ended| shares.end_late(Instant::now(), ended));
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
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Held {
    /// A body begins to come in that will have `bytes` at most.
    pub(crate) fn receives(&self, payer: Payer, bytes: usize) -> Result<(), NoRoom> {
        let now = Instant::now();
        self.budget.ending(|shares, ended| {
            // What it holds already must fit into the room for bodies, too.
            let before = shares.enter(self.place, Phase::Receiving, now);
            shares.charge(self.place, payer);
            shares.will_need(self.place, bytes.saturating_add(REQUEST_BYTES));
            shares.grow(self.place, before, now, ended)
        })
    }

    /// More of its body has come.
    pub(crate) fn came(&self, bytes: usize) -> Result<(), NoRoom> {
        self.holder.moves(bytes);
        self.grow(bytes, Instant::now())
    }

    /// Its body is whole, and it has proven who it is.
    pub(crate) fn is_received(&self, payer: Payer) {
        let mut shares = self.budget.shares();
        let bytes = shares.enter(self.place, Phase::Handled, Instant::now());
        shares.charge(self.place, payer);
        shares.add_bytes(self.place, bytes);
    }

    /// Waits until its body is no longer wanted, because somebody else needs the room.
    pub(crate) async fn ended(&self) {
        self.holder.ended().await;
    }

    /// It is answered with `bytes`; what it held before is gone.
    pub(crate) fn answers(&self, bytes: u64) -> Result<(), NoRoom> {
        let bytes = usize::try_from(bytes).map_err(|_| NoRoom)?;
        let now = Instant::now();
        self.budget.ending(|shares, ended| {
            shares.enter(self.place, Phase::Answering, now);
            let bytes = bytes.saturating_add(REQUEST_BYTES);
            shares.will_need(self.place, bytes);
            shares.grow(self.place, bytes, now, ended)
        })
    }

    /// It is answered with an error: a few bytes, which are sent whether or not there is room.
    pub(crate) fn refuses(&self) {
        let mut shares = self.budget.shares();
        shares.enter(self.place, Phase::Answering, Instant::now());
        shares.add_bytes(self.place, REQUEST_BYTES);
    }

    /// The client has taken so many bytes of the answer.
    pub(crate) fn sent(&self, bytes: usize) {
        self.holder.moves(bytes);
        let unsettled = self.unsettled.fetch_add(bytes, Ordering::Relaxed) + bytes;
        if unsettled >= UNSETTLED_BYTES_MAX {
            let settled = self.unsettled.swap(0, Ordering::Relaxed);
            self.budget.shares().shrink(self.place, settled);
        }
    }

    fn grow(&self, bytes: usize, now: Instant) -> Result<(), NoRoom> {
        self.budget
            .ending(|shares, ended| shares.grow(self.place, bytes, now, ended))
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        self.budget.shares().remove(self.place);
    }
}
