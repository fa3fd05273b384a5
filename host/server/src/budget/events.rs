//! The memory of an answer that is a stream of events.
//!
//! For as long as it lives it counts for what it takes without its events ([`STREAM_BYTES`]): that
//! is bounded for each account, apart from what the account has at work, so that streams at rest
//! stop nothing else. Between two events nothing of it waits for its client. While bytes of events
//! wait to be taken it is an answer like others: it has to keep their pace, and is ended when
//! somebody who holds less needs the room.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use wire::Room;

use super::{Held, NoRoom, Payer, Phase, Standing, Wish};

/// Bytes that a stream of events counts for besides its events: its task, its subscription, and
/// the stream and buffers of its connection. 32,000 subscriptions over HTTP/2 that waited for
/// records took 11.5 KiB each. Those of an account are bounded by `shares`; one more is refused
/// with LimitExceededException.
const STREAM_BYTES: usize = 12 * 1024;

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
            self.budget.shares().streams(place, STREAM_BYTES)?;
            self.standing = Standing::Streams { place, payer };
        }
        Ok(())
    }

    /// Whether it may be answered by a stream of events; to be asked before anything is done for
    /// it.
    pub(crate) fn may_stream(&self) -> Result<(), NoRoom> {
        match self.standing {
            Standing::AtWork { payer, .. } => {
                self.budget.shares().check_resting(payer, STREAM_BYTES)
            }
            _ => Ok(()),
        }
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

/// What the events of one count for of which all were taken.
fn at_rest(payer: Payer) -> Wish {
    Wish {
        phase: Phase::AtWork,
        payer,
        bytes: 0,
        needs: 0,
        is_due: true,
    }
}
