//! A shadow run: retained records go through the version in force and the one that would take its
//! place, off the path of deliveries, before it does. Nothing of it leaves but a report.

use std::sync::Arc;
use std::time::{Duration, Instant};

use sha2::{Digest, Sha256};
use tokio::sync::watch;
use types::{StreamArn, Timestamp};

use crate::call_time::stop_guests_when;
use crate::fault::Fault;
use crate::guest_log::GuestLog;
use crate::guest_turns::step_back;
use crate::hash::ContentHash;
use crate::instance::Instance;
use crate::moment::Moment;
use crate::name::PluginName;
use crate::outputs::{Outputs, Status};
use crate::printable::printable;
use crate::refusal::Refusal;
use crate::slab::Slab;
use crate::version::Version;

/// Bytes of the records of a run: they, and what becomes of a batch, are in memory, once at a time.
/// Older records are left out.
pub const SHADOW_BYTES_MAX: usize = 64 * 1024 * 1024;
/// Records of a run that somebody orders, where neither they, the manifest nor the operator says
/// how many.
pub(crate) const SHADOW_RECORDS_DEFAULT: u32 = 1_000;
/// How long a run may take on both sides together. What is not compared by then is left out, which
/// the report says.
const TIME_MAX: Duration = Duration::from_secs(60);
/// Records and bytes of one batch, as deliveries make them.
const BATCH_RECORDS_MAX: usize = 1_000;
const BATCH_BYTES_MAX: usize = 1024 * 1024;
/// How much a run steps back behind the server (`nice`): to a tenth of a processor that both want.
const NICENESS: i32 = 10;
/// Records with another outcome that the report shows.
const SAMPLES_MAX: usize = 10;
/// Bytes of a record, and of what became of it, that it shows where it may.
const SAMPLE_BYTES_MAX: usize = 256;
const PERCENT: u64 = 100;

/// Whose records go through a shadow run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RecordsOf {
    /// Those of a delivery stream that goes through this plugin.
    Plugin(PluginName),
    /// Those of the delivery stream of this ARN, whatever it goes through.
    DeliveryStream(String),
    /// Those of a stream.
    Stream(StreamArn),
}

/// Where the records of shadow runs come from. Others know streams, this crate does not.
pub trait RetainedRecords: Send + Sync {
    /// The last records that are retained: so many at most, and so many bytes. Blocks, until
    /// `closing` turns true at most.
    ///
    /// # Errors
    /// Why they cannot be read, for now.
    fn last(
        &self,
        of: &RecordsOf,
        most: (usize, usize),
        closing: watch::Receiver<bool>,
    ) -> Result<Retained, String>;
}

/// Records for a shadow run.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Retained {
    /// What they were read from, for people; empty: nothing goes through the plugin.
    pub source: String,
    /// The oldest first.
    pub records: Vec<Vec<u8>>,
}

/// What a shadow run found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ShadowReport {
    /// When it ended.
    pub at: Timestamp,
    /// What the records were read from.
    pub source: String,
    /// The version that would come into force.
    pub version: ContentHash,
    /// Records that went through both.
    pub records: u64,
    /// Records that did not for lack of time.
    pub left_out: u64,
    /// What the version in force made of them.
    pub old: ShadowSide,
    /// What the new one made of them.
    pub new: ShadowSide,
    /// Records with another outcome.
    pub differing: u64,
    /// Some of those.
    pub samples: Vec<ShadowSample>,
}

/// What one version made of the records of a shadow run.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ShadowSide {
    /// Records that became records to deliver.
    pub ok: u64,
    /// Records that were left out on purpose.
    pub dropped: u64,
    /// Records that could not be worked on, and those that it trapped on alone.
    pub failed: u64,
    /// Bytes that came out.
    pub output_bytes: u64,
    /// Processor time of all calls.
    pub time: Duration,
    /// The most memory that an instance had.
    pub memory_bytes: usize,
    /// The first fault of a call, if there was one.
    pub fault: Option<String>,
}

/// A record with another outcome.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ShadowSample {
    /// Which of the records, from 0.
    pub record: u64,
    /// Its bytes, as far as they are shown.
    pub input: Shown,
    /// What the version in force made of it.
    pub old: (Status, Shown),
    /// What the new one made of it.
    pub new: (Status, Shown),
}

/// Bytes of somebody's record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Shown {
    /// How many.
    pub bytes: u64,
    /// The first digits of their SHA-256.
    pub hash: String,
    /// The first of them as text, where the operator allows that.
    pub text: Option<String>,
}

impl Shown {
    /// With its text, where this is the log of a version that could say it, without its secrets.
    fn of(data: &[u8], log: Option<&GuestLog>) -> Self {
        let text = |log: &GuestLog| {
            let text = String::from_utf8_lossy(data);
            printable(&log.clean(&text), SAMPLE_BYTES_MAX)
        };
        Self {
            bytes: data.len() as u64,
            hash: ContentHash(Sha256::digest(data).into()).short(),
            text: log.map(text),
        }
    }
}

/// What became of one record.
#[derive(PartialEq, Eq)]
struct Outcome {
    status: Status,
    /// All outputs of it, each with its length. Words of a failure are no part of the outcome.
    data: Vec<u8>,
}

/// One version at work in a shadow run.
struct Side {
    version: Arc<Version>,
    moment: Moment,
    instance: Option<Instance>,
    /// When it stops, wherever it is.
    end: Instant,
    /// What turns true when nobody waits any more.
    closing: watch::Receiver<bool>,
    counts: ShadowSide,
}

impl Side {
    /// A version apart from the one that deliveries work with: it counts and logs for itself.
    fn of(version: &Version, run: &Run<'_>, end: Instant) -> Self {
        Self {
            version: Arc::new(version.apart()),
            moment: Moment {
                now: run.now,
                seed: 0,
            },
            instance: None,
            end,
            closing: run.closing.clone(),
            counts: ShadowSide::default(),
        }
    }

    /// What becomes of each record of a batch. One whose call fails goes record by record, as far
    /// as there is time.
    fn run(&mut self, batch: &Slab) -> Result<Vec<Outcome>, Fault> {
        match self.call(batch) {
            Ok(outputs) => Ok(self.outcomes(&outputs, batch.len())),
            Err(fault @ (Fault::NoInstance(_) | Fault::Stopped)) => Err(fault),
            Err(fault) if batch.len() == 1 => {
                self.instance = None;
                self.counts.fault.get_or_insert(fault.to_string());
                self.counts.failed += 1;
                Ok(vec![Outcome {
                    status: Status::Failed,
                    data: Vec::new(),
                }])
            }
            Err(fault) => {
                self.instance = None;
                self.counts.fault.get_or_insert(fault.to_string());
                let mut outcomes = Vec::new();
                for record in 0..batch.len() {
                    if *self.closing.borrow() {
                        return Err(Fault::Stopped);
                    }
                    if self.end <= Instant::now() {
                        break;
                    }
                    outcomes.extend(self.run(&batch.part(record..record + 1))?);
                }
                Ok(outcomes)
            }
        }
    }

    fn call(&mut self, batch: &Slab) -> Result<Outputs, Fault> {
        let limits = self.version.call_limits();
        let instance = match &mut self.instance {
            Some(instance) => instance,
            empty => empty.insert(Instance::start(&self.version, self.moment, limits)?),
        };
        let outputs = instance.transform(batch, None, limits.batch_time_max);
        self.counts.time += instance.took();
        self.counts.memory_bytes = self.counts.memory_bytes.max(instance.memory_bytes());
        outputs
    }

    fn outcomes(&mut self, outputs: &Outputs, records: usize) -> Vec<Outcome> {
        let none = || Outcome {
            status: Status::Dropped,
            data: Vec::new(),
        };
        let mut outcomes: Vec<Outcome> = (0..records).map(|_| none()).collect();
        for output in outputs.iter() {
            // Each source has an output, and none names another.
            let Some(outcome) = outcomes.get_mut(output.source) else {
                continue;
            };
            outcome.status = output.status;
            if output.status == Status::Ok {
                self.counts.output_bytes += output.data.len() as u64;
                outcome
                    .data
                    .extend((output.data.len() as u64).to_be_bytes());
                outcome.data.extend(output.data);
            }
        }
        for outcome in &outcomes {
            match outcome.status {
                Status::Ok => self.counts.ok += 1,
                Status::Dropped => self.counts.dropped += 1,
                Status::Failed => self.counts.failed += 1,
            }
        }
        outcomes
    }
}

/// Two versions, and when.
pub(crate) struct Run<'a> {
    pub(crate) old: &'a Version,
    pub(crate) new: &'a Version,
    pub(crate) now: Timestamp,
    /// Whether the report may show bytes of records.
    pub(crate) with_text: bool,
    /// What turns true when nobody waits any more: the run ends then, in the middle of a call.
    pub(crate) closing: watch::Receiver<bool>,
}

impl Run<'_> {
    /// [`Run::run`] on a thread below the priority of those that serve clients. Blocks.
    pub(crate) fn run_apart(&self, retained: &Retained) -> Result<ShadowReport, Refusal> {
        let run = || {
            step_back(NICENESS);
            stop_guests_when(self.closing.clone());
            self.run(retained)
        };
        let ended = std::thread::scope(|scope| scope.spawn(run).join());
        ended.unwrap_or_else(|_| Err(Refusal::ForNow("the shadow run ended badly".to_owned())))
    }

    /// Lets records through both versions, batch by batch.
    ///
    /// # Errors
    /// When the machine has no room for instances at the moment, or the server closes: a part of a
    /// run says nothing.
    fn run(&self, retained: &Retained) -> Result<ShadowReport, Refusal> {
        let end = Instant::now() + TIME_MAX;
        let mut old = Side::of(self.old, self, end);
        let mut new = Side::of(self.new, self, end);
        let mut report = ShadowReport {
            at: self.now,
            source: retained.source.clone(),
            version: self.new.hash(),
            records: 0,
            left_out: retained.records.len() as u64,
            old: ShadowSide::default(),
            new: ShadowSide::default(),
            differing: 0,
            samples: Vec::new(),
        };
        let mut records = retained.records.iter().peekable();
        while records.peek().is_some() && Instant::now() < end {
            if *self.closing.borrow() {
                let why = "shadow run: the server closes";
                return Err(Refusal::ForNow(why.to_owned()));
            }
            let batch = next_batch(&mut records);
            let stopped = |fault: Fault| Refusal::ForNow(format!("shadow run: {fault}"));
            let before = old.run(&batch).map_err(stopped)?;
            let after = new.run(&batch.part(0..before.len())).map_err(stopped)?;
            for (place, (before, after)) in before.iter().zip(&after).enumerate() {
                if before != after {
                    self.note(&mut report, (place, &batch), (before, after));
                }
            }
            report.records += after.len() as u64;
            report.left_out -= after.len() as u64;
            if after.len() < batch.len() {
                break;
            }
        }
        (report.old, report.new) = (old.counts, new.counts);
        Ok(report)
    }

    /// Counts a record with another outcome, and shows it if there is room.
    fn note(
        &self,
        report: &mut ShadowReport,
        (place, batch): (usize, &Slab),
        (before, after): (&Outcome, &Outcome),
    ) {
        report.differing += 1;
        if report.samples.len() < SAMPLES_MAX {
            let shown = |data: &[u8], version: &Version| {
                let log: &GuestLog = version.log();
                Shown::of(data, self.with_text.then_some(log))
            };
            // Without the length of the first output, which nobody wants to read.
            let output = |outcome: &Outcome, version: &Version| {
                shown(outcome.data.get(8..).unwrap_or_default(), version)
            };
            report.samples.push(ShadowSample {
                record: report.records + place as u64,
                input: shown(batch.get(place).unwrap_or_default(), self.new),
                old: (before.status, output(before, self.old)),
                new: (after.status, output(after, self.new)),
            });
        }
    }
}

/// As many records as a delivery hands over at once, and one at least.
fn next_batch<'a>(records: &mut std::iter::Peekable<impl Iterator<Item = &'a Vec<u8>>>) -> Slab {
    let mut batch = Slab::default();
    while let Some(record) = records.peek() {
        let is_full =
            batch.len() >= BATCH_RECORDS_MAX || batch.bytes() + record.len() > BATCH_BYTES_MAX;
        if is_full && !batch.is_empty() || !batch.push(record) {
            break;
        }
        records.next();
    }
    if batch.is_empty() {
        // No record is as large as that; one that were would end the run here.
        records.next();
    }
    batch
}

impl ShadowReport {
    /// Whether more than so many percent of the records failed in the new version.
    pub(crate) fn fails_more_than(&self, percent_max: u8) -> bool {
        let allowed = self.records.saturating_mul(u64::from(percent_max));
        self.new.failed.saturating_mul(PERCENT) > allowed
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_batch_is_as_large_as_a_delivery_makes_it_and_a_large_record_goes_alone() {
        let small = vec![b'a'; 10];
        let large = vec![b'b'; BATCH_BYTES_MAX + 1];
        let mut records = vec![small; BATCH_RECORDS_MAX + 1];
        records.push(large);
        let mut records = records.iter().peekable();
        let sizes: Vec<usize> = (0..3).map(|_| next_batch(&mut records).len()).collect();
        assert_eq!(sizes, [BATCH_RECORDS_MAX, 1, 1]);
        assert!(records.peek().is_none());
    }

    #[test]
    fn what_is_shown_of_a_record_is_its_size_and_hash_unless_the_operator_allows_more() {
        let data = [b'x'; 1_000];
        let name = crate::name::PluginName::parse("a").unwrap();
        let log = GuestLog::new(
            (name, "v1".to_owned()),
            &crate::limits::Limits::default(),
            Arc::default(),
        );
        let hidden = Shown::of(&data, None);
        assert_eq!(
            (hidden.bytes, hidden.hash.len(), hidden.text),
            (1_000, 12, None)
        );
        let text = Shown::of(&data, Some(&log)).text.unwrap();
        assert_eq!(text.len(), SAMPLE_BYTES_MAX + '…'.len_utf8());
    }
}
