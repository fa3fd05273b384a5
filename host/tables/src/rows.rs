//! What tables look like in the store: definitions, numbers and items.

use std::sync::Arc;

use bincode::{Decode, Encode};
use bytes::Bytes;
use store::codec::{self, damaged};
use store::{Engine, Expect, StoreError, TableWrite, Version, Versioned, key_after};
use types::Timestamp;

use crate::gate::Gate;
use crate::schema::{KeyAttribute, KeySchema, KeyType, Projection, TableName};
use crate::table::{Billing, Index, Table, TableAddress, Throughput};
use crate::table_ids::{
    self, DEFINITIONS, NUMBERS, PURGES, Purge, SETTINGS, parse_definition_key, parse_purge_key,
};
use crate::value::Item;

/// Rows that are read at once while the catalog is loaded.
const ROWS_PER_SCAN: usize = 256;

#[derive(Encode, Decode)]
struct DefinitionRow {
    id: u64,
    created_at_ms: u64,
    keys: KeysRow,
    indexes: Vec<IndexRow>,
    billing: Option<(u64, u64)>,
    is_protected: bool,
}

#[derive(Encode, Decode)]
struct KeysRow {
    hash: (String, u8),
    range: Option<(String, u8)>,
}

#[derive(Encode, Decode)]
struct IndexRow {
    id: u64,
    name: String,
    keys: KeysRow,
    projection: ProjectionRow,
    throughput: (u64, u64),
    is_active: bool,
}

#[derive(Encode, Decode)]
enum ProjectionRow {
    KeysOnly,
    Include(Vec<String>),
    All,
}

/// What the store held when the server started.
pub struct Loaded {
    /// All tables.
    pub tables: Vec<Table>,
    /// The number for the next table or index.
    pub next_id: u64,
    /// The version of its row, if there is one.
    pub next_id_version: Option<Version>,
}

/// Reads the whole catalog.
///
/// # Errors
/// The store cannot be read, or another build wrote it.
pub async fn load(engine: &dyn Engine) -> Result<Loaded, StoreError> {
    let mut tables = Vec::new();
    let mut from = Bytes::new();
    loop {
        let rows = engine.scan(DEFINITIONS, from, None, ROWS_PER_SCAN).await?;
        let Some((last, _)) = rows.last() else {
            break;
        };
        from = key_after(last);
        for (key, row) in &rows {
            let address = parse_definition_key(key).ok_or_else(|| damaged("a table's address"))?;
            tables.push(read_definition(address, row)?);
        }
    }
    let numbers = engine.get(SETTINGS, NUMBERS).await?;
    Ok(Loaded {
        tables,
        next_id_version: numbers.as_ref().map(|row| row.version),
        next_id: match numbers {
            Some(row) => codec::decode("settings of tables", &row.value)?,
            None => 1,
        },
    })
}

/// What is still to be removed, some of it.
///
/// # Errors
/// As [`load`].
pub async fn purges(engine: &dyn Engine) -> Result<Vec<Purge>, StoreError> {
    let rows = engine
        .scan(PURGES, Bytes::new(), None, ROWS_PER_SCAN)
        .await?;
    let read = |(key, _): &(Bytes, Versioned)| {
        parse_purge_key(key).ok_or_else(|| damaged("what is to be purged"))
    };
    rows.iter().map(read).collect()
}

/// A table of its row.
///
/// # Errors
/// Another build wrote it.
pub fn read_definition(address: TableAddress, row: &Versioned) -> Result<Table, StoreError> {
    let definition: DefinitionRow = codec::decode("tables", &row.value)?;
    let indexes: Result<_, _> = definition.indexes.into_iter().map(read_index).collect();
    Ok(Table {
        address,
        id: definition.id,
        created_at: Timestamp(definition.created_at_ms),
        keys: read_keys(definition.keys)?,
        indexes: indexes?,
        billing: match definition.billing {
            None => Billing::PayPerRequest,
            Some((read, write)) => Billing::Provisioned(Throughput { read, write }),
        },
        is_protected: definition.is_protected,
        version: row.version,
        gate: Arc::new(Gate::default()),
    })
}

fn read_index(row: IndexRow) -> Result<Arc<Index>, StoreError> {
    let (read, write) = row.throughput;
    Ok(Arc::new(Index {
        name: TableName::parse(&row.name).map_err(|_| damaged("an index's name"))?,
        id: row.id,
        keys: read_keys(row.keys)?,
        projection: match row.projection {
            ProjectionRow::KeysOnly => Projection::KeysOnly,
            ProjectionRow::Include(names) => Projection::Include(names),
            ProjectionRow::All => Projection::All,
        },
        throughput: Throughput { read, write },
        is_active: row.is_active,
    }))
}

fn read_keys(row: KeysRow) -> Result<KeySchema, StoreError> {
    let read = |(name, kind)| {
        let kind = match kind {
            0 => KeyType::S,
            1 => KeyType::N,
            2 => KeyType::B,
            _ => return Err(damaged("the type of a key")),
        };
        Ok(KeyAttribute { name, kind })
    };
    Ok(KeySchema {
        hash: read(row.hash)?,
        range: row.range.map(read).transpose()?,
    })
}

fn keys_row(keys: &KeySchema) -> KeysRow {
    let row = |attribute: &KeyAttribute| {
        let kind = match attribute.kind {
            KeyType::S => 0,
            KeyType::N => 1,
            KeyType::B => 2,
        };
        (attribute.name.clone(), kind)
    };
    KeysRow {
        hash: row(&keys.hash),
        range: keys.range.as_ref().map(row),
    }
}

/// The write of a table's definition.
///
/// # Errors
/// It cannot be a row.
pub fn definition_write(table: &Table, expect: Expect) -> Result<TableWrite, StoreError> {
    let indexes = table.indexes.iter().map(|index| IndexRow {
        id: index.id,
        name: index.name.as_str().to_owned(),
        keys: keys_row(&index.keys),
        projection: match &index.projection {
            Projection::KeysOnly => ProjectionRow::KeysOnly,
            Projection::Include(names) => ProjectionRow::Include(names.clone()),
            Projection::All => ProjectionRow::All,
        },
        throughput: (index.throughput.read, index.throughput.write),
        is_active: index.is_active,
    });
    let row = DefinitionRow {
        id: table.id,
        created_at_ms: table.created_at.0,
        keys: keys_row(&table.keys),
        indexes: indexes.collect(),
        billing: match table.billing {
            Billing::PayPerRequest => None,
            Billing::Provisioned(units) => Some((units.read, units.write)),
        },
        is_protected: table.is_protected,
    };
    Ok(TableWrite {
        table: DEFINITIONS,
        key: table_ids::definition_key(&table.address),
        value: Some(codec::encode(&row)?),
        expect,
    })
}

/// The write of the number for the next table or index.
///
/// # Errors
/// It cannot be a row.
pub fn next_id_write(next: u64, version: Option<Version>) -> Result<TableWrite, StoreError> {
    Ok(TableWrite {
        table: SETTINGS,
        key: Bytes::from_static(NUMBERS),
        value: Some(codec::encode(&next)?),
        expect: version.map_or(Expect::Absent, Expect::Version),
    })
}

/// The write that says that something is to be removed.
///
/// # Errors
/// It cannot be a row.
pub fn purge_write(purge: Purge) -> Result<TableWrite, StoreError> {
    Ok(TableWrite {
        table: PURGES,
        key: table_ids::purge_key(purge),
        value: Some(codec::encode(&())?),
        expect: Expect::Any,
    })
}

/// An item of its row.
///
/// # Errors
/// Another build wrote it.
pub fn read_item(row: &[u8]) -> Result<Item, StoreError> {
    codec::decode_values("items", row)
}

/// The row of an item.
///
/// # Errors
/// It cannot be a row.
pub fn item_row(item: &Item) -> Result<Bytes, StoreError> {
    codec::encode(item)
}
