//! How values lie in rows: a version byte, then bincode. Rows can be made again from nothing but
//! their meaning, so a new layout is a new version byte and a step that reads the old one.

use bincode::{Decode, Encode, config};
use bytes::Bytes;
use store::StoreError;

/// The only layout so far.
const VERSION: u8 = 1;
/// Bytes that decoding may allocate: no row is larger. A damaged length is refused there.
const ROW_BYTES_MAX: usize = 1024 * 1024;

fn layout() -> impl config::Config {
    config::standard().with_limit::<ROW_BYTES_MAX>()
}

/// The row of `value`.
pub fn encode<T: Encode>(value: &T) -> Result<Bytes, StoreError> {
    let mut row = vec![VERSION];
    bincode::encode_into_std_write(value, &mut row, layout())
        .map_err(|error| unreadable(format!("write a row: {error}")))?;
    Ok(Bytes::from(row))
}

/// The value of `row`, which was read from `table`.
pub fn decode<T: Decode<()>>(table: &str, row: &[u8]) -> Result<T, StoreError> {
    let body = match row.split_first() {
        Some((&VERSION, body)) => body,
        Some((version, _)) => {
            return Err(unreadable(format!(
                "a row of {table} has layout {version}, which is newer than this server"
            )));
        }
        None => return Err(unreadable(format!("a row of {table} is empty"))),
    };
    match bincode::decode_from_slice(body, layout()) {
        Ok((value, read)) if read == body.len() => Ok(value),
        Ok(_) => Err(unreadable(format!("a row of {table} is too long"))),
        Err(error) => Err(unreadable(format!("a row of {table}: {error}"))),
    }
}

/// A row, or its key, is not what this server writes.
pub fn damaged(what: &str) -> StoreError {
    unreadable(format!("{what} cannot be read"))
}

fn unreadable(what: String) -> StoreError {
    StoreError::Corrupt {
        file: "tables".to_owned(),
        offset: 0,
        what,
    }
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
        let newer = [&[VERSION + 1], &row[1..]].concat();
        assert!(decode::<(u64, String, Vec<u8>)>("streams", &newer).is_err());
    }

    #[test]
    fn a_length_that_no_row_can_have_is_refused_before_memory_is_taken() {
        let row = [VERSION, 253, 255, 255, 255, 255, 255, 255, 255, 127];
        assert!(decode::<Vec<u8>>("streams", &row).is_err());
    }
}
