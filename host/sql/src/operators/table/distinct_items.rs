//! `COUNT_DISTINCT_ITEMS_TUMBLING`: how many different values came.
//!
//! Exact as long as the values fit, as AWS promises. Beyond that a sketch by Flajolet, Fusy,
//! Gandouet and Meunier (HyperLogLog) with Ertl's estimate, which needs no correction for its bias:
//! a standard error of 0.8 %.
//!
//! ```text
//! state: 01 value -> nothing
//!        02 block -> 256 registers
//! ```

#[cfg(test)]
mod tests;

use std::collections::HashSet;

use super::hash::hash;
use super::tumbling::{TALLY, Tally, Tumbling};
use crate::batch::Millis;
use crate::cell::Cell;
use crate::expr::Expr;
use crate::fault::Invalid;
use crate::key::put_cell;
use crate::operator::StateWriter;
use crate::operators::rows::{check_held, types_of};
use crate::ty::RowType;

/// Values that are counted exactly. AWS: the page of the function.
pub const EXACT_MAX: usize = 10_000;

/// The bits of a hash that choose a register.
const REGISTER_BITS: u32 = 14;
const REGISTERS: usize = 1 << REGISTER_BITS;

/// The greatest value of a register: one more than the bits that are left.
const RANK_MAX: usize = 64 - REGISTER_BITS as usize + 1;

/// Registers that are saved together.
const BLOCK: usize = 256;

const SKETCH: u8 = 2;

/// About what a value costs besides its bytes.
const ENTRY_BYTES: usize = 64;

/// The operator for a column of the input.
///
/// # Errors
///
/// A plan that is broken.
pub fn build(
    column: usize,
    window: Millis,
    (input, output): (&RowType, &RowType),
) -> Result<Tumbling<DistinctItems>, Invalid> {
    let Some(of) = input.columns().get(column) else {
        return Err(Invalid::new(
            "internal: distinct items of a column that is not there",
        ));
    };
    let value = Expr::column(column, of.ty);
    let types = (types_of(input), types_of(output));
    Tumbling::new(DistinctItems::default(), value, window, types)
}

/// The different values of a window.
#[derive(Default)]
pub struct DistinctItems {
    phase: Phase,
    /// Values that are to be saved.
    unsaved: Vec<Box<[u8]>>,
    /// Keys of the saved state.
    saved: HashSet<Box<[u8]>>,
}

enum Phase {
    Exact {
        values: HashSet<Box<[u8]>>,
        bytes: usize,
    },
    Sketched(Box<Sketch>),
}

struct Sketch {
    registers: [u8; REGISTERS],
    /// Blocks that changed since they were saved.
    dirty: [bool; REGISTERS / BLOCK],
    /// Blocks that the saved state has of this sketch.
    kept: [bool; REGISTERS / BLOCK],
}

impl Default for Phase {
    fn default() -> Self {
        Self::Exact {
            values: HashSet::new(),
            bytes: 0,
        }
    }
}

impl Sketch {
    fn empty() -> Box<Self> {
        Box::new(Self {
            registers: [0; REGISTERS],
            dirty: [false; REGISTERS / BLOCK],
            kept: [false; REGISTERS / BLOCK],
        })
    }

    fn add(&mut self, value: &[u8]) -> Result<(), Invalid> {
        let hash = hash(value);
        let broken = |_| Invalid::new("internal: a hash of more than 64 bits");
        let register = usize::try_from(hash >> (64 - REGISTER_BITS)).map_err(broken)?;
        // A bit behind the hash, so that a rank ends there.
        let rest = hash << REGISTER_BITS | 1 << (REGISTER_BITS - 1);
        let rank = u8::try_from(rest.leading_zeros() + 1).map_err(broken)?;
        if rank > self.registers[register] {
            self.registers[register] = rank;
            self.dirty[register / BLOCK] = true;
        }
        Ok(())
    }

    fn estimate(&self) -> f64 {
        let mut counts = [0_u32; RANK_MAX + 1];
        for register in self.registers {
            counts[usize::from(register).min(RANK_MAX)] += 1;
        }
        let all = f64::from(1_u32 << REGISTER_BITS);
        let mut sum = all * tau(1.0 - f64::from(counts[RANK_MAX]) / all);
        for count in counts[1..RANK_MAX].iter().rev() {
            sum = 0.5 * (sum + f64::from(*count));
        }
        sum += all * sigma(f64::from(counts[0]) / all);
        all * all / (2.0 * std::f64::consts::LN_2 * sum)
    }
}

/// What registers that are empty add to Ertl's sum.
fn sigma(share: f64) -> f64 {
    if share >= 1.0 {
        return f64::INFINITY;
    }
    let (mut power, mut weight, mut sum) = (share, 1.0, share);
    loop {
        power *= power;
        let before = sum;
        sum += power * weight;
        weight += weight;
        if sum <= before {
            return sum;
        }
    }
}

/// What registers that are full add to it.
fn tau(share: f64) -> f64 {
    if share <= 0.0 || share >= 1.0 {
        return 0.0;
    }
    let (mut root, mut weight, mut sum) = (share, 1.0, 1.0 - share);
    loop {
        root = root.sqrt();
        let before = sum;
        weight *= 0.5;
        sum -= (1.0 - root) * (1.0 - root) * weight;
        if sum >= before {
            return sum / 3.0;
        }
    }
}

impl Tally for DistinctItems {
    fn add(&mut self, value: &[u8]) -> Result<(), Invalid> {
        let (values, bytes) = match &mut self.phase {
            Phase::Sketched(sketch) => return sketch.add(value),
            Phase::Exact { values, bytes } => (values, bytes),
        };
        if values.contains(value) {
            return Ok(());
        }
        if values.len() < EXACT_MAX {
            values.insert(value.into());
            *bytes += value.len() + ENTRY_BYTES;
            self.unsaved.push(value.into());
            return check_held("COUNT_DISTINCT_ITEMS_TUMBLING", values.len(), *bytes);
        }
        let mut sketch = Sketch::empty();
        for value in values.iter() {
            sketch.add(value)?;
        }
        sketch.add(value)?;
        self.unsaved.clear();
        self.phase = Phase::Sketched(sketch);
        Ok(())
    }

    fn answer(&mut self) -> Result<Vec<Vec<u8>>, Invalid> {
        self.unsaved.clear();
        let count = match std::mem::take(&mut self.phase) {
            Phase::Exact { values, .. } => i64::try_from(values.len()).ok(),
            Phase::Sketched(sketch) => format!("{:.0}", sketch.estimate()).parse().ok(),
        };
        let Some(count) = count else {
            return Err(Invalid::new("internal: a count without end"));
        };
        let mut row = Vec::new();
        put_cell(&mut row, Cell::Whole(count));
        Ok(vec![row])
    }

    fn save(&mut self, changes: &mut dyn StateWriter) {
        let mut stale = std::mem::take(&mut self.saved);
        match &mut self.phase {
            Phase::Exact { values, .. } => {
                for value in self.unsaved.drain(..) {
                    changes.put(&key_of(TALLY, &value), &[]);
                }
                for value in values.iter() {
                    let key = key_of(TALLY, value);
                    stale.remove(&key);
                    self.saved.insert(key);
                }
            }
            Phase::Sketched(sketch) => {
                let marks = sketch.dirty.iter_mut().zip(&mut sketch.kept);
                let blocks = sketch.registers.chunks(BLOCK).zip(marks);
                for (number, (block, (dirty, kept))) in (0_u8..).zip(blocks) {
                    let key = key_of(SKETCH, &[number]);
                    if std::mem::take(dirty) {
                        changes.put(&key, block);
                        *kept = true;
                    }
                    if *kept {
                        stale.remove(&key);
                        self.saved.insert(key);
                    }
                }
            }
        }
        for key in stale {
            changes.delete(&key);
        }
    }

    fn restore(&mut self, key: &[u8], value: &[u8]) -> Result<(), Invalid> {
        let broken = || Invalid::new("internal: state of distinct items is of no known kind");
        self.saved.insert(key.into());
        match key {
            [TALLY, item @ ..] => {
                let Phase::Exact { values, bytes } = &mut self.phase else {
                    return Err(broken());
                };
                *bytes += item.len() + ENTRY_BYTES;
                values.insert(item.into());
            }
            [SKETCH, number] => {
                if matches!(self.phase, Phase::Exact { .. }) {
                    self.phase = Phase::Sketched(Sketch::empty());
                }
                let Phase::Sketched(sketch) = &mut self.phase else {
                    return Err(broken());
                };
                let mut blocks = sketch.registers.chunks_mut(BLOCK);
                let block = blocks.nth(usize::from(*number)).ok_or_else(broken)?;
                if value.len() != BLOCK {
                    return Err(broken());
                }
                block.copy_from_slice(value);
                sketch.kept[usize::from(*number)] = true;
            }
            _ => return Err(broken()),
        }
        Ok(())
    }

    fn held_bytes(&self) -> usize {
        match &self.phase {
            Phase::Exact { bytes, .. } => *bytes,
            Phase::Sketched(_) => REGISTERS,
        }
    }
}

fn key_of(kind: u8, rest: &[u8]) -> Box<[u8]> {
    [&[kind], rest].concat().into()
}
