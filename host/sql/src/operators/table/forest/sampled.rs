//! A tree with the sample of points that it is made of, and the scores it gives.

use std::sync::Arc;

use super::tree::{Level, Point, Tree};
use crate::fault::Invalid;
use crate::key::put_u64;
use crate::operators::table::hash::{Random, mix};
use crate::operators::table::points::{put_f64, take_f64, take_usize};

/// A sample that prefers later points, after Efraimidis and Spirakis: each point gets a random
/// weight that falls with its time, and those with the least weights are kept.
pub struct SampledTree {
    tree: Tree,
    seed: u64,
    sample: Vec<Sampled>,
    /// The place of the greatest weight in a full sample.
    heaviest: Option<usize>,
    /// It changed since it was saved.
    pub dirty: bool,
}

struct Sampled {
    weight: f64,
    point: Point,
}

/// What is said of a point that is offered.
#[derive(Clone, Copy)]
pub struct Offered {
    /// How many points came before it.
    pub number: u64,
    /// The same, in times of decay.
    pub age: f64,
    pub sample_size: usize,
}

fn heaviest(sample: &[Sampled]) -> usize {
    let mut heaviest = 0;
    for (place, sampled) in sample.iter().enumerate() {
        if sampled.weight > sample[heaviest].weight {
            heaviest = place;
        }
    }
    heaviest
}

/// How much each dimension, downwards and upwards, adds to a score.
pub struct Shares {
    pub low: Vec<f64>,
    pub high: Vec<f64>,
}

impl Shares {
    pub fn none(dimensions: usize) -> Self {
        Self {
            low: vec![0.0; dimensions],
            high: vec![0.0; dimensions],
        }
    }

    fn each(&mut self, change: impl Fn(&mut f64)) {
        self.low.iter_mut().chain(&mut self.high).for_each(change);
    }

    /// Adds others, each times `factor`.
    pub fn add(&mut self, other: &Self, factor: f64) {
        let low = self.low.iter_mut().zip(&other.low);
        let high = self.high.iter_mut().zip(&other.high);
        low.chain(high)
            .for_each(|(own, other)| *own += other * factor);
    }
}

impl SampledTree {
    /// An empty tree whose chances follow from this number.
    pub fn new(seed: u64) -> Self {
        Self {
            tree: Tree::default(),
            seed,
            sample: Vec::new(),
            heaviest: None,
            dirty: false,
        }
    }

    /// How many points its sample has.
    pub fn len(&self) -> usize {
        self.sample.len()
    }

    /// Lets a point be one of the sample, or not. What chance says follows from the number of the
    /// point alone, so that a point that is not taken leaves nothing to be saved.
    ///
    /// # Errors
    ///
    /// A tree that does not have the points of its sample.
    pub fn offer(&mut self, point: &Point, offered: Offered) -> Result<(), Invalid> {
        let mut random = Random(mix(self.seed ^ mix(offered.number)));
        // Not 0, of which there is no logarithm.
        let chance = 1.0 - random.unit();
        let weight = (-chance.ln()).max(f64::MIN_POSITIVE).ln() - offered.age;
        let sampled = Sampled {
            weight,
            point: Arc::clone(point),
        };
        if self.sample.len() < offered.sample_size {
            self.sample.push(sampled);
        } else {
            let heaviest = self.heaviest.get_or_insert_with(|| heaviest(&self.sample));
            if self.sample[*heaviest].weight <= weight {
                return Ok(());
            }
            let old = std::mem::replace(&mut self.sample[*heaviest], sampled);
            self.heaviest = None;
            self.tree.remove(&old.point)?;
        }
        self.tree.insert(point, &mut random);
        self.dirty = true;
        Ok(())
    }

    /// How strange a point is, from 0 to about the logarithm of the size of the sample; with what
    /// each dimension adds to that, if it is wanted.
    ///
    /// A point that no other one is like would become a leaf high up in the tree. Where it would
    /// become one is up to chance; the score is what is expected over all cuts.
    pub fn score(&self, point: &[f64], mut shares: Option<&mut Shares>) -> f64 {
        let total = self.tree.mass();
        if total == 0 {
            return 0.0;
        }
        let mut score = 0.0;
        // What is part of the score and of no dimension: the point is known.
        let mut seen = 0.0;
        self.tree.climb(point, &mut |level| {
            if level.same {
                let depth = f64::from(level.depth) + f64::from(level.mass).ln_1p() / LN_2;
                let known = f64::from(level.mass) / f64::from(total);
                seen = (1.0 - known / 2.0) / depth;
                score = seen;
                return true;
            }
            let Some((outside, range)) = beyond(level, point) else {
                return false;
            };
            let separated = outside / range;
            let unseen = 1.0 / (f64::from(level.depth) + 1.0);
            score = (1.0 - separated) * score + separated * unseen;
            seen *= 1.0 - separated;
            if let Some(shares) = shares.as_deref_mut() {
                shares.each(|share| *share *= 1.0 - separated);
                share_out(level, point, unseen / range, shares);
            }
            true
        });
        let scale = f64::from(total).ln_1p() / LN_2;
        if let Some(shares) = shares {
            let sides = (point.len() * 2) as f64;
            shares.each(|share| *share = (*share + seen / sides) * scale);
        }
        score * scale
    }

    /// Puts it behind what is there.
    pub fn save(&mut self, to: &mut Vec<u8>) {
        self.dirty = false;
        put_u64(to, self.sample.len() as u64);
        for sampled in &self.sample {
            put_f64(to, sampled.weight);
            sampled
                .point
                .iter()
                .for_each(|coordinate| put_f64(to, *coordinate));
        }
        self.tree.save(to);
    }

    /// What was saved, of points with so many dimensions.
    ///
    /// # Errors
    ///
    /// Bytes that [`SampledTree::save`] did not write.
    pub fn restore(seed: u64, from: &mut &[u8], dimensions: usize) -> Result<Self, Invalid> {
        let count = take_usize(from)?;
        let mut sample = Vec::new();
        for _ in 0..count {
            let weight = take_f64(from)?;
            let coordinates = (0..dimensions).map(|_| take_f64(from));
            let point = coordinates.collect::<Result<Point, _>>()?;
            sample.push(Sampled { weight, point });
        }
        let points: Vec<Point> = sample
            .iter()
            .map(|sampled| Arc::clone(&sampled.point))
            .collect();
        Ok(Self {
            tree: Tree::restore(from, &points)?,
            seed,
            sample,
            heaviest: None,
            dirty: false,
        })
    }
}

const LN_2: f64 = std::f64::consts::LN_2;

/// How far a point lies outside of a box, over all dimensions, and how long the sides of the box
/// are with it. None: it lies inside.
fn beyond(level: &Level<'_>, point: &[f64]) -> Option<(f64, f64)> {
    let (mut outside, mut range) = (0.0, 0.0);
    for (dimension, coordinate) in point.iter().enumerate() {
        let (low, high) = (level.low[dimension], level.high[dimension]);
        let extension = (low - coordinate).max(coordinate - high).max(0.0);
        outside += extension;
        range += high - low + extension;
    }
    (outside > 0.0).then_some((outside, range))
}

/// Gives each side its part of what the point lies outside.
fn share_out(level: &Level<'_>, point: &[f64], factor: f64, shares: &mut Shares) {
    for (dimension, coordinate) in point.iter().enumerate() {
        shares.low[dimension] += (level.low[dimension] - coordinate).max(0.0) * factor;
        shares.high[dimension] += (coordinate - level.high[dimension]).max(0.0) * factor;
    }
}
