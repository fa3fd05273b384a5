//! How a file is written (model, ParquetSerDe and OrcSerDe).

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

/// What blocks of an ORC file are packed with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OrcCodec {
    /// Nothing.
    Uncompressed,
    /// Deflate.
    Zlib,
    /// Snappy in one block.
    Snappy,
}

/// The oldest Hive that reads a file, which says how its integers are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OrcVersion {
    /// 0.11: runs of the first version.
    V0_11,
    /// 0.12: runs of the second.
    V0_12,
}

/// How an ORC file is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OrcSettings {
    /// What blocks are packed with.
    pub codec: OrcCodec,
    /// Bytes of a stripe at most; it may be smaller.
    pub stripe_bytes: u64,
    /// How integers are written.
    pub version: OrcVersion,
}

/// Which files there are, and how they are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// Apache Parquet.
    Parquet(ParquetSettings),
    /// Apache ORC.
    Orc(OrcSettings),
}
