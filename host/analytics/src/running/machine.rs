//! The program of an application: frames become rows, rows go through its queries, and what comes
//! out becomes records for outputs. Works on a thread, without I/O.

use std::sync::Arc;

use sql::input::{Decoder, InputSchema, Record};
use sql::output::{CsvRows, JsonRows};
use sql::{
    Batch, FaultKind, FaultedRow, Invalid, Millis, Outcome, Program, Running, StreamId, TableId,
};
use store::{Position, Records};
use streams::SourceShard;
use types::aggregate::Aggregate;
use types::{HashKey, HashKeyRange, PartitionKey, Timestamp};

use super::limits::{MUCH_PRODUCED_BYTES, ROWS_AT_ONCE_MAX, STEP_PRODUCED_BYTES_MAX};
use super::merge::Taken;
use super::outputs::Packed;
use super::place::Counts;
use super::state::Changes;
use crate::application::OutputFormat;

/// What came of records.
#[derive(Clone, Debug, Default)]
pub struct Produced {
    /// Records for each output, in the order of the configuration.
    pub outputs: Vec<Packed>,
    /// What is counted of it.
    pub counts: Counts,
}

impl Produced {
    /// Nothing yet, for so many outputs.
    pub fn nothing(outputs: usize) -> Self {
        Self {
            outputs: vec![Packed::default(); outputs],
            counts: Counts::default(),
        }
    }

    /// Bytes of records for outputs.
    pub fn bytes(&self) -> usize {
        self.outputs.iter().map(Packed::laid_bytes).sum()
    }
}

/// What records become rows by, and rows of which streams.
pub struct Source<'a> {
    pub schema: &'a InputSchema,
    pub streams: &'a [StreamId],
}

/// An in-application stream that goes to an output.
#[derive(Clone, Copy, Debug)]
pub struct Wire {
    pub stream: StreamId,
    /// The place of the output in the configuration.
    pub output: usize,
    pub format: OutputFormat,
}

/// A program at work.
pub struct Machine {
    running: Running,
    /// One for each stream that records become rows of.
    decoders: Vec<(StreamId, Decoder)>,
    /// The one whose rows wait to be taken.
    filling: usize,
    wires: Vec<(Wire, Encoder)>,
    /// Rows that go through the queries at once.
    rows_at_once: usize,
}

/// What makes records of rows.
enum Encoder {
    Json(JsonRows),
    Csv(CsvRows),
}

impl Encoder {
    fn of(wire: &Wire, program: &Program) -> Result<Self, Invalid> {
        let rows = program.rows(wire.stream);
        Ok(match wire.format {
            OutputFormat::Json => Self::Json(JsonRows::new(rows)?),
            OutputFormat::Csv => Self::Csv(CsvRows::new(rows)),
        })
    }

    fn encode(&mut self, batch: &Batch, each: impl FnMut(&[u8])) -> Result<(), Invalid> {
        match self {
            Self::Json(rows) => rows.encode(batch, each),
            Self::Csv(rows) => rows.encode(batch, each),
        }
    }
}

impl Machine {
    /// An instance that has seen nothing.
    ///
    /// # Errors
    /// A query that cannot be run, or a schema that cannot be read by.
    pub fn new(
        program: &Arc<Program>,
        source: &Source<'_>,
        wires: Vec<Wire>,
    ) -> Result<Self, String> {
        let decoders = source.streams.iter().map(|stream| {
            let decoder = Decoder::new(source.schema, &program.needed(*stream))?;
            Ok((*stream, decoder))
        });
        let decoders = decoders.collect::<Result<_, Invalid>>().map_err(told)?;
        let wires = wires.into_iter().map(|wire| {
            let encoder = Encoder::of(&wire, program)?;
            Ok((wire, encoder))
        });
        let wires = wires.collect::<Result<_, Invalid>>().map_err(told)?;
        Ok(Self {
            running: Running::new(Arc::clone(program)).map_err(told)?,
            decoders,
            filling: 0,
            wires,
            rows_at_once: 1,
        })
    }

    /// Has the rows of a table of reference data.
    ///
    /// # Errors
    /// They are more than an application may hold.
    pub fn set_table(&mut self, table: TableId, rows: &[Batch]) -> Result<(), String> {
        self.running.set_table(table, rows).map_err(told)
    }

    /// Takes frames in the order of their times. `shards` are those that they come from, in order
    /// of their names.
    ///
    /// # Errors
    /// The program cannot go on.
    pub fn take(
        &mut self,
        frames: &[Taken],
        shards: &[SourceShard],
        out: &mut Produced,
    ) -> Result<(), String> {
        let mut faults = Vec::new();
        for taken in frames {
            let found = shards.binary_search_by_key(&taken.shard, |shard| shard.id);
            let shard = found.ok().and_then(|place| shards.get(place));
            let shard = shard.ok_or_else(|| format!("internal: no shard {}", taken.shard))?;
            self.take_frame(taken, shard, (&mut faults, &mut *out))?;
        }
        self.flush(&mut faults, out)
    }

    /// Hears that no row that comes is older.
    ///
    /// # Errors
    /// The program cannot go on.
    pub fn pass(&mut self, time: Timestamp, out: &mut Produced) -> Result<(), String> {
        let mut outcome = Outcome::default();
        self.running
            .on_time(millis(time)?, &mut outcome)
            .map_err(told)?;
        self.give(&outcome, out)
    }

    /// What changed in its state since this was asked last.
    ///
    /// # Errors
    /// The program cannot go on.
    pub fn save(&mut self) -> Result<Changes, String> {
        let mut changes = Changes::default();
        self.running.save(&mut changes).map_err(told)?;
        Ok(changes)
    }

    /// Takes up a state that was saved, before the first record. The pumps that begin with nothing
    /// though they had something.
    ///
    /// # Errors
    /// It is no state of a program.
    pub fn restore(&mut self, rows: Vec<(Vec<u8>, Vec<u8>)>) -> Result<Vec<String>, String> {
        let restored = self.running.restore(rows).map_err(told)?;
        Ok(restored.changed)
    }

    /// Bytes that its state holds in memory, about.
    pub fn state_bytes(&self) -> usize {
        self.running.state_bytes()
    }

    /// Takes the records of a frame; those that a producer put together are taken apart.
    fn take_frame(
        &mut self,
        taken: &Taken,
        shard: &SourceShard,
        (faults, out): (&mut Vec<FaultedRow>, &mut Produced),
    ) -> Result<(), String> {
        let into = self.decoder_of(shard)?;
        if into != self.filling {
            // Rows of several streams go in by their times.
            self.flush(faults, out)?;
            self.filling = into;
        }
        let shard_id = shard.id.to_string();
        let (rowtime, arrival) = (millis(taken.rowtime)?, millis(taken.frame.arrival)?);
        let positions = (taken.frame.position.0..).map(Position);
        for (position, stored) in positions.zip(Records::new(&taken.frame.body)) {
            if position < taken.from {
                continue;
            }
            let number = shard.numbering.record(position, taken.frame.arrival);
            let number = number.to_string();
            let record = Record {
                data: stored.data,
                rowtime,
                arrival,
                partition_key: stored.partition_key,
                sequence_number: &number,
                shard_id: &shard_id,
            };
            let Some(aggregate) = Aggregate::open(stored.data) else {
                self.take_record(&record, (&mut *faults, &mut *out))?;
                continue;
            };
            let (keys, hash_keys) = (aggregate.partition_keys(), aggregate.hash_keys());
            for user in aggregate.records() {
                let missing = || "internal: a record of an aggregate without its key".to_owned();
                let key = *keys.get(user.partition_key).ok_or_else(missing)?;
                let hash_key = user
                    .hash_key
                    .and_then(|place| hash_keys.get(place).copied());
                if belongs(shard.range, key, hash_key) {
                    let user = Record {
                        data: user.data,
                        partition_key: key,
                        ..record
                    };
                    self.take_record(&user, (&mut *faults, &mut *out))?;
                }
            }
        }
        Ok(())
    }

    fn take_record(
        &mut self,
        record: &Record<'_>,
        (faults, out): (&mut Vec<FaultedRow>, &mut Produced),
    ) -> Result<(), String> {
        out.counts.records += 1;
        out.counts.bytes += record.data.len() as u64;
        let (_, decoder) = self.filling()?;
        decoder.decode(record, faults).map_err(told)?;
        if decoder.is_full() {
            self.flush(faults, out)?;
        }
        Ok(())
    }

    /// The decoder of the stream that rows of a shard go to.
    fn decoder_of(&self, shard: &SourceShard) -> Result<usize, String> {
        let number = usize::try_from(shard.id.0).map_err(|error| error.to_string())?;
        let place = number.checked_rem(self.decoders.len());
        place.ok_or_else(|| "internal: a program without a source".to_owned())
    }

    fn filling(&mut self) -> Result<&mut (StreamId, Decoder), String> {
        let filling = self.decoders.get_mut(self.filling);
        filling.ok_or_else(|| "internal: a source that is not there".to_owned())
    }

    /// Gives the rows that wait to the queries.
    fn flush(&mut self, faults: &mut Vec<FaultedRow>, out: &mut Produced) -> Result<(), String> {
        let (stream, decoder) = self.filling()?;
        let stream = *stream;
        let batches = decoder.finish().map_err(told)?;
        if !faults.is_empty() {
            let mut outcome = Outcome::default();
            let faults = std::mem::take(faults);
            self.running.on_faults(faults, &mut outcome).map_err(told)?;
            self.give(&outcome, out)?;
        }
        for batch in &batches {
            out.counts.rows += batch.rows() as u64;
            let mut first = 0;
            while first < batch.rows() {
                let rows = self.rows_at_once.min(batch.rows() - first);
                self.take_rows(stream, &batch.slice(first, rows), out)?;
                first += rows;
            }
        }
        Ok(())
    }

    /// Takes rows, and sees from what comes of them how many to take next.
    fn take_rows(
        &mut self,
        stream: StreamId,
        rows: &Batch,
        out: &mut Produced,
    ) -> Result<(), String> {
        let before = out.bytes();
        let mut outcome = Outcome::default();
        let taken = self.running.on_batch(stream, rows, &mut outcome);
        taken.map_err(told)?;
        self.give(&outcome, out)?;
        self.rows_at_once = if out.bytes() - before > MUCH_PRODUCED_BYTES {
            (self.rows_at_once / 2).max(1)
        } else {
            (self.rows_at_once * 2).min(ROWS_AT_ONCE_MAX)
        };
        Ok(())
    }

    /// Makes records of what came out.
    fn give(&mut self, outcome: &Outcome, out: &mut Produced) -> Result<(), String> {
        let Produced { outputs, counts } = out;
        for (stream, batch) in &outcome.rows {
            for (wire, encoder) in &mut self.wires {
                if wire.stream != *stream {
                    continue;
                }
                let records = outputs.get_mut(wire.output);
                let records = records.ok_or("internal: an output that is not there")?;
                let each = |record: &[u8]| {
                    if !records.push(record) {
                        counts.refused += 1;
                    }
                };
                encoder.encode(batch, each).map_err(told)?;
            }
        }
        counts.faults += outcome.faults.len() as u64;
        let is_late = |(_, row): &&(String, FaultedRow)| row.fault.kind == FaultKind::LateRow;
        counts.late += outcome.faults.iter().filter(is_late).count() as u64;
        counts.dropped += outcome.dropped;
        if out.bytes() > STEP_PRODUCED_BYTES_MAX {
            return Err(format!(
                "the program makes more than {STEP_PRODUCED_BYTES_MAX} bytes of records out of a \
                 few: it has to be changed"
            ));
        }
        Ok(())
    }
}

/// Whether a user record is one of the shard's: by its explicit hash key, or else by its partition
/// key. One that is not was put together with others for a shard that was split meanwhile, and its
/// producer, which learns where its aggregate landed, puts it again.
fn belongs(range: HashKeyRange, partition_key: &str, hash_key: Option<&str>) -> bool {
    let explicit = hash_key.and_then(|text| HashKey::parse(text).ok());
    let hash_key = explicit.or_else(|| {
        let key = PartitionKey::parse(partition_key).ok()?;
        Some(HashKey::of(&key))
    });
    // One whose keys no stream takes came from no producer that would put it again.
    hash_key.is_none_or(|hash_key| range.contains(hash_key))
}

fn millis(at: Timestamp) -> Result<Millis, String> {
    Millis::try_from(at.0).map_err(|_| format!("a record has the time {}", at.0))
}

fn told(invalid: Invalid) -> String {
    invalid.to_string()
}
