//! Records for other streams of the application's account and region. A plugin has those that its
//! manifest asks for in `[grants]` and the operator granted it. They are put when the batch is
//! committed, and not before.

use crate::host::emit as host;
use crate::{Error, slab};

/// Puts a record. Its partition key has 1 to 256 characters.
///
/// # Errors
/// When the stream is not granted, or the key or the data have no right size.
pub fn put(stream: &str, partition_key: &str, data: impl AsRef<[u8]>) -> Result<(), Error> {
    put_many(stream, [(partition_key, data)])
}

/// Puts many records, in this order, each with its partition key.
///
/// # Errors
/// As [`put`].
pub fn put_many<K: AsRef<str>, D: AsRef<[u8]>>(
    stream: &str,
    records: impl IntoIterator<Item = (K, D)>,
) -> Result<(), Error> {
    let (keys, data): (Vec<K>, Vec<D>) = records.into_iter().unzip();
    let keys = slab::of(keys.iter().map(|key| key.as_ref().as_bytes()));
    host::put_records(stream, &keys, &slab::of(data)).map_err(Error::new)
}
