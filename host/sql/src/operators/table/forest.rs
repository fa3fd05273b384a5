//! `RANDOM_CUT_FOREST` and `RANDOM_CUT_FOREST_WITH_EXPLANATION`: how strange each row is.
//!
//! The score of a row is that of its point before it is learned. With shingles the point is made of
//! the last rows together. A row with a null among its numbers has no score and is not learned.
//!
//! ```text
//! state: 00        -> points learned, the numbers of the last rows
//!        01 number -> a tree with its sample
//! ```

mod sampled;
mod tree;

#[cfg(test)]
mod tests;

use std::collections::VecDeque;
use std::sync::Arc;

use arrow_array::StringArray;

use self::sampled::{Offered, SampledTree, Shares};
use self::tree::Point;
use super::hash::mix;
use super::points::{Points, doubles, put_f64, take_f64, with_column};
use crate::batch::{Batch, Millis};
use crate::fault::Invalid;
use crate::key::{put_u64, take_u8, take_u64};
use crate::operator::{Operator, Out, StateWriter};
use crate::operators::rows::check_held;
use crate::plan::RandomCutForest;
use crate::ty::RowType;

const HEADER: u8 = 0;
const TREE: u8 = 1;

/// Every forest begins with the same chances, so that a replay gives the same scores.
const SEED: u64 = 0x6D69_6C6C_7261_6365;

/// As long as fewer than one in so many points of a sample are there, rows have a score of 0.
const WARM_UP: u64 = 4;

/// A forest that learns and gives scores.
pub struct Scoring {
    function: RandomCutForest,
    points: Points,
    /// The columns' names, as the explanation has them.
    names: Vec<String>,
    trees: Vec<SampledTree>,
    /// Points that were learned.
    learned: u64,
    /// The numbers of the last rows, oldest first: a shingle.
    recent: VecDeque<f64>,
    saved_header: Vec<u8>,
}

struct Scored {
    score: f64,
    shares: Option<Shares>,
}

impl Scoring {
    /// A forest that knows nothing yet.
    ///
    /// # Errors
    ///
    /// A plan that is broken, or a forest that would be too large.
    pub fn new(
        function: &RandomCutForest,
        input: &RowType,
        output: &RowType,
    ) -> Result<Self, Invalid> {
        let added = 1 + usize::from(function.explain);
        if output.columns().len() != input.columns().len() + added {
            return Err(Invalid::new(
                "internal: a forest adds its score and explanation",
            ));
        }
        if function.trees == 0 || function.sample_size == 0 || function.shingle_size == 0 {
            return Err(Invalid::new("internal: a forest of nothing"));
        }
        let points = Points::new(&function.columns, input)?;
        let columns = input.columns();
        let names = points
            .columns()
            .map(|index| columns[index].name.clone())
            .collect();
        let trees = (0..u64::from(function.trees)).map(|tree| SampledTree::new(seed(tree)));
        let forest = Self {
            function: function.clone(),
            points,
            names,
            trees: trees.collect(),
            learned: 0,
            recent: VecDeque::new(),
            saved_header: Vec::new(),
        };
        check_held("RANDOM_CUT_FOREST", 0, forest.bytes_max())?;
        Ok(forest)
    }

    fn dimensions(&self) -> usize {
        self.points.dimensions() * self.function.shingle_size as usize
    }

    /// About what a point of a sample costs: itself, and a box with two corners for two nodes.
    fn point_bytes(&self) -> usize {
        self.dimensions() * 8 * 5 + 200
    }

    /// What it holds when all samples are full.
    fn bytes_max(&self) -> usize {
        let points = self.function.trees as usize * self.function.sample_size as usize;
        points.saturating_mul(self.point_bytes())
    }

    /// Adds the numbers of a row; gives the point if a shingle is full.
    fn shingle(&mut self, numbers: &[f64]) -> Option<Point> {
        self.recent.extend(numbers);
        while self.recent.len() > self.dimensions() {
            self.recent.pop_front();
        }
        let full = self.recent.len() == self.dimensions();
        full.then(|| self.recent.iter().copied().collect())
    }

    /// Scores a point and learns it.
    fn take(&mut self, point: &Point) -> Result<Scored, Invalid> {
        let mut shares = self.function.explain.then(|| Shares::none(point.len()));
        let mut score = 0.0;
        if self.learned * WARM_UP >= u64::from(self.function.sample_size) {
            let part = 1.0 / f64::from(self.function.trees);
            for tree in &self.trees {
                let mut of_tree = shares.is_some().then(|| Shares::none(point.len()));
                score += tree.score(point, of_tree.as_mut()) * part;
                if let (Some(shares), Some(of_tree)) = (&mut shares, &of_tree) {
                    shares.add(of_tree, part);
                }
            }
        }
        let offered = Offered {
            number: self.learned,
            age: self.learned as f64 / self.function.time_decay.max(1) as f64,
            sample_size: self.function.sample_size as usize,
        };
        for tree in &mut self.trees {
            tree.offer(point, offered)?;
        }
        self.learned += 1;
        Ok(Scored { score, shares })
    }

    /// What each column adds to a score, as JSON.
    fn explanation(&self, shares: &Shares) -> Result<String, Invalid> {
        let mut columns = serde_json::Map::new();
        for (index, name) in self.names.iter().enumerate() {
            let of_column =
                |sides: &[f64]| -> f64 { sides.iter().skip(index).step_by(self.names.len()).sum() };
            let (low, high) = (of_column(&shares.low), of_column(&shares.high));
            let mut column = serde_json::Map::new();
            column.insert("ATTRIBUTION_SCORE".to_owned(), (low + high).into());
            if self.function.directions {
                let direction = if high >= low { "HIGH" } else { "LOW" };
                let strength = if low + high > 0.0 {
                    (high - low).abs() / (low + high)
                } else {
                    0.0
                };
                column.insert("DIRECTION".to_owned(), direction.into());
                column.insert("STRENGTH".to_owned(), strength.into());
            }
            columns.insert(name.clone(), column.into());
        }
        let unwritable = |_| Invalid::new("internal: an explanation that is no JSON");
        serde_json::to_string(&columns).map_err(unwritable)
    }

    fn header(&self) -> Vec<u8> {
        let mut header = Vec::new();
        put_u64(&mut header, self.learned);
        self.recent
            .iter()
            .for_each(|number| put_f64(&mut header, *number));
        header
    }
}

impl Operator for Scoring {
    fn on_batch(&mut self, _input: usize, batch: &Batch, out: &mut Out) -> Result<(), Invalid> {
        if batch.rows() == 0 {
            return Ok(());
        }
        let mut scores = Vec::with_capacity(batch.rows());
        let mut explanations = Vec::with_capacity(batch.rows());
        let mut numbers = Vec::with_capacity(self.points.dimensions());
        for row in 0..batch.rows() {
            numbers.clear();
            if !self.points.reader(batch).put(row, &mut numbers) {
                scores.push(None);
                explanations.push(None);
                continue;
            }
            let point = self.shingle(&numbers);
            let scored = match &point {
                Some(point) => self.take(point)?,
                None => Scored {
                    score: 0.0,
                    shares: self
                        .function
                        .explain
                        .then(|| Shares::none(self.dimensions())),
                },
            };
            scores.push(Some(scored.score));
            let explanation = scored.shares.map(|shares| self.explanation(&shares));
            explanations.push(explanation.transpose()?);
        }
        let mut scored = with_column(batch, doubles(scores));
        if self.function.explain {
            scored = with_column(&scored, Arc::new(StringArray::from(explanations)));
        }
        out.batches.push(scored);
        Ok(())
    }

    fn on_time(&mut self, _time: Millis, _out: &mut Out) -> Result<(), Invalid> {
        Ok(())
    }

    fn on_end(&mut self, _out: &mut Out) -> Result<(), Invalid> {
        Ok(())
    }

    fn save(&mut self, changes: &mut dyn StateWriter) {
        let header = self.header();
        if header != self.saved_header && (self.learned > 0 || !self.recent.is_empty()) {
            changes.put(&[HEADER], &header);
            self.saved_header = header;
        }
        for (number, tree) in (0_u64..).zip(&mut self.trees) {
            if tree.dirty {
                let mut state = Vec::new();
                tree.save(&mut state);
                changes.put(&key_of(number), &state);
            }
        }
    }

    fn restore(
        &mut self,
        rows: &mut dyn Iterator<Item = (Vec<u8>, Vec<u8>)>,
    ) -> Result<(), Invalid> {
        let broken = || Invalid::new("internal: state of a forest is of no known kind");
        for (key, value) in rows {
            let (mut key, mut value) = (key.as_slice(), value.as_slice());
            match take_u8(&mut key)? {
                HEADER => {
                    self.learned = take_u64(&mut value)?;
                    self.recent.clear();
                    while !value.is_empty() {
                        self.recent.push_back(take_f64(&mut value)?);
                    }
                }
                TREE => {
                    let number = take_u64(&mut key)?;
                    let dimensions = self.dimensions();
                    let place = usize::try_from(number).map_err(|_| broken())?;
                    let tree = self.trees.get_mut(place).ok_or_else(broken)?;
                    *tree = SampledTree::restore(seed(number), &mut value, dimensions)?;
                }
                _ => return Err(broken()),
            }
        }
        self.saved_header = self.header();
        Ok(())
    }

    fn state_bytes(&self) -> usize {
        let sampled: usize = self.trees.iter().map(SampledTree::len).sum();
        sampled.saturating_mul(self.point_bytes())
    }
}

/// What the chances of a tree follow from.
fn seed(tree: u64) -> u64 {
    mix(SEED ^ tree)
}

fn key_of(number: u64) -> Vec<u8> {
    let mut key = vec![TREE];
    put_u64(&mut key, number);
    key
}
