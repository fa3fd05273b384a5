//! A hash for keys of groups: as fast as a multiplication for each eight bytes, and seeded at
//! random, so that nobody can choose keys that fall on each other.

use std::hash::{BuildHasher, Hasher, RandomState};

/// An odd number without pattern: the fraction of the golden ratio.
const FOLD: u64 = 0x9E37_79B9_7F4A_7C15;

/// Makes hashers of one seed.
#[derive(Clone)]
pub struct KeyHash {
    seed: u64,
}

impl Default for KeyHash {
    fn default() -> Self {
        Self {
            seed: RandomState::new().hash_one(FOLD),
        }
    }
}

impl BuildHasher for KeyHash {
    type Hasher = KeyHasher;

    fn build_hasher(&self) -> KeyHasher {
        KeyHasher {
            state: self.seed,
            seed: self.seed | 1,
        }
    }
}

pub struct KeyHasher {
    state: u64,
    seed: u64,
}

/// Both halves of a product, folded into one, so that all bits of a word reach all bits of the
/// hash.
fn folded(a: u64, b: u64) -> u64 {
    let product = (u128::from(a) * u128::from(b)).to_le_bytes();
    let (words, _) = product.as_chunks::<8>();
    words
        .iter()
        .fold(0, |folded, word| folded ^ u64::from_le_bytes(*word))
}

impl Hasher for KeyHasher {
    fn write(&mut self, bytes: &[u8]) {
        let (words, rest) = bytes.as_chunks::<8>();
        for word in words {
            self.write_u64(u64::from_le_bytes(*word));
        }
        if !rest.is_empty() {
            let mut word = [0; 8];
            word[..rest.len()].copy_from_slice(rest);
            self.write_u64(u64::from_le_bytes(word));
        }
        // Where the bytes end is part of what is hashed.
        self.state ^= bytes.len() as u64;
    }

    fn write_u8(&mut self, number: u8) {
        self.write_u64(u64::from(number));
    }

    fn write_u64(&mut self, number: u64) {
        self.state = folded(self.state ^ number, FOLD ^ self.seed);
    }

    fn write_i64(&mut self, number: i64) {
        self.write_u64(number.cast_unsigned());
    }

    fn write_usize(&mut self, number: usize) {
        self.write_u64(number as u64);
    }

    fn finish(&self) -> u64 {
        folded(self.state, self.seed)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn keys_that_look_alike_fall_apart() {
        let hash = KeyHash::default();
        let texts = (0..2_000).map(|number| hash.hash_one(format!("ticker-{number}").as_str()));
        let wholes = (0..2_000_i64).map(|number| hash.hash_one(number << 20));
        for hashes in [texts.collect::<Vec<_>>(), wholes.collect()] {
            // A table looks at the lowest bits for its place, and at the highest ones to compare.
            let places: BTreeSet<u64> = hashes.iter().map(|hash| hash & 0xFFFF).collect();
            let tags: BTreeSet<u64> = hashes.iter().map(|hash| hash >> 57).collect();
            assert!(places.len() > 1_900, "{} places", places.len());
            assert_eq!(tags.len(), 128);
        }
    }

    #[test]
    fn two_tables_have_two_seeds() {
        let (one, other) = (KeyHash::default(), KeyHash::default());
        assert_ne!(one.hash_one("a"), other.hash_one("a"));
    }
}
