//! How values lie in rows: the number of their layout, then bincode. Rows can be made again from
//! nothing but their meaning, so a new layout is a new number and a step that reads the old one.
//!
//! The store checks what lies on the disk. So a row that comes whole and does not read is not
//! damaged: a build with another layout wrote it, and the error says that.

use bincode::{Decode, Encode, config};
use bytes::Bytes;

use crate::StoreError;

/// The layout of rows that have had only one.
const LAYOUT: u8 = 1;
/// Bytes that decoding may allocate: no row is larger. A damaged length is refused there.
const ROW_BYTES_MAX: usize = 1024 * 1024;
/// The same for rows of many small values, such as items of tables: some tens of bytes in memory
/// may be one in the row.
const VALUES_BYTES_MAX: usize = 64 * 1024 * 1024;
/// Where rows lie, below the data directory.
const FILE: &str = "tables.redb";

fn config() -> impl config::Config {
    config::standard().with_limit::<ROW_BYTES_MAX>()
}

/// The row of `value`.
///
/// # Errors
/// When it cannot be one.
pub fn encode<T: Encode>(value: &T) -> Result<Bytes, StoreError> {
    encode_in(LAYOUT, value)
}

/// The row of `value`, which is laid out in this way.
///
/// # Errors
/// When it cannot be one.
pub fn encode_in<T: Encode>(layout: u8, value: &T) -> Result<Bytes, StoreError> {
    let mut row = vec![layout];
    bincode::encode_into_std_write(value, &mut row, config())
        .map_err(|error| unreadable(format!("write a row: {error}")))?;
    Ok(Bytes::from(row))
}

/// The value of `row`, which was read from `table`.
///
/// # Errors
/// When another build wrote it.
pub fn decode<T: Decode<()>>(table: &str, row: &[u8]) -> Result<T, StoreError> {
    decode_in(LAYOUT, table, row)
}

/// The layout of `row`, for those that have had several.
pub fn layout_of(row: &[u8]) -> Option<u8> {
    row.first().copied()
}

/// The value of `row`, which was read from `table`, if it is laid out in this way.
///
/// # Errors
/// When another build wrote it.
pub fn decode_in<T: Decode<()>>(layout: u8, table: &str, row: &[u8]) -> Result<T, StoreError> {
    decode_within(config(), layout, table, row)
}

/// The value of `row`, which was read from `table` and may be made of many small values.
///
/// # Errors
/// When another build wrote it.
pub fn decode_values<T: Decode<()>>(table: &str, row: &[u8]) -> Result<T, StoreError> {
    let config = config::standard().with_limit::<VALUES_BYTES_MAX>();
    decode_within(config, LAYOUT, table, row)
}

fn decode_within<T: Decode<()>>(
    config: impl config::Config,
    layout: u8,
    table: &str,
    row: &[u8],
) -> Result<T, StoreError> {
    let body = match row.split_first() {
        Some((found, body)) if *found == layout => body,
        Some((found, _)) => {
            let age = if *found > layout {
                "a newer"
            } else {
                "an older"
            };
            return Err(unreadable(format!(
                "a row of {table} was written by {age} build, in layout {found}"
            )));
        }
        None => return Err(unreadable(format!("a row of {table} is empty"))),
    };
    let why = match bincode::decode_from_slice(body, config) {
        Ok((value, read)) if read == body.len() => return Ok(value),
        Ok((_, read)) => format!("{} bytes are left", body.len() - read),
        Err(error) => error.to_string(),
    };
    Err(unreadable(format!(
        "a row of {table} was written by an older build, whose layout this one does not read \
         ({why})"
    )))
}

/// A row, or its key, is not what this build writes.
pub fn damaged(what: &str) -> StoreError {
    unreadable(format!("{what} cannot be read: another build wrote it"))
}

fn unreadable(what: String) -> StoreError {
    let file = FILE.to_owned();
    StoreError::Unreadable { file, what }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_row_reads_back_and_a_damaged_one_is_refused() {
        let value = (7_u64, "clicks".to_owned(), vec![1_u8, 2, 3]);
        let row = encode(&value).unwrap();
        assert_eq!(
            decode::<(u64, String, Vec<u8>)>("streams", &row).unwrap(),
            value
        );
        for length in 0..row.len() {
            assert!(decode::<(u64, String, Vec<u8>)>("streams", &row[..length]).is_err());
        }
        let longer = [&row[..], b"x"].concat();
        assert!(decode::<(u64, String, Vec<u8>)>("streams", &longer).is_err());
        let newer = [&[LAYOUT + 1], &row[1..]].concat();
        assert!(decode::<(u64, String, Vec<u8>)>("streams", &newer).is_err());
    }

    #[test]
    fn a_row_of_another_build_is_refused_by_name_and_never_called_damaged() {
        let row = encode(&(7_u64, 1_u8)).unwrap();
        let told = |row: &[u8]| match decode::<(u64, u64, u64)>("lanes", row) {
            Err(error @ StoreError::Unreadable { .. }) => error.to_string(),
            other => panic!("{other:?}"),
        };
        let older = "tables.redb: a row of lanes was written by an older build";
        assert!(told(&row).starts_with(older), "{}", told(&row));
        let longer = [&row[..], &[1, 2, 3]].concat();
        assert!(told(&longer).starts_with(older), "{}", told(&longer));
        let newer = [&[LAYOUT + 1], &row[1..]].concat();
        assert!(told(&newer).ends_with("by a newer build, in layout 2"));
    }

    #[test]
    fn a_length_that_no_row_can_have_is_refused_before_memory_is_taken() {
        let row = [LAYOUT, 253, 255, 255, 255, 255, 255, 255, 255, 127];
        assert!(decode::<Vec<u8>>("streams", &row).is_err());
    }
}
