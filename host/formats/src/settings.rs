//! How a Parquet file is written (model, ParquetSerDe).

/// What pages are packed with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Codec {
    /// Nothing.
    Uncompressed,
    /// gzip.
    Gzip,
    /// Snappy in one block.
    Snappy,
}

/// Which pages there are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WriterVersion {
    /// Those of the first version.
    V1,
    /// Those of the second, whose levels are not packed.
    V2,
}

/// How a file is written. There is no padding: none is within whatever is allowed at most.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ParquetSettings {
    /// What pages are packed with.
    pub codec: Codec,
    /// Bytes of a row group at most; it may be smaller.
    pub block_bytes: u64,
    /// Bytes of a page at which another begins.
    pub page_bytes: usize,
    /// Whether values that come again and again are written once.
    pub has_dictionaries: bool,
    /// Which pages there are.
    pub version: WriterVersion,
}
