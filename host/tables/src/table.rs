//! A table as it is now.

use std::fmt;
use std::sync::Arc;

use bytes::Bytes;
use store::Version;
use types::{Caller, Timestamp};

use crate::gate::Gate;
use crate::key_order;
use crate::schema::{KeyFault, KeySchema, Projection, TableName, bounded};
use crate::value::Item;

/// Where a table is.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct TableAddress {
    /// Whose it is, and in which region.
    pub owner: Caller,
    /// Its name.
    pub name: TableName,
}

/// Its ARN.
impl fmt::Display for TableAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Caller { account, region } = &self.owner;
        let (partition, name) = (region.partition(), &self.name);
        write!(
            f,
            "arn:{partition}:dynamodb:{region}:{account}:table/{name}"
        )
    }
}

/// What a caller says about how a table is paid for. Nothing here depends on it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Billing {
    /// By the request.
    PayPerRequest,
    /// For so many units of reading and writing.
    Provisioned(Throughput),
}

/// Units of reading and writing.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Throughput {
    /// Of reading, a second.
    pub read: u64,
    /// Of writing, a second.
    pub write: u64,
}

/// One table. A change makes another value; readers keep the one they found.
#[derive(Clone, Debug)]
pub struct Table {
    /// Where it is.
    pub address: TableAddress,
    /// Its number, which no other table or index ever had or will have.
    pub id: u64,
    /// When it was made.
    pub created_at: Timestamp,
    /// What its items are found by.
    pub keys: KeySchema,
    /// What they are found by besides.
    pub indexes: Vec<Arc<Index>>,
    /// How it is paid for.
    pub billing: Billing,
    /// It cannot be deleted.
    pub is_protected: bool,
    /// The version of its row.
    pub version: Version,
    /// Who writes items at the moment.
    pub gate: Arc<Gate>,
}

/// A global secondary index.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Index {
    /// Its name, which no other index of the table has.
    pub name: TableName,
    /// Its number, as of a table.
    pub id: u64,
    /// What items are found by.
    pub keys: KeySchema,
    /// Which attributes it holds.
    pub projection: Projection,
    /// What was asked for, where the table is provisioned.
    pub throughput: Throughput,
    /// It holds all items; until then it is being filled and not read.
    pub is_active: bool,
}

impl Table {
    /// The index of that name.
    pub fn index(&self, name: &str) -> Option<&Arc<Index>> {
        self.indexes
            .iter()
            .find(|index| index.name.as_str() == name)
    }

    /// Attributes that its indexes project by name.
    pub fn included(&self) -> usize {
        let of = |index: &Arc<Index>| match &index.projection {
            Projection::Include(names) => names.len(),
            Projection::KeysOnly | Projection::All => 0,
        };
        self.indexes.iter().map(of).sum()
    }

    /// Whether an index of it is being filled.
    pub fn is_updating(&self) -> bool {
        self.indexes.iter().any(|index| !index.is_active)
    }
}

impl Index {
    /// The key of an item's row in the index; `None`: the item has not all attributes that it is
    /// found by, and so is not in the index.
    ///
    /// # Errors
    /// An attribute is of another type or empty, or the key is too long.
    pub fn row_key(&self, table: &KeySchema, item: &Item) -> Result<Option<Bytes>, KeyFault<'_>> {
        let mut values = match self.keys.values(item) {
            Ok(values) => values,
            Err(KeyFault::Missing(_)) => return self.checked_alone(item),
            Err(fault) => return Err(fault),
        };
        // The item passed the table's own check before.
        let Ok(own) = table.values(item) else {
            return Ok(None);
        };
        values.extend(own);
        bounded(key_order::joined(self.id, &values)).map(Some)
    }

    /// Of an item that lacks an attribute, the others must be right all the same.
    fn checked_alone(&self, item: &Item) -> Result<Option<Bytes>, KeyFault<'_>> {
        for attribute in self.keys.attributes() {
            if let Some(value) = item.get(&attribute.name) {
                attribute.checked(value)?;
            }
        }
        Ok(None)
    }

    /// What of an item the index holds.
    pub fn projected(&self, table: &KeySchema, item: &Item) -> Item {
        let more: &[String] = match &self.projection {
            Projection::All => return item.clone(),
            Projection::KeysOnly => &[],
            Projection::Include(names) => names,
        };
        let is_in = |name: &String| table.has(name) || self.keys.has(name) || more.contains(name);
        let kept = item.iter().filter(|(name, _)| is_in(name));
        Item(
            kept.map(|(name, value)| (name.clone(), value.clone()))
                .collect(),
        )
    }
}
