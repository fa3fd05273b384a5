//! How the files of a conversion are written (model, Serializer): as it was given, and what that
//! comes to.

use bincode::{Decode, Encode};
use formats::{Codec, Format, OrcCodec, OrcSettings, OrcVersion, ParquetSettings, WriterVersion};
use types::Invalid;

/// Bytes of a row group and of a page, where nothing is said of them (model, ParquetSerDe).
const BLOCK_BYTES_DEFAULT: u64 = 256 * 1024 * 1024;
const PAGE_BYTES_DEFAULT: usize = 1024 * 1024;
/// Bytes of a page at most, whatever is said: a page is in memory as a whole. Ours.
const PAGE_BYTES_MAX: usize = 8 * 1024 * 1024;
/// Bytes of a stripe, where nothing is said of them (model, OrcSerDe).
const STRIPE_BYTES_DEFAULT: u64 = 64 * 1024 * 1024;

/// `Serializer`, as it was given. Rows of builds that knew `ParquetSerDe` alone hold a choice of
/// that or nothing, which lies in the same bytes: no variant may come before these.
#[derive(Clone, Debug, Default, PartialEq, Eq, Encode, Decode)]
pub enum Serializer {
    /// None.
    #[default]
    Unsaid,
    /// `ParquetSerDe`.
    Parquet(Parquet),
    /// `OrcSerDe`.
    Orc(Orc),
}

/// `ParquetSerDe`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Encode, Decode)]
pub struct Parquet {
    /// `BlockSizeBytes`.
    pub block_bytes: Option<u32>,
    /// `PageSizeBytes`.
    pub page_bytes: Option<u32>,
    /// `Compression`.
    pub compression: Option<String>,
    /// `EnableDictionaryCompression`.
    pub has_dictionaries: Option<bool>,
    /// `MaxPaddingBytes`. There is no padding.
    pub padding_bytes_max: Option<u32>,
    /// `WriterVersion`.
    pub version: Option<String>,
}

/// `OrcSerDe`. Only what files are packed with, their version and the bytes of stripes are acted
/// on; the rest is kept and told.
#[derive(Clone, Debug, Default, PartialEq, Eq, Encode, Decode)]
pub struct Orc {
    /// `StripeSizeBytes`.
    pub stripe_bytes: Option<u32>,
    /// `BlockSizeBytes`.
    pub block_bytes: Option<u32>,
    /// `RowIndexStride`.
    pub stride_rows: Option<u32>,
    /// `EnablePadding`.
    pub has_padding: Option<bool>,
    /// `PaddingTolerance`.
    pub padding_tolerance: Option<Proportion>,
    /// `Compression`.
    pub compression: Option<String>,
    /// `BloomFilterColumns`.
    pub bloom_columns: Option<Vec<String>>,
    /// `BloomFilterFalsePositiveProbability`.
    pub bloom_probability: Option<Proportion>,
    /// `DictionaryKeyThreshold`.
    pub dictionary_threshold: Option<Proportion>,
    /// `FormatVersion`.
    pub version: Option<String>,
}

/// A number of 0 to 1, by its bits, so that it is the same as itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode)]
pub struct Proportion(u64);

impl Proportion {
    /// This number.
    pub fn new(number: f64) -> Self {
        Self(number.to_bits())
    }

    /// The number.
    pub fn number(self) -> f64 {
        f64::from_bits(self.0)
    }
}

fn unknown(word: &str) -> Invalid {
    Invalid(format!("the word {word} is not known"))
}

impl Serializer {
    /// Whether nothing was said.
    pub fn is_unsaid(&self) -> bool {
        matches!(self, Self::Unsaid)
    }

    /// What names of objects of rows end in (developer guide, "Configure Amazon S3 object name
    /// format").
    pub fn extension(&self) -> &'static str {
        match self {
            Self::Unsaid | Self::Parquet(_) => ".parquet",
            Self::Orc(_) => ".orc",
        }
    }

    /// What it comes to; `None` where nothing was said.
    ///
    /// # Errors
    /// For a word that no configuration can have.
    pub fn format(&self) -> Result<Option<Format>, Invalid> {
        Ok(match self {
            Self::Unsaid => None,
            Self::Parquet(parquet) => Some(Format::Parquet(parquet.settings()?)),
            Self::Orc(orc) => Some(Format::Orc(orc.settings()?)),
        })
    }
}

impl Parquet {
    fn settings(&self) -> Result<ParquetSettings, Invalid> {
        let page = self
            .page_bytes
            .and_then(|bytes| usize::try_from(bytes).ok());
        Ok(ParquetSettings {
            codec: match self.compression.as_deref() {
                None | Some("SNAPPY") => Codec::Snappy,
                Some("GZIP") => Codec::Gzip,
                Some("UNCOMPRESSED") => Codec::Uncompressed,
                Some(other) => return Err(unknown(other)),
            },
            block_bytes: self.block_bytes.map_or(BLOCK_BYTES_DEFAULT, u64::from),
            page_bytes: page.unwrap_or(PAGE_BYTES_DEFAULT).min(PAGE_BYTES_MAX),
            // Parquet's own writer has them.
            has_dictionaries: self.has_dictionaries.unwrap_or(true),
            version: match self.version.as_deref() {
                None | Some("V1") => WriterVersion::V1,
                Some("V2") => WriterVersion::V2,
                Some(other) => return Err(unknown(other)),
            },
        })
    }
}

impl Orc {
    fn settings(&self) -> Result<OrcSettings, Invalid> {
        Ok(OrcSettings {
            codec: match self.compression.as_deref() {
                None | Some("SNAPPY") => OrcCodec::Snappy,
                Some("ZLIB") => OrcCodec::Zlib,
                Some("NONE") => OrcCodec::Uncompressed,
                Some(other) => return Err(unknown(other)),
            },
            stripe_bytes: self.stripe_bytes.map_or(STRIPE_BYTES_DEFAULT, u64::from),
            version: match self.version.as_deref() {
                None | Some("V0_12") => OrcVersion::V0_12,
                Some("V0_11") => OrcVersion::V0_11,
                Some(other) => return Err(unknown(other)),
            },
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn encoded<T: Encode>(value: &T) -> Vec<u8> {
        bincode::encode_to_vec(value, bincode::config::standard()).unwrap()
    }

    /// Rows of builds before OrcSerDe was known hold `Option<Parquet>`.
    #[test]
    fn rows_that_know_parquet_alone_are_read_as_they_were_written() {
        let parquet = Parquet {
            page_bytes: Some(1 << 20),
            compression: Some("GZIP".to_owned()),
            ..Parquet::default()
        };
        for (before, now) in [
            (None, Serializer::Unsaid),
            (Some(parquet.clone()), Serializer::Parquet(parquet)),
        ] {
            let bytes = encoded(&before);
            assert_eq!(bytes, encoded(&now));
            let (read, _): (Serializer, usize) =
                bincode::decode_from_slice(&bytes, bincode::config::standard()).unwrap();
            assert_eq!(read, now);
        }
    }

    #[test]
    fn orc_files_are_written_as_the_model_says_where_nothing_is_said() {
        let settings = Orc::default().settings().unwrap();
        let wanted = OrcSettings {
            codec: OrcCodec::Snappy,
            stripe_bytes: 64 << 20,
            version: OrcVersion::V0_12,
        };
        assert_eq!(settings, wanted);
        let said = Orc {
            compression: Some("ZSTD".to_owned()),
            ..Orc::default()
        };
        assert!(said.settings().is_err());
    }
}
