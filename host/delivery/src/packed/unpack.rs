//! What is packed is unpacked, in whatever pieces it comes.

use std::io::{self, Write};

use flate2::write::GzDecoder;

use super::broken;
use super::hadoop_snappy::HadoopReader;
use super::snappy::SnappyReader;
use super::zip::ZipReader;
use super::zstandard::ZstdReader;
use crate::compression::Compression;

/// Takes packed bytes and writes what they hold.
pub enum Unpack<W: Write> {
    /// gzip.
    Gzip(Box<GzDecoder<W>>),
    /// An archive.
    Zip(Box<ZipReader>, W),
    /// Snappy in its own framing.
    Snappy(SnappyReader, W),
    /// Snappy in Hadoop's blocks.
    HadoopSnappy(HadoopReader, W),
    /// Zstandard.
    Zstd(Box<ZstdReader>, W),
}

impl<W: Write> Unpack<W> {
    /// Writes to `to` what is packed so; `None` for what is not packed.
    ///
    /// # Errors
    /// When there is no memory for it.
    pub fn into(to: W, compression: Compression) -> io::Result<Option<Self>> {
        Ok(Some(match compression {
            Compression::Uncompressed => return Ok(None),
            Compression::Gzip => Self::Gzip(Box::new(GzDecoder::new(to))),
            Compression::Zip => Self::Zip(Box::default(), to),
            Compression::Snappy => Self::Snappy(SnappyReader::default(), to),
            Compression::HadoopSnappy => Self::HadoopSnappy(HadoopReader::default(), to),
            Compression::Zstd => Self::Zstd(Box::new(ZstdReader::new()?), to),
        }))
    }

    /// Takes the bytes that come next.
    ///
    /// # Errors
    /// Those of the writer, and when they are not packed so.
    pub fn push(&mut self, bytes: &[u8]) -> io::Result<()> {
        match self {
            Self::Gzip(unpack) => {
                unpack.write_all(bytes)?;
                // What is unpacked does not wait for more.
                unpack.flush()
            }
            Self::Zip(unpack, to) => unpack.push(bytes, to),
            Self::Snappy(unpack, to) => unpack.push(bytes, to),
            Self::HadoopSnappy(unpack, to) => unpack.push(bytes, to),
            Self::Zstd(unpack, to) => unpack.push(bytes, to),
        }
    }

    /// What is written to.
    pub fn to(&mut self) -> &mut W {
        match self {
            Self::Gzip(unpack) => unpack.get_mut(),
            Self::Zip(_, to)
            | Self::Snappy(_, to)
            | Self::HadoopSnappy(_, to)
            | Self::Zstd(_, to) => to,
        }
    }

    /// There are no more bytes.
    ///
    /// # Errors
    /// When what was packed is not whole.
    pub fn finish(self) -> io::Result<W> {
        let (has_ended, to) = match self {
            Self::Gzip(unpack) => return unpack.finish(),
            Self::Zip(unpack, to) => (unpack.has_ended(), to),
            Self::Snappy(unpack, to) => (unpack.has_ended(), to),
            Self::HadoopSnappy(unpack, to) => (unpack.has_ended(), to),
            Self::Zstd(unpack, to) => (unpack.has_ended(), to),
        };
        if has_ended {
            Ok(to)
        } else {
            Err(broken("what is packed is not whole"))
        }
    }
}
