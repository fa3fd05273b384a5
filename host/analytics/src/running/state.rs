//! The state of an application's operators as rows of the store.
//!
//! ```text
//! application u64 BE | start u64 BE | 0 | key                  of a key that has room there
//! application u64 BE | start u64 BE | 1 | SHA-256 of the key   of one that lies in the row
//! application u64 BE | start u64 BE | 2 | SHA-256 of the key | number u32 BE
//!                                             what the first row of a value has no room for
//! ```
//!
//! A start from anywhere else than where it stopped has rows of its own; those of the starts before
//! are removed.

use std::collections::{BTreeMap, HashMap};

use bincode::{Decode, Encode};
use bytes::Bytes;
use sha2::{Digest, Sha256};
use store::codec::{self, damaged};
use store::{Engine, Key, Purpose, StoreError, Transaction, key_after};

use super::place::removal_of;
use crate::application::ApplicationId;
use crate::tables::{STATES, state_range};

/// The key of a row and what it is from now on; None: it is no more.
pub type RowChange = (Vec<u8>, Option<Vec<u8>>);

/// Bytes of a key that lies in the key of its row: with what is before it that is less than the
/// 1,024 bytes of a row's key.
const KEY_BYTES_MAX: usize = 960;
/// Bytes of a value in one row: with a long key before it that is less than the mebibyte of a row.
const VALUE_BYTES_MAX: usize = 512 * 1024;
/// Bytes of a key that an operator may have: those of a row of its input, of which the service
/// takes half a mebibyte (developer guide, limits).
pub const STATE_KEY_BYTES_MAX: usize = 384 * 1024;
/// No less than a row has in a transaction besides its own key and value: the rest of its key, and
/// what the store writes with it.
const ROW_BYTES: usize = 96;
/// Rows that are read at once.
const ROWS_PER_SCAN: usize = 64;
/// Rows that are removed in one commit.
const REMOVALS_PER_COMMIT: usize = 256;

const SHORT: u8 = 0;
const LONG: u8 = 1;
const MORE: u8 = 2;

/// What changed in the state of operators.
#[derive(Debug, Default)]
pub struct Changes {
    /// Values by key; without one where it is removed.
    rows: BTreeMap<Vec<u8>, Option<Vec<u8>>>,
    bytes: usize,
}

impl sql::StateWriter for Changes {
    fn put(&mut self, key: &[u8], value: &[u8]) {
        self.set(key, Some(value.to_vec()));
    }

    fn delete(&mut self, key: &[u8]) {
        self.set(key, None);
    }
}

impl Changes {
    fn set(&mut self, key: &[u8], value: Option<Vec<u8>>) {
        self.bytes += key.len() + value.as_ref().map_or(0, Vec::len) + ROW_BYTES;
        self.rows.insert(key.to_vec(), value);
    }

    /// Bytes that they take in a transaction, or more.
    pub fn bytes(&self) -> usize {
        self.bytes
    }
}

/// The first row of a value.
#[derive(Encode, Decode)]
struct StateRow {
    /// The key, where it is a long one.
    key: Vec<u8>,
    /// Rows that the value goes on in.
    more: u32,
    value: Vec<u8>,
}

/// Where the state of one start of an application lies.
#[derive(Debug)]
pub struct StateRows {
    id: ApplicationId,
    start: u64,
    /// How many further rows values have, of those that have some.
    more: HashMap<Vec<u8>, u32>,
}

impl StateRows {
    /// Of which none is known.
    pub fn new(id: ApplicationId, start: u64) -> Self {
        Self {
            id,
            start,
            more: HashMap::new(),
        }
    }

    /// Reads all of them: keys and values.
    ///
    /// # Errors
    /// When one cannot be read.
    pub async fn load(
        &mut self,
        engine: &dyn Engine,
    ) -> Result<Vec<(Vec<u8>, Vec<u8>)>, StoreError> {
        let mut all = Vec::new();
        let mut from = self.key(SHORT, &[]);
        let to = self.key(MORE, &[]);
        loop {
            let rows = engine
                .scan(STATES, from, Some(to.clone()), ROWS_PER_SCAN)
                .await?;
            let Some((last, _)) = rows.last() else {
                return Ok(all);
            };
            from = key_after(last);
            for (key, row) in rows {
                let read: StateRow = codec::decode("states of applications", &row.value)?;
                let (kind, rest) = key
                    .get(16..)
                    .and_then(<[u8]>::split_first)
                    .ok_or_else(|| damaged("the key of an application's state"))?;
                let key = if *kind == SHORT {
                    rest.to_vec()
                } else {
                    read.key
                };
                let mut value = read.value;
                for number in 0..read.more {
                    let row = engine.get(STATES, &self.more_key(&key, number)).await?;
                    let row = row.ok_or_else(|| damaged("the state of an application"))?;
                    value.extend_from_slice(&row.value);
                }
                if read.more > 0 {
                    self.more.insert(key.clone(), read.more);
                }
                all.push((key, value));
            }
        }
    }

    /// The rows that changes come to, for the table of states.
    ///
    /// # Errors
    /// When a key is longer than any may be.
    pub fn rows_of(&mut self, changes: Changes) -> Result<Vec<RowChange>, StoreError> {
        let mut rows = Vec::with_capacity(changes.rows.len());
        for (key, value) in changes.rows {
            if key.len() > STATE_KEY_BYTES_MAX {
                return Err(damaged("a key of an application's state"));
            }
            let before = self.more.remove(&key).unwrap_or(0);
            let mut more = 0;
            let first = match &value {
                None => None,
                Some(value) => {
                    let mut parts = value.chunks(VALUE_BYTES_MAX);
                    let first = parts.next().unwrap_or_default().to_vec();
                    for part in parts {
                        let row_key = self.more_key(&key, more).to_vec();
                        rows.push((row_key, Some(part.to_vec())));
                        more += 1;
                    }
                    let row = StateRow {
                        key: if key.len() > KEY_BYTES_MAX {
                            key.clone()
                        } else {
                            Vec::new()
                        },
                        more,
                        value: first,
                    };
                    Some(codec::encode(&row)?.to_vec())
                }
            };
            for number in more..before {
                rows.push((self.more_key(&key, number).to_vec(), None));
            }
            rows.push((self.first_key(&key).to_vec(), first));
            if more > 0 {
                self.more.insert(key, more);
            }
        }
        Ok(rows)
    }

    fn first_key(&self, key: &[u8]) -> Key {
        if key.len() > KEY_BYTES_MAX {
            self.key(LONG, &Sha256::digest(key))
        } else {
            self.key(SHORT, key)
        }
    }

    fn more_key(&self, key: &[u8], number: u32) -> Key {
        let digest = Sha256::digest(key);
        let rest = [&digest[..], &number.to_be_bytes()].concat();
        self.key(MORE, &rest)
    }

    fn key(&self, kind: u8, rest: &[u8]) -> Key {
        let (id, start) = (self.id.0.to_be_bytes(), self.start.to_be_bytes());
        Bytes::from([&id[..], &start[..], &[kind], rest].concat())
    }
}

/// Removes the state of all starts of an application but this one; of all, where there is none.
///
/// # Errors
/// When the store does not take it.
pub async fn remove_others(
    engine: &dyn Engine,
    id: ApplicationId,
    kept: Option<u64>,
) -> Result<(), StoreError> {
    let (first, end) = state_range(id, None);
    let ranges = match kept.map(|start| state_range(id, Some(start))) {
        None => vec![(first, end)],
        Some((kept_from, kept_to)) => vec![(first, kept_from), (kept_to, end)],
    };
    for (from, to) in ranges {
        let mut from = from;
        loop {
            let rows = engine
                .scan(STATES, from, Some(to.clone()), REMOVALS_PER_COMMIT)
                .await?;
            let Some((last, _)) = rows.last() else { break };
            from = key_after(last);
            let removals = rows.iter().map(|(key, _)| removal_of(STATES, key.clone()));
            let transaction = Transaction {
                writes: removals.collect(),
                ..Transaction::default()
            };
            let removed = engine.commit_for(Purpose::MakeRoom, transaction).await;
            removed.map_err(|error| StoreError::Commit(Box::new(error)))?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use sql::StateWriter;
    use store::disk::simulated::SimulatedDisk;
    use store::embedded::{Embedded, Options};

    use super::super::place::row_write;
    use super::*;

    async fn engine() -> Arc<dyn Engine> {
        let options = Options {
            free_bytes_min: 0,
            ballast_bytes: 0,
            ..Options::default()
        };
        let opening = move || Embedded::open(Arc::new(SimulatedDisk::new(1)), options);
        tokio::task::spawn_blocking(opening).await.unwrap().unwrap()
    }

    async fn keep(engine: &dyn Engine, rows: &mut StateRows, changes: Changes) {
        let rows = rows.rows_of(changes).unwrap();
        for (key, value) in rows {
            let write = row_write(STATES, Bytes::from(key), value.map(Bytes::from));
            let writes = vec![write];
            let transaction = Transaction {
                writes,
                ..Transaction::default()
            };
            engine.commit(transaction).await.unwrap();
        }
    }

    #[tokio::test]
    async fn state_of_any_size_reads_back_and_leaves_nothing_when_it_is_removed() {
        let engine = engine().await;
        let (id, start) = (ApplicationId(7), 3);
        let mut rows = StateRows::new(id, start);
        let of_another = StateRows::new(ApplicationId(8), start);
        keep(&*engine, &mut { of_another }, {
            let mut changes = Changes::default();
            changes.put(b"another", b"1");
            changes
        })
        .await;
        let (short, long) = (b"short".to_vec(), vec![5; 5_000]);
        let huge = vec![9; 2 * VALUE_BYTES_MAX + 1];
        let mut expected = BTreeMap::new();
        for round in 0..3_u8 {
            let mut changes = Changes::default();
            for key in [&short, &long, &Vec::new()] {
                let value = match round {
                    0 => vec![1],
                    1 => huge.clone(),
                    _ => vec![2; VALUE_BYTES_MAX + 7],
                };
                changes.put(key, &value);
                expected.insert(key.clone(), value);
            }
            keep(&*engine, &mut rows, changes).await;
            let mut found = StateRows::new(id, start);
            let all = found.load(&*engine).await.unwrap();
            assert_eq!(all.into_iter().collect::<BTreeMap<_, _>>(), expected);
            // Who goes on knows of all rows that there are.
            rows = found;
        }
        let mut changes = Changes::default();
        for key in expected.keys() {
            changes.delete(key);
        }
        keep(&*engine, &mut rows, changes).await;
        let (from, to) = state_range(id, None);
        assert!(
            engine
                .scan(STATES, from, Some(to), 9)
                .await
                .unwrap()
                .is_empty()
        );
    }

    #[tokio::test]
    async fn the_state_of_other_starts_is_removed_and_that_of_this_one_stays() {
        let engine = engine().await;
        for (id, start) in [(7, 1), (7, 2), (7, 3), (8, 1)] {
            let mut changes = Changes::default();
            changes.put(b"key", &[0; 20]);
            let mut rows = StateRows::new(ApplicationId(id), start);
            keep(&*engine, &mut rows, changes).await;
        }
        remove_others(&*engine, ApplicationId(7), Some(2))
            .await
            .unwrap();
        let left = |id, start| {
            let engine = Arc::clone(&engine);
            async move {
                let mut rows = StateRows::new(ApplicationId(id), start);
                rows.load(&*engine).await.unwrap().len()
            }
        };
        let lefts = [left(7, 1).await, left(7, 2).await, left(7, 3).await];
        assert_eq!((lefts, left(8, 1).await), ([0, 1, 0], 1));
        remove_others(&*engine, ApplicationId(7), None)
            .await
            .unwrap();
        assert_eq!((left(7, 2).await, left(8, 1).await), (0, 1));
    }
}
