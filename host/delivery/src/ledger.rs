//! The rules by which cuts at work share memory and places. Pure: it waits for nothing, and returns
//! the cuts that need not wait any more.
//!
//! A cut asks for a seat with as many bytes as it is likely to need, holds it while it is worked
//! on, and keeps only the bytes of its objects while they are put. No cut waits for more bytes
//! while it holds a seat, so that one of them can always go on: a seat grows at once or not at all.
//! A cut for which that is not enough gives everything back and asks for the most that it can need.
//!
//! A cut that puts objects in its middle gives back its place at work meanwhile, and waits for
//! another one after that, before all that ask for a seat. That is the only thing that is waited
//! for with bytes in hand: those at work wait for nothing, so that a place always becomes free.
//!
//! The next seat goes to the account that holds the least, and within it to the delivery stream
//! that holds the least. A cut that does not fit in yet lets a number of others pass; one that has
//! reached a limit of its own lets all others pass. Parties that were found slow, lanes that did
//! not get rid of a cut the last time, and those whose puts take long hold half of everything at
//! most, however many they are: a store that hangs or is slow leaves room for deliveries to others.
//! Of that half one account has three quarters at most, so that the slow of another get on as well;
//! but one cut of an account that holds nothing else of the slow may be as large as its delivery
//! stream allows, even if that is all of the half. Of the slow cuts, too, only so many pass one
//! that needs more; but where it would not fit in without them either, because of what came before
//! it or hangs, they go on passing it: else one destination that hangs would stop all others.

mod holding;
mod limits;
mod obstacle;
mod queues;

use std::cmp::Reverse;
use std::collections::{BTreeSet, BinaryHeap, HashMap, HashSet};

use types::AccountId;
use wasm::{Party, PluginName};

pub use self::holding::Holding;
use self::holding::book_of;
pub use self::limits::WorkLimits;
use self::obstacle::Obstacle;
use self::queues::Queues;

/// Cuts that are worked on at once, in all; one more waits. Each has at most one instance, and the
/// pool has more of these, so that none is ever missing.
const CUTS_MAX: usize = 64;
const _: () = assert!(CUTS_MAX < wasm::INSTANCES_MAX as usize);
/// Cuts that are worked on at once, of one plugin and of one delivery stream; one more waits, and
/// lets others pass.
const CUTS_PER_PLUGIN_MAX: usize = CUTS_MAX / 2;
const CUTS_PER_STREAM_MAX: usize = CUTS_MAX / 4;
const _: () = assert!(CUTS_PER_PLUGIN_MAX < wasm::INSTANCES_PER_PLUGIN_MAX as usize);
/// Cuts that keep an instance of their plugin while they put objects and are not at work, in all
/// and of one plugin: half of the instances that those at work leave. One more stays at work.
const CUTS_RESTING_MAX: usize = (wasm::INSTANCES_MAX as usize - CUTS_MAX) / 2;
const CUTS_RESTING_PER_PLUGIN_MAX: usize =
    (wasm::INSTANCES_PER_PLUGIN_MAX as usize - CUTS_PER_PLUGIN_MAX) / 2;
/// Those that are slow are this part of each number, and of the bytes in all; one more waits, and
/// lets those pass that are not.
const SLOW_PART: usize = 2;
/// Places at work that the slow cuts of one account hold: one more waits, and lets others pass.
const SLOW_CUTS_PER_ACCOUNT_MAX: usize = CUTS_MAX / SLOW_PART / 4 * 3;
/// How many others may pass one that waits until enough is free in all. Then nobody passes it. Only
/// the first of those that are alike is passed.
const PASSED_MAX: u32 = 64;

/// Who asks for a seat.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Asker {
    pub account: AccountId,
    pub party: Party,
    /// Whether it was found slow, or did not get rid of this cut the last time.
    pub is_slow: bool,
}

/// Names one who asked, while it waits and while it has a seat.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct SeatId(u64);

#[derive(Debug)]
struct Seat {
    asker: Asker,
    bytes: u64,
    does: Does,
    /// Its destination has not answered for long, so that nobody knows when it is given back.
    hangs: bool,
}

/// What a cut with a seat does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Does {
    /// It is worked on.
    Work,
    /// Objects are put that became ready in its middle.
    Rest,
    /// Its last objects are put.
    End,
}

/// Seats, and those who wait for one.
#[derive(Debug)]
pub struct Ledger {
    limits: WorkLimits,
    all: Holding,
    by_account: HashMap<AccountId, Holding>,
    by_stream: HashMap<u64, Holding>,
    by_plugin: HashMap<PluginName, Holding>,
    seats: HashMap<SeatId, Seat>,
    /// The most bytes that all have held at a time.
    bytes_peak: u64,
    waiting: Queues,
    /// Cuts with a seat that wait until they may be worked on again.
    going_on: BTreeSet<SeatId>,
    next: SeatId,
}

impl Ledger {
    pub fn new(limits: WorkLimits) -> Self {
        Self {
            limits,
            all: Holding::default(),
            by_account: HashMap::new(),
            by_stream: HashMap::new(),
            by_plugin: HashMap::new(),
            seats: HashMap::new(),
            bytes_peak: 0,
            waiting: Queues::default(),
            going_on: BTreeSet::new(),
            next: SeatId(0),
        }
    }

    /// Asks for a seat with so many bytes, or with all that its delivery stream may have if that is
    /// less. It is given by [`Ledger::give`], maybe at once.
    pub fn ask(&mut self, asker: Asker, bytes: u64) -> SeatId {
        let id = self.next;
        self.next = SeatId(id.0 + 1);
        let bytes = bytes.min(self.limits.stream_bytes_max());
        self.waiting.push(id, asker, bytes);
        id
    }

    /// Takes a seat that is free and that no other cut waits for. `None` if there is none.
    pub fn take_spare(&mut self, asker: Asker, bytes: u64) -> Option<SeatId> {
        let is_alike = |waiting: &Asker| asker.is_slow && waiting.account == asker.account;
        let is_for_another = |waiting: &Asker, obstacle| match obstacle {
            Some(Obstacle::Own) => false,
            // It is for the slow of that account alone, or is held back for one of these.
            Some(Obstacle::Account) => is_alike(waiting),
            None => !waiting.is_slow || is_alike(waiting),
            Some(Obstacle::Slow | Obstacle::All) => true,
        };
        if self.one_waits(is_for_another) {
            return None;
        }
        if self.obstacle(&asker, bytes).is_some() {
            return None;
        }
        let id = self.next;
        self.next = SeatId(id.0 + 1);
        self.seat(id, asker, bytes);
        Some(id)
    }

    /// Gives seats to the cuts for which there is room by now.
    pub fn give(&mut self) -> Vec<SeatId> {
        let mut given = Vec::new();
        while let Some(id) = self.give_one() {
            given.push(id);
        }
        given
    }

    fn give_one(&mut self) -> Option<SeatId> {
        let (id, passed) = self.choose()?;
        for id in passed {
            self.waiting.pass(id, self.next);
        }
        let (asker, waiting) = self.waiting.remove(id)?;
        self.seat(id, asker, waiting.bytes);
        Some(id)
    }

    /// Who has the next seat, and whom it passes.
    fn choose(&self) -> Option<(SeatId, Vec<SeatId>)> {
        if self.all.cuts >= CUTS_MAX {
            return None;
        }
        let heads = self.waiting.heads();
        let heads = heads.map(|(asker, id)| Reverse((self.held_by(asker), id)));
        let mut heads: BinaryHeap<_> = heads.collect();
        let (mut passed, mut slow_may_pass) = (Vec::new(), true);
        let mut full_accounts = HashSet::new();
        while let Some(Reverse((held, id))) = heads.pop() {
            let (asker, waiting) = self.waiting.get(id)?;
            if asker.is_slow && (!slow_may_pass || full_accounts.contains(&asker.account)) {
                continue;
            }
            match self.obstacle(asker, waiting.bytes) {
                None => return Some((id, passed)),
                Some(Obstacle::Own) => {}
                Some(Obstacle::All) if waiting.passed >= PASSED_MAX => return None,
                Some(obstacle @ (Obstacle::Slow | Obstacle::Account))
                    if self.fits_without_those_after(id, asker, waiting) =>
                {
                    if obstacle == Obstacle::Slow {
                        slow_may_pass = false;
                    }
                    full_accounts.insert(asker.account);
                }
                Some(Obstacle::All | Obstacle::Slow | Obstacle::Account) => passed.push(id),
            }
            // What is in the way of one without a byte is in the way of all behind it.
            if self.obstacle(asker, 0).is_none() {
                let behind = self.waiting.behind(asker, id);
                heads.extend(behind.map(|id| Reverse((held, id))));
            }
        }
        None
    }

    /// Whether one of those who wait meets something like this.
    fn one_waits(&self, meets: impl Fn(&Asker, Option<Obstacle>) -> bool) -> bool {
        let mut queues = self.waiting.by_asker();
        queues.any(|(asker, mut bytes)| match self.obstacle(asker, 0) {
            // All of the queue do.
            Some(Obstacle::Own) => meets(asker, Some(Obstacle::Own)),
            _ => bytes.any(|bytes| meets(asker, self.obstacle(asker, bytes))),
        })
    }

    /// Gives a seat as many bytes, if it can have them at once.
    pub fn grow(&mut self, id: SeatId, bytes: u64) -> bool {
        let Some(Seat {
            asker, bytes: had, ..
        }) = self.seats.get(&id)
        else {
            return false;
        };
        let Some(more) = bytes.checked_sub(*had) else {
            return true;
        };
        let of_stream = self.of_stream(asker.party.delivery_stream);
        // What it has itself is in the way of nothing.
        let beside = self
            .of_account(asker.account)
            .slow_bytes
            .saturating_sub(*had);
        let may_slow = self.all.slow_bytes + more <= self.slow_bytes_max()
            && self.may_be_slow_beside(beside, bytes);
        let fits = of_stream.bytes + more <= self.limits.stream_bytes_max()
            && self.all.bytes + more <= self.limits.bytes_max()
            && (!asker.is_slow || may_slow);
        if fits {
            self.resize(id, bytes);
        }
        fits
    }

    /// Takes bytes of a seat back that it does not need any more.
    pub fn shrink(&mut self, id: SeatId, bytes: u64) {
        if self.seats.get(&id).is_some_and(|seat| bytes < seat.bytes) {
            self.resize(id, bytes);
        }
    }

    /// A cut is not worked on any more; its objects are put.
    pub fn end_work(&mut self, id: SeatId) {
        self.change(id, |seat| seat.does = Does::End);
    }

    /// Objects of a cut are put before it is worked on to its end. It gives back its place, unless
    /// too many keep an instance meanwhile.
    pub fn rest(&mut self, id: SeatId) {
        let Some(seat) = self.seats.get(&id).filter(|seat| seat.does == Does::Work) else {
            return;
        };
        let plugin = seat.asker.party.plugin.as_ref();
        let of_plugin = plugin.map(|plugin| self.of_plugin(plugin).resting_cuts);
        let may_rest = of_plugin.is_none_or(|resting| {
            resting < CUTS_RESTING_PER_PLUGIN_MAX && self.all.resting_cuts < CUTS_RESTING_MAX
        });
        if may_rest {
            self.change(id, |seat| seat.does = Does::Rest);
        }
    }

    /// A cut asks to be worked on again. Whether it has to wait; [`Ledger::let_go_on`] says when it
    /// need not any more.
    pub fn ask_to_go_on(&mut self, id: SeatId) -> bool {
        let rests = |seat: &Seat| seat.does == Does::Rest;
        let has_to_wait = self.seats.get(&id).is_some_and(rests);
        if has_to_wait {
            self.going_on.insert(id);
        }
        has_to_wait
    }

    /// The cuts that are worked on again from now on. They come before all that ask for a seat.
    pub fn let_go_on(&mut self) -> Vec<SeatId> {
        let mut going = Vec::new();
        if self.all.cuts >= CUTS_MAX {
            return going;
        }
        for id in self.going_on.clone() {
            let can_work = self.seats.get(&id).map(|seat| self.can_work(&seat.asker));
            if can_work == Some(false) {
                continue;
            }
            self.going_on.remove(&id);
            self.change(id, |seat| seat.does = Does::Work);
            going.push(id);
        }
        going
    }

    /// Whether a place at work is free for a cut that has a seat.
    fn can_work(&self, asker: &Asker) -> bool {
        self.obstacle(asker, 0).is_none()
    }

    /// Whether the destination of a seat's cut has not answered for long.
    pub fn hangs(&mut self, id: SeatId, hangs: bool) {
        if let Some(seat) = self.seats.get_mut(&id) {
            seat.hangs = hangs;
        }
    }

    /// Whether a cut that is not slow waits for what others hold.
    pub fn is_wanted(&self) -> bool {
        let going_on = self.going_on.iter().filter_map(|id| self.seats.get(id));
        let going_on = going_on.map(|seat| &seat.asker);
        let mut quick = going_on.filter(|asker| !asker.is_slow);
        quick.any(|asker| self.obstacle(asker, 0) == Some(Obstacle::All))
            || self.one_waits(|asker, obstacle| !asker.is_slow && obstacle == Some(Obstacle::All))
    }

    /// The party of a seat was found slow. Whether it can keep the seat: if slow parties hold as
    /// much as they may, it must ask for one anew.
    pub fn turn_slow(&mut self, id: SeatId) -> bool {
        let Some(Seat {
            asker, bytes, does, ..
        }) = self.seats.get(&id)
        else {
            return false;
        };
        if asker.is_slow {
            return true;
        }
        let (party, bytes) = (&asker.party, *bytes);
        let plugin = party.plugin.as_ref().map(|it| self.of_plugin(it));
        let stream = self.of_stream(party.delivery_stream);
        let account = self.of_account(asker.account);
        let has_place = self.all.slow_cuts < CUTS_MAX / SLOW_PART
            && account.slow_cuts < SLOW_CUTS_PER_ACCOUNT_MAX
            && stream.slow_cuts < CUTS_PER_STREAM_MAX / SLOW_PART
            && plugin.is_none_or(|held| held.slow_cuts < CUTS_PER_PLUGIN_MAX / SLOW_PART);
        let fits = self.all.slow_bytes + bytes <= self.slow_bytes_max()
            && self.may_be_slow_beside(account.slow_bytes, bytes)
            && (has_place || *does != Does::Work);
        if fits {
            self.change(id, |seat| seat.asker.is_slow = true);
        }
        fits
    }

    /// Somebody does not wait any more.
    pub fn stop_waiting(&mut self, id: SeatId) {
        self.waiting.remove(id);
    }

    /// Somebody gives back its seat.
    pub fn leave(&mut self, id: SeatId) {
        self.going_on.remove(&id);
        if let Some(seat) = self.seats.remove(&id) {
            self.book(&seat, |held, part| *held = held.without(part));
        }
    }

    /// What all hold.
    pub fn all(&self) -> Holding {
        self.all
    }

    /// The most bytes that all have held at a time.
    pub fn bytes_peak(&self) -> u64 {
        self.bytes_peak
    }

    /// What a delivery stream holds.
    pub fn of_stream(&self, delivery_stream: u64) -> Holding {
        let held = self.by_stream.get(&delivery_stream);
        // Only who holds something is noted, here and below.
        held.copied().unwrap_or_default()
    }

    /// How many wait for a seat.
    pub fn waiting(&self) -> usize {
        self.waiting.len()
    }

    fn of_plugin(&self, plugin: &PluginName) -> Holding {
        self.by_plugin.get(plugin).copied().unwrap_or_default()
    }

    fn of_account(&self, account: AccountId) -> Holding {
        self.by_account.get(&account).copied().unwrap_or_default()
    }

    /// What decides who is next: bytes of the account, then of the delivery stream.
    fn held_by(&self, asker: &Asker) -> (u64, u64) {
        let (account, stream) = (asker.account, asker.party.delivery_stream);
        (self.of_account(account).bytes, self.of_stream(stream).bytes)
    }

    fn seat(&mut self, id: SeatId, asker: Asker, bytes: u64) {
        let seat = Seat {
            asker,
            bytes,
            does: Does::Work,
            hangs: false,
        };
        self.book(&seat, |held, part| *held = held.with(part));
        self.seats.insert(id, seat);
    }

    fn resize(&mut self, id: SeatId, bytes: u64) {
        self.change(id, |seat| seat.bytes = bytes);
    }

    fn change(&mut self, id: SeatId, change: impl FnOnce(&mut Seat)) {
        let Some(mut seat) = self.seats.remove(&id) else {
            return;
        };
        self.book(&seat, |held, part| *held = held.without(part));
        change(&mut seat);
        self.book(&seat, |held, part| *held = held.with(part));
        self.seats.insert(id, seat);
    }

    /// Adds what a seat holds to everything that it counts for, or takes it out there.
    fn book(&mut self, seat: &Seat, book: impl Fn(&mut Holding, Holding)) {
        let part = seat.holding();
        let party = &seat.asker.party;
        book(&mut self.all, part);
        self.bytes_peak = self.bytes_peak.max(self.all.bytes);
        let book = |held: &mut Holding| book(held, part);
        book_of(&mut self.by_stream, &party.delivery_stream, book);
        if let Some(plugin) = &party.plugin {
            book_of(&mut self.by_plugin, plugin, book);
        }
        book_of(&mut self.by_account, &seat.asker.account, book);
    }
}

impl Seat {
    fn holding(&self) -> Holding {
        let cuts = usize::from(self.does == Does::Work);
        let is_slow = self.asker.is_slow;
        let rests = self.does == Does::Rest && self.asker.party.plugin.is_some();
        Holding {
            bytes: self.bytes,
            cuts,
            slow_cuts: if is_slow { cuts } else { 0 },
            slow_bytes: if is_slow { self.bytes } else { 0 },
            resting_cuts: usize::from(rests),
        }
    }
}

#[cfg(test)]
mod tests;
