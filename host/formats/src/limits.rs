//! What bounds a table, a record and a file.

/// Columns of a table without columns in them, counted through all that is nested. A table with
/// more is refused: each takes memory for as long as a file is open, however little is in it.
pub const LEAVES_MAX: usize = 1_000;
/// Bytes of the names and types of a table's columns. A table with more is refused: it is kept with
/// each delivery that is on its way.
pub const TABLE_BYTES_MAX: usize = 64 * 1024;
/// How deeply types may be nested in each other. A deeper table is refused.
pub const TYPE_DEPTH_MAX: usize = 32;
/// How deeply JSON may be nested, also where no column asks for it. A deeper record is refused: it
/// is read by calls within calls.
pub const JSON_DEPTH_MAX: usize = 128;
/// Bytes of columns that one record may become, with all that comes of it in one call. One that
/// becomes more is refused: an empty object is a value in every column.
pub const RECORD_BYTES_MAX: usize = 12 * 1024 * 1024;
/// Bytes of columns at which they are encoded.
pub const BATCH_BYTES: usize = 1024 * 1024;
/// Bytes of memory of a row group at which it ends, whatever its block might be.
pub const ROW_GROUP_BYTES: usize = 16 * 1024 * 1024;
/// Rows of a row group at which it ends.
pub const ROW_GROUP_ROWS: usize = 1024 * 1024;
/// What a value is counted as, besides the bytes of a text: it has a place in a list, in its levels
/// and in a dictionary.
pub const VALUE_BYTES: usize = 16;
/// How much more than is in them lists have that grow: the new one is there beside the old one.
pub const GROWTH: usize = 3;
/// No less than what a column without columns takes while a file is open and nothing is in it.
pub const LEAF_BYTES: usize = 8 * 1024;
/// No less than what it has in the end of a file for each row group.
pub const LEAF_OF_GROUP_BYTES: usize = 512;

/// No less than the memory that a file takes besides its bytes, where so many bytes of values wait
/// to be encoded and so many are in the row group that is open. They are let go before the row
/// group is copied into the file.
pub fn bytes_besides(waiting: usize, row_group: usize) -> usize {
    (GROWTH * waiting + row_group).max(2 * (row_group + waiting))
}

/// The most memory that a file takes besides its bytes, whatever records become.
#[must_use]
pub fn file_bytes_besides() -> u64 {
    let most = bytes_besides(RECORD_BYTES_MAX + BATCH_BYTES, ROW_GROUP_BYTES);
    (most + LEAVES_MAX * LEAF_BYTES) as u64
}

/// No less than the same of a file whose records become so many bytes of columns.
#[must_use]
pub fn file_bytes_besides_of(columns: usize) -> usize {
    bytes_besides(columns, columns) + LEAVES_MAX * LEAF_BYTES
}
