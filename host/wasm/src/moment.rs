//! What a guest sees of time and chance.

use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use types::Timestamp;

/// The moment that one delivery is worked on, the same whenever it is worked on again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Moment {
    /// What the guest's clocks show, all the time.
    pub now: Timestamp,
    /// What the guest's random numbers are made of.
    pub seed: u64,
}

impl Moment {
    /// The same for an instance that begins at this place of the delivery: what it draws is not
    /// what one that began elsewhere draws.
    #[must_use]
    pub fn at(self, place: u64) -> Self {
        let mut random = StdRng::seed_from_u64(self.seed);
        let key: u64 = random.random();
        let mut random = StdRng::seed_from_u64(key.wrapping_add(place));
        Self {
            seed: random.random(),
            ..self
        }
    }
}
