//! The rules by which cuts at work share memory and places. Pure: it waits for nothing, and returns
//! the cuts that need not wait any more.
//!
//! A cut asks for a seat with as many bytes as it is likely to need, holds it while it is worked
//! on, and keeps only the bytes of its objects while they are put. No cut waits for more while it
//! holds a seat, so that one of them can always go on: a seat grows at once or not at all. A cut
//! for which that is not enough gives everything back and asks for the most that it can need.
//!
//! The next seat goes to the account that holds the least, and within it to the delivery stream
//! that holds the least. A cut that does not fit in yet lets a number of others pass; one that has
//! reached a limit of its own lets all others pass. Parties that were found slow, and lanes that
//! did not get rid of a cut the last time, hold half of everything at most, however many they are:
//! a store that hangs leaves room for deliveries to others.

use std::collections::{BTreeMap, HashMap};

use types::{AccountId, Invalid};
use wasm::{Party, PluginName};

use crate::content::FAILED_OBJECT_BYTES_MAX;

/// Cuts that are worked on at once, in all; one more waits. Each has at most one instance, and the
/// pool has more of these, so that none is ever missing.
const CUTS_MAX: usize = 64;
const _: () = assert!(CUTS_MAX < wasm::INSTANCES_MAX as usize);
/// Cuts that are worked on at once, of one plugin and of one delivery stream; one more waits, and
/// lets others pass.
const CUTS_PER_PLUGIN_MAX: usize = CUTS_MAX / 2;
const CUTS_PER_STREAM_MAX: usize = CUTS_MAX / 4;
const _: () = assert!(CUTS_PER_PLUGIN_MAX < wasm::INSTANCES_PER_PLUGIN_MAX as usize);
/// Those that are slow are this part of each number, and of the bytes in all; one more waits, and
/// lets those pass that are not.
const SLOW_PART: usize = 2;
/// How many others may pass one that waits until enough is free in all. Then nobody passes it.
const PASSED_MAX: u32 = 64;

/// Memory for cuts at work: their records, what came of them, and objects that are not put yet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct WorkLimits {
    bytes_max: u64,
    stream_bytes_max: u64,
    skipped_object_bytes_max: u64,
}

impl WorkLimits {
    /// Bytes over all delivery streams, and of one of them: half of it all at most, so that what
    /// slow parties may have together is enough for each. A cut that does not fit in waits.
    pub fn new(bytes_max: u64, stream_bytes_max: u64) -> Result<Self, Invalid> {
        if stream_bytes_max > bytes_max / SLOW_PART as u64 {
            return Err(Invalid(
                "one delivery stream may have half of the memory for deliveries at most".to_owned(),
            ));
        }
        Ok(Self {
            bytes_max,
            stream_bytes_max,
            skipped_object_bytes_max: FAILED_OBJECT_BYTES_MAX as u64,
        })
    }

    /// The same with objects of skipped records that end at so many bytes.
    pub fn with_skipped_objects_of(self, bytes: u64) -> Self {
        Self {
            skipped_object_bytes_max: bytes,
            ..self
        }
    }

    /// Bytes over all delivery streams.
    pub fn bytes_max(&self) -> u64 {
        self.bytes_max
    }

    /// Bytes of one delivery stream.
    pub fn stream_bytes_max(&self) -> u64 {
        self.stream_bytes_max
    }

    /// Bytes of an object of skipped records at which another begins, for cuts that are skipped
    /// from now on.
    pub fn skipped_object_bytes_max(&self) -> u64 {
        self.skipped_object_bytes_max
    }
}

impl Default for WorkLimits {
    fn default() -> Self {
        Self {
            bytes_max: 512 * 1024 * 1024,
            stream_bytes_max: 256 * 1024 * 1024,
            skipped_object_bytes_max: FAILED_OBJECT_BYTES_MAX as u64,
        }
    }
}

/// Who asks for a seat.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Asker {
    pub account: AccountId,
    pub party: Party,
    /// Whether it was found slow, or did not get rid of this cut the last time.
    pub is_slow: bool,
}

/// Names one who asked, while it waits and while it has a seat.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct SeatId(u64);

/// What somebody holds, or all do.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Holding {
    /// Bytes of cuts that are worked on, and of objects that are put.
    pub bytes: u64,
    /// Cuts that are worked on.
    pub cuts: usize,
    /// Those of them that are slow.
    pub slow_cuts: usize,
    /// Bytes of all that is slow, also while its objects are put.
    pub slow_bytes: u64,
}

#[derive(Debug)]
struct Seat {
    asker: Asker,
    bytes: u64,
    is_at_work: bool,
}

#[derive(Debug)]
struct Waiting {
    asker: Asker,
    bytes: u64,
    passed: u32,
}

/// What stands in the way of a seat.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Obstacle {
    /// A limit of its delivery stream or its plugin.
    Own,
    /// What slow parties may hold together.
    Slow,
    /// What all may hold together.
    All,
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
    /// In the order in which they came.
    waiting: BTreeMap<SeatId, Waiting>,
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
            waiting: BTreeMap::new(),
            next: SeatId(0),
        }
    }

    /// Asks for a seat with so many bytes, or with all that its delivery stream may have if that is
    /// less. It is given by [`Ledger::give`], maybe at once.
    pub fn ask(&mut self, asker: Asker, bytes: u64) -> SeatId {
        let id = self.next;
        self.next = SeatId(id.0 + 1);
        let waiting = Waiting {
            asker,
            bytes: bytes.min(self.limits.stream_bytes_max),
            passed: 0,
        };
        self.waiting.insert(id, waiting);
        id
    }

    /// Takes a seat that is free and that no other cut waits for. `None` if there is none.
    pub fn take_spare(&mut self, asker: Asker, bytes: u64) -> Option<SeatId> {
        let waits = self.waiting.values();
        let is_wanted = waits.map(|waiting| self.obstacle(&waiting.asker, waiting.bytes));
        if is_wanted.into_iter().any(|why| why != Some(Obstacle::Own)) {
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
        let mut order: Vec<_> = self
            .waiting
            .iter()
            .map(|(id, waiting)| (self.held_by(&waiting.asker), *id))
            .collect();
        order.sort_unstable();
        let (mut passed, mut slow_may_pass) = (Vec::new(), true);
        for (_, id) in order {
            let Waiting {
                asker,
                bytes,
                passed: times,
            } = self.waiting.get(&id)?;
            if asker.is_slow && !slow_may_pass {
                continue;
            }
            match self.obstacle(asker, *bytes) {
                None => {
                    for id in passed {
                        if let Some(waiting) = self.waiting.get_mut(&id) {
                            waiting.passed += 1;
                        }
                    }
                    let Waiting { asker, bytes, .. } = self.waiting.remove(&id)?;
                    self.seat(id, asker, bytes);
                    return Some(id);
                }
                Some(Obstacle::Own) => {}
                Some(Obstacle::All) if *times >= PASSED_MAX => return None,
                Some(Obstacle::Slow) if *times >= PASSED_MAX => slow_may_pass = false,
                Some(Obstacle::All | Obstacle::Slow) => passed.push(id),
            }
        }
        None
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
        let fits = of_stream.bytes + more <= self.limits.stream_bytes_max
            && self.all.bytes + more <= self.limits.bytes_max
            && (!asker.is_slow || self.all.slow_bytes + more <= self.slow_bytes_max());
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
        self.change(id, |seat| seat.is_at_work = false);
    }

    /// The party of a seat was found slow. Whether it can keep the seat: if slow parties hold as
    /// much as they may, it must ask for one anew.
    pub fn turn_slow(&mut self, id: SeatId) -> bool {
        let Some(Seat { asker, bytes, .. }) = self.seats.get(&id) else {
            return false;
        };
        if asker.is_slow {
            return true;
        }
        let (party, bytes) = (&asker.party, *bytes);
        let plugin = party.plugin.as_ref().map(|plugin| self.of_plugin(plugin));
        let stream = self.of_stream(party.delivery_stream);
        let fits = self.all.slow_bytes + bytes <= self.slow_bytes_max()
            && self.all.slow_cuts < CUTS_MAX / SLOW_PART
            && stream.slow_cuts < CUTS_PER_STREAM_MAX / SLOW_PART
            && plugin.is_none_or(|held| held.slow_cuts < CUTS_PER_PLUGIN_MAX / SLOW_PART);
        if fits {
            self.change(id, |seat| seat.asker.is_slow = true);
        }
        fits
    }

    /// Somebody does not wait any more.
    pub fn stop_waiting(&mut self, id: SeatId) {
        self.waiting.remove(&id);
    }

    /// Somebody gives back its seat.
    pub fn leave(&mut self, id: SeatId) {
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
        held.copied().unwrap_or_default()
    }

    /// How many wait for a seat.
    pub fn waiting(&self) -> usize {
        self.waiting.len()
    }

    fn of_plugin(&self, plugin: &PluginName) -> Holding {
        self.by_plugin.get(plugin).copied().unwrap_or_default()
    }

    /// What decides who is next: bytes of the account, then of the delivery stream.
    fn held_by(&self, asker: &Asker) -> (u64, u64) {
        let of_account = self.by_account.get(&asker.account);
        let of_stream = self.of_stream(asker.party.delivery_stream);
        let of_account = of_account.map_or(0, |held| held.bytes);
        (of_account, of_stream.bytes)
    }

    fn slow_bytes_max(&self) -> u64 {
        // The part is a small number.
        self.limits.bytes_max / SLOW_PART as u64
    }

    fn obstacle(&self, asker: &Asker, bytes: u64) -> Option<Obstacle> {
        let party = &asker.party;
        let stream = self.of_stream(party.delivery_stream);
        let plugin = party.plugin.as_ref().map(|plugin| self.of_plugin(plugin));
        let plugin = plugin.unwrap_or_default();
        let own = stream.bytes + bytes > self.limits.stream_bytes_max
            || stream.cuts >= CUTS_PER_STREAM_MAX
            || plugin.cuts >= CUTS_PER_PLUGIN_MAX;
        let own_slow = stream.slow_cuts >= CUTS_PER_STREAM_MAX / SLOW_PART
            || plugin.slow_cuts >= CUTS_PER_PLUGIN_MAX / SLOW_PART;
        let slow = self.all.slow_bytes + bytes > self.slow_bytes_max()
            || self.all.slow_cuts >= CUTS_MAX / SLOW_PART;
        let all = self.all.bytes + bytes > self.limits.bytes_max || self.all.cuts >= CUTS_MAX;
        if own || asker.is_slow && own_slow {
            Some(Obstacle::Own)
        } else if asker.is_slow && slow {
            Some(Obstacle::Slow)
        } else if all {
            Some(Obstacle::All)
        } else {
            None
        }
    }

    fn seat(&mut self, id: SeatId, asker: Asker, bytes: u64) {
        let seat = Seat {
            asker,
            bytes,
            is_at_work: true,
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
        let stream = self.by_stream.entry(party.delivery_stream).or_default();
        book(stream, part);
        if *stream == Holding::default() {
            self.by_stream.remove(&party.delivery_stream);
        }
        if let Some(plugin) = &party.plugin {
            let held = self.by_plugin.entry(plugin.clone()).or_default();
            book(held, part);
            if *held == Holding::default() {
                self.by_plugin.remove(plugin);
            }
        }
        let account = seat.asker.account;
        let held = self.by_account.entry(account).or_default();
        book(held, part);
        if *held == Holding::default() {
            self.by_account.remove(&account);
        }
    }
}

impl Seat {
    fn holding(&self) -> Holding {
        let cuts = usize::from(self.is_at_work);
        let is_slow = self.asker.is_slow;
        Holding {
            bytes: self.bytes,
            cuts,
            slow_cuts: if is_slow { cuts } else { 0 },
            slow_bytes: if is_slow { self.bytes } else { 0 },
        }
    }
}

impl Holding {
    fn with(self, part: Self) -> Self {
        Self {
            bytes: self.bytes + part.bytes,
            cuts: self.cuts + part.cuts,
            slow_cuts: self.slow_cuts + part.slow_cuts,
            slow_bytes: self.slow_bytes + part.slow_bytes,
        }
    }

    fn without(self, part: Self) -> Self {
        Self {
            bytes: self.bytes - part.bytes,
            cuts: self.cuts - part.cuts,
            slow_cuts: self.slow_cuts - part.slow_cuts,
            slow_bytes: self.slow_bytes - part.slow_bytes,
        }
    }
}

#[cfg(test)]
mod tests;
