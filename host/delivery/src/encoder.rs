//! Records become the content of an object.

use std::io::{self, Write};

use flate2::write::GzEncoder;
use object_store::PutPayload;
use snap::write::FrameEncoder;

use crate::compression::Compression;
use crate::content::Chunks;
use crate::packed::DEFLATE_LEVEL;
use crate::packed::hadoop_snappy::HadoopWriter;
use crate::packed::zip::ZipWriter;
use crate::packed::zstandard;

/// Packs records into one object after another.
pub struct Encoder {
    compression: Compression,
    /// Objects may be very small and very many.
    is_for_small: bool,
    open: Option<Open>,
    /// Why something that was written is in no object.
    broken: Option<io::Error>,
}

enum Open {
    Plain(Chunks),
    Gzip(Box<GzEncoder<Chunks>>),
    Zip(Box<ZipWriter<Chunks>>),
    Snappy(Box<FrameEncoder<Chunks>>),
    HadoopSnappy(Box<HadoopWriter<Chunks>>),
    Zstd(Box<zstd::stream::write::Encoder<'static, Chunks>>),
}

impl Open {
    fn new(compression: Compression, content: Chunks) -> io::Result<Self> {
        Ok(match compression {
            Compression::Uncompressed => Self::Plain(content),
            Compression::Gzip => {
                let level = flate2::Compression::new(DEFLATE_LEVEL);
                Self::Gzip(Box::new(GzEncoder::new(content, level)))
            }
            Compression::Zip => Self::Zip(Box::new(ZipWriter::new(content)?)),
            Compression::Snappy => Self::Snappy(Box::new(FrameEncoder::new(content))),
            Compression::HadoopSnappy => Self::HadoopSnappy(Box::new(HadoopWriter::new(content))),
            Compression::Zstd => Self::Zstd(Box::new(zstandard::encoder(content)?)),
        })
    }

    fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        match self {
            Self::Plain(content) => {
                content.write(bytes);
                Ok(())
            }
            Self::Gzip(content) => content.write_all(bytes),
            Self::Zip(content) => content.write_all(bytes),
            Self::Snappy(content) => content.write_all(bytes),
            Self::HadoopSnappy(content) => content.write_all(bytes),
            Self::Zstd(content) => content.write_all(bytes),
        }
    }

    /// What is packed so far; `None` only where packing broke.
    fn packed(&self) -> Option<&Chunks> {
        match self {
            Self::Plain(content) => Some(content),
            Self::Gzip(content) => Some(content.get_ref()),
            Self::Zip(content) => content.get_ref(),
            Self::Snappy(content) => Some(content.get_ref()),
            Self::HadoopSnappy(content) => Some(content.get_ref()),
            Self::Zstd(content) => Some(content.get_ref()),
        }
    }

    fn finish(self) -> io::Result<Chunks> {
        match self {
            Self::Plain(content) => Ok(content),
            Self::Gzip(content) => content.finish(),
            Self::Zip(content) => content.finish(),
            Self::Snappy(content) => content.into_inner().map_err(|error| error.into_error()),
            Self::HadoopSnappy(content) => content.finish(),
            Self::Zstd(content) => content.finish(),
        }
    }
}

impl Encoder {
    pub fn new(compression: Compression) -> Self {
        Self {
            compression,
            is_for_small: false,
            open: None,
            broken: None,
        }
    }

    /// Packs into objects that take no more memory than they are long.
    pub fn for_small_objects(compression: Compression) -> Self {
        Self {
            is_for_small: true,
            ..Self::new(compression)
        }
    }

    /// Adds bytes to the object that is open, or opens one.
    pub fn write(&mut self, bytes: &[u8]) {
        let written = match &mut self.open {
            Some(open) => open.write(bytes),
            none => {
                let content = if self.is_for_small {
                    Chunks::growing()
                } else {
                    Chunks::default()
                };
                let opened = Open::new(self.compression, content);
                opened.and_then(|open| none.insert(open).write(bytes))
            }
        };
        if let Err(error) = written {
            self.broken = Some(error);
        }
    }

    /// Bytes of the open object so far, as far as they are packed.
    pub fn packed_bytes(&self) -> usize {
        let packed = self.open.as_ref().and_then(Open::packed);
        packed.map_or(0, Chunks::len)
    }

    /// Bytes of memory that the open object takes.
    pub fn held_bytes(&self) -> usize {
        let packed = self.open.as_ref().and_then(Open::packed);
        let encoder = match &self.open {
            Some(Open::Zstd(_)) => zstandard::ENCODER_BYTES,
            // They fit into the chunk that every room has more than is held.
            _ => 0,
        };
        encoder + packed.map_or(0, Chunks::held_bytes)
    }

    /// Lets the open object go.
    pub fn forget(&mut self) {
        self.open = None;
    }

    /// Ends the open object; `None` if nothing was written since the last end.
    pub fn finish(&mut self) -> Option<PutPayload> {
        match self.open.take()?.finish() {
            Ok(packed) => Some(packed.finish()),
            Err(error) => {
                self.broken = Some(error);
                None
            }
        }
    }

    /// Whether all that was written is in the objects. Asked before any of them leaves.
    ///
    /// # Errors
    /// When packing failed, which it does not in memory.
    pub fn check(&self) -> Result<(), &io::Error> {
        match &self.broken {
            Some(error) => Err(error),
            None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::*;
    use crate::packed::unpack::Unpack;

    fn finish(encoder: &mut Encoder) -> Option<Bytes> {
        encoder.finish().map(Bytes::from)
    }

    /// Records that pack well, badly, and not at all.
    fn records() -> Vec<Vec<u8>> {
        let mut noise = 1_u64;
        let mut next = move || {
            noise = noise
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1);
            noise.to_le_bytes()[7]
        };
        let mut records = vec![Vec::new(), b"one".to_vec(), vec![7; 1_000_000]];
        records.push((0..300_000).map(|_| next()).collect());
        records.extend((0..2_000).map(|n| format!("record {n} of many\n").into_bytes()));
        records
    }

    fn unpacked(content: &[u8], compression: Compression, piece: usize) -> Vec<u8> {
        let Some(mut unpack) = Unpack::into(Vec::new(), compression).unwrap() else {
            return content.to_vec();
        };
        for piece in content.chunks(piece) {
            unpack.push(piece).unwrap();
        }
        unpack.finish().unwrap()
    }

    #[test]
    fn what_was_written_is_what_an_object_holds_in_every_format() {
        for compression in Compression::ALL {
            let mut encoder = Encoder::new(compression);
            assert_eq!(finish(&mut encoder), None);
            for records in [
                vec![b"one".to_vec()],
                records(),
                vec![b"t".to_vec(), b"wo".to_vec()],
            ] {
                records.iter().for_each(|record| encoder.write(record));
                let content = finish(&mut encoder).unwrap();
                for piece in [1, 7, 100_000, usize::MAX] {
                    let found = unpacked(&content, compression, piece.min(content.len()));
                    assert!(found == records.concat(), "{compression:?} by {piece}");
                }
            }
            assert_eq!(finish(&mut encoder), None);
            encoder.check().unwrap();
        }
    }

    #[test]
    fn the_same_records_give_the_same_bytes_in_every_format() {
        for compression in Compression::ALL {
            let pack = || {
                let mut encoder = Encoder::new(compression);
                records().iter().for_each(|record| encoder.write(record));
                finish(&mut encoder).unwrap()
            };
            assert!(pack() == pack(), "{compression:?}");
        }
    }

    #[test]
    fn what_is_packed_is_counted_while_it_is_written() {
        for compression in Compression::ALL {
            let mut encoder = Encoder::new(compression);
            records().iter().for_each(|record| encoder.write(record));
            let counted = encoder.packed_bytes();
            assert!(encoder.held_bytes() >= counted);
            let all = finish(&mut encoder).unwrap().len();
            assert!(
                counted <= all && all - counted < 512 * 1024,
                "{compression:?}: {counted} of {all}"
            );
        }
    }

    #[test]
    fn what_is_cut_off_or_goes_on_is_not_whole() {
        for compression in Compression::ALL.into_iter().skip(1) {
            let mut encoder = Encoder::new(compression);
            records().iter().for_each(|record| encoder.write(record));
            let content = finish(&mut encoder).unwrap();
            let is_whole = |content: &[u8]| {
                let mut unpack = Unpack::into(Vec::new(), compression).unwrap().unwrap();
                unpack.push(content).is_ok() && unpack.finish().is_ok()
            };
            assert!(is_whole(&content), "{compression:?}");
            assert!(!is_whole(&content[..content.len() - 1]), "{compression:?}");
            assert!(!is_whole(&[&content[..], b"x"].concat()), "{compression:?}");
        }
    }
}
