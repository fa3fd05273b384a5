//! `HOTSPOTS`: where the points of the last rows lie dense.
//!
//! A hotspot is a cluster as Ester, Kriegel, Sander and Xu's DBSCAN finds them: points with enough
//! neighbours within the radius, all that are neighbours of each other, and those beside them.
//! Which points are neighbours is kept as bits, so that a row costs one distance to each point of
//! the window, and a walk over the bits.
//!
//! ```text
//! state: 01 number -> the point
//! ```

mod window;

#[cfg(test)]
mod tests;

use std::cmp::Ordering;
use std::fmt::Write;
use std::ops::Range;
use std::sync::Arc;

use arrow_array::StringArray;

use self::window::{Hotspot, Window};
use super::points::{Points, put_f64, take_f64, with_column};
use crate::batch::{Batch, Millis};
use crate::fault::Invalid;
use crate::key::{put_u64, take_u8, take_u64};
use crate::operator::{Operator, Out, StateWriter};
use crate::plan::Hotspots;
use crate::ty::RowType;

const POINT: u8 = 1;

/// The longest text of a result. Hotspots that do not fit, the least dense ones, are left out.
const RESULT_CHARACTERS_MAX: usize = 10_000;

/// Finds the hotspots of a window that slides over rows.
pub struct Finding {
    points: Points,
    window: Window,
    /// The numbers of the points that the saved state has.
    saved: Range<u64>,
}

impl Finding {
    /// A window without rows.
    ///
    /// # Errors
    ///
    /// A plan that is broken.
    pub fn new(function: &Hotspots, input: &RowType, output: &RowType) -> Result<Self, Invalid> {
        if output.columns().len() != input.columns().len() + 1 {
            return Err(Invalid::new("internal: HOTSPOTS adds one column"));
        }
        let points = Points::new(&function.columns, input)?;
        let window = Window::new(function, points.dimensions())?;
        Ok(Self {
            points,
            window,
            saved: 0..0,
        })
    }
}

/// The hotspots as JSON, densest first.
fn result(mut hotspots: Vec<Hotspot>) -> Result<String, Invalid> {
    hotspots.sort_by(|one, other| {
        let corners = one.low.iter().zip(&other.low);
        let mut corners = corners.map(|(one, other)| one.total_cmp(other));
        let density = other.density.total_cmp(&one.density);
        density.then_with(|| {
            corners
                .find(|order| order.is_ne())
                .unwrap_or(Ordering::Equal)
        })
    });
    let mut text = "{\"hotspots\":[".to_owned();
    for hotspot in hotspots {
        let before = text.len();
        if !text.ends_with('[') {
            text.push(',');
        }
        let numbers = |numbers: &[f64]| serde_json::to_string(numbers);
        let unwritable = |_| Invalid::new("internal: a number that JSON does not have");
        let low = numbers(&hotspot.low).map_err(unwritable)?;
        let high = numbers(&hotspot.high).map_err(unwritable)?;
        let density = hotspot.density;
        write!(
            text,
            "{{\"density\":{density},\"minValues\":{low},\"maxValues\":{high}}}"
        )
        .map_err(|_| Invalid::new("internal: a text that cannot grow"))?;
        if text.len() + 2 > RESULT_CHARACTERS_MAX {
            text.truncate(before);
            break;
        }
    }
    text.push_str("]}");
    Ok(text)
}

impl Operator for Finding {
    fn on_batch(&mut self, _input: usize, batch: &Batch, out: &mut Out) -> Result<(), Invalid> {
        if batch.rows() == 0 {
            return Ok(());
        }
        let reader = self.points.reader(batch);
        let mut results = Vec::with_capacity(batch.rows());
        let mut point = Vec::with_capacity(self.points.dimensions());
        for row in 0..batch.rows() {
            point.clear();
            if reader.put(row, &mut point) {
                self.window.push(&point)?;
            }
            results.push(result(self.window.hotspots())?);
        }
        let results = Arc::new(StringArray::from(results));
        out.batches.push(with_column(batch, results));
        Ok(())
    }

    fn on_time(&mut self, _time: Millis, _out: &mut Out) -> Result<(), Invalid> {
        Ok(())
    }

    fn on_end(&mut self, _out: &mut Out) -> Result<(), Invalid> {
        Ok(())
    }

    fn save(&mut self, changes: &mut dyn StateWriter) {
        let mut oldest = self.window.next();
        for (number, point) in self.window.points() {
            oldest = oldest.min(number);
            if self.saved.contains(&number) {
                continue;
            }
            let mut value = Vec::new();
            point
                .iter()
                .for_each(|coordinate| put_f64(&mut value, *coordinate));
            changes.put(&key_of(number), &value);
        }
        for number in self.saved.start..self.saved.end.min(oldest) {
            changes.delete(&key_of(number));
        }
        self.saved = oldest..self.window.next();
    }

    fn restore(
        &mut self,
        rows: &mut dyn Iterator<Item = (Vec<u8>, Vec<u8>)>,
    ) -> Result<(), Invalid> {
        let mut points = Vec::new();
        for (key, value) in rows {
            let (mut key, mut value) = (key.as_slice(), value.as_slice());
            if take_u8(&mut key)? != POINT {
                return Err(Invalid::new(
                    "internal: state of HOTSPOTS is of no known kind",
                ));
            }
            let mut point = Vec::with_capacity(self.points.dimensions());
            while !value.is_empty() {
                point.push(take_f64(&mut value)?);
            }
            points.push((take_u64(&mut key)?, point));
        }
        points.sort_by_key(|(number, _)| *number);
        if let Some((first, _)) = points.first() {
            self.window.begin_at(*first);
            self.saved = *first..*first;
        }
        for (_, point) in points {
            self.window.push(&point)?;
        }
        self.saved.end = self.window.next();
        Ok(())
    }

    fn state_bytes(&self) -> usize {
        self.window.bytes()
    }
}

fn key_of(number: u64) -> Vec<u8> {
    let mut key = vec![POINT];
    put_u64(&mut key, number);
    key
}
