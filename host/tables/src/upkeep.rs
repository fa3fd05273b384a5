//! What goes on beside the requests: new indexes are filled, and what was deleted is removed, some
//! of it at a time. Both begin again after a crash.

use std::sync::{Arc, Weak};
use std::time::Duration;

use store::{CommitError, Expect, Purpose, StoreError, TableWrite, Transaction};
use tokio::sync::watch;
use tokio::time::sleep;

use crate::catalog::{ChangeError, Ground};
use crate::fault;
use crate::pages::{RowPages, range_of};
use crate::rows;
use crate::table::{Index, Table, TableAddress};
use crate::table_ids::{INDEX_ITEMS, ITEMS, PURGES, Purge, purge_key};
use crate::tables::Tables;
use crate::value::Item;

/// Bytes of items that are put into an index in one transaction, during which nobody writes to the
/// table; one item more at most.
const FILLED_BYTES: usize = 1024 * 1024;
/// Items of the same.
const FILLED_ITEMS: usize = 256;
/// How long it waits before it tries again what failed.
const RETRY_PERIOD: Duration = Duration::from_secs(1);

/// Does what there is to do whenever it is told that there is something, until it is stopped.
pub async fn run(tables: Weak<Tables>, mut stopped: watch::Receiver<bool>) {
    loop {
        let Some(strong) = tables.upgrade() else {
            return;
        };
        let work = Arc::clone(&strong.ground.work);
        let pause = match turn(&strong, &stopped).await {
            Ok(()) => None,
            Err(error) => {
                tracing::warn!(%error, "the upkeep of tables did not get on and tries again");
                Some(RETRY_PERIOD)
            }
        };
        drop(strong);
        let waits = async {
            match pause {
                Some(pause) => sleep(pause).await,
                None => work.notified().await,
            }
        };
        tokio::select! {
            () = waits => {}
            // Its other end is gone or says stop.
            _ = stopped.wait_for(|stop| *stop) => return,
        }
    }
}

/// Fills and removes all that there is.
async fn turn(tables: &Tables, stopped: &watch::Receiver<bool>) -> Result<(), StoreError> {
    for table in tables.ground.directory.updating() {
        for index in table.indexes.iter().filter(|index| !index.is_active) {
            fill(tables, &table.address, index.id, stopped).await?;
        }
    }
    loop {
        let purges = rows::purges(&*tables.ground.engine).await?;
        if purges.is_empty() {
            return Ok(());
        }
        for purge in purges {
            remove(tables, purge, stopped).await?;
            if *stopped.borrow() {
                return Ok(());
            }
        }
    }
}

/// Fills the new indexes of a table that is no larger than what is filled at once.
///
/// # Errors
/// The store cannot be read, or keeps nothing.
pub async fn fill_if_small(tables: &Tables, table: &Table) -> Result<(), StoreError> {
    for index in table.indexes.iter().filter(|index| !index.is_active) {
        let ground = tables.ground.clone();
        let (address, id) = (table.address.clone(), index.id);
        // It ends by itself when the client goes: nobody may write before what it has begun ends.
        let filling = tokio::spawn(async move { fill_some(&ground, &address, id, None).await });
        let filling = filling.await;
        let filling = filling.map_err(|_| fault::broken("filling an index ended badly"))?;
        if let Filling::Done = filling? {
            filled(tables, &table.address, index.id).await?;
        }
    }
    Ok(())
}

/// Fills an index from its beginning to its end, and lets it be read then.
async fn fill(
    tables: &Tables,
    address: &TableAddress,
    index: u64,
    stopped: &watch::Receiver<bool>,
) -> Result<(), StoreError> {
    let mut from = None;
    loop {
        match fill_some(&tables.ground, address, index, from).await? {
            Filling::Next(_) if *stopped.borrow() => return Ok(()),
            Filling::Next(next) => from = Some(next),
            Filling::Gone => return Ok(()),
            Filling::Done => return filled(tables, address, index).await,
        }
    }
}

/// Lets an index be read that is filled.
async fn filled(tables: &Tables, address: &TableAddress, index: u64) -> Result<(), StoreError> {
    match tables.catalog.filled(address.clone(), index).await {
        Err(ChangeError::Commit(error)) => Err(error.into()),
        // It is gone by now, or the next start begins again.
        Ok(_) | Err(_) => Ok(()),
    }
}

/// How far an index is filled.
enum Filling {
    /// There is no such index to fill any more.
    Gone,
    /// Up to here.
    Next(bytes::Bytes),
    /// To its end.
    Done,
}

/// Puts the next items into an index while nobody writes.
async fn fill_some(
    ground: &Ground,
    address: &TableAddress,
    index: u64,
    from: Option<bytes::Bytes>,
) -> Result<Filling, StoreError> {
    let Some(table) = ground.directory.find(address) else {
        return Ok(Filling::Gone);
    };
    let _nobody_writes = table.gate.shut().await?;
    // As it is now that nobody changes it.
    let Some(table) = ground.directory.find(address) else {
        return Ok(Filling::Gone);
    };
    let Some(index) = table
        .indexes
        .iter()
        .find(|it| it.id == index && !it.is_active)
    else {
        return Ok(Filling::Gone);
    };
    let (first, end) = range_of(table.id);
    let mut pages = RowPages::new(&*ground.engine, ITEMS, from.unwrap_or(first), end);
    let mut writes = Vec::new();
    let (mut bytes, mut items) = (0, 0);
    let mut last = None;
    let mut is_full = false;
    'pages: loop {
        let rows = pages.next(FILLED_BYTES).await?;
        if rows.is_empty() {
            break;
        }
        for (key, row) in rows {
            if bytes >= FILLED_BYTES || items >= FILLED_ITEMS {
                is_full = true;
                break 'pages;
            }
            let item = rows::read_item(&row.value)?;
            writes.extend(entry(&table, index, &item)?);
            bytes += row.value.len();
            items += 1;
            last = Some(key);
        }
    }
    commit(ground, Purpose::Keep, writes).await?;
    Ok(match last {
        Some(last) if is_full => Filling::Next(store::key_after(&last)),
        _ => Filling::Done,
    })
}

/// The write that puts an item into an index; none if it does not belong there. AWS leaves out
/// what it cannot index, too.
fn entry(table: &Table, index: &Index, item: &Item) -> Result<Option<TableWrite>, StoreError> {
    let Ok(Some(key)) = index.row_key(&table.keys, item) else {
        return Ok(None);
    };
    Ok(Some(TableWrite {
        table: INDEX_ITEMS,
        key,
        value: Some(rows::item_row(&index.projected(&table.keys, item))?),
        expect: Expect::Any,
    }))
}

/// Removes what is left of a table or an index, and then the note that it is to be removed.
async fn remove(
    tables: &Tables,
    purge: Purge,
    stopped: &watch::Receiver<bool>,
) -> Result<(), StoreError> {
    let (table, id) = match purge {
        Purge::Items(id) => (ITEMS, id),
        Purge::IndexItems(id) => (INDEX_ITEMS, id),
    };
    let (from, to) = range_of(id);
    let mut pages = RowPages::new(&*tables.ground.engine, table, from, to);
    loop {
        let rows = pages.next(FILLED_BYTES).await?;
        if rows.is_empty() {
            break;
        }
        let writes = rows.into_iter().map(|(key, _)| removal(table, key));
        commit(&tables.ground, Purpose::MakeRoom, writes.collect()).await?;
        if *stopped.borrow() {
            return Ok(());
        }
    }
    let note = removal(PURGES, purge_key(purge));
    commit(&tables.ground, Purpose::MakeRoom, vec![note]).await
}

fn removal(table: store::TableId, key: bytes::Bytes) -> TableWrite {
    TableWrite {
        table,
        key,
        value: None,
        expect: Expect::Any,
    }
}

async fn commit(
    ground: &Ground,
    purpose: Purpose,
    writes: Vec<TableWrite>,
) -> Result<(), StoreError> {
    if writes.is_empty() {
        return Ok(());
    }
    let transaction = Transaction {
        writes,
        ..Transaction::default()
    };
    let committed = ground.engine.commit_for(purpose, transaction).await;
    committed
        .map(|_| ())
        .map_err(|error: CommitError| error.into())
}
