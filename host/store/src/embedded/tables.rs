//! Rows of tables: the newest in memory, all that were flushed in redb. The write-ahead log is
//! the truth; what is here can be made again from it.

use std::collections::{BTreeMap, HashMap};
use std::ops::Bound;
use std::sync::{Arc, PoisonError, RwLock};

use bytes::Bytes;
use redb::{ReadTransaction, TableDefinition};

use crate::embedded::catalog::LogCatalog;
use crate::embedded::format::RowEntry;
use crate::embedded::redb_file::{CATALOG_FILE, failed};
use crate::engine::{Key, StoreError, TableId, Version, Versioned};

const ROWS: TableDefinition<(u64, &[u8]), &[u8]> = TableDefinition::new("rows");
/// Version and checksum in front of a value.
const VALUE_HEADER_BYTES: usize = 12;

/// The rows of all tables.
pub struct Tables {
    catalog: Arc<LogCatalog>,
    fresh: RwLock<Fresh>,
}

/// Rows that are durable in the write-ahead log but not in redb yet.
#[derive(Default)]
struct Fresh {
    rows: BTreeMap<(TableId, Key), (Version, Option<Bytes>)>,
    bytes: usize,
}

impl Fresh {
    /// `None` if only redb knows, `Some(None)` if the row was removed.
    fn row(&self, table: TableId, key: &[u8]) -> Option<Option<Versioned>> {
        let (version, value) = self.rows.get(&(table, Bytes::copy_from_slice(key)))?;
        Some(value.clone().map(|value| Versioned {
            value,
            version: *version,
        }))
    }

    /// The first rows of a range, as many as give `limit` values, and the removals among them. What
    /// comes after them is not among the first `limit` rows of the table, whatever is in redb.
    fn scan(
        &self,
        table: TableId,
        range: &RowRange,
        limit: usize,
    ) -> HashMap<Key, (Version, Option<Bytes>)> {
        let end = match (&range.to, table.0.checked_add(1)) {
            (Some(to), _) => Bound::Excluded((table, to.clone())),
            (None, Some(next)) => Bound::Excluded((TableId(next), Key::new())),
            (None, None) => Bound::Unbounded,
        };
        let start = Bound::Included((table, range.from.clone()));
        let mut rows = self.rows.range((start, end));
        let mut found = HashMap::new();
        let mut values = 0;
        while values < limit {
            let next = if range.is_backward {
                rows.next_back()
            } else {
                rows.next()
            };
            let Some(((_, key), row)) = next else { break };
            values += usize::from(row.1.is_some());
            found.insert(key.clone(), row.clone());
        }
        found
    }
}

/// A stretch of a table.
pub struct RowRange {
    /// The first key.
    pub from: Key,
    /// Before this one; `None`: to the end.
    pub to: Option<Key>,
    /// The last rows come first.
    pub is_backward: bool,
}

impl Tables {
    /// The tables kept in `catalog`.
    pub fn new(catalog: Arc<LogCatalog>) -> Self {
        Self {
            catalog,
            fresh: RwLock::default(),
        }
    }

    /// Makes durable rows visible.
    pub fn publish(&self, rows: impl IntoIterator<Item = RowEntry>) {
        let mut fresh = self.fresh.write().unwrap_or_else(PoisonError::into_inner);
        for row in rows {
            fresh.bytes += row.key.len() + row.value.as_ref().map_or(0, Bytes::len);
            fresh
                .rows
                .insert((row.table, row.key), (row.version, row.value));
        }
    }

    /// Bytes of rows that wait to be flushed.
    pub fn fresh_bytes(&self) -> usize {
        self.fresh
            .read()
            .unwrap_or_else(PoisonError::into_inner)
            .bytes
    }

    /// One row. Blocks while redb reads from the disk.
    pub fn get(&self, table: TableId, key: &[u8]) -> Result<Option<Versioned>, StoreError> {
        self.catalog.guard(|| {
            let reading = {
                let fresh = self.fresh.read().unwrap_or_else(PoisonError::into_inner);
                if let Some(found) = fresh.row(table, key) {
                    return Ok(found);
                }
                self.catalog.begin_read()?
            };
            get_flushed(&reading, table, key)
        })
    }

    /// The row as it is in memory: `None` if only redb knows, `Some(None)` if it was removed.
    pub fn get_fresh(&self, table: TableId, key: &[u8]) -> Option<Option<Versioned>> {
        let fresh = self.fresh.read().unwrap_or_else(PoisonError::into_inner);
        fresh.row(table, key)
    }

    /// Rows of a table in order of their keys, or against it, at most `limit`. Blocks while redb
    /// reads from the disk.
    pub fn scan(
        &self,
        table: TableId,
        range: &RowRange,
        limit: usize,
    ) -> Result<Vec<(Key, Versioned)>, StoreError> {
        if range.to.as_ref().is_some_and(|to| *to <= range.from) {
            return Ok(Vec::new());
        }
        let (fresh, mut rows) = self.catalog.guard(|| {
            // Both as of one moment: what is flushed is forgotten in memory only after redb has
            // it, and not while it is looked at.
            let (fresh, reading) = {
                let fresh = self.fresh.read().unwrap_or_else(PoisonError::into_inner);
                (fresh.scan(table, range, limit), self.catalog.begin_read()?)
            };
            // Each fresh removal may hide one flushed row, so that many more are needed.
            let limit = limit.saturating_add(fresh.len());
            let rows = scan_flushed(&reading, table, range, limit)?;
            Ok((fresh, rows))
        })?;
        for (key, (version, value)) in fresh {
            match (rows.get(&key), value) {
                (Some(row), _) if version < row.version => {}
                (_, Some(value)) => {
                    rows.insert(key, Versioned { value, version });
                }
                (_, None) => {
                    rows.remove(&key);
                }
            }
        }
        let rows = rows.into_iter();
        Ok(if range.is_backward {
            rows.rev().take(limit).collect()
        } else {
            rows.take(limit).collect()
        })
    }

    /// Writes every fresh row into `writing` and returns what to forget once that is durable.
    pub fn flush_into(
        &self,
        writing: &redb::WriteTransaction,
    ) -> Result<Vec<(TableId, Key, Version)>, StoreError> {
        let fresh: Vec<_> = {
            let fresh = self.fresh.read().unwrap_or_else(PoisonError::into_inner);
            fresh
                .rows
                .iter()
                .map(|(key, row)| (key.clone(), row.clone()))
                .collect()
        };
        let mut rows = writing.open_table(ROWS).map_err(failed("open the rows"))?;
        let mut flushed = Vec::with_capacity(fresh.len());
        for ((table, key), (version, value)) in fresh {
            let place = (table.0, &key[..]);
            match value {
                Some(value) => {
                    let value = encode(version, &value);
                    rows.insert(place, &value[..])
                        .map_err(failed("write a row"))?;
                }
                None => {
                    rows.remove(place).map_err(failed("remove a row"))?;
                }
            }
            flushed.push((table, key, version));
        }
        Ok(flushed)
    }

    /// Forgets in memory what redb now has, except rows that were written again since.
    pub fn flushed(&self, rows: Vec<(TableId, Key, Version)>) {
        let mut fresh = self.fresh.write().unwrap_or_else(PoisonError::into_inner);
        for (table, key, version) in rows {
            let place = (table, key);
            if fresh
                .rows
                .get(&place)
                .is_some_and(|(newest, _)| *newest == version)
            {
                fresh.rows.remove(&place);
            }
        }
        let bytes = |(key, (_, value)): (&(TableId, Key), &(Version, Option<Bytes>))| {
            key.1.len() + value.as_ref().map_or(0, Bytes::len)
        };
        fresh.bytes = fresh.rows.iter().map(bytes).sum();
    }
}

fn get_flushed(
    reading: &ReadTransaction,
    table: TableId,
    key: &[u8],
) -> Result<Option<Versioned>, StoreError> {
    let rows = match reading.open_table(ROWS) {
        Err(redb::TableError::TableDoesNotExist(_)) => return Ok(None),
        other => other.map_err(failed("open the rows"))?,
    };
    let found = rows.get((table.0, key)).map_err(failed("read a row"))?;
    found.map(|value| decode(table, value.value())).transpose()
}

fn scan_flushed(
    reading: &ReadTransaction,
    table: TableId,
    wanted: &RowRange,
    limit: usize,
) -> Result<BTreeMap<Key, Versioned>, StoreError> {
    let rows = match reading.open_table(ROWS) {
        Err(redb::TableError::TableDoesNotExist(_)) => return Ok(BTreeMap::new()),
        other => other.map_err(failed("open the rows"))?,
    };
    let end: Bound<(u64, &[u8])> = match (&wanted.to, table.0.checked_add(1)) {
        (Some(to), _) => Bound::Excluded((table.0, to)),
        (None, Some(next)) => Bound::Excluded((next, &[])),
        (None, None) => Bound::Unbounded,
    };
    let mut range = rows
        .range((Bound::Included((table.0, &wanted.from[..])), end))
        .map_err(failed("read rows"))?;
    let mut found = BTreeMap::new();
    while found.len() < limit {
        let next = if wanted.is_backward {
            range.next_back()
        } else {
            range.next()
        };
        let Some(row) = next else { break };
        let (key, value) = row.map_err(failed("read rows"))?;
        found.insert(
            Bytes::copy_from_slice(key.value().1),
            decode(table, value.value())?,
        );
    }
    Ok(found)
}

fn encode(version: Version, value: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(VALUE_HEADER_BYTES + value.len());
    out.extend_from_slice(&version.0.to_le_bytes());
    let crc = crc32c::crc32c_append(crc32c::crc32c(&out), value);
    out.extend_from_slice(&crc.to_le_bytes());
    out.extend_from_slice(value);
    out
}

fn decode(table: TableId, stored: &[u8]) -> Result<Versioned, StoreError> {
    let corrupt = || {
        let what = format!("a row of table {} has a wrong checksum", table.0);
        StoreError::corrupt(CATALOG_FILE, 0, what)
    };
    let (header, value) = stored
        .split_at_checked(VALUE_HEADER_BYTES)
        .ok_or_else(corrupt)?;
    let (version, crc) = header.split_at(8);
    let stored_crc = crc
        .try_into()
        .map(u32::from_le_bytes)
        .map_err(|_| corrupt())?;
    if crc32c::crc32c_append(crc32c::crc32c(version), value) != stored_crc {
        return Err(corrupt());
    }
    let version = version
        .try_into()
        .map(u64::from_le_bytes)
        .map_err(|_| corrupt())?;
    Ok(Versioned {
        value: Bytes::copy_from_slice(value),
        version: Version(version),
    })
}
