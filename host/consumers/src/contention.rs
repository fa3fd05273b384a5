//! Rows of tables that others change again and again while a shard's batches are at work with them.
//! A batch that was done again too often for their sake keeps others from them until it is
//! committed: those who write them with operations of the tables wait for it, in their turn.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use store::{StoreError, TableId};
use tables::Tables;
use tables::application::{HeldRow, is_of_items};
use tokio::sync::oneshot;
use tokio::time::{Instant, timeout_at};

use crate::limits::{ROWS_RESERVED_MAX, ROWS_RESERVED_TIME_MAX};

/// The rows that stood in the way of the next batch so far.
#[derive(Debug, Default)]
pub struct Contention(BTreeSet<Bytes>);

/// Rows that others do not write as long as this lives, and no longer than
/// [`ROWS_RESERVED_TIME_MAX`] after it has got the first of them.
#[derive(Debug)]
pub struct Reservation(#[expect(dead_code, reason = "held")] oneshot::Sender<()>);

impl Contention {
    /// A batch was refused since this row was changed.
    pub fn note(&mut self, table: TableId, row: &[u8]) {
        // All else that a batch expects is changed by the application alone.
        if is_of_items(table) && self.0.len() < ROWS_RESERVED_MAX {
            self.0.insert(Bytes::copy_from_slice(row));
        }
    }

    /// Nothing stands in the way any more.
    pub fn forget(&mut self) {
        self.0.clear();
    }

    /// Waits until nobody writes the rows, and keeps others from them. `None`: there are none, or
    /// somebody writes one of them for so long that there is no time left to keep the others.
    ///
    /// # Errors
    /// As [`Tables::hold_row`].
    pub async fn reserve(&self, tables: &Arc<Tables>) -> Result<Option<Reservation>, StoreError> {
        self.reserve_for(ROWS_RESERVED_TIME_MAX, tables).await
    }

    async fn reserve_for(
        &self,
        time_max: Duration,
        tables: &Arc<Tables>,
    ) -> Result<Option<Reservation>, StoreError> {
        if self.0.is_empty() {
            return Ok(None);
        }
        let (release, released) = oneshot::channel();
        let (tell, told) = oneshot::channel();
        let (rows, tables) = (self.0.clone(), Arc::clone(tables));
        // On a task of its own, which gives them back in time whatever becomes of the batch.
        tokio::spawn(async move {
            tokio::select! {
                () = keep(&tables, rows, time_max, tell) => {}
                // The batch is done, or does not wait any more.
                _ = released => {}
            }
        });
        match told.await {
            Ok(Ok(())) => Ok(Some(Reservation(release))),
            Ok(Err(error)) => Err(error),
            // The time was over before all of them were there.
            Err(_) => Ok(None),
        }
    }
}

/// Takes the rows, says when all of them are there, and keeps them until the time is over that
/// begins with the first of them.
async fn keep(
    tables: &Tables,
    rows: BTreeSet<Bytes>,
    time_max: Duration,
    tell: oneshot::Sender<Result<(), StoreError>>,
) {
    let mut held: Vec<HeldRow> = Vec::with_capacity(rows.len());
    // Whoever has none yet is in nobody's way, and waits for as long as the batch does.
    let mut until: Option<Instant> = None;
    for row in &rows {
        let turn = tables.hold_row(row);
        let turn = match until {
            None => Ok(turn.await),
            Some(until) => timeout_at(until, turn).await,
        };
        match turn {
            Ok(Ok(turn)) => held.push(turn),
            Ok(Err(error)) => {
                // Whoever asked may have gone.
                let _ = tell.send(Err(error));
                return;
            }
            Err(_) => return,
        }
        until.get_or_insert_with(|| Instant::now() + time_max);
    }
    let (Some(until), Ok(())) = (until, tell.send(Ok(()))) else {
        return;
    };
    tokio::time::sleep_until(until).await;
    drop(held);
}

#[cfg(test)]
mod tests {
    use store::disk::simulated::SimulatedDisk;
    use store::embedded::{Embedded, Options};
    use tokio::time::timeout;
    use types::{ManualClock, Timestamp};

    use super::*;

    /// What must come at once, or after the time of a reservation, comes within this.
    const SOON: Duration = Duration::from_secs(60);

    async fn tables() -> Arc<Tables> {
        let disk = Arc::new(SimulatedDisk::new(1));
        let options = Options {
            free_bytes_min: 0,
            ballast_bytes: 0,
            ..Options::default()
        };
        let opening = tokio::task::spawn_blocking(move || Embedded::open(disk, options));
        let engine = opening.await.unwrap().unwrap();
        let clock = Arc::new(ManualClock::new(Timestamp(1_700_000_000_000)));
        Tables::open(engine, clock).await.unwrap()
    }

    fn contention(rows: &[&'static [u8]]) -> Contention {
        Contention(rows.iter().map(|row| Bytes::from_static(row)).collect())
    }

    async fn is_free(tables: &Tables, row: &'static [u8]) -> bool {
        let row = Bytes::from_static(row);
        timeout(SOON, tables.hold_row(&row)).await.is_ok()
    }

    /// The time began when all rows were there, so that the first of them was kept for as long as
    /// somebody wrote the last one, and then for the whole time once more.
    #[tokio::test]
    async fn the_first_row_is_given_back_in_time_though_the_last_one_is_never_there() {
        let tables = tables().await;
        let written = tables.hold_row(&Bytes::from_static(b"b")).await.unwrap();
        let both = contention(&[b"a", b"b"]);
        let mut reserving = Box::pin(both.reserve_for(Duration::from_millis(200), &tables));
        assert!(
            timeout(Duration::from_millis(50), &mut reserving)
                .await
                .is_err(),
            "somebody writes one of them"
        );
        // Whoever wants it is not kept from it by a batch that does not begin.
        assert!(is_free(&tables, b"a").await);
        let reserved = timeout(SOON, reserving).await.expect("it waits no longer");
        assert!(reserved.unwrap().is_none());
        drop(written);
    }

    #[tokio::test]
    async fn rows_are_kept_for_their_time_at_most_and_given_back_with_the_batch() {
        let tables = tables().await;
        let both = contention(&[b"a", b"b"]);
        for time_max in [Duration::from_millis(100), Duration::from_secs(3_600)] {
            let reserved = both.reserve_for(time_max, &tables).await.unwrap().unwrap();
            if time_max > SOON {
                let row = Bytes::from_static(b"b");
                let mut waits = Box::pin(tables.hold_row(&row));
                assert!(
                    timeout(Duration::from_millis(50), &mut waits)
                        .await
                        .is_err()
                );
                drop(waits);
                drop(reserved);
            }
            assert!(is_free(&tables, b"a").await && is_free(&tables, b"b").await);
        }
    }

    #[tokio::test]
    async fn one_that_does_not_wait_any_more_for_a_row_leaves_the_others() {
        let tables = tables().await;
        let written = tables.hold_row(&Bytes::from_static(b"b")).await.unwrap();
        let both = contention(&[b"a", b"b"]);
        let reserving = both.reserve_for(Duration::from_secs(3_600), &tables);
        assert!(
            timeout(Duration::from_millis(50), reserving).await.is_err(),
            "somebody writes one of them"
        );
        assert!(is_free(&tables, b"a").await);
        drop(written);
    }
}
