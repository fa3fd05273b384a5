//! Tokens that clients carry and cannot change: iterators and page tokens.

use base64_simd::STANDARD;
use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;
use subtle::ConstantTimeEq;

/// Bytes of the message authentication code (MAC) at a token's end: half of an HMAC-SHA256, as RFC
/// 2104 allows.
const MAC_BYTES: usize = 16;
/// Bytes of a block of SHA-256.
const BLOCK_BYTES: usize = 64;
/// Characters that are looked at; no token that we made is longer.
const TOKEN_CHARS_MAX: usize = types::limits::ITERATOR_CHARS_MAX;

/// What a token is for. One kind is never taken for another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Purpose {
    /// A place in a shard.
    Iterator = 1,
    /// The next page of ListShards.
    Shards = 2,
    /// The next page of ListStreams.
    Streams = 3,
    /// The next page of ListStreamConsumers.
    Consumers = 4,
}

/// The server's secret for its tokens, made once and kept.
#[derive(Clone)]
pub struct SealingKey([u8; Self::BYTES]);

impl SealingKey {
    /// Bytes of a key.
    pub const BYTES: usize = 32;

    /// A key that was made before.
    pub const fn new(key: [u8; Self::BYTES]) -> Self {
        Self(key)
    }

    /// A token that holds `payload`: base64 of the payload and its MAC.
    pub fn seal(&self, purpose: Purpose, payload: &[u8]) -> String {
        let mut token = payload.to_vec();
        token.extend_from_slice(&self.mac(purpose, payload));
        STANDARD.encode_to_string(token)
    }

    /// The payload of a token that this key sealed for this purpose; `None` for any other text.
    pub fn open(&self, purpose: Purpose, token: &str) -> Option<Vec<u8>> {
        if token.len() > TOKEN_CHARS_MAX {
            return None;
        }
        // Strict base64: one text for one payload, so that no bit of a token can be changed.
        let mut payload = STANDARD.decode_to_vec(token).ok()?;
        let theirs = payload.split_off(payload.len().checked_sub(MAC_BYTES)?);
        let ours = self.mac(purpose, &payload);
        bool::from(theirs.ct_eq(&ours)).then_some(payload)
    }

    /// Another key, for `purpose` and from this one. No token has it: those of tokens begin with a
    /// number of their own.
    pub(crate) fn derive(&self, purpose: &str) -> [u8; Self::BYTES] {
        self.hmac(&[0], purpose.as_bytes())
    }

    fn mac(&self, purpose: Purpose, payload: &[u8]) -> [u8; MAC_BYTES] {
        let mut mac = [0; MAC_BYTES];
        mac.copy_from_slice(&self.hmac(&[purpose as u8], payload)[..MAC_BYTES]);
        mac
    }

    fn hmac(&self, kind: &[u8], payload: &[u8]) -> [u8; Self::BYTES] {
        // HMAC's own rule for keys shorter than a block: zeros behind them.
        let mut block = [0; BLOCK_BYTES];
        block[..Self::BYTES].copy_from_slice(&self.0);
        let mut mac = Hmac::<Sha256>::new(&block.into());
        mac.update(kind);
        mac.update(payload);
        mac.finalize().into_bytes().into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_opens_only_unchanged_with_its_key_and_for_its_purpose() {
        let key = SealingKey::new([7; 32]);
        let token = key.seal(Purpose::Iterator, b"here");
        assert_eq!(
            key.open(Purpose::Iterator, &token).as_deref(),
            Some(&b"here"[..])
        );
        assert_eq!(key.open(Purpose::Shards, &token), None);
        assert_eq!(
            SealingKey::new([8; 32]).open(Purpose::Iterator, &token),
            None
        );
        for at in 0..token.len() {
            for bit in 0..7 {
                let mut bytes = token.clone().into_bytes();
                bytes[at] ^= 1 << bit;
                let changed = String::from_utf8(bytes).unwrap();
                assert_eq!(key.open(Purpose::Iterator, &changed), None, "{changed}");
            }
            assert_eq!(key.open(Purpose::Iterator, &token[..at]), None);
        }
    }

    #[test]
    fn text_that_no_server_made_is_no_token() {
        let key = SealingKey::new([7; 32]);
        for text in ["", "====", "AAAA", "ключ", &"A".repeat(4096)] {
            assert_eq!(key.open(Purpose::Iterator, text), None);
        }
    }
}
