//! The last points and which of them are neighbours.

use crate::fault::Invalid;
use crate::plan::Hotspots;

/// A part of space that is dense.
#[derive(Clone, Debug, PartialEq)]
pub struct Hotspot {
    pub low: Vec<f64>,
    pub high: Vec<f64>,
    /// Points for each unit of its space. A side of no length counts as long as the radius.
    pub density: f64,
}

/// Points, each in the place of the one that left when it came.
pub struct Window {
    dimensions: usize,
    places: usize,
    radius: f64,
    points_min: u32,
    /// The number of the oldest point and its place; the others follow it, round and round.
    first: u64,
    oldest: usize,
    held: usize,
    coordinates: Vec<f64>,
    /// For each place a row of bits: which places hold neighbours, itself among them.
    neighbours: Vec<u64>,
    /// How many that are.
    counts: Vec<u32>,
}

const WORD_BITS: usize = 64;

impl Window {
    /// A window without points.
    ///
    /// # Errors
    ///
    /// A window of no rows.
    pub fn new(function: &Hotspots, dimensions: usize) -> Result<Self, Invalid> {
        let places = usize::try_from(function.window_rows);
        let places = places.map_err(|_| Invalid::new("internal: a window without end"))?;
        if places == 0 || dimensions == 0 {
            return Err(Invalid::new("internal: a window of no rows"));
        }
        let words = places.div_ceil(WORD_BITS);
        Ok(Self {
            dimensions,
            places,
            radius: function.scan_radius,
            points_min: function.points_min,
            first: 0,
            oldest: 0,
            held: 0,
            coordinates: vec![0.0; places * dimensions],
            neighbours: vec![0; places * words],
            counts: vec![0; places],
        })
    }

    /// Gives the first point of an empty window a number.
    pub fn begin_at(&mut self, first: u64) {
        self.first = first;
    }

    /// The number of the next point.
    pub fn next(&self) -> u64 {
        self.first + self.held as u64
    }

    /// The points with their numbers, oldest first.
    pub fn points(&self) -> impl Iterator<Item = (u64, &[f64])> {
        let places = (0..self.held).map(|number| self.at((self.oldest + number) % self.places));
        (self.first..).zip(places)
    }

    pub fn bytes(&self) -> usize {
        (self.coordinates.len() + self.neighbours.len() + self.counts.len()) * 8
    }

    fn at(&self, place: usize) -> &[f64] {
        &self.coordinates[place * self.dimensions..(place + 1) * self.dimensions]
    }

    fn words(&self) -> usize {
        self.places.div_ceil(WORD_BITS)
    }

    /// Takes a point, in the place of the oldest one if there is no other.
    ///
    /// # Errors
    ///
    /// A point of another space.
    pub fn push(&mut self, point: &[f64]) -> Result<(), Invalid> {
        if point.len() != self.dimensions {
            return Err(Invalid::new("internal: a point of another space"));
        }
        let place = (self.oldest + self.held) % self.places;
        if self.held == self.places {
            self.forget(place);
            self.first += 1;
            self.oldest = (self.oldest + 1) % self.places;
        } else {
            self.held += 1;
        }
        let begun = place * self.dimensions;
        self.coordinates[begun..begun + self.dimensions].copy_from_slice(point);
        for number in 0..self.held {
            let other = (self.oldest + number) % self.places;
            if self.near(self.at(other), point) {
                self.relate(place, other);
            }
        }
        Ok(())
    }

    fn near(&self, one: &[f64], other: &[f64]) -> bool {
        let squares = one.iter().zip(other).map(|(a, b)| (a - b) * (a - b));
        squares.sum::<f64>() <= self.radius * self.radius
    }

    fn relate(&mut self, one: usize, other: usize) {
        let words = self.words();
        self.neighbours[one * words + other / WORD_BITS] |= 1 << (other % WORD_BITS);
        self.counts[one] += 1;
        if one != other {
            self.neighbours[other * words + one / WORD_BITS] |= 1 << (one % WORD_BITS);
            self.counts[other] += 1;
        }
    }

    fn forget(&mut self, place: usize) {
        let words = self.words();
        let row = place * words..(place + 1) * words;
        let all: Vec<usize> = bits(&self.neighbours[row.clone()]).collect();
        for other in all.into_iter().filter(|other| *other != place) {
            self.neighbours[other * words + place / WORD_BITS] &= !(1 << (place % WORD_BITS));
            self.counts[other] -= 1;
        }
        self.neighbours[row].fill(0);
        self.counts[place] = 0;
    }

    /// All hotspots, in no order that means something.
    pub fn hotspots(&self) -> Vec<Hotspot> {
        let words = self.words();
        let mut seen = vec![0_u64; words];
        let mut hotspots = Vec::new();
        for place in 0..self.places {
            let known = seen[place / WORD_BITS] >> (place % WORD_BITS) & 1 == 1;
            if self.counts[place] >= self.points_min && !known {
                hotspots.push(self.cluster(place, &mut seen));
            }
        }
        hotspots
    }

    /// The cluster of a point with enough neighbours. Those of its points that have enough of them
    /// too are seen then; the others may lie beside several clusters.
    fn cluster(&self, place: usize, seen: &mut [u64]) -> Hotspot {
        let words = self.words();
        let mut members = vec![0_u64; words];
        let mut rest = vec![place];
        seen[place / WORD_BITS] |= 1 << (place % WORD_BITS);
        while let Some(place) = rest.pop() {
            let row = &self.neighbours[place * words..(place + 1) * words];
            for (word, neighbours) in row.iter().enumerate() {
                members[word] |= neighbours;
                let mut new = neighbours & !seen[word];
                while new != 0 {
                    let bit = new.trailing_zeros();
                    new &= new - 1;
                    let other = word * WORD_BITS + bit as usize;
                    if self.counts[other] >= self.points_min {
                        seen[word] |= 1 << bit;
                        rest.push(other);
                    }
                }
            }
        }
        self.bounds(&members)
    }

    fn bounds(&self, members: &[u64]) -> Hotspot {
        let mut low = vec![f64::INFINITY; self.dimensions];
        let mut high = vec![f64::NEG_INFINITY; self.dimensions];
        let mut count = 0.0;
        for place in bits(members) {
            count += 1.0;
            for (index, coordinate) in self.at(place).iter().enumerate() {
                low[index] = low[index].min(*coordinate);
                high[index] = high[index].max(*coordinate);
            }
        }
        let sides = low.iter().zip(&high).map(|(low, high)| high - low);
        let sides = sides.map(|side| if side > 0.0 { side } else { self.radius });
        let density = count / sides.product::<f64>();
        // A space that is too small for its size to be a number.
        let density = if density.is_finite() {
            density
        } else {
            f64::MAX
        };
        Hotspot { low, high, density }
    }
}

/// The numbers of the bits that are set.
fn bits(words: &[u64]) -> impl Iterator<Item = usize> {
    words.iter().enumerate().flat_map(|(word, bits)| {
        let bits = *bits;
        (0..WORD_BITS).filter_map(move |bit| {
            let set = bits >> bit & 1 == 1;
            set.then_some(word * WORD_BITS + bit)
        })
    })
}
