//! What a plugin is given.

use std::fmt;

use crate::columns::Columns;
use crate::{Error, SequenceNumber, Source};

/// One record of a batch.
#[derive(Clone, Copy)]
pub struct Record<'a> {
    index: u32,
    data: &'a [u8],
    columns: Option<&'a Columns>,
}

impl<'a> Record<'a> {
    /// A record as the host would give it, for a test that calls a plugin's function directly.
    /// Nothing is known of it besides its data: see [`testing`](crate::testing) for more.
    pub fn new(index: u32, data: &'a [u8]) -> Self {
        Self {
            index,
            data,
            columns: None,
        }
    }

    pub(crate) fn of_batch(index: u32, data: &'a [u8], columns: &'a Columns) -> Self {
        Self {
            index,
            data,
            columns: Some(columns),
        }
    }

    /// Its place in its batch, from 0. Batches are cut differently each time: the same record can
    /// have another place when it is worked on again.
    pub fn index(self) -> u32 {
        self.index
    }

    /// What the producer sent.
    pub fn data(self) -> &'a [u8] {
        self.data
    }

    /// What the producer sent, as text.
    ///
    /// # Errors
    /// When it is not UTF-8, with the first byte that is not.
    pub fn text(self) -> Result<&'a str, Error> {
        str::from_utf8(self.data)
            .map_err(|error| Error::new(format!("byte {} is not UTF-8", error.valid_up_to() + 1)))
    }

    /// What the producer sent, as a JSON value of this type.
    ///
    /// # Errors
    /// When it is none.
    #[cfg(feature = "json")]
    pub fn json<T: serde::Deserialize<'a>>(self) -> Result<T, Error> {
        Ok(serde_json::from_slice(self.data)?)
    }

    /// What the producer chose to share a shard; none where records are put to a delivery stream
    /// directly. The first record of a batch that is asked costs a call to the host, as with all
    /// that follows here; the others cost nothing.
    pub fn partition_key(self) -> Option<&'a str> {
        self.columns?.partition_key(self.place())
    }

    /// When it arrived, in milliseconds since 1970; none for a record that no batch holds.
    pub fn arrival_ms(self) -> Option<u64> {
        self.columns?.arrival_ms(self.place())
    }

    /// Its number in its stream; none where records are put to a delivery stream directly.
    pub fn sequence_number(self) -> Option<SequenceNumber> {
        self.columns?.sequence_number(self.place())
    }

    /// Its place in its aggregate, from 0; 0 where it was put alone. None for a record that no
    /// batch holds.
    pub fn sub_sequence_number(self) -> Option<u64> {
        self.columns?.sub_sequence_number(self.place())
    }

    /// Where it comes from; none for a record that no batch holds.
    pub fn source(self) -> Option<&'a Source> {
        Some(self.columns?.source())
    }

    fn place(self) -> usize {
        self.index as usize
    }
}

impl PartialEq for Record<'_> {
    fn eq(&self, other: &Self) -> bool {
        (self.index, self.data) == (other.index, other.data)
    }
}

impl Eq for Record<'_> {}

impl fmt::Debug for Record<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut record = f.debug_struct("Record");
        record.field("index", &self.index);
        record.field("data", &self.data).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn data_that_is_no_text_is_refused_with_the_first_bad_byte() {
        assert_eq!(Record::new(0, "é".as_bytes()).text(), Ok("é"));
        let reason = "byte 3 is not UTF-8";
        assert_eq!(Record::new(0, b"ab\xffc").text(), Err(Error::new(reason)));
    }

    #[test]
    fn nothing_is_known_of_a_record_that_no_batch_holds() {
        let record = Record::new(0, b"a");
        assert_eq!((record.partition_key(), record.arrival_ms()), (None, None));
        assert_eq!((record.sequence_number(), record.source()), (None, None));
    }
}
