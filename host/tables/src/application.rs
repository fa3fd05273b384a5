//! Tables of applications that run in this server: byte keys with byte values. They are tables
//! like others, so that everybody may look at them by DynamoDB's operations: each row is an item
//! of `key` (B, the hash key) and `value` (B).
//!
//! An application commits its rows together with its records and its position, in one transaction
//! of the store: what it reads has a version, and what it writes may expect one.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use bytes::Bytes;
use store::{Expect, Key, StoreError, TableId, TableWrite, Version, Versioned, key_after};
use types::Caller;

use crate::catalog::{ChangeError, NewTable};
use crate::key_order;
use crate::pages::{RowPages, range_of};
use crate::row_turns::RowTurn;
use crate::rows;
use crate::schema::{KeyAttribute, KeySchema, KeyType, TableName};
use crate::table::{Billing, Table, TableAddress};
use crate::table_ids::{DEFINITIONS, ITEMS, definition_key};
use crate::tables::Tables;
use crate::value::{Item, Value};

/// The attribute that is the key.
pub const KEY: &str = "key";
/// The attribute that holds the value.
pub const VALUE: &str = "value";
/// Bytes of a key at most, so that it fits into the key of a row of the store. None is empty.
pub const KEY_BYTES_MAX: usize = 900;
/// Bytes of a value at most, so that the item is within DynamoDB's 400 KB.
pub const VALUE_BYTES_MAX: usize = 390 * 1024;
/// Bytes of rows that one scan reads, one row more at most. It ends there, and says so by giving
/// fewer rows than were asked for with [`Rows::is_at_end`] false.
pub const SCAN_BYTES_MAX: usize = 1024 * 1024;

/// What the store adds to a row, and what the names and lengths of an item add to its key and
/// value, at most.
const ROW_OVERHEAD_BYTES: usize = 64;
const ITEM_OVERHEAD_BYTES: usize = 32;

/// Bytes that the write of a key of so many bytes takes in a transaction of the store, with a value
/// of so many or as a removal, at most. The key is there twice: as that of its row, and as the
/// attribute [`KEY`] of its item.
pub fn stored_bytes(key: usize, value: Option<usize>) -> usize {
    let item = value.map_or(0, |value| ITEM_OVERHEAD_BYTES + key + value);
    ROW_OVERHEAD_BYTES + size_of::<u64>() + key + item
}

/// A table of an application, as it was when it was asked for.
#[derive(Clone, Debug)]
pub struct TableRef {
    table: Arc<Table>,
}

/// Whether rows of this table of the store are items.
pub fn is_of_items(table: TableId) -> bool {
    table == ITEMS
}

impl Tables {
    /// Waits until no operation writes this row of items, and keeps all of them away for as long as
    /// the answer lives. They wait in the order in which they came. Whoever wants several rows
    /// takes them in their order, so that no two wait for each other.
    ///
    /// # Errors
    /// Never: nobody closes a turn.
    pub async fn hold_row(&self, row: &Bytes) -> Result<HeldRow, StoreError> {
        self.row_turns.take(row).await.map(HeldRow)
    }
}

/// A row that no operation writes.
pub struct HeldRow(#[expect(dead_code, reason = "held")] RowTurn);

impl TableRef {
    /// Its name.
    pub fn name(&self) -> &str {
        self.table.address.name.as_str()
    }

    /// The row of the store that says what the table is, and its version. A transaction that
    /// expects this row unchanged goes through only while the table is there and as it was.
    pub fn definition(&self) -> (TableId, Key, Version) {
        let key = definition_key(&self.table.address);
        (DEFINITIONS, key, self.table.version)
    }

    /// Where the row of a key lies in the store.
    ///
    /// # Errors
    /// It is no key.
    pub fn place(&self, key: &[u8]) -> Result<(TableId, Key), ApplicationError> {
        if (1..=KEY_BYTES_MAX).contains(&key.len()) {
            Ok((ITEMS, row_key(self.table.id, key)))
        } else {
            Err(ApplicationError::Key(key.len()))
        }
    }
}

/// A row of an application.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Row {
    /// Its key.
    pub key: Bytes,
    /// Its value.
    pub value: Bytes,
    /// When it was last written, for [`Expect::Version`].
    pub version: Version,
}

/// Rows in order of their keys.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rows {
    /// The rows.
    pub rows: Vec<Row>,
    /// There are no more. Else the next scan begins after the last of these.
    pub is_at_end: bool,
}

/// Why an application cannot have what it asks for.
#[derive(Clone, Debug)]
pub enum ApplicationError {
    /// That is no name of a table.
    Name(String),
    /// A table of that name is there, with another key, or with indexes.
    OtherSchema(TableAddress),
    /// The table could not be made.
    Change(ChangeError),
    /// A key has so many bytes, and not 1 to [`KEY_BYTES_MAX`].
    Key(usize),
    /// A value has so many bytes, more than [`VALUE_BYTES_MAX`].
    Value(usize),
    /// The item with this key was written by somebody else, and has no `value` of bytes.
    NotBytes(TableAddress, Bytes),
    /// The store cannot be read.
    Store(StoreError),
}

impl From<StoreError> for ApplicationError {
    fn from(error: StoreError) -> Self {
        Self::Store(error)
    }
}

impl fmt::Display for ApplicationError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Name(why) => f.write_str(why),
            Self::OtherSchema(address) => write!(
                f,
                "{address} is not a table of an application, whose key is the one attribute \
                 {KEY} of bytes and which has no indexes"
            ),
            Self::Change(error) => write!(f, "make the table of an application: {error:?}"),
            Self::Key(bytes) => {
                write!(f, "a key has {bytes} bytes, not 1 to {KEY_BYTES_MAX}")
            }
            Self::Value(bytes) => {
                write!(f, "a value has {bytes} bytes, more than {VALUE_BYTES_MAX}")
            }
            Self::NotBytes(address, key) => write!(
                f,
                "the item {} of {address} has no attribute {VALUE} of bytes",
                key.escape_ascii()
            ),
            Self::Store(error) => error.fmt(f),
        }
    }
}

impl std::error::Error for ApplicationError {}

impl Tables {
    /// The table of that name for an application of `owner`, which is made, durably, if it is not
    /// there.
    ///
    /// # Errors
    /// The name is none, a table with another key has it, or the table cannot be made.
    pub async fn ensure_application_table(
        &self,
        owner: &Caller,
        name: &str,
    ) -> Result<TableRef, ApplicationError> {
        let name = TableName::parse(name).map_err(|why| ApplicationError::Name(why.0))?;
        let address = TableAddress {
            owner: owner.clone(),
            name,
        };
        if let Some(table) = self.directory.find(&address) {
            return as_application(table);
        }
        let new = NewTable {
            address: address.clone(),
            keys: schema(),
            indexes: Vec::new(),
            billing: Billing::PayPerRequest,
            is_protected: false,
        };
        match self.catalog.create(new).await {
            Ok(table) => Ok(TableRef { table }),
            // Somebody else was first.
            Err(ChangeError::TableExists) => match self.directory.find(&address) {
                Some(table) => as_application(table),
                None => Err(ApplicationError::Change(ChangeError::NoTable)),
            },
            Err(error) => Err(ApplicationError::Change(error)),
        }
    }

    /// The values of keys, in their order, each with its version; `None`: there is no such row.
    ///
    /// # Errors
    /// A key is none, an item is not of an application, or the store cannot be read.
    pub async fn get(
        &self,
        table: &TableRef,
        keys: &[Bytes],
    ) -> Result<Vec<Option<(Bytes, Version)>>, ApplicationError> {
        let mut found = Vec::with_capacity(keys.len());
        for key in keys {
            let (id, row) = table.place(key)?;
            found.push(match self.engine.get(id, &row).await? {
                Some(row) => Some((value_of(table, key, &row)?, row.version)),
                None => None,
            });
        }
        Ok(found)
    }

    /// Rows whose keys begin with `prefix`, from the first at or after `first` (`None`: from the
    /// beginning), at most `limit`, and fewer once they reach [`SCAN_BYTES_MAX`].
    ///
    /// # Errors
    /// An item is not of an application, or the store cannot be read.
    pub async fn scan(
        &self,
        table: &TableRef,
        prefix: &[u8],
        first: Option<&[u8]>,
        limit: usize,
    ) -> Result<Rows, ApplicationError> {
        let id = table.table.id;
        let from = first.filter(|first| *first > prefix).unwrap_or(prefix);
        let end = key_order::after_all_with(&row_key(id, prefix)).map(Bytes::from);
        let (_, table_end) = range_of(id);
        let to = end.or(table_end);
        let mut pages = RowPages::new(&*self.engine, ITEMS, row_key(id, from), to);
        let (mut rows, mut bytes) = (Vec::new(), 0);
        loop {
            let page = pages.next(SCAN_BYTES_MAX).await?;
            if page.is_empty() {
                let is_at_end = true;
                return Ok(Rows { rows, is_at_end });
            }
            for (place, row) in page {
                if rows.len() >= limit || bytes >= SCAN_BYTES_MAX {
                    let is_at_end = false;
                    return Ok(Rows { rows, is_at_end });
                }
                let key = place.slice(size_of::<u64>()..);
                bytes += place.len() + row.value.len();
                rows.push(Row {
                    value: value_of(table, &key, &row)?,
                    version: row.version,
                    key,
                });
            }
        }
    }

    /// The write that gives a key this value, or removes its row, for a transaction of the store.
    ///
    /// # Errors
    /// The key or the value is none, or they cannot be a row.
    pub fn write(
        &self,
        table: &TableRef,
        key: &[u8],
        value: Option<&[u8]>,
        expect: Expect,
    ) -> Result<TableWrite, ApplicationError> {
        let (id, row) = table.place(key)?;
        let value = match value {
            Some(value) if value.len() > VALUE_BYTES_MAX => {
                return Err(ApplicationError::Value(value.len()));
            }
            Some(value) => Some(rows::item_row(&Item(BTreeMap::from([
                (KEY.to_owned(), Value::B(key.to_vec())),
                (VALUE.to_owned(), Value::B(value.to_vec())),
            ])))?),
            None => None,
        };
        Ok(TableWrite {
            table: id,
            key: row,
            value,
            expect,
        })
    }
}

/// The key after which a scan goes on whose last row had it.
pub fn first_after(key: &Bytes) -> Bytes {
    key_after(key)
}

fn schema() -> KeySchema {
    KeySchema {
        hash: KeyAttribute {
            name: KEY.to_owned(),
            kind: KeyType::B,
        },
        range: None,
    }
}

/// Whether a table is of the kind that applications keep.
pub(crate) fn is_application_schema(keys: &KeySchema) -> bool {
    *keys == schema()
}

fn as_application(table: Arc<Table>) -> Result<TableRef, ApplicationError> {
    if table.keys == schema() && table.indexes.is_empty() {
        Ok(TableRef { table })
    } else {
        Err(ApplicationError::OtherSchema(table.address.clone()))
    }
}

fn row_key(id: u64, key: &[u8]) -> Bytes {
    Bytes::from([&id.to_be_bytes()[..], key].concat())
}

fn value_of(table: &TableRef, key: &[u8], row: &Versioned) -> Result<Bytes, ApplicationError> {
    match rows::read_item(&row.value)?.0.remove(VALUE) {
        Some(Value::B(value)) => Ok(Bytes::from(value)),
        _ => {
            let key = Bytes::copy_from_slice(key);
            Err(ApplicationError::NotBytes(table.table.address.clone(), key))
        }
    }
}
