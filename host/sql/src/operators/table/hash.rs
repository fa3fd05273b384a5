//! Numbers that are spread as if by chance and are the same on every machine and in every build,
//! since they are part of saved state.

/// An odd number whose bits look random: 2^64 divided by the golden ratio.
const GOLDEN: u64 = 0x9E37_79B9_7F4A_7C15;

/// Mixes the bits of a number: the last step of Steele, Lea and Flood's SplitMix.
pub fn mix(number: u64) -> u64 {
    let number = (number ^ (number >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    let number = (number ^ (number >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    number ^ (number >> 31)
}

/// A number for bytes.
pub fn hash(bytes: &[u8]) -> u64 {
    let (chunks, rest) = bytes.as_chunks::<8>();
    let mut state = mix((bytes.len() as u64).wrapping_add(GOLDEN));
    for chunk in chunks {
        state = mix(state ^ u64::from_le_bytes(*chunk)).wrapping_add(GOLDEN);
    }
    let mut last = [0; 8];
    last[..rest.len()].copy_from_slice(rest);
    mix(state ^ u64::from_le_bytes(last))
}

/// Numbers that follow each other and look random: SplitMix.
#[derive(Clone, Copy, Debug)]
pub struct Random(pub u64);

impl Random {
    pub fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(GOLDEN);
        mix(self.0)
    }

    /// At least 0 and less than 1.
    pub fn unit(&mut self) -> f64 {
        let bits = self.next() >> 11;
        // 53 bits: exactly what a double holds.
        bits as f64 / (1_u64 << 53) as f64
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn hashes_of_similar_bytes_differ_in_half_of_their_bits() {
        let mut different = 0;
        for number in 0..1_000_u32 {
            let one = hash(number.to_string().as_bytes());
            let other = hash((number + 1).to_string().as_bytes());
            different += (one ^ other).count_ones();
        }
        assert!((31_000..33_000).contains(&different), "{different}");
        let lengths: HashSet<u64> = (0..20).map(|length| hash(&vec![0; length])).collect();
        assert_eq!(lengths.len(), 20);
    }

    #[test]
    fn random_numbers_are_spread_evenly() {
        let mut random = Random(7);
        let mut buckets = [0; 10];
        for _ in 0..10_000 {
            let unit = random.unit();
            assert!((0.0..1.0).contains(&unit));
            let index = (0..10)
                .rfind(|index| f64::from(*index) / 10.0 <= unit)
                .unwrap();
            buckets[usize::try_from(index).unwrap()] += 1;
        }
        assert!(
            buckets.iter().all(|count| (900..1_100).contains(count)),
            "{buckets:?}"
        );
    }
}
