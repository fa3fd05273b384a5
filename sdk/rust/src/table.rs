//! Tables: keys to values, both bytes. A plugin has those that its manifest asks for in `[grants]`
//! and the operator granted it. Reads see what the batch wrote before; what it writes is kept with
//! its checkpoint. A key has 1 to 900 bytes, a value at most 390 KiB.
//!
//! Each call crosses to the host, which allows a batch 10,000 calls unless it is told otherwise:
//! many keys at once are cheaper than each alone.

use crate::host::table as host;
use crate::{Error, slab};

/// An entry of a table.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// Its key.
    pub key: Vec<u8>,
    /// Its value.
    pub value: Vec<u8>,
}

/// The value of a key.
///
/// # Errors
/// When the table is not granted, or the key has no right size; as with all that follows.
pub fn get(table: &str, key: impl AsRef<[u8]>) -> Result<Option<Vec<u8>>, Error> {
    host::get(table, key.as_ref()).map_err(Error::new)
}

/// The values of many keys, in their order.
///
/// # Errors
/// As [`get`].
pub fn get_many<K: AsRef<[u8]>>(
    table: &str,
    keys: impl IntoIterator<Item = K>,
) -> Result<Vec<Option<Vec<u8>>>, Error> {
    host::get_many(table, &slab::of(keys)).map_err(Error::new)
}

/// Puts an entry.
///
/// # Errors
/// As [`get`], and when the value is too large.
pub fn put(table: &str, key: impl AsRef<[u8]>, value: impl AsRef<[u8]>) -> Result<(), Error> {
    host::put(table, key.as_ref(), value.as_ref()).map_err(Error::new)
}

/// Puts many entries; of one key twice the last holds.
///
/// # Errors
/// As [`put`].
pub fn put_many<K: AsRef<[u8]>, V: AsRef<[u8]>>(
    table: &str,
    entries: impl IntoIterator<Item = (K, V)>,
) -> Result<(), Error> {
    let (keys, values): (Vec<K>, Vec<V>) = entries.into_iter().unzip();
    host::put_many(table, &slab::of(keys), &slab::of(values)).map_err(Error::new)
}

/// Deletes an entry, if it is there.
///
/// # Errors
/// As [`get`].
pub fn delete(table: &str, key: impl AsRef<[u8]>) -> Result<(), Error> {
    host::delete(table, key.as_ref()).map_err(Error::new)
}

/// Entries in order of their keys, from `first` on, of keys that begin with `prefix`: at most
/// `limit`, and at most 1,000.
///
/// # Errors
/// As [`get`].
pub fn scan(
    table: &str,
    prefix: impl AsRef<[u8]>,
    first: impl AsRef<[u8]>,
    limit: u32,
) -> Result<Vec<Entry>, Error> {
    let entries = host::scan(table, prefix.as_ref(), first.as_ref(), limit);
    let entries = entries.map_err(Error::new)?.into_iter();
    let own = entries.map(|entry| Entry {
        key: entry.key,
        value: entry.value,
    });
    Ok(own.collect())
}

/// The value of a key as one of this type, from JSON.
///
/// # Errors
/// As [`get`], and when the value is none.
#[cfg(feature = "json")]
pub fn get_json<T: serde::de::DeserializeOwned>(
    table: &str,
    key: impl AsRef<[u8]>,
) -> Result<Option<T>, Error> {
    match get(table, key)? {
        Some(value) => Ok(Some(serde_json::from_slice(&value)?)),
        None => Ok(None),
    }
}

/// Puts an entry whose value is this as JSON.
///
/// # Errors
/// As [`put`], and when there is no JSON for the value.
#[cfg(feature = "json")]
pub fn put_json(
    table: &str,
    key: impl AsRef<[u8]>,
    value: &impl serde::Serialize,
) -> Result<(), Error> {
    put(table, key, serde_json::to_vec(value)?)
}

#[cfg(all(test, feature = "json"))]
mod tests {
    use serde::{Deserialize, Serialize};

    use super::*;
    use crate::{Output, Record};

    #[derive(Debug, PartialEq, Serialize, Deserialize)]
    struct Order<'a> {
        item: &'a str,
        count: u32,
    }

    #[derive(Debug, PartialEq, Serialize, Deserialize)]
    struct Stock {
        left: u32,
    }

    #[test]
    fn records_and_values_are_read_and_written_as_json() {
        let record = Record::new(0, br#"{"item":"cup","count":2}"#);
        let order: Order<'_> = record.json().unwrap();
        assert_eq!((order.item, order.count), ("cup", 2));
        let output = Output::json(&Stock { left: 5 }).unwrap();
        assert_eq!(output, Output::Replace(br#"{"left":5}"#.to_vec()));
        assert_eq!(get_json::<Stock>("stock", "cup"), Ok(None));
        put_json("stock", "cup", &Stock { left: 5 }).unwrap();
        assert_eq!(get_json("stock", "cup"), Ok(Some(Stock { left: 5 })));
        put("stock", "cup", "no JSON").unwrap();
        assert!(get_json::<Stock>("stock", "cup").is_err());
    }
}
