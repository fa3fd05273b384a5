//! The one task that changes which tables there are. The store first, then memory: what a reader
//! sees in the [`Directory`] is durable.
//!
//! ```text
//! create table   row + numbers                        -> shown
//! create index   row with the index, CREATING         -> shown; filled page by page -> row ACTIVE
//! delete         row without it + what is to be purged -> gone; purged page by page
//! ```
//!
//! What is filled and purged goes on after a crash, from its beginning.

use std::sync::Arc;

use store::{CommitError, Engine, Expect, Purpose, StoreError, TableWrite, Transaction, Version};
use tokio::sync::{Notify, mpsc, oneshot};
use types::Clock;

use crate::application::is_application_schema;
use crate::directory::Directory;
use crate::gate::Gate;
use crate::rows::{self, Loaded};
use crate::schema::{KeySchema, Projection, TableName};
use crate::table::{Billing, Index, Table, TableAddress, Throughput};
use crate::table_ids::{DEFINITIONS, Purge, definition_key};

/// Changes that wait for their turn. One more waits where it is sent.
const CHANGES_WAITING_MAX: usize = 1_000;
/// Tables of an account in all regions together, as the name of a region is anything here. One
/// more is refused with LimitExceededException; AWS's number is of each region
/// (<https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/ServiceQuotas.html>).
pub const TABLES_PER_ACCOUNT_MAX: usize = 2_500;
/// Indexes of a table (the same page). One more is refused.
pub const INDEXES_MAX: usize = 20;
/// Attributes that all indexes of a table project by name, together (the same page). One more is
/// refused.
pub const INCLUDED_MAX: usize = 100;

/// A table to be made.
#[derive(Clone, Debug)]
pub struct NewTable {
    /// Where.
    pub address: TableAddress,
    /// What its items are found by.
    pub keys: KeySchema,
    /// And besides.
    pub indexes: Vec<NewIndex>,
    /// How it is paid for.
    pub billing: Billing,
    /// It cannot be deleted.
    pub is_protected: bool,
}

/// An index to be made.
#[derive(Clone, Debug)]
pub struct NewIndex {
    /// Its name.
    pub name: TableName,
    /// What items are found by.
    pub keys: KeySchema,
    /// Which attributes it holds.
    pub projection: Projection,
    /// What was asked for.
    pub throughput: Throughput,
}

/// What becomes of a table that there is.
#[derive(Clone, Debug, Default)]
pub struct Alteration {
    /// An index to be made.
    pub create: Option<NewIndex>,
    /// The name of an index to be deleted.
    pub delete: Option<TableName>,
    /// How it is paid for from now on.
    pub billing: Option<Billing>,
    /// Whether it can be deleted from now on.
    pub is_protected: Option<bool>,
}

impl Alteration {
    /// Whether nothing is to change.
    pub fn is_nothing(&self) -> bool {
        self.create.is_none()
            && self.delete.is_none()
            && self.billing.is_none()
            && self.is_protected.is_none()
    }
}

/// Why a table was not changed.
#[derive(Clone, Debug)]
pub enum ChangeError {
    /// There is a table of that name.
    TableExists,
    /// There is no table of that name.
    NoTable,
    /// The account has as many tables as it may.
    TooManyTables,
    /// The table has as many indexes as it may.
    TooManyIndexes,
    /// Its indexes project as many attributes by name as they may.
    TooManyIncluded,
    /// It is protected from being deleted.
    Protected,
    /// The table has an index of that name.
    IndexExists,
    /// The table has no index of that name.
    NoIndex,
    /// An index of it is being filled.
    Updating,
    /// Applications of this server may write to it, which know of no indexes.
    OfApplications,
    /// The store did not keep the change.
    Commit(CommitError),
    /// The server is shutting down.
    Closing,
}

impl From<StoreError> for ChangeError {
    fn from(error: StoreError) -> Self {
        Self::Commit(CommitError::Store(error))
    }
}

type Answer = oneshot::Sender<Result<Arc<Table>, ChangeError>>;

enum Change {
    Create(NewTable, Answer),
    Alter(TableAddress, Alteration, Answer),
    Delete(TableAddress, Answer),
    /// The index of that number is filled.
    Filled(TableAddress, u64, Answer),
    Stop,
}

/// The way to the catalog's task.
#[derive(Clone)]
pub struct CatalogHandle(mpsc::Sender<Change>);

impl CatalogHandle {
    /// Makes a table. Answers when it is durable.
    pub async fn create(&self, table: NewTable) -> Result<Arc<Table>, ChangeError> {
        self.ask(|answer| Change::Create(table, answer)).await
    }

    /// Changes a table. Answers when the change is durable.
    pub async fn alter(
        &self,
        address: TableAddress,
        alteration: Alteration,
    ) -> Result<Arc<Table>, ChangeError> {
        self.ask(|answer| Change::Alter(address, alteration, answer))
            .await
    }

    /// Deletes a table. Answers with what it was when its end is durable.
    pub async fn delete(&self, address: TableAddress) -> Result<Arc<Table>, ChangeError> {
        self.ask(|answer| Change::Delete(address, answer)).await
    }

    /// Lets an index be read that is filled by now.
    pub async fn filled(
        &self,
        address: TableAddress,
        index: u64,
    ) -> Result<Arc<Table>, ChangeError> {
        self.ask(|answer| Change::Filled(address, index, answer))
            .await
    }

    /// Ends the task after the changes that were sent before.
    pub async fn stop(&self) {
        // A task that has ended needs no stopping.
        let _ = self.0.send(Change::Stop).await;
    }

    async fn ask(&self, change: impl FnOnce(Answer) -> Change) -> Result<Arc<Table>, ChangeError> {
        let (sender, answer) = oneshot::channel();
        let sent = self.0.send(change(sender)).await;
        sent.map_err(|_| ChangeError::Closing)?;
        answer.await.unwrap_or(Err(ChangeError::Closing))
    }
}

/// The owner of all changes.
pub struct CatalogTask {
    ground: Ground,
    inbox: mpsc::Receiver<Change>,
    next_id: u64,
    next_id_version: Option<Version>,
}

/// What tables stand on.
#[derive(Clone)]
pub struct Ground {
    /// Where tables are kept.
    pub engine: Arc<dyn Engine>,
    /// When they are made.
    pub clock: Arc<dyn Clock>,
    /// Where they are shown.
    pub directory: Arc<Directory>,
    /// Hears that there is something to fill or to purge.
    pub work: Arc<Notify>,
}

impl CatalogTask {
    /// A task over what was loaded, and the way to it.
    pub fn new(ground: Ground, loaded: Loaded) -> (CatalogHandle, Self) {
        let (sender, inbox) = mpsc::channel(CHANGES_WAITING_MAX);
        for table in loaded.tables {
            ground.directory.put(Arc::new(table));
        }
        let task = Self {
            ground,
            inbox,
            next_id: loaded.next_id,
            next_id_version: loaded.next_id_version,
        };
        (CatalogHandle(sender), task)
    }

    /// Carries out what it is told, one change after the other.
    pub async fn run(mut self) {
        while let Some(change) = self.inbox.recv().await {
            let (changed, answer) = match change {
                Change::Create(table, answer) => (self.create(table).await, answer),
                Change::Alter(address, by, answer) => (self.alter(&address, by).await, answer),
                Change::Delete(address, answer) => (self.delete(&address).await, answer),
                Change::Filled(address, index, answer) => {
                    (self.filled(&address, index).await, answer)
                }
                Change::Stop => return,
            };
            // Whoever asked may have gone.
            let _ = answer.send(changed);
        }
    }

    async fn create(&mut self, new: NewTable) -> Result<Arc<Table>, ChangeError> {
        if self.ground.directory.find(&new.address).is_some() {
            return Err(ChangeError::TableExists);
        }
        if self.ground.directory.count(new.address.owner.account) >= TABLES_PER_ACCOUNT_MAX {
            return Err(ChangeError::TooManyTables);
        }
        if new.indexes.len() > INDEXES_MAX {
            return Err(ChangeError::TooManyIndexes);
        }
        let first = self.next_id;
        let indexes = (first + 1..).zip(new.indexes);
        let mut table = Table {
            address: new.address,
            id: first,
            created_at: self.ground.clock.now(),
            keys: new.keys,
            // There is nothing to fill them with.
            indexes: indexes
                .map(|(id, index)| Arc::new(index.numbered(id, true)))
                .collect(),
            billing: new.billing,
            is_protected: new.is_protected,
            version: Version(0),
            gate: Arc::new(Gate::default()),
        };
        if table.included() > INCLUDED_MAX {
            return Err(ChangeError::TooManyIncluded);
        }
        let used = 1 + table.indexes.len() as u64;
        let writes = vec![
            rows::definition_write(&table, Expect::Absent)?,
            rows::next_id_write(first + used, self.next_id_version)?,
        ];
        table.version = self.commit_numbered(writes, used).await?;
        Ok(self.show(table))
    }

    async fn alter(
        &mut self,
        address: &TableAddress,
        by: Alteration,
    ) -> Result<Arc<Table>, ChangeError> {
        let before = self
            .ground
            .directory
            .find(address)
            .ok_or(ChangeError::NoTable)?;
        let mut table = Table::clone(&before);
        table.billing = by.billing.unwrap_or(table.billing);
        table.is_protected = by.is_protected.unwrap_or(table.is_protected);
        let mut purge = None;
        if let Some(name) = &by.delete {
            let index = table
                .index(name.as_str())
                .ok_or(ChangeError::NoIndex)?
                .clone();
            table.indexes.retain(|it| it.id != index.id);
            purge = Some(rows::purge_write(Purge::IndexItems(index.id))?);
        }
        let is_new = by.create.is_some();
        if let Some(new) = by.create {
            if is_application_schema(&table.keys) && table.indexes.is_empty() {
                return Err(ChangeError::OfApplications);
            }
            if table.is_updating() {
                return Err(ChangeError::Updating);
            }
            if table.index(new.name.as_str()).is_some() {
                return Err(ChangeError::IndexExists);
            }
            if table.indexes.len() >= INDEXES_MAX {
                return Err(ChangeError::TooManyIndexes);
            }
            table
                .indexes
                .push(Arc::new(new.numbered(self.next_id, false)));
        }
        if table.included() > INCLUDED_MAX {
            return Err(ChangeError::TooManyIncluded);
        }
        // Whoever writes by the old rules ends first, and nobody begins before the new ones hold.
        let _nobody_writes = before.gate.shut().await?;
        let mut writes = vec![rows::definition_write(
            &table,
            Expect::Version(before.version),
        )?];
        writes.extend(purge);
        table.version = if is_new {
            writes.push(rows::next_id_write(self.next_id + 1, self.next_id_version)?);
            self.commit_numbered(writes, 1).await?
        } else {
            self.commit(writes).await?
        };
        self.ground.work.notify_one();
        Ok(self.show(table))
    }

    async fn delete(&mut self, address: &TableAddress) -> Result<Arc<Table>, ChangeError> {
        let table = self
            .ground
            .directory
            .find(address)
            .ok_or(ChangeError::NoTable)?;
        if table.is_protected {
            return Err(ChangeError::Protected);
        }
        let _nobody_writes = table.gate.shut().await?;
        let mut writes = vec![
            TableWrite {
                table: DEFINITIONS,
                key: definition_key(address),
                value: None,
                expect: Expect::Version(table.version),
            },
            rows::purge_write(Purge::Items(table.id))?,
        ];
        for index in &table.indexes {
            writes.push(rows::purge_write(Purge::IndexItems(index.id))?);
        }
        self.commit_for(Purpose::MakeRoom, writes).await?;
        self.ground.directory.remove(address);
        self.ground.work.notify_one();
        Ok(table)
    }

    async fn filled(
        &mut self,
        address: &TableAddress,
        index: u64,
    ) -> Result<Arc<Table>, ChangeError> {
        let before = self
            .ground
            .directory
            .find(address)
            .ok_or(ChangeError::NoTable)?;
        let mut table = Table::clone(&before);
        let place = table.indexes.iter_mut().find(|it| it.id == index);
        let place = place.ok_or(ChangeError::NoIndex)?;
        *place = Arc::new(Index {
            is_active: true,
            ..Index::clone(place)
        });
        let write = rows::definition_write(&table, Expect::Version(before.version))?;
        table.version = self.commit(vec![write]).await?;
        Ok(self.show(table))
    }

    fn show(&self, table: Table) -> Arc<Table> {
        let table = Arc::new(table);
        self.ground.directory.put(Arc::clone(&table));
        table
    }

    /// Commits a change that uses `count` numbers, and whose last write is that of the numbers.
    async fn commit_numbered(
        &mut self,
        writes: Vec<TableWrite>,
        count: u64,
    ) -> Result<Version, ChangeError> {
        let version = self.commit(writes).await?;
        self.next_id += count;
        self.next_id_version = Some(version);
        Ok(version)
    }

    async fn commit(&self, writes: Vec<TableWrite>) -> Result<Version, ChangeError> {
        self.commit_for(Purpose::Keep, writes).await
    }

    /// Commits writes, and finds out what became of them where the disk does not say.
    async fn commit_for(
        &self,
        purpose: Purpose,
        writes: Vec<TableWrite>,
    ) -> Result<Version, ChangeError> {
        let first = writes.first().cloned();
        let transaction = Transaction {
            writes,
            ..Transaction::default()
        };
        let error = match self.ground.engine.commit_for(purpose, transaction).await {
            Ok(committed) => return Ok(committed.version),
            Err(error) => error,
        };
        if let (CommitError::Unknown(_), Some(write)) = (&error, first) {
            let now = self.ground.engine.get(write.table, &write.key).await?;
            if write.is_kept(now.as_ref()) {
                return Ok(now.map_or(Version(0), |row| row.version));
            }
        }
        Err(ChangeError::Commit(error))
    }
}

impl NewIndex {
    fn numbered(self, id: u64, is_active: bool) -> Index {
        Index {
            name: self.name,
            id,
            keys: self.keys,
            projection: self.projection,
            throughput: self.throughput,
            is_active,
        }
    }
}
