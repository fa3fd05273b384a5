//! How a frame's body is sealed before it is queued, gets its place in the block, and is opened
//! when it is read. FORMAT.md, section "Seal".
//!
//! The content is sealed by whoever commits, before the frame has a place. The place is bound to
//! it by the writer, with a second tag over a few bytes, so that sealing does not hold up commits.

use bytes::Bytes;

use crate::embedded::format::{CIPHER_AES_256_GCM, CIPHER_NONE, FrameHeader, Packing};
use crate::engine::{LogId, NewFrame, StoreError};
use crate::keys::{KeyId, KeyRefusal, KeyRing, SEAL_BYTES, SealedContent, key_of};

/// A frame's body as it is stored, but for what says where.
pub struct SealedBody {
    content: SealedContent,
    content_bytes: u32,
}

impl SealedBody {
    /// Seals the body of a frame for `log`; `None` if it is longer than the cipher takes.
    pub fn of(log: LogId, frame: &NewFrame, key: KeyId, keys: &KeyRing) -> Sealing {
        let key = keys.find(key).map_err(|why| (key, why))?;
        let content = key.seal(&frame.body, &identity(log, frame.count));
        let content_bytes = u32::try_from(frame.body.len()).ok();
        Ok(content
            .zip(content_bytes)
            .map(|(content, content_bytes)| Self {
                content,
                content_bytes,
            }))
    }

    /// What is written in the place of the body, before its seal.
    pub fn ciphertext(&self) -> &Bytes {
        &self.content.ciphertext
    }

    /// Bytes of ciphertext and seal.
    pub fn stored_bytes(&self) -> usize {
        self.content.ciphertext.len() + SEAL_BYTES
    }

    /// What the header says of how the body lies.
    pub fn packing(&self) -> Packing {
        Packing {
            raw_length: self.content_bytes,
            codec: 0,
            cipher: CIPHER_AES_256_GCM,
        }
    }

    /// The seal of the frame that has its place now.
    pub fn at(&self, header: &FrameHeader) -> [u8; SEAL_BYTES] {
        self.content.at(&place(header))
    }
}

/// A sealed body, or why the key is not to be had.
pub type Sealing = Result<Option<SealedBody>, (KeyId, KeyRefusal)>;

/// What is known of a frame before it gets its place.
fn identity(log: LogId, count: u16) -> [u8; 12] {
    let mut out = [0; 12];
    out[0..8].copy_from_slice(&log.0.to_le_bytes());
    out[8..10].copy_from_slice(&count.to_le_bytes());
    out[11] = CIPHER_AES_256_GCM;
    out
}

/// What is known of it then.
fn place(header: &FrameHeader) -> [u8; 40] {
    let mut out = [0; 40];
    out[0..8].copy_from_slice(&header.log.0.to_le_bytes());
    out[8..16].copy_from_slice(&header.position.0.to_le_bytes());
    out[16..24].copy_from_slice(&header.epoch.to_le_bytes());
    out[24..32].copy_from_slice(&header.arrival.0.to_le_bytes());
    out[32..36].copy_from_slice(&header.packing.raw_length.to_le_bytes());
    out[36..38].copy_from_slice(&header.count.to_le_bytes());
    out[38] = header.packing.codec;
    out[39] = header.packing.cipher;
    out
}

/// Why a stored body that has its checksum is not opened.
pub enum Closed {
    /// Another build wrote it in a way that this one does not know.
    Unknown(String),
    /// Its key is not to be had.
    Key(KeyId, KeyRefusal),
    /// It is not what was sealed, or not where.
    Broken(&'static str),
}

impl Closed {
    /// The same as an error of the frame at `offset` of `file`.
    pub fn at(self, file: &str, offset: u64) -> StoreError {
        match self {
            Self::Unknown(what) => StoreError::Unreadable {
                file: file.to_owned(),
                what: format!("the frame at byte {offset} {what}"),
            },
            Self::Key(key, why) => StoreError::Key { key, why },
            Self::Broken(what) => StoreError::corrupt(file, offset, what),
        }
    }
}

/// The body of a frame whose stored bytes have the header's checksum, and the key that it was
/// sealed with.
pub fn open(
    header: &FrameHeader,
    stored: Bytes,
    keys: &KeyRing,
) -> Result<(Bytes, Option<KeyId>), Closed> {
    let Packing { codec, cipher, .. } = header.packing;
    if codec != 0 {
        let what = format!("is packed by codec {codec}, which this build does not know");
        return Err(Closed::Unknown(what));
    }
    match cipher {
        CIPHER_NONE => Ok((stored, None)),
        CIPHER_AES_256_GCM => {
            let key =
                key_of(&stored).ok_or(Closed::Broken("the frame is too short for its seal"))?;
            let found = keys.find(key).map_err(|why| Closed::Key(key, why))?;
            let opened = found.open(&stored, &identity(header.log, header.count), &place(header));
            let broken = Closed::Broken("the frame's seal is not that of this frame at this place");
            Ok((opened.ok_or(broken)?, Some(key)))
        }
        cipher => {
            let what = format!("is sealed with cipher {cipher}, which this build does not know");
            Err(Closed::Unknown(what))
        }
    }
}
