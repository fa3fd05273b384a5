//! A shard iterator as a client sends it, and what lies under its seal.

use streams::SealingKey;
use streams::iterator::ShardIterator;

/// The key that sealed the tokens of the corpus.
const KEY: SealingKey = SealingKey::new([7; SealingKey::BYTES]);

/// Any text is an iterator that seals to the same text again, or none; any payload likewise.
pub fn shard_iterator(data: &[u8]) {
    if let Ok(token) = std::str::from_utf8(data)
        && let Some(iterator) = ShardIterator::open(&KEY, token)
    {
        assert_eq!(iterator.seal(&KEY), token);
    }
    if let Some(iterator) = ShardIterator::parse(data) {
        let token = iterator.seal(&KEY);
        assert_eq!(ShardIterator::open(&KEY, &token), Some(iterator));
    }
}
