//! Who writes which row at the moment. Those who want the same row take turns, in the order in
//! which they came; those who want different rows never wait for each other, so that nobody can
//! stand in the way of an account but those who may write its items.

use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bytes::Bytes;
use store::StoreError;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::fault;

/// The rows that are being written, kept from being written, or waited for. There are as many as
/// writes at the same time, which the gates of the tables and the connections of the server bound,
/// and as many as the batches of applications keep, each of which bounds its own.
#[derive(Default)]
pub struct RowTurns(Mutex<HashMap<Bytes, Arc<Semaphore>>>);

impl fmt::Debug for RowTurns {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RowTurns").finish_non_exhaustive()
    }
}

/// The right to write a row, or the place of one who waits for it. Dropped, the next one has it.
pub struct RowTurn {
    all: Arc<RowTurns>,
    row: Bytes,
    /// Both are taken out before anybody looks who is left.
    turn: Option<Arc<Semaphore>>,
    permit: Option<OwnedSemaphorePermit>,
}

impl RowTurns {
    /// Waits until nobody else writes this row, and keeps others from it for as long as the turn
    /// lives. It makes waiting fair; the store makes it right.
    ///
    /// # Errors
    /// Never: nobody closes a turn.
    pub async fn take(self: &Arc<Self>, row: &Bytes) -> Result<RowTurn, StoreError> {
        let turn = {
            let mut rows = self.lock();
            let turn = rows.entry(row.clone());
            Arc::clone(turn.or_insert_with(|| Arc::new(Semaphore::new(1))))
        };
        // Whoever gives up while it waits leaves as well.
        let mut mine = RowTurn {
            all: Arc::clone(self),
            row: row.clone(),
            turn: Some(Arc::clone(&turn)),
            permit: None,
        };
        let permit = turn.acquire_owned().await;
        mine.permit = Some(permit.map_err(|_| fault::broken("the turn of a row is closed"))?);
        Ok(mine)
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<Bytes, Arc<Semaphore>>> {
        // Each call under the lock leaves the map whole.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for RowTurn {
    fn drop(&mut self) {
        drop((self.permit.take(), self.turn.take()));
        let mut rows = self.all.lock();
        // A turn is handed out under the lock alone, so that one that only the map has stays so.
        let is_left = |turn: &Arc<Semaphore>| Arc::strong_count(turn) == 1;
        if rows.get(&self.row).is_some_and(is_left) {
            rows.remove(&self.row);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::pin::pin;
    use std::task::{Context, Poll, Waker};

    use super::*;

    fn look<F: Future>(future: std::pin::Pin<&mut F>) -> Option<F::Output> {
        match future.poll(&mut Context::from_waker(Waker::noop())) {
            Poll::Ready(turn) => Some(turn),
            Poll::Pending => None,
        }
    }

    fn row(number: u32) -> Bytes {
        Bytes::copy_from_slice(&number.to_be_bytes())
    }

    #[test]
    fn ten_thousand_different_rows_are_written_at_once_and_one_row_by_one_at_a_time() {
        let turns = Arc::new(RowTurns::default());
        let held: Vec<RowTurn> = (0..10_000)
            .map(|number| {
                let turn = look(pin!(turns.take(&row(number)))).map(Result::unwrap);
                turn.unwrap_or_else(|| panic!("row {number} waits for another"))
            })
            .collect();
        let seventh = row(7);
        let mut second = pin!(turns.take(&seventh));
        let mut third = pin!(turns.take(&seventh));
        assert!(look(second.as_mut()).is_none() && look(third.as_mut()).is_none());
        drop(held);
        let second = look(second.as_mut()).unwrap();
        assert!(
            look(third.as_mut()).is_none(),
            "they came one after the other"
        );
        drop(second);
        assert!(look(third.as_mut()).is_some());
    }

    #[test]
    fn nothing_is_left_of_those_who_are_done_or_gave_up() {
        let turns = Arc::new(RowTurns::default());
        let one = row(1);
        let held = look(pin!(turns.take(&one))).unwrap();
        {
            let mut given_up = pin!(turns.take(&one));
            assert!(look(given_up.as_mut()).is_none());
        }
        assert_eq!(turns.lock().len(), 1);
        drop(held);
        assert_eq!(turns.lock().len(), 0);
    }
}
