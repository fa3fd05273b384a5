//! The memory of the last output, for the next one: a plugin that fills it allocates once for
//! many records.

use std::cell::Cell;

/// Bytes of a spare vector. A larger one, which one unusual record needed, is freed.
const SPARE_BYTES_MAX: usize = 1024 * 1024;

thread_local! {
    static BYTES: Cell<Vec<u8>> = const { Cell::new(Vec::new()) };
    static ENDS: Cell<Vec<usize>> = const { Cell::new(Vec::new()) };
}

/// An empty vector to fill for [`Output::Replace`](crate::Output::Replace). It has the memory of
/// the last replacement, so that filling it costs no allocation. Any other vector is as good,
/// and slower to come by.
///
/// ```
/// use millrace_sdk::{Error, Output, Record};
///
/// fn in_brackets(record: Record<'_>) -> Result<Output, Error> {
///     let mut out = millrace_sdk::buffer();
///     out.push(b'[');
///     out.extend_from_slice(record.data());
///     out.push(b']');
///     Ok(Output::Replace(out))
/// }
/// # assert!(in_brackets(Record::new(0, b"a")).is_ok());
/// ```
pub fn buffer() -> Vec<u8> {
    take_bytes()
}

pub(crate) fn take_bytes() -> Vec<u8> {
    BYTES.take()
}

pub(crate) fn take_ends() -> Vec<usize> {
    ENDS.take()
}

/// Keeps the vector's memory for the next output.
pub(crate) fn give_bytes(mut bytes: Vec<u8>) {
    if bytes.capacity() <= SPARE_BYTES_MAX {
        bytes.clear();
        BYTES.set(bytes);
    }
}

/// Keeps the vector's memory for the next split.
pub(crate) fn give_ends(mut ends: Vec<usize>) {
    if ends.capacity() <= SPARE_BYTES_MAX / size_of::<usize>() {
        ends.clear();
        ENDS.set(ends);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_given_back_is_taken_empty_and_once() {
        give_bytes(Vec::with_capacity(100));
        assert_eq!((buffer().capacity(), buffer().capacity()), (100, 0));
        give_bytes(vec![1, 2, 3]);
        assert!(buffer().is_empty());
    }

    #[test]
    fn the_memory_of_an_unusually_large_output_is_freed() {
        give_bytes(Vec::with_capacity(SPARE_BYTES_MAX + 1));
        assert_eq!(buffer().capacity(), 0);
    }
}
