//! What delivered objects are packed with. The bytes of each format are made and read in `packed`.

use bincode::{Decode, Encode};

/// What delivered objects are packed with. Its place in the list is what rows keep of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode)]
pub enum Compression {
    /// Nothing.
    Uncompressed,
    /// gzip.
    Gzip,
    /// An archive of one file.
    Zip,
    /// Snappy in its own framing.
    Snappy,
    /// Snappy in the blocks that Hadoop reads.
    HadoopSnappy,
    /// Zstandard, which AWS does not have.
    Zstd,
}

impl Compression {
    /// All of them.
    pub const ALL: [Self; 6] = [
        Self::Uncompressed,
        Self::Gzip,
        Self::Zip,
        Self::Snappy,
        Self::HadoopSnappy,
        Self::Zstd,
    ];

    /// The one that a word means, by upper and lower case as the model has it.
    pub fn parse(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|known| known.as_str() == word)
    }

    /// The model's word; ours where the model has none.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Uncompressed => "UNCOMPRESSED",
            Self::Gzip => "GZIP",
            Self::Zip => "ZIP",
            Self::Snappy => "Snappy",
            Self::HadoopSnappy => "HADOOP_SNAPPY",
            Self::Zstd => "ZSTD",
        }
    }

    /// The HTTP word for it, where content that is packed has one (IANA, "HTTP Content Coding
    /// Registry").
    pub fn content_encoding(self) -> Option<&'static str> {
        match self {
            Self::Gzip => Some("gzip"),
            Self::Zstd => Some("zstd"),
            Self::Uncompressed | Self::Zip | Self::Snappy | Self::HadoopSnappy => None,
        }
    }

    /// What names end in unless the configuration says otherwise (developer guide, "Configure
    /// Amazon S3 object name format").
    pub fn extension(self) -> &'static str {
        match self {
            Self::Uncompressed => "",
            Self::Gzip => ".gz",
            Self::Zip => ".zip",
            Self::Snappy => ".snappy",
            Self::HadoopSnappy => ".hsnappy",
            Self::Zstd => ".zst",
        }
    }
}
