//! From frames to objects: what a cut's records become. Pure but for the plugin, and blocking: it
//! runs on threads that may be blocked, a turn at a time.

mod dividing;

use std::collections::VecDeque;
use std::sync::Arc;

use store::Frame;
use wasm::Slab;

use self::dividing::Dividing;
use crate::counts::Became;
use crate::decompression::{Unpacked, Unpacking};
use crate::failed_record::Failure;
use crate::metadata::{Provenance, Stretches};
use crate::output::Output;
use crate::packing::{Allowance, Halted, Packing, Task};
use crate::piece::Piece;
use crate::pins::Pins;
use crate::replayed::History;
use crate::settled::Settled;
use crate::sink::Forms;
use crate::sink::requests::Record;
use crate::transform::{Outlet, Stopped, Transformer};
use crate::user_records::{self, Offered, Place};

/// Bytes of unpacked records after which whoever asks for the work can wait: a frame may become a
/// thousand times as much.
pub const UNPACKED_BYTES_AT_ONCE: usize = 1024 * 1024;
/// The same of steps that queries take, some ten nanoseconds each.
const STEPS_AT_ONCE: u64 = 1_000_000;

/// One cut at work.
pub struct Worker {
    transformer: Option<Transformer>,
    /// What was added and not worked on.
    frames: VecDeque<Frame>,
    /// Nothing more will be added.
    is_last: bool,
    /// Where the first frame has the record that comes next.
    place: Place,
    /// Whether aggregates are taken apart.
    unpacks: bool,
    /// Places of the log that were taken.
    places: u64,
    batch: Slab,
    /// The records of the batch as they came in, where they are unpacked in it.
    originals: Option<Slab>,
    /// How each record is unpacked, if it is. One is unpacked without this in its place.
    unpacking: Option<Unpacking>,
    /// Bytes of unpacked records since whoever asks for the work could wait.
    unpacked_bytes: usize,
    /// How each record is taken apart, if it is. One is taken without this in its place.
    dividing: Option<Dividing>,
    /// Records are parts of those that came in, which were backed up as a whole.
    is_divided: bool,
    /// The same of steps of queries.
    steps: u64,
    /// Records of which nothing came since the batch has any, and their bytes: their frames are
    /// held as long as those of the batch.
    passed: (usize, usize),
    /// The batch takes no more.
    is_full: bool,
    /// Where the batch's records lie, as long as there is a transformer that may ask.
    stretches: Arc<Stretches>,
    provenance: Arc<Provenance>,
    /// What was before with each record of the batch.
    histories: Vec<History>,
    /// The batch has been begun with.
    is_begun: bool,
    /// All is done, and the objects that were open are ended.
    is_over: bool,
    packing: Packing,
}

impl Worker {
    /// A worker for one cut; without a transformer every record is delivered as it is.
    pub fn new(
        task: Task,
        allowance: Allowance,
        forms: Forms,
        transformer: Option<Transformer>,
    ) -> Self {
        Self {
            transformer,
            frames: VecDeque::new(),
            is_last: false,
            place: Place::default(),
            unpacks: task.unpacks,
            places: 0,
            batch: Slab::default(),
            originals: task.decompression.map(|_| Slab::default()),
            unpacking: task.decompression.map(Unpacking::new),
            unpacked_bytes: 0,
            dividing: task.deaggregation.clone().map(Dividing::new),
            is_divided: task.deaggregation.is_some(),
            steps: 0,
            passed: (0, 0),
            is_full: false,
            stretches: Arc::default(),
            provenance: Arc::clone(&task.provenance),
            histories: Vec::new(),
            is_begun: false,
            is_over: false,
            packing: Packing::new(task, allowance, forms),
        }
    }

    /// Adds frames that come next.
    pub fn add(&mut self, frames: Vec<Frame>) {
        self.frames.extend(frames);
    }

    /// Nothing more is added: what is left goes too, and the objects that are open end.
    pub fn add_no_more(&mut self) {
        self.is_last = true;
    }

    /// Whether there is something to do.
    pub fn has_more(&self) -> bool {
        self.is_begun
            || !self.frames.is_empty()
            || (self.is_last && !self.is_over)
            || self.packing.is_ending()
    }

    /// Works on what was added: on all of it, or until `pauses`, which is asked after each call.
    /// Blocks.
    pub fn work(&mut self, pauses: impl Fn(&Self) -> bool) -> Result<(), Halted> {
        while self.has_more() {
            self.work_a_little()?;
            self.packing.check()?;
            if pauses(self) {
                break;
            }
        }
        Ok(())
    }

    fn work_a_little(&mut self) -> Result<(), Stopped> {
        if self.packing.is_ending() {
            self.packing.take_ended();
            return Ok(());
        }
        if self.is_begun {
            return self.work_on_batch();
        }
        if let Some(frame) = self.frames.front().cloned() {
            if self.take(&frame)? {
                self.frames.pop_front();
                self.places += self.place.records();
                self.place = Place::default();
            }
            return Ok(());
        }
        if self.transformer.is_some() && !self.batch.is_empty() {
            return self.begin_batch();
        }
        self.packing.end_delivered();
        self.packing.end_failed();
        self.packing.end_unconverted();
        self.packing.end_backup();
        self.is_over = true;
        self.mark()
    }

    /// Whether objects became ready since the last call of [`Worker::take_ready`].
    pub fn has_ready(&self) -> bool {
        !self.packing.ready().is_empty()
    }

    /// The objects that became ready since the last call.
    pub fn take_ready(&mut self) -> Vec<Piece> {
        self.packing.take_ready()
    }

    /// What is settled once the records so far have left, if they went through a plugin.
    pub fn settled(&self) -> Option<&Settled> {
        self.transformer.as_ref().map(Transformer::settled)
    }

    /// What became of the records so far.
    pub fn became(&self) -> Became {
        Became {
            counts: self.packing.counts(),
            places: self.places,
        }
    }

    /// Takes records of the first frame until a batch is full. Whether there are no more.
    fn take(&mut self, frame: &Frame) -> Result<bool, Stopped> {
        let (mut place, before) = (self.place, self.batch.len());
        let provenance = Arc::clone(&self.provenance);
        let is_over = user_records::offer(frame, (self.unpacks, &mut place), |key, data| {
            let history = provenance.history(key, frame.arrival);
            let history = history.map_err(Stopped::ForNow)?;
            self.take_record(Record { data, history })
        });
        let taken = self.batch.len().saturating_sub(before);
        // Nobody has the stretches of a batch that is not whole yet.
        let stretches = Arc::make_mut(&mut self.stretches);
        let times = self.dividing.as_mut().map(Dividing::take_times);
        stretches.push(frame, (self.unpacks, self.place), taken, times);
        self.place = place;
        let is_over = is_over?;
        // Records that could not be unpacked may have filled an object.
        self.mark()?;
        if std::mem::take(&mut self.is_full) {
            self.begin_batch()?;
        }
        Ok(is_over)
    }

    /// Takes a record, unless it is one too many for the batch.
    fn take_record(&mut self, record: Record<'_>) -> Result<Offered, Stopped> {
        if let Some(mut dividing) = self.dividing.take() {
            let offered = self.take_divided(record, &mut dividing);
            self.dividing = Some(dividing);
            return offered;
        }
        let Some(mut unpacking) = self.unpacking.take() else {
            return self.take_data(record, record.data);
        };
        let offered = self.take_packed(record, &mut unpacking);
        self.unpacking = Some(unpacking);
        offered
    }

    /// Takes a record as what it is unpacked to. After one of which nothing comes no more is wanted
    /// for now: the records of a batch lie in a row, and a frame of bombs takes no turn of seconds.
    fn take_packed(
        &mut self,
        record: Record<'_>,
        unpacking: &mut Unpacking,
    ) -> Result<Offered, Stopped> {
        match unpacking.unpack(record.data, |bytes| self.packing.holds_beside(bytes)) {
            Unpacked::Data => {
                let offered = self.take_data(record, unpacking.data())?;
                if offered == Offered::Left {
                    return Ok(offered);
                }
                unpacking.taken();
                self.unpacked_bytes += unpacking.data().len();
                if self.unpacked_bytes < UNPACKED_BYTES_AT_ONCE {
                    return Ok(offered);
                }
            }
            Unpacked::Nothing => {
                self.packing.takes_in(record.data);
                self.packing.drop_record();
                self.pass(record.data.len());
            }
            Unpacked::Failed(fault) => {
                let (code, message) = unpacking.words(fault);
                self.packing.takes_in(record.data);
                let failure = Failure {
                    code,
                    message: &message,
                    reason: None,
                    attempts: record.history.attempts.saturating_add(1),
                };
                let failed = (record.data, record.history.arrival);
                self.packing.fail(failed, failure);
                self.pass(record.data.len());
            }
            // The work is given up, and begun anew with more.
            Unpacked::NoRoom => {}
        }
        unpacking.taken();
        self.unpacked_bytes = 0;
        Ok(Offered::TakenLast)
    }

    /// Nothing comes of a record of so many bytes. After too many of them the batch goes as it is.
    fn pass(&mut self, bytes: usize) {
        let Some(transformer) = &self.transformer else {
            return;
        };
        if self.batch.is_empty() {
            return;
        }
        self.passed = (self.passed.0 + 1, self.passed.1 + bytes);
        let pins = transformer.pins();
        let (records_max, bytes_max) = (pins.batch_records_max, pins.batch_bytes_max);
        self.is_full = self.passed.0 >= records_max || self.passed.1 >= bytes_max;
    }

    /// Takes a record that is worked on as `data`, unless it is one too many for the batch.
    fn take_data(&mut self, record: Record<'_>, data: &[u8]) -> Result<Offered, Stopped> {
        let Some(transformer) = &self.transformer else {
            self.takes_in(record.data);
            return Ok(self.deliver_whole(record, data));
        };
        let pins = transformer.pins();
        // A record may become less than it is.
        let originals = self.originals.as_ref();
        let original_fits = originals.is_none_or(|all| fits(all, record.data.len(), pins));
        if !original_fits || !fits(&self.batch, data.len(), pins) {
            self.is_full = true;
            return Ok(Offered::Left);
        }
        let original_is_kept = match &mut self.originals {
            Some(originals) => originals.push(record.data),
            None => true,
        };
        if !original_is_kept || !self.batch.push(data) {
            // A batch is far below what a slab holds.
            let why = format!("a record of {} bytes is too large", data.len());
            return Err(Stopped::ForNow(why));
        }
        self.takes_in(record.data);
        self.histories.push(record.history);
        Ok(Offered::Taken)
    }

    fn takes_in(&mut self, data: &[u8]) {
        if self.is_divided {
            self.packing.counts_in(data);
        } else {
            self.packing.takes_in(data);
        }
    }

    /// Delivers a record that no plugin sees. After one with which something is ready, partitions
    /// end, or queries have taken many steps, no more is wanted for now: a frame of very many small
    /// records becomes many requests, which must not wait for each other.
    fn deliver_whole(&mut self, record: Record<'_>, data: &[u8]) -> Offered {
        // What there is no room for has ended since the record before it.
        self.packing.begin_batch();
        self.packing.deliver_whole(record, data);
        self.steps += self.packing.take_steps();
        if self.has_ready() || self.packing.is_ending() || self.steps >= STEPS_AT_ONCE {
            self.steps = 0;
            return Offered::TakenLast;
        }
        Offered::Taken
    }

    fn begin_batch(&mut self) -> Result<(), Stopped> {
        self.packing.begin_batch();
        self.is_begun = true;
        self.passed = (0, 0);
        match &mut self.transformer {
            Some(transformer) => {
                let columns = self.stretches.columns(&self.provenance);
                transformer.begin(self.batch.len(), columns)
            }
            None => Ok(()),
        }
    }

    /// Makes one call for the batch. It ends with its last record, or where an object does: of a
    /// batch that was divided each record may become as much as a whole batch may, and what is
    /// ready must not wait for the rest.
    fn work_on_batch(&mut self) -> Result<(), Stopped> {
        let Some(transformer) = &mut self.transformer else {
            return Ok(());
        };
        let mut outlet = BatchOutlet {
            records: self.originals.as_ref().unwrap_or(&self.batch),
            histories: &self.histories,
            packing: &mut self.packing,
        };
        let done = transformer.work(&self.batch, &mut outlet)?;
        // All that comes of a record comes of one call.
        self.packing.end_source();
        if done < self.batch.len() && !self.packing.has_ended() {
            return Ok(());
        }
        transformer.end()?;
        self.is_begun = false;
        if done < self.batch.len() {
            let left = done..self.batch.len();
            self.batch = self.batch.part(left.clone());
            self.originals = self.originals.as_ref().map(|all| all.part(left));
            self.histories.drain(..done);
            Arc::make_mut(&mut self.stretches).drain(done);
        } else {
            self.batch.clear();
            self.originals.iter_mut().for_each(Slab::clear);
            self.histories.clear();
            self.stretches = Arc::default();
        }
        self.mark()
    }

    /// Notes that what came out so far leaves, if an object has become ready.
    fn mark(&mut self) -> Result<(), Stopped> {
        match &mut self.transformer {
            Some(transformer) if self.packing.has_ended() => {
                self.packing.note_end();
                transformer.mark()
            }
            _ => Ok(()),
        }
    }
}

/// Whether a record of so many bytes goes with those of a batch.
fn fits(batch: &Slab, bytes: usize, pins: &Pins) -> bool {
    batch.is_empty()
        || (batch.len() < pins.batch_records_max && batch.bytes() + bytes <= pins.batch_bytes_max)
}

struct BatchOutlet<'a> {
    /// The records of the batch as they came in.
    records: &'a Slab,
    histories: &'a [History],
    packing: &'a mut Packing,
}

impl Outlet for BatchOutlet<'_> {
    fn deliver(&mut self, source: usize, data: &[u8]) {
        match (self.records.get(source), self.histories.get(source)) {
            (Some(record), Some(history)) => {
                let record = Record {
                    data: record,
                    history: *history,
                };
                self.packing.deliver(source, record, data);
            }
            _ => self.packing.breaks(self.not_of_batch(source)),
        }
    }

    fn deliver_all(&mut self, source: usize, outputs: &[Output<'_>]) {
        if !self.packing.takes_together() {
            for output in outputs {
                self.deliver(source, output.data);
            }
            return;
        }
        match (self.records.get(source), self.histories.get(source)) {
            (Some(record), Some(history)) => {
                let record = Record {
                    data: record,
                    history: *history,
                };
                self.packing.deliver_together(record, outputs);
            }
            _ => self.packing.breaks(self.not_of_batch(source)),
        }
    }

    fn drop_record(&mut self, _source: usize) {
        self.packing.drop_record();
    }

    fn fail(&mut self, source: usize, failure: Failure<'_>) {
        match (self.records.get(source), self.histories.get(source)) {
            (Some(data), Some(history)) => {
                let failure = Failure {
                    attempts: failure.attempts.saturating_add(history.attempts),
                    ..failure
                };
                self.packing.fail((data, history.arrival), failure);
            }
            _ => self.packing.breaks(self.not_of_batch(source)),
        }
    }
}

impl BatchOutlet<'_> {
    fn not_of_batch(&self, source: usize) -> String {
        let records = self.records.len();
        format!("something became of record {source} of a batch of {records}")
    }
}

#[cfg(test)]
mod tests;
