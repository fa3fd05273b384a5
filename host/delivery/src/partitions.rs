//! What is delivered of a cut, partition by partition, until it becomes objects: one of each
//! partition, and more where all of it together is more than objects of the cut may be. Pure.
//!
//! ```text
//! records -> content of their partitions, as it comes, not packed
//!         -> all of it, or the largest half where it is too much -> ending
//! ending  -> packed, one partition after the other -> objects that are ready
//! ```
//!
//! What a partition takes, however little is in it, counts with its content. So there may be any
//! number of them: what there is no room for ends earlier, in the same places in every try. Only
//! within what a plugin gives at once nothing ends, so that there they are bounded.

use std::collections::{HashMap, HashSet, VecDeque};

use formats::Unconverted;
use object_store::PutPayload;
use types::Invalid;

use crate::compression::Compression;
use crate::content::Chunks;
use crate::conversion;
use crate::converted::{self, Probe};
use crate::counts::Counts;
use crate::encoder::Encoder;
use crate::partitioning::{Partitioner, Unplaced, Values};
use crate::piece::{Piece, PieceKind};

/// Objects that become ready at once, so that they are put together, and their bytes.
const READY_OBJECTS: usize = 256;
const READY_BYTES: usize = 4 * 1024 * 1024;
/// Bytes that partitions may take, besides their content, that begin with what a plugin gives at
/// once: no less than eight thousand of them with the longest values that there can be. A record
/// that goes to further ones is failed.
pub const BEGUN_BYTES_MAX: usize = 16 * 1024 * 1024;
/// The code of such a record, and its sentence; ours.
pub const TOO_MANY: &str = "Millrace.TooManyPartitions";
pub const TOO_MANY_MESSAGE: &str =
    "What came of the record, with those before it, goes to too many partitions at once";
/// The code of a record of a batch that queries took too many steps for, and its sentence; ours.
pub const TOO_MANY_STEPS: &str = "Millrace.TooManyQuerySteps";
pub const TOO_MANY_STEPS_MESSAGE: &str =
    "What came of the record, with those before it, takes the query too many steps at once";
/// No less than what a partition takes besides its content and its values: its places in the list
/// and the map, and the heads of its values.
const PARTITION_BYTES: usize = 512;
const VALUE_BYTES: usize = 64;
/// What the least content takes.
const CONTENT_BYTES_MIN: usize = 256;
/// No less than a record takes in the list of those that are in several partitions, and its place
/// in that of each of these. Lists that grow have room for as many again.
const SPREAD_BYTES: usize = 256;
const PLACE_BYTES: usize = 16;

/// The partitions of one cut.
pub struct Partitions {
    partitioner: Partitioner,
    compression: Compression,
    /// How records become rows, if they do. What is staged then is records with their lengths.
    rows: Option<RowsOf>,
    /// Bytes in memory of those that are open, at which the largest of them end.
    open_bytes_max: usize,
    places: HashMap<Values, usize>,
    /// In the order of their first records.
    open: Vec<Partition>,
    open_bytes: usize,
    /// Those that have ended, in the order in which they become objects.
    ending: VecDeque<Partition>,
    ending_bytes: usize,
    /// How often some have ended before: the number of an object in its partition.
    round: u16,
    /// Records of which something is in several partitions.
    spread: Vec<Spread>,
    /// Why something that was added is in no object, if it is not.
    broken: Option<String>,
    /// Bytes of the partitions that began with the batch at work, besides their content.
    begun_bytes: usize,
    /// Steps that were taken to find partitions since they were asked for.
    steps: u64,
    /// The same for the batch at work.
    batch_steps: u64,
}

/// How records become rows.
struct RowsOf {
    terms: conversion::Terms,
    probe: Probe,
}

/// A partition, or an object of it.
struct Partition {
    values: Values,
    part: u16,
    content: Chunks,
    /// Records all of which is in it.
    holds: Counts,
    /// Records of which something is in it and something elsewhere.
    spread: Vec<usize>,
}

/// A record of which something is in several partitions. It counts for the one that becomes an
/// object last.
struct Spread {
    counts: Counts,
    left: usize,
}

impl Partition {
    fn new(values: Values, part: u16) -> Self {
        Self {
            values,
            part,
            content: Chunks::growing(),
            holds: Counts::default(),
            spread: Vec::new(),
        }
    }

    fn held_bytes(&self) -> usize {
        let spread = self.spread.len() * PLACE_BYTES;
        partition_bytes(&self.values) + spread + self.content.held_bytes()
    }
}

/// Bytes that a partition takes besides its content.
fn partition_bytes(values: &Values) -> usize {
    let values = values.iter().map(|it| it.len() + VALUE_BYTES);
    PARTITION_BYTES + values.sum::<usize>()
}

impl Partitions {
    pub fn begin(
        partitioner: Partitioner,
        compression: Compression,
        open_bytes_max: usize,
    ) -> Self {
        Self {
            partitioner,
            compression,
            rows: None,
            open_bytes_max,
            places: HashMap::new(),
            open: Vec::new(),
            open_bytes: 0,
            ending: VecDeque::new(),
            ending_bytes: 0,
            round: 0,
            spread: Vec::new(),
            broken: None,
            begun_bytes: 0,
            steps: 0,
            batch_steps: 0,
        }
    }

    /// The same, with records that become rows by these terms.
    ///
    /// # Errors
    /// When these cannot be meant.
    pub fn with_rows(mut self, terms: conversion::Terms) -> Result<Self, Invalid> {
        let probe = Probe::new(&terms)?;
        self.rows = Some(RowsOf { terms, probe });
        Ok(self)
    }

    /// Whether rows can be made of what is delivered, where they are.
    pub fn can_convert(
        &mut self,
        data: &[u8],
        may_hold: &mut dyn FnMut(usize) -> bool,
    ) -> Result<(), Unplaced> {
        let Some(rows) = &mut self.rows else {
            return Ok(());
        };
        rows.probe.check(data, may_hold).map_err(|why| match why {
            Unconverted::Refused(refusal) => Unplaced::Unconverted(refusal),
            Unconverted::NoRoom => Unplaced::NoRoom,
            Unconverted::Broken(why) => Unplaced::Broken(why),
        })
    }

    /// What lines say of the table, if there is one.
    pub fn catalog_table(&self) -> &[u8] {
        let rows = self.rows.as_ref();
        rows.map_or(&[], |rows| rows.probe.catalog_table())
    }

    /// No less than what packing the next ones takes besides what they are.
    pub fn packing_bytes(&self) -> usize {
        let Some(_) = &self.rows else {
            return 0;
        };
        let largest = self.ending.iter().map(|it| it.content.len()).max();
        converted::bytes_besides(largest.unwrap_or(0))
    }

    /// Another batch begins.
    pub fn begin_batch(&mut self) {
        (self.begun_bytes, self.batch_steps) = (0, 0);
    }

    /// Whether a record may begin the partitions among these that are not there.
    pub fn has_room_for(&self, outputs: &[(&[u8], Values)]) -> bool {
        let new = outputs.iter().map(|(_, values)| values);
        let new: HashSet<&Values> = new
            .filter(|values| !self.places.contains_key(*values))
            .collect();
        let bytes = new
            .iter()
            .map(|values| partition_bytes(values) + CONTENT_BYTES_MIN);
        let bytes: usize = bytes.sum();
        self.begun_bytes + bytes <= BEGUN_BYTES_MAX
    }

    /// Steps that were taken to find partitions since the last call.
    pub fn take_steps(&mut self) -> u64 {
        std::mem::take(&mut self.steps)
    }

    /// The partition of what is delivered, of which the plugin has said this.
    pub fn place(
        &mut self,
        data: &[u8],
        said: &[(&str, &str)],
        may_hold: &mut dyn FnMut(usize) -> bool,
    ) -> Result<Values, Unplaced> {
        if self.batch_steps >= self.partitioner.batch_steps_max() {
            let what = TOO_MANY_STEPS_MESSAGE.to_owned();
            return Err(Unplaced::Failed(TOO_MANY_STEPS, what));
        }
        let values = self.partitioner.values(data, said, may_hold);
        let steps = self.partitioner.take_steps();
        self.steps += steps;
        self.batch_steps += steps;
        let values = values?;
        if !self.places.contains_key(&values) {
            self.partitioner.check(&values)?;
        }
        Ok(values)
    }

    /// Adds what one record becomes, each to its partition, with the delimiter behind it.
    pub fn add(&mut self, record: Counts, outputs: &[(&[u8], Values)], delimiter: &[u8]) {
        let mut first = None;
        let mut spread = None;
        for (data, values) in outputs {
            let place = self.open_place(values);
            let Some(partition) = self.open.get_mut(place) else {
                self.broken = Some("a partition is not where it was put".to_owned());
                return;
            };
            let before = partition.held_bytes();
            if self.rows.is_some() {
                partition.content.write(&data.len().to_le_bytes());
                partition.content.write(data);
            } else {
                partition.content.write(data);
                // A record that brings the delimiter along does not get it twice.
                if !data.ends_with(delimiter) {
                    partition.content.write(delimiter);
                }
            }
            partition.holds.bytes_delivered += data.len() as u64;
            match (first, spread) {
                (None, _) => {
                    first = Some(place);
                    partition.holds = partition.holds.and(record);
                }
                (Some(known), None) if known == place => {}
                (Some(_), Some(number)) => {
                    if partition.spread.last() != Some(&number) {
                        partition.spread.push(number);
                        if let Some(spread) = self.spread.get_mut(number) {
                            spread.left += 1;
                        }
                    }
                }
                (Some(known), None) => {
                    let number = self.spread.len();
                    partition.spread.push(number);
                    spread = Some(number);
                    self.spread.push(Spread {
                        counts: record,
                        left: 2,
                    });
                    self.counts_elsewhere(known, number, record);
                }
            }
            let after = self.open.get(place).map_or(before, Partition::held_bytes);
            self.open_bytes += after.saturating_sub(before);
        }
    }

    /// A record that was counted for a partition counts for the last one that has some of it.
    fn counts_elsewhere(&mut self, place: usize, number: usize, record: Counts) {
        if let Some(partition) = self.open.get_mut(place) {
            let before = partition.held_bytes();
            partition.holds = partition.holds.without_records(record);
            partition.spread.push(number);
            self.open_bytes += partition.held_bytes().saturating_sub(before);
        }
    }

    fn open_place(&mut self, values: &Values) -> usize {
        if let Some(place) = self.places.get(values) {
            return *place;
        }
        let place = self.open.len();
        self.places.insert(Values::clone(values), place);
        let partition = Partition::new(Values::clone(values), self.round);
        self.begun_bytes += partition.held_bytes() + CONTENT_BYTES_MIN;
        self.open_bytes += partition.held_bytes();
        self.open.push(partition);
        place
    }

    /// Ends the largest that are open, where all together are too large. Whether any ended.
    ///
    /// # Errors
    /// When that was too often for the numbers of objects.
    pub fn end_some(&mut self) -> Result<bool, String> {
        if self.open_bytes + self.spread_bytes() < self.open_bytes_max {
            return Ok(false);
        }
        if self.spread_bytes() > self.open_bytes_max / 2 {
            return self.end_all();
        }
        let mut sizes: Vec<(usize, usize)> = Vec::with_capacity(self.open.len());
        for (place, partition) in self.open.iter().enumerate() {
            sizes.push((partition.held_bytes(), place));
        }
        sizes.sort_by(|(one, first), (other, second)| other.cmp(one).then(first.cmp(second)));
        let mut left = self.open_bytes;
        let largest = sizes.iter().take_while(|(bytes, _)| {
            let is_one = left > self.open_bytes_max / 2;
            left = left.saturating_sub(*bytes);
            is_one
        });
        let mut ends = vec![false; self.open.len()];
        for (_, place) in largest {
            if let Some(ends) = ends.get_mut(*place) {
                *ends = true;
            }
        }
        self.end_those(&ends)?;
        Ok(true)
    }

    fn end_those(&mut self, ends: &[bool]) -> Result<(), String> {
        let before = self.round;
        let next = before.checked_add(1);
        self.round =
            next.ok_or_else(|| format!("a cut became more than {before} times objects"))?;
        self.places.clear();
        self.open_bytes = 0;
        let open = std::mem::take(&mut self.open);
        for (mut partition, ends) in open.into_iter().zip(ends) {
            if *ends {
                self.ending_bytes += partition.held_bytes();
                self.ending.push_back(partition);
            } else {
                // What follows in it has this number, too: nothing of it has left.
                partition.part = self.round;
                self.open_bytes += partition.held_bytes();
                self.places
                    .insert(Values::clone(&partition.values), self.open.len());
                self.open.push(partition);
            }
        }
        Ok(())
    }

    /// Ends all. Whether there were any.
    ///
    /// # Errors
    /// As [`Partitions::end_some`].
    pub fn end_all(&mut self) -> Result<bool, String> {
        if self.open.is_empty() {
            return Ok(false);
        }
        let ends = vec![true; self.open.len()];
        self.end_those(&ends)?;
        Ok(true)
    }

    /// Whether some have ended that are no objects yet.
    pub fn is_ending(&self) -> bool {
        !self.ending.is_empty()
    }

    /// Objects of some of those that have ended.
    pub fn take_ready(&mut self) -> Vec<Piece> {
        let (mut ready, mut bytes) = (Vec::new(), 0);
        while ready.len() < READY_OBJECTS && bytes < READY_BYTES {
            let Some(mut partition) = self.ending.pop_front() else {
                // Nobody counts for those that were spread any more.
                if self.open.is_empty() {
                    self.spread = Vec::new();
                }
                break;
            };
            self.ending_bytes = self.ending_bytes.saturating_sub(partition.held_bytes());
            let mut holds = partition.holds;
            for number in std::mem::take(&mut partition.spread) {
                if let Some(spread) = self.spread.get_mut(number) {
                    spread.left -= 1;
                    if spread.left == 0 {
                        holds = holds.and(spread.counts);
                    }
                }
            }
            let content = self.pack(partition.content);
            bytes += content.content_length();
            ready.push(Piece {
                part: partition.part,
                kind: PieceKind::Delivered,
                content,
                holds: Counts {
                    objects: 1,
                    ..holds
                },
                partition: Some(partition.values),
                records: Vec::new(),
            });
        }
        ready
    }

    /// Packs what a partition has. It is let go while it is packed, so that both take little more
    /// than one.
    fn pack(&mut self, mut content: Chunks) -> PutPayload {
        if let Some(rows) = &self.rows {
            let packed = converted::pack(&rows.terms, content);
            return packed.unwrap_or_else(|why| {
                self.broken = Some(why);
                PutPayload::new()
            });
        }
        if self.compression == Compression::Uncompressed {
            return content.finish();
        }
        let mut encoder = Encoder::for_small_objects(self.compression);
        // One that is empty is packed, too.
        encoder.write(&[]);
        while let Some(chunk) = content.take_first() {
            encoder.write(&chunk);
        }
        let packed = encoder.finish();
        if let Err(error) = encoder.check() {
            self.broken = Some(format!("pack records: {error}"));
        }
        packed.unwrap_or_default()
    }

    /// Bytes of memory that all of it takes.
    pub fn held_bytes(&self) -> usize {
        self.open_bytes + self.ending_bytes + self.spread_bytes()
    }

    fn spread_bytes(&self) -> usize {
        self.spread.len() * SPREAD_BYTES
    }

    /// Lets all of it go.
    pub fn forget(&mut self) {
        self.places = HashMap::new();
        self.open = Vec::new();
        self.ending = VecDeque::new();
        self.spread = Vec::new();
        (self.open_bytes, self.ending_bytes) = (0, 0);
    }

    /// Whether all that was added is in objects, or will be.
    ///
    /// # Errors
    /// Why it is not.
    pub fn check(&self) -> Result<(), String> {
        self.broken.clone().map_or(Ok(()), Err)
    }
}

#[cfg(test)]
mod tests;
