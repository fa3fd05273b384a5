//! The share of each cut at work in memory and places: [`Ledger`] with those who wait for it.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::oneshot;

use crate::ledger::{Asker, Holding, Ledger, SeatId, WorkLimits};

/// What cuts at work share.
pub struct WorkShares {
    state: Mutex<State>,
    limits: WorkLimits,
}

struct State {
    ledger: Ledger,
    /// Tells those who wait that they have a seat.
    tell: HashMap<SeatId, oneshot::Sender<Room>>,
    /// Tells those who have a seat that they are at work again.
    tell_to_go_on: HashMap<SeatId, oneshot::Sender<()>>,
}

/// The share of one cut. It is given back when this is dropped.
pub struct Room {
    shares: Arc<WorkShares>,
    seat: SeatId,
}

/// A cut that waits. Takes back what it asked for when the waiting is given up.
struct Asking<'a> {
    shares: &'a Arc<WorkShares>,
    seat: SeatId,
}

impl Drop for Asking<'_> {
    fn drop(&mut self) {
        let told = {
            let mut state = self.shares.lock();
            // A seat that was given belongs to its room.
            state.ledger.stop_waiting(self.seat);
            state.tell.remove(&self.seat)
        };
        if told.is_some() {
            // It may have been in the way of others.
            self.shares.give();
        }
    }
}

impl WorkShares {
    pub fn new(limits: WorkLimits) -> Arc<Self> {
        Arc::new(Self {
            state: Mutex::new(State {
                ledger: Ledger::new(limits),
                tell: HashMap::new(),
                tell_to_go_on: HashMap::new(),
            }),
            limits,
        })
    }

    /// What there is to share.
    pub fn limits(&self) -> WorkLimits {
        self.limits
    }

    /// Waits for so many bytes, or for as many as its delivery stream may have if that is less. The
    /// caller must not hold a room meanwhile: two that wait for each other's would never go on.
    /// `None` if the shares are gone, which they are not while a caller holds them.
    pub async fn room(self: &Arc<Self>, asker: Asker, bytes: u64) -> Option<Room> {
        let (tell, told) = oneshot::channel();
        let asking = {
            let mut state = self.lock();
            let seat = state.ledger.ask(asker, bytes);
            state.tell.insert(seat, tell);
            Asking { shares: self, seat }
        };
        self.give();
        let room = told.await.ok();
        drop(asking);
        room
    }

    /// So many bytes if nobody waits for them.
    pub fn spare_room(self: &Arc<Self>, asker: Asker, bytes: u64) -> Option<Room> {
        let seat = self.lock().ledger.take_spare(asker, bytes)?;
        Some(Room {
            shares: Arc::clone(self),
            seat,
        })
    }

    /// What all cuts at work hold, the most bytes that they have held at a time, and how many wait.
    pub fn held(&self) -> (Holding, u64, usize) {
        let state = self.lock();
        let ledger = &state.ledger;
        (ledger.all(), ledger.bytes_peak(), ledger.waiting())
    }

    /// What the cuts of a delivery stream hold.
    pub fn held_by(&self, delivery_stream: u64) -> Holding {
        self.lock().ledger.of_stream(delivery_stream)
    }

    /// Tells those who need not wait any more.
    fn give(self: &Arc<Self>) {
        let mut given = Vec::new();
        {
            let mut state = self.lock();
            for seat in state.ledger.let_go_on() {
                if let Some(tell) = state.tell_to_go_on.remove(&seat) {
                    // One who does not wait any more gives back its room.
                    let _ = tell.send(());
                }
            }
            for seat in state.ledger.give() {
                let room = Room {
                    shares: Arc::clone(self),
                    seat,
                };
                given.push((state.tell.remove(&seat), room));
            }
        }
        // Outside of the lock: where the waiting was given up, the room is given back here.
        for (tell, room) in given {
            if let Some(tell) = tell {
                let _ = tell.send(room);
            }
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        // No call under the lock leaves the ledger half changed.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Room {
    /// Whether it has so many bytes now. It gets more at once or not at all.
    pub fn grow(&self, bytes: u64) -> bool {
        self.shares.lock().ledger.grow(self.seat, bytes)
    }

    /// The cut is done but for its objects, which are so many bytes.
    pub fn end_work(&self, bytes: u64) {
        {
            let mut state = self.shares.lock();
            state.ledger.end_work(self.seat);
            state.ledger.shrink(self.seat, bytes);
        }
        self.shares.give();
    }

    /// Objects of the cut are put, and it is not worked on meanwhile.
    pub fn rest(&self) {
        self.shares.lock().ledger.rest(self.seat);
        self.shares.give();
    }

    /// Waits until the cut may be worked on again after it rested.
    pub async fn go_on(&self) {
        let (tell, told) = oneshot::channel();
        {
            let mut state = self.shares.lock();
            if !state.ledger.ask_to_go_on(self.seat) {
                return;
            }
            state.tell_to_go_on.insert(self.seat, tell);
        }
        self.shares.give();
        // It is told for as long as it has a room.
        let _ = told.await;
    }

    /// Whether a cut that is not slow waits for what others hold.
    pub fn is_wanted(&self) -> bool {
        self.shares.lock().ledger.is_wanted()
    }

    /// Whether the cut's destination has not answered for long.
    pub fn hangs(&self, hangs: bool) {
        self.shares.lock().ledger.hangs(self.seat, hangs);
        if hangs {
            // Others need not wait for it any more.
            self.shares.give();
        }
    }

    /// Its party was found slow. Whether the cut may go on with this room.
    pub fn turn_slow(&self) -> bool {
        self.shares.lock().ledger.turn_slow(self.seat)
    }
}

impl Drop for Room {
    fn drop(&mut self) {
        {
            let mut state = self.shares.lock();
            state.ledger.leave(self.seat);
            state.tell_to_go_on.remove(&self.seat);
        }
        self.shares.give();
    }
}

#[cfg(test)]
impl Room {
    /// An empty room that can grow to so many bytes.
    pub(crate) fn up_to(bytes: u64) -> Arc<Self> {
        let asker = Asker {
            account: types::AccountId::parse("000000000000").unwrap(),
            party: wasm::Party {
                account: types::AccountId::DEFAULT,
                delivery_stream: 1,
                plugin: None,
            },
            is_slow: false,
        };
        let shares = WorkShares::new(WorkLimits::new(2 * bytes, bytes).unwrap());
        Arc::new(shares.spare_room(asker, 0).unwrap())
    }
}
