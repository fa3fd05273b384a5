//! Zstandard (RFC 8878): one frame with a checksum.

use std::io::{self, Write};

use zstd::stream::raw::{CParameter, Decoder, InBuffer, Operation, OutBuffer};
use zstd::stream::write::Encoder;

use super::broken;

/// The level, and what is fixed of it. Matches are looked for in 256 KiB, with tables of 2^15
/// entries: so an encoder takes no more than [`ENCODER_BYTES`].
const PARAMETERS: [CParameter; 5] = [
    CParameter::CompressionLevel(3),
    CParameter::WindowLog(18),
    CParameter::HashLog(15),
    CParameter::ChainLog(15),
    CParameter::ChecksumFlag(true),
];
/// No less than the memory of an encoder: 1.25 MiB, and what it has packed and not handed on.
pub const ENCODER_BYTES: usize = 1536 * 1024;
/// Bytes that a reader remembers, as a power of two: as many as each should (RFC 8878, 3.1.1.1.2).
const READ_WINDOW_LOG_MAX: u32 = 23;
/// Bytes that are unpacked at once.
const UNPACKED_BYTES: usize = 64 * 1024;

/// Begins a frame.
///
/// # Errors
/// When there is no memory for it.
pub fn encoder<W: Write>(to: W) -> io::Result<Encoder<'static, W>> {
    let mut encoder = Encoder::new(to, 0)?;
    for parameter in PARAMETERS {
        encoder.set_parameter(parameter)?;
    }
    Ok(encoder)
}

/// Reads a frame.
pub struct ZstdReader {
    decoder: Decoder<'static>,
    out: Vec<u8>,
    has_ended: bool,
}

impl ZstdReader {
    /// Nothing is read yet.
    ///
    /// # Errors
    /// When there is no memory for it.
    pub fn new() -> io::Result<Self> {
        let mut decoder = Decoder::new()?;
        decoder.set_parameter(zstd::stream::raw::DParameter::WindowLogMax(
            READ_WINDOW_LOG_MAX,
        ))?;
        Ok(Self {
            decoder,
            out: vec![0; UNPACKED_BYTES],
            has_ended: false,
        })
    }

    /// Takes the bytes that come next and writes what they hold.
    ///
    /// # Errors
    /// Those of the writer, and when they are no frame, or more than one.
    pub fn push(&mut self, bytes: &[u8], to: &mut impl Write) -> io::Result<()> {
        let mut input = InBuffer::around(bytes);
        loop {
            if self.has_ended {
                let is_all = input.pos() == bytes.len();
                return if is_all {
                    Ok(())
                } else {
                    Err(broken("more than one frame"))
                };
            }
            let before = input.pos();
            let mut output = OutBuffer::around(&mut self.out[..]);
            let left = self.decoder.run(&mut input, &mut output)?;
            let unpacked = output.as_slice();
            let is_stuck = input.pos() == before && unpacked.is_empty();
            to.write_all(unpacked)?;
            self.has_ended = left == 0;
            if is_stuck && !self.has_ended {
                return Ok(());
            }
        }
    }

    /// Whether the frame is whole.
    pub fn has_ended(&self) -> bool {
        self.has_ended
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// It counts against the memory of a cut.
    #[test]
    fn an_encoder_takes_no_more_memory_than_it_is_given() {
        let mut context = zstd::zstd_safe::CCtx::create();
        for parameter in PARAMETERS {
            context.set_parameter(parameter).unwrap();
        }
        let content: Vec<u8> = (0..3_000_000_u32).flat_map(u32::to_le_bytes).collect();
        let mut out = vec![0; 1 << 20];
        let mut input = InBuffer::around(&content);
        while input.pos() < content.len() {
            let mut output = OutBuffer::around(&mut out[..]);
            context.compress_stream(&mut output, &mut input).unwrap();
        }
        let bytes = context.sizeof() + zstd::zstd_safe::CCtx::out_size();
        assert!((1 << 20..=ENCODER_BYTES).contains(&bytes), "{bytes}");
    }
}
