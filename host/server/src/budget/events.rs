//! The memory of an answer that is a stream of events.
//!
//! Between two events nothing of it waits for its client, and it counts for a few KiB at work of
//! its account. While bytes of events wait to be taken it is an answer like others: it has to keep
//! their pace, and is ended when somebody who holds less needs the room.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use wire::Room;

use super::{Held, NoRoom, Payer, Phase, REQUEST_BYTES, Standing, Wish};

/// The memory of one stream of events, given back when this is dropped.
pub(crate) struct EventsHeld {
    held: Held,
    place: usize,
    payer: Payer,
    /// Bytes of events that the client has not taken yet.
    waiting: Mutex<usize>,
}

impl Held {
    /// It is answered by a stream of events, of which there is none yet.
    pub(crate) fn streams(&mut self) -> Result<(), NoRoom> {
        if let Standing::AtWork { place, payer, .. } = self.standing {
            self.settle(&at_rest(payer))?;
            self.standing = Standing::Streams { place, payer };
        }
        Ok(())
    }
}

impl EventsHeld {
    /// `None`: what is held is not a stream of events.
    pub(crate) fn new(held: Held) -> Option<Arc<Self>> {
        let Standing::Streams { place, payer } = held.standing else {
            return None;
        };
        Some(Arc::new(Self {
            held,
            place,
            payer,
            waiting: Mutex::new(0),
        }))
    }

    /// The client has taken so many bytes.
    pub(crate) fn sent(&self, bytes: usize) {
        self.held.holder.moves(bytes);
        self.holds_less(bytes);
    }

    fn holds_less(&self, bytes: usize) {
        let mut waiting = self.waiting();
        let left = waiting.saturating_sub(bytes);
        let now = self.held.budget.now();
        self.held.budget.ending(|shares, ended| match left {
            // One that was ended has nothing that counts, and stays so.
            0 => drop(shares.turn(self.place, &at_rest(self.payer), now, ended)),
            _ => shares.shrink(self.place, *waiting - left),
        });
        *waiting = left;
    }

    fn waiting(&self) -> MutexGuard<'_, usize> {
        // One number, which is whole at any time.
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Room for EventsHeld {
    fn take(&self, bytes: usize) -> bool {
        let mut waiting = self.waiting();
        let now = self.held.budget.now();
        let taken = self.held.budget.ending(|shares, ended| match *waiting {
            0 => {
                let bytes = bytes.saturating_add(REQUEST_BYTES);
                let wish = Wish {
                    phase: Phase::Answering,
                    payer: self.payer,
                    bytes,
                    needs: bytes,
                    is_due: false,
                };
                shares.turn(self.place, &wish, now, ended)
            }
            _ => shares.grow(self.place, bytes, now, ended),
        });
        if taken.is_ok() {
            *waiting += bytes;
        }
        taken.is_ok()
    }

    fn give_back(&self, bytes: usize) {
        self.holds_less(bytes);
    }
}

/// What one counts for of whose events all were taken.
fn at_rest(payer: Payer) -> Wish {
    Wish {
        phase: Phase::AtWork,
        payer,
        bytes: REQUEST_BYTES,
        needs: REQUEST_BYTES,
        is_due: true,
    }
}
