//! Sums of doubles with twice the digits of one, and what is counted beside them.

use crate::fault::Invalid;
use crate::key::{put_u64, take_u64};

/// The unevaluated sum of two doubles, of which the second one is below the last digit of the
/// first.
#[derive(Clone, Copy, Default)]
pub struct Twofold {
    high: f64,
    low: f64,
}

impl Twofold {
    /// The exact sum of two doubles (Knuth).
    fn sum(a: f64, b: f64) -> Self {
        let high = a + b;
        let of_b = high - a;
        let low = (a - (high - of_b)) + (b - of_b);
        Self { high, low }
    }

    /// The exact product of two doubles (Dekker), if nothing in it overflows.
    pub fn product(a: f64, b: f64) -> Self {
        const SPLIT: f64 = 134_217_729.0; // 2^27 + 1
        let halves = |number: f64| {
            let high = SPLIT * number - (SPLIT * number - number);
            (high, number - high)
        };
        let high = a * b;
        let ((a_high, a_low), (b_high, b_low)) = (halves(a), halves(b));
        let low = ((a_high * b_high - high) + a_high * b_low + a_low * b_high) + a_low * b_low;
        Self { high, low }
    }

    pub fn plus(self, other: Self) -> Self {
        let sum = Self::sum(self.high, other.high);
        Self::sum(sum.high, sum.low + self.low + other.low)
    }

    pub fn minus(self, other: Self) -> Self {
        self.plus(Self {
            high: -other.high,
            low: -other.low,
        })
    }

    pub fn squared(self) -> Self {
        let product = Self::product(self.high, self.high);
        let low = product.low + 2.0 * self.high * self.low;
        Self::sum(product.high, low)
    }

    pub fn divided(self, by: f64) -> Self {
        let quotient = self.high / by;
        let rest = self.minus(Self::product(quotient, by));
        Self::sum(quotient, (rest.high + rest.low) / by)
    }

    pub fn get(self) -> f64 {
        self.high + self.low
    }

    pub fn save(self, to: &mut Vec<u8>) {
        put_u64(to, self.high.to_bits());
        put_u64(to, self.low.to_bits());
    }

    pub fn take(from: &mut &[u8]) -> Result<Self, Invalid> {
        let high = f64::from_bits(take_u64(from)?);
        let low = f64::from_bits(take_u64(from)?);
        Ok(Self { high, low })
    }
}

impl From<f64> for Twofold {
    fn from(high: f64) -> Self {
        Self { high, low: 0.0 }
    }
}

/// How many rows are no number or infinite. They are counted beside the sum, since nothing could be
/// taken out of it behind them.
#[derive(Clone, Copy, Default)]
pub struct Specials {
    nan: u64,
    above: u64,
    below: u64,
}

impl Specials {
    pub fn place(&mut self, number: f64) -> &mut u64 {
        if number.is_nan() {
            &mut self.nan
        } else if number > 0.0 {
            &mut self.above
        } else {
            &mut self.below
        }
    }

    pub fn merge(&mut self, other: Self) {
        self.nan += other.nan;
        self.above += other.above;
        self.below += other.below;
    }

    /// What the sum is because of them.
    pub fn sum(self) -> Option<f64> {
        match (self.nan, self.above, self.below) {
            (0, 0, 0) => None,
            (0, _, 0) => Some(f64::INFINITY),
            (0, 0, _) => Some(f64::NEG_INFINITY),
            _ => Some(f64::NAN),
        }
    }

    pub fn save(self, to: &mut Vec<u8>) {
        put_u64(to, self.nan);
        put_u64(to, self.above);
        put_u64(to, self.below);
    }

    pub fn take(from: &mut &[u8]) -> Result<Self, Invalid> {
        Ok(Self {
            nan: take_u64(from)?,
            above: take_u64(from)?,
            below: take_u64(from)?,
        })
    }
}
