//! What a plugin is given.

use crate::Error;

/// One record of a batch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Record<'a> {
    index: u32,
    data: &'a [u8],
}

impl<'a> Record<'a> {
    /// A record as the host would give it, for a test that calls a plugin's function directly.
    pub fn new(index: u32, data: &'a [u8]) -> Self {
        Self { index, data }
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
}
