//! A tree of random cuts: Guha, Mishra, Roy and Schrijvers, "Robust random cut forest based anomaly
//! detection on streams" (2016).
//!
//! Each cut goes through the box around all points below it, in a dimension that is chosen with the
//! length of the box as its chance. Points come and leave one by one, and the tree is always one
//! that could have been made of its points at once.

use std::sync::Arc;

use crate::fault::Invalid;
use crate::key::{put_u64, take_u8};
use crate::operators::table::hash::Random;
use crate::operators::table::points::{put_f64, take_f64, take_usize};

pub type Point = Arc<[f64]>;

/// A tree of points of one space.
#[derive(Default)]
pub struct Tree {
    nodes: Vec<Node>,
    /// Places of nodes that are not used.
    free: Vec<usize>,
    root: Option<usize>,
}

struct Node {
    kind: Kind,
    /// How many points lie below, each as often as it came.
    mass: u32,
    low: Box<[f64]>,
    high: Box<[f64]>,
}

#[derive(Clone, Copy)]
enum Kind {
    /// Points that are all the same.
    Leaf,
    Cut(Cut),
}

/// Points with at most this value lie on the left.
#[derive(Clone, Copy)]
struct Cut {
    dimension: usize,
    value: f64,
    left: usize,
    right: usize,
}

impl Cut {
    fn child(&self, point: &[f64]) -> usize {
        if point[self.dimension] <= self.value {
            self.left
        } else {
            self.right
        }
    }
}

impl Node {
    fn leaf(point: &[f64]) -> Self {
        Self {
            kind: Kind::Leaf,
            mass: 1,
            low: point.into(),
            high: point.into(),
        }
    }

    fn extend(&mut self, point: &[f64]) {
        for (low, coordinate) in self.low.iter_mut().zip(point) {
            *low = low.min(*coordinate);
        }
        for (high, coordinate) in self.high.iter_mut().zip(point) {
            *high = high.max(*coordinate);
        }
    }
}

/// What a point meets on its way up from where it would lie.
pub struct Level<'a> {
    pub depth: u32,
    pub mass: u32,
    /// The box that the point is held against.
    pub low: &'a [f64],
    pub high: &'a [f64],
    /// A leaf of points that are all like this one.
    pub same: bool,
}

impl Tree {
    /// How many points it has.
    pub fn mass(&self) -> u32 {
        self.root.map_or(0, |root| self.nodes[root].mass)
    }

    fn add(&mut self, node: Node) -> usize {
        match self.free.pop() {
            Some(place) => {
                self.nodes[place] = node;
                place
            }
            None => {
                self.nodes.push(node);
                self.nodes.len() - 1
            }
        }
    }

    pub fn insert(&mut self, point: &[f64], random: &mut Random) {
        let Some(mut place) = self.root else {
            self.root = Some(self.add(Node::leaf(point)));
            return;
        };
        let mut parent = None;
        loop {
            let node = &self.nodes[place];
            if let Some((dimension, value)) = random_cut(node, point, random) {
                let first = point[dimension] <= value && value < node.low[dimension];
                let last = point[dimension] > value && value >= node.high[dimension];
                if first || last {
                    self.split(place, parent, (dimension, value), point);
                    return;
                }
            }
            let node = &mut self.nodes[place];
            node.mass += 1;
            node.extend(point);
            let Kind::Cut(cut) = node.kind else {
                return;
            };
            parent = Some(place);
            place = cut.child(point);
        }
    }

    /// Puts a cut above a node, with the point as a leaf on the other side.
    fn split(
        &mut self,
        place: usize,
        parent: Option<usize>,
        (dimension, value): (usize, f64),
        point: &[f64],
    ) {
        let leaf = self.add(Node::leaf(point));
        let (left, right) = if point[dimension] <= value {
            (leaf, place)
        } else {
            (place, leaf)
        };
        let below = &self.nodes[place];
        let mut node = Node {
            kind: Kind::Cut(Cut {
                dimension,
                value,
                left,
                right,
            }),
            mass: below.mass + 1,
            low: below.low.clone(),
            high: below.high.clone(),
        };
        node.extend(point);
        let above = self.add(node);
        self.replace(parent, place, above);
    }

    /// Puts a node in the place that another one has below its parent.
    fn replace(&mut self, parent: Option<usize>, old: usize, new: usize) {
        let Some(parent) = parent else {
            self.root = Some(new);
            return;
        };
        if let Kind::Cut(cut) = &mut self.nodes[parent].kind {
            if cut.left == old {
                cut.left = new;
            } else {
                cut.right = new;
            }
        }
    }

    /// The nodes from the root to the leaf where a point lies or would lie.
    fn path(&self, point: &[f64]) -> Vec<usize> {
        let mut path = Vec::new();
        let mut next = self.root;
        while let Some(place) = next {
            path.push(place);
            next = match self.nodes[place].kind {
                Kind::Leaf => None,
                Kind::Cut(cut) => Some(cut.child(point)),
            };
        }
        path
    }

    /// Takes out a point that was put in.
    ///
    /// # Errors
    ///
    /// A point that is not there.
    pub fn remove(&mut self, point: &[f64]) -> Result<(), Invalid> {
        let missing = || Invalid::new("internal: a point that the tree does not have");
        let mut path = self.path(point);
        let leaf = path.pop().ok_or_else(missing)?;
        if *self.nodes[leaf].low != *point {
            return Err(missing());
        }
        if self.nodes[leaf].mass > 1 {
            path.push(leaf);
            path.iter().for_each(|place| self.nodes[*place].mass -= 1);
            return Ok(());
        }
        self.free.push(leaf);
        let Some(parent) = path.pop() else {
            self.root = None;
            return Ok(());
        };
        let Kind::Cut(cut) = self.nodes[parent].kind else {
            return Err(missing());
        };
        let sibling = if cut.left == leaf {
            cut.right
        } else {
            cut.left
        };
        self.free.push(parent);
        self.replace(path.last().copied(), parent, sibling);
        for place in path.into_iter().rev() {
            self.measure(place);
        }
        Ok(())
    }

    /// Works out mass and box of a node from those below it.
    fn measure(&mut self, place: usize) {
        let Kind::Cut(cut) = self.nodes[place].kind else {
            return;
        };
        let (left, right) = (&self.nodes[cut.left], &self.nodes[cut.right]);
        let low = left.low.iter().zip(&right.low).map(|(a, b)| a.min(*b));
        let high = left.high.iter().zip(&right.high).map(|(a, b)| a.max(*b));
        let (low, high, mass) = (low.collect(), high.collect(), left.mass + right.mass);
        let node = &mut self.nodes[place];
        (node.low, node.high, node.mass) = (low, high, mass);
    }

    /// Shows the levels from the leaf of a point upwards, until `look` wants no more.
    pub fn climb(&self, point: &[f64], look: &mut dyn FnMut(&Level<'_>) -> bool) {
        let path = self.path(point);
        let depths = 0_u32..;
        let levels: Vec<(u32, usize)> = depths.zip(path).collect();
        for (depth, place) in levels.into_iter().rev() {
            let node = &self.nodes[place];
            let level = Level {
                depth,
                mass: node.mass,
                low: &node.low,
                high: &node.high,
                same: matches!(node.kind, Kind::Leaf) && *node.low == *point,
            };
            if !look(&level) {
                return;
            }
        }
    }

    /// Puts the cuts behind what is there, from the root downwards. The points are not among them.
    pub fn save(&self, to: &mut Vec<u8>) {
        let mut rest: Vec<usize> = self.root.into_iter().collect();
        while let Some(place) = rest.pop() {
            match self.nodes[place].kind {
                Kind::Leaf => to.push(0),
                Kind::Cut(cut) => {
                    to.push(1);
                    put_u64(to, cut.dimension as u64);
                    put_f64(to, cut.value);
                    rest.extend([cut.right, cut.left]);
                }
            }
        }
    }

    /// A tree of the cuts that were saved and of its points.
    ///
    /// # Errors
    ///
    /// Bytes that [`Tree::save`] did not write, or other points.
    pub fn restore(from: &mut &[u8], points: &[Point]) -> Result<Self, Invalid> {
        let broken = || Invalid::new("internal: the state of a tree is not that of its points");
        let mut tree = Self::default();
        let mut rest: Vec<Unread<'_>> = Vec::new();
        if !points.is_empty() {
            rest.push((points.iter().collect(), None));
        }
        let mut cuts = Vec::new();
        while let Some((points, above)) = rest.pop() {
            let first = points.first().ok_or_else(broken)?;
            let mut node = Node::leaf(first);
            node.mass = u32::try_from(points.len()).map_err(|_| broken())?;
            let is_cut = take_u8(from)? == 1;
            let place = tree.add(node);
            if let Some((above, left)) = above {
                if let Kind::Cut(cut) = &mut tree.nodes[above].kind {
                    *(if left { &mut cut.left } else { &mut cut.right }) = place;
                }
            } else {
                tree.root = Some(place);
            }
            if !is_cut {
                continue;
            }
            let (dimension, value) = (take_usize(from)?, take_f64(from)?);
            if dimension >= first.len() {
                return Err(broken());
            }
            let (left, right) = points
                .into_iter()
                .partition(|point| point[dimension] <= value);
            tree.nodes[place].kind = Kind::Cut(Cut {
                dimension,
                value,
                left: place,
                right: place,
            });
            cuts.push(place);
            rest.push((right, Some((place, false))));
            rest.push((left, Some((place, true))));
        }
        cuts.into_iter().rev().for_each(|place| tree.measure(place));
        Ok(tree)
    }
}

/// What is still to be read: its points, and below which node it lies, on the left if true.
type Unread<'a> = (Vec<&'a Point>, Option<(usize, bool)>);

/// A cut through the box of a node and a point, if they differ.
fn random_cut(node: &Node, point: &[f64], random: &mut Random) -> Option<(usize, f64)> {
    let side = |dimension: usize| {
        let coordinate = point[dimension];
        let low = node.low[dimension].min(coordinate);
        (low, node.high[dimension].max(coordinate) - low)
    };
    let range: f64 = (0..point.len()).map(|dimension| side(dimension).1).sum();
    if range <= 0.0 {
        return None;
    }
    let mut place = random.unit() * range;
    let mut chosen = None;
    for dimension in 0..point.len() {
        let (low, length) = side(dimension);
        if length <= 0.0 {
            continue;
        }
        if place < length {
            // Rounding must not put the cut at the upper end, where it would cut nothing off.
            let value = low + place;
            let inside = value < low + length;
            return Some((dimension, if inside { value } else { low }));
        }
        place -= length;
        chosen = Some((dimension, low));
    }
    chosen
}
