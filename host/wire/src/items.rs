//! How many values a body may have. A body is read in one go, on a thread that others need, before
//! it is asked whether its sender may do anything: 16 MiB of the smallest values took a second.

use types::limits::{PARTITION_KEY_CHARS_MAX, PUT_RECORDS_COUNT_MAX};

/// Values of one record in PutRecords at most: its structure, and four members with their names.
const RECORD_ITEMS: usize = 1 + 4 * 2;
/// Values of a body besides, of which no input has a tenth: also the parts in which CBOR may bring
/// a string, so that 10 MiB of data may come in parts of 256 bytes.
const OTHER_ITEMS: usize = 60_000;

/// Values and names in a body, and parts of its strings. One with more is refused with
/// SerializationException once so many were read, also if they are of members that nobody knows.
pub(crate) const ITEMS_MAX: usize = PUT_RECORDS_COUNT_MAX * RECORD_ITEMS + OTHER_ITEMS;

/// Signs in JSON that a value follows, or that are in a string: 500 partition keys may be nothing
/// but commas, and a blob has none.
const SIGNS_MAX: usize = ITEMS_MAX + PUT_RECORDS_COUNT_MAX * PARTITION_KEY_CHARS_MAX;
/// Bytes of JSON whose values are not counted: the smallest ones take some 30 ms to read, and
/// looking at 500 records of 1 KiB for them took a tenth of a put.
const UNCOUNTED_BYTES: usize = 1024 * 1024;
/// Bytes that are looked at together, so that their count fits into one.
const STRETCH_BYTES: usize = 128;

/// What a body is refused with that has more.
pub(crate) const TOO_MANY: &str = "the body has more values than any input";

/// Whether JSON may have more values than there may be. It is not read for that: each value but
/// the first follows one of three signs, or a name that does.
pub(crate) fn are_too_many(json: &[u8]) -> bool {
    json.len() > UNCOUNTED_BYTES && signs(json) > SIGNS_MAX
}

fn signs(json: &[u8]) -> usize {
    let of_stretch = |stretch: &[u8]| {
        let signs = stretch
            .iter()
            .map(|byte| matches!(byte, b',' | b'[' | b'{'));
        signs.map(u8::from).sum::<u8>()
    };
    json.chunks(STRETCH_BYTES)
        .map(|stretch| usize::from(of_stretch(stretch)))
        .sum()
}
