//! The one way in which an item is changed: it is read, decided about and written, and its indexes
//! with it, in one transaction that goes through only if the item is still what was read.

use std::sync::Arc;

use bytes::Bytes;
use store::{CommitError, Expect, Purpose, StoreError, TableWrite, Transaction};
use wire::ApiError;

use crate::fault;
use crate::ops::error;
use crate::rows;
use crate::table::{Table, TableAddress};
use crate::table_ids::{INDEX_ITEMS, ITEMS};
use crate::tables::Tables;
use crate::value::Item;

/// How often it is tried while others write the same item in between, which only applications do
/// that do not wait for their turn. Then the client is told to come back.
const TRIES_MAX: usize = 16;

/// What becomes of an item.
pub enum Decision {
    /// It is written.
    Put(Item),
    /// It is removed, if it is there.
    Remove,
}

/// An item before and after a change.
#[derive(Debug)]
pub struct Changed {
    /// What it was, if it was there.
    pub before: Option<Item>,
    /// What it is, if it is there.
    pub after: Option<Item>,
}

impl Tables {
    /// Changes the item that has the key of `key`. `decide` is told the table and the item, and may
    /// be asked several times.
    ///
    /// # Errors
    /// There is no such table, `key` is none, `decide` refuses, what it decides does not fit the
    /// indexes, or the store does not keep it.
    pub(crate) async fn change(
        &self,
        address: &TableAddress,
        key: &Item,
        decide: impl Fn(&Table, Option<&Item>) -> Result<Decision, ApiError> + Send,
    ) -> Result<Changed, ApiError> {
        for _ in 0..TRIES_MAX {
            let table = self.table(address)?;
            let inside = table.gate.enter().await.map_err(error::store)?;
            // As it is now that it does not change.
            let now = self.table(address)?;
            if now.id != table.id {
                continue;
            }
            let row = now.keys.row_key(now.id, key).map_err(error::key)?;
            let turn = self.row_turns.take(&row).await.map_err(error::store)?;
            let found = self.engine.get(ITEMS, &row).await.map_err(error::store)?;
            let before = found.as_ref().map(|it| rows::read_item(&it.value));
            let before = before.transpose().map_err(error::store)?;
            let after = match decide(&now, before.as_ref())? {
                Decision::Put(item) => Some(item),
                Decision::Remove if before.is_none() => {
                    return Ok(Changed {
                        before,
                        after: None,
                    });
                }
                Decision::Remove => None,
            };
            let expect = found.map_or(Expect::Absent, |it| Expect::Version(it.version));
            let changed = Changed { before, after };
            let writes = writes(&now, row, &changed, expect)?;
            let transaction = Transaction {
                writes,
                ..Transaction::default()
            };
            // A full disk must not keep anybody from making room.
            let purpose = match &changed.after {
                Some(_) => Purpose::Keep,
                None => Purpose::MakeRoom,
            };
            let engine = Arc::clone(&self.engine);
            // The permits live until it is known what became of the change, also when the client
            // goes meanwhile.
            let committed = tokio::spawn(async move {
                let committed = engine.commit_for(purpose, transaction).await;
                drop((inside, turn));
                committed
            });
            let committed = committed.await.map_err(|failed| {
                error::store(fault::broken(&format!("a commit ended badly: {failed}")))
            })?;
            match committed {
                Ok(_) => return Ok(changed),
                Err(CommitError::Conflict { .. }) => {}
                Err(why) => return Err(error::commit(&why)),
            }
        }
        Err(error::contended())
    }

    /// The table at an address.
    pub(crate) fn table(&self, address: &TableAddress) -> Result<Arc<Table>, ApiError> {
        self.directory.find(address).ok_or_else(error::no_table)
    }
}

/// The writes of an item and of its indexes.
fn writes(
    table: &Table,
    row: Bytes,
    changed: &Changed,
    expect: Expect,
) -> Result<Vec<TableWrite>, ApiError> {
    let encode = |item: &Item| rows::item_row(item).map_err(error::store);
    let mut writes = vec![TableWrite {
        table: ITEMS,
        key: row,
        value: changed.after.as_ref().map(encode).transpose()?,
        expect,
    }];
    for index in &table.indexes {
        let place = |item: &Option<Item>| match item {
            Some(item) => index.row_key(&table.keys, item),
            None => Ok(None),
        };
        // What was filled in before its index was there may not fit it, and is not in it.
        let old = place(&changed.before).unwrap_or(None);
        let new = place(&changed.after).map_err(|why| error::index_key(index, why))?;
        let mut write = |key, value| {
            writes.push(TableWrite {
                table: INDEX_ITEMS,
                key,
                value,
                expect: Expect::Any,
            });
        };
        if let Some(old) = old
            && Some(&old) != new.as_ref()
        {
            write(old, None);
        }
        if let (Some(new), Some(item)) = (new, &changed.after) {
            write(new, Some(encode(&index.projected(&table.keys, item))?));
        }
    }
    Ok(writes)
}

/// The item that has the key of `key`, if it is there.
///
/// # Errors
/// The store cannot be read.
pub async fn read(tables: &Tables, row: &[u8]) -> Result<Option<Item>, StoreError> {
    match tables.engine.get(ITEMS, row).await? {
        Some(found) => rows::read_item(&found.value).map(Some),
        None => Ok(None),
    }
}
