//! Rows of tables that others change again and again while a shard's batches are at work with them.
//! A batch that was done again too often for their sake keeps others from them until it is
//! committed: those who write them with operations of the tables wait for it, in their turn.

use std::collections::BTreeSet;

use bytes::Bytes;
use store::{StoreError, TableId};
use tables::Tables;
use tables::application::is_of_items;
use tokio::sync::oneshot;
use tokio::time::timeout;

use crate::limits::{ROWS_RESERVED_MAX, ROWS_RESERVED_TIME_MAX};

/// The rows that stood in the way of the next batch so far.
#[derive(Debug, Default)]
pub struct Contention(BTreeSet<Bytes>);

/// Rows that others do not write as long as this lives, or for [`ROWS_RESERVED_TIME_MAX`].
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

    /// Waits until nobody writes the rows, and keeps others from them. `None`: there are none.
    ///
    /// # Errors
    /// As [`Tables::hold_rows`].
    pub async fn reserve(&self, tables: &Tables) -> Result<Option<Reservation>, StoreError> {
        if self.0.is_empty() {
            return Ok(None);
        }
        let rows = tables.hold_rows(&self.0).await?;
        let (release, released) = oneshot::channel();
        tokio::spawn(async move {
            // Whichever comes first: a batch that hangs holds up nobody for longer.
            let _ = timeout(ROWS_RESERVED_TIME_MAX, released).await;
            drop(rows);
        });
        Ok(Some(Reservation(release)))
    }
}
