//! A program at work: rows go in at its sources and come out of all its streams.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use super::merge::merged;
use super::{Program, Stage};
use crate::batch::{Batch, Millis};
use crate::cell::Cells;
use crate::fault::{Fault, FaultKind, Invalid};
use crate::operator::{FaultedRow, Out, StateWriter};
use crate::output::error_rows;
use crate::plan::{StreamId, TableId};
use crate::running::{RunningQuery, StateRow};

/// What came of some rows or of time that passed.
#[derive(Debug, Default)]
pub struct Outcome {
    /// Rows of every stream within the application but of the sources, in the order in which they
    /// came into it.
    pub rows: Vec<(StreamId, Batch)>,
    /// Rows that failed; the stream of errors has them, too.
    pub faults: Vec<(String, FaultedRow)>,
    /// Late rows that were dropped as their stream wants it.
    pub dropped: u64,
}

/// What a program took up of a state.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Restored {
    /// Steps that go on with what they had.
    pub kept: usize,
    /// Pumps of which a step begins with nothing though it had something: it was changed.
    pub changed: Vec<String>,
    /// Pumps that had something and are no more.
    pub gone: Vec<String>,
}

/// One instance of a program's queries, with their state.
pub struct Running {
    program: Arc<Program>,
    queries: Vec<RunningQuery>,
    /// The latest ROWTIME that each stream had.
    latest: Vec<Option<Millis>>,
    /// Rows of the state that was restored and that nothing took up.
    orphans: Vec<Vec<u8>>,
    /// Streams whose latest ROWTIME is not as it was kept.
    changed: Vec<bool>,
}

/// What a step begins with.
enum Given<'a> {
    Nothing,
    Rows(StreamId, &'a Batch),
    Faults(Vec<(String, FaultedRow)>),
}

/// What moves a step on.
#[derive(Clone, Copy)]
enum Moment {
    /// No more than its rows.
    Rows,
    /// Every row of a source from now on is at least of this time.
    Time(Millis),
    /// No row comes any more.
    End,
}

impl Running {
    /// An instance that has seen nothing.
    ///
    /// # Errors
    ///
    /// A query that cannot be run.
    pub fn new(program: Arc<Program>) -> Result<Self, Invalid> {
        let queries = program.pumps.iter();
        let queries = queries.map(|pump| RunningQuery::new(&pump.plan));
        let queries = queries.collect::<Result<Vec<_>, _>>()?;
        let streams = program.streams.len();
        Ok(Self {
            program,
            queries,
            latest: vec![None; streams],
            orphans: Vec::new(),
            changed: vec![false; streams],
        })
    }

    /// What runs.
    pub fn program(&self) -> &Arc<Program> {
        &self.program
    }

    /// Gives the queries a table of reference data, in the place of what they had of it.
    ///
    /// # Errors
    ///
    /// More rows than an application may hold.
    pub fn set_table(&mut self, table: TableId, rows: &[Batch]) -> Result<(), Invalid> {
        for query in &mut self.queries {
            query.set_table(table, rows)?;
        }
        Ok(())
    }

    /// Takes rows of a source. Their ROWTIME never falls, over all sources together.
    ///
    /// # Errors
    ///
    /// A broken invariant, or more state than an application may hold. The instance must not be
    /// used any more; what was saved before can be restored.
    pub fn on_batch(
        &mut self,
        source: StreamId,
        batch: &Batch,
        out: &mut Outcome,
    ) -> Result<(), Invalid> {
        self.step(Given::Rows(source, batch), Moment::Rows, out)
    }

    /// Takes records of a source that gave no row: the stream of errors has them.
    ///
    /// # Errors
    ///
    /// As [`Running::on_batch`].
    pub fn on_faults(&mut self, faults: Vec<FaultedRow>, out: &mut Outcome) -> Result<(), Invalid> {
        let faults = faults.into_iter().map(|fault| (String::new(), fault));
        self.step(Given::Faults(faults.collect()), Moment::Rows, out)
    }

    /// Hears that every row of a source from now on has a ROWTIME of at least `time`.
    ///
    /// # Errors
    ///
    /// As [`Running::on_batch`].
    pub fn on_time(&mut self, time: Millis, out: &mut Outcome) -> Result<(), Invalid> {
        self.step(Given::Nothing, Moment::Time(time), out)
    }

    /// Hears that no row comes any more.
    ///
    /// # Errors
    ///
    /// As [`Running::on_batch`].
    pub fn on_end(&mut self, out: &mut Outcome) -> Result<(), Invalid> {
        self.step(Given::Nothing, Moment::End, out)
    }

    /// Bytes that the state holds, about.
    pub fn state_bytes(&self) -> usize {
        self.queries.iter().map(RunningQuery::state_bytes).sum()
    }

    fn step(&mut self, given: Given<'_>, moment: Moment, out: &mut Outcome) -> Result<(), Invalid> {
        let program = self.program.clone();
        let mut flow = Flow::new(&program, moment);
        match given {
            Given::Nothing => {}
            Given::Rows(source, batch) => flow.written[source.0].push(vec![batch.clone()]),
            Given::Faults(faults) => {
                flow.errors.extend(faults.iter().cloned());
                out.faults.extend(faults);
            }
        }
        for stage in &program.stages {
            match *stage {
                Stage::Stream(stream) => self.close(stream, &mut flow, out)?,
                Stage::Pump(pump) => self.pump(pump, moment, &mut flow, out)?,
            }
        }
        Ok(())
    }

    /// Puts together what a stream got in this step.
    fn close(
        &mut self,
        stream: StreamId,
        flow: &mut Flow,
        out: &mut Outcome,
    ) -> Result<(), Invalid> {
        let written = std::mem::take(&mut flow.written[stream.0]);
        let is_source = stream.0 < self.program.error_stream.0;
        let pieces: Vec<Batch> = if stream == self.program.error_stream {
            flow.errors_closed = true;
            let errors = self.errors(&std::mem::take(&mut flow.errors))?;
            errors.into_iter().collect()
        } else {
            let pieces = merged(written).into_iter();
            pieces.map(|(_, batch)| batch).collect()
        };
        for batch in pieces {
            let Some(batch) = self.in_order(stream, batch, out)? else {
                continue;
            };
            if !is_source {
                out.rows.push((stream, batch.clone()));
            }
            flow.read[stream.0].push(batch);
        }
        Ok(())
    }

    /// The rows of a stream that are not older than what it has: what a query calls ROWTIME may
    /// be anything.
    fn in_order(
        &mut self,
        stream: StreamId,
        batch: Batch,
        out: &mut Outcome,
    ) -> Result<Option<Batch>, Invalid> {
        let times = batch.rowtimes().values().clone();
        let mut latest = self.latest[stream.0].unwrap_or(Millis::MIN);
        let mut late = Vec::new();
        let mut kept = Vec::with_capacity(times.len());
        for (row, time) in times.iter().enumerate() {
            if *time < latest {
                late.push(row);
            } else {
                latest = *time;
                kept.push(u32::try_from(row).map_err(|_| too_many())?);
            }
        }
        if !kept.is_empty() && self.latest[stream.0] != Some(latest) {
            self.latest[stream.0] = Some(latest);
            self.changed[stream.0] = true;
        }
        if late.is_empty() {
            return Ok(Some(batch));
        }
        let rows = self.program.rows(stream);
        for row in late {
            let cells = rows.columns().iter().zip(batch.columns()).skip(1);
            let cells =
                cells.map(|(column, cells)| Cells::new(cells, column.ty).get(row).to_value());
            let fault = Fault::new(FaultKind::LateRow, "Rowtime of the row is out of order");
            let row = FaultedRow {
                fault,
                rowtime: times[row],
                row: cells.collect(),
            };
            let name = self.program.streams[stream.0].name.clone();
            out.faults.push((name, row));
        }
        if kept.is_empty() {
            return Ok(None);
        }
        let kept = batch.take(&kept.into());
        kept.map(Some).map_err(crate::expr::of_arrow)
    }

    /// Gives a pump what its streams got, and the time.
    fn pump(
        &mut self,
        pump: usize,
        moment: Moment,
        flow: &mut Flow,
        out: &mut Outcome,
    ) -> Result<(), Invalid> {
        let program = self.program.clone();
        let description = &program.pumps[pump];
        let query = &mut self.queries[pump];
        let origins = description.reads.iter();
        let origins = origins.map(|stream| flow.read[stream.0].clone()).collect();
        let mut given = Out::default();
        for (origin, batch) in merged(origins) {
            query.on_batch(description.reads[origin], &batch, &mut given)?;
        }
        match moment {
            Moment::Rows => {}
            Moment::Time(time) => {
                let known = description.reads.iter();
                let known = known.map(|stream| flow.times[stream.0]);
                // A pump without streams (VALUES) waits for nothing.
                let known = known.min().unwrap_or(Some(time));
                if let Some(time) = known {
                    query.on_time(time, &mut given)?;
                }
            }
            Moment::End => query.on_end(&mut given)?,
        }
        out.dropped += given.dropped;
        for fault in given.faults {
            if !flow.errors_closed {
                flow.errors.push((description.name.clone(), fault.clone()));
            }
            out.faults.push((description.name.clone(), fault));
        }
        let target = description.target.0;
        flow.written[target].push(given.batches);
        // Of a stream is known what is known of all that write it.
        flow.times[target] = flow.times[target].min(query.time_after());
        Ok(())
    }

    /// The rows of the stream of errors for what failed in this step.
    fn errors(&self, faults: &[(String, FaultedRow)]) -> Result<Option<Batch>, Invalid> {
        let latest = self.latest[self.program.error_stream.0];
        // Errors are told in the order in which they happened, by the time of what failed.
        let times = faults.iter().map(|(_, fault)| fault.rowtime);
        let Some(time) = times.chain(latest).max() else {
            return Ok(None);
        };
        if faults.is_empty() {
            return Ok(None);
        }
        let faults = faults.iter().map(|(pump, fault)| (pump.as_str(), fault));
        error_rows(faults, time).map(Some)
    }
}

/// What is on its way in one step.
struct Flow {
    /// What was written to each stream, by writer.
    written: Vec<Vec<Vec<Batch>>>,
    /// What each stream gives its readers.
    read: Vec<Vec<Batch>>,
    /// No row that a stream gets from now on is older.
    times: Vec<Option<Millis>>,
    errors: Vec<(String, FaultedRow)>,
    /// Rows that fail from now on hang on the errors themselves: they are told and no more.
    errors_closed: bool,
}

impl Flow {
    fn new(program: &Program, moment: Moment) -> Self {
        let streams = program.streams.len();
        let time = match moment {
            Moment::Rows | Moment::End => None,
            Moment::Time(time) => Some(time),
        };
        Self {
            written: vec![Vec::new(); streams],
            read: vec![Vec::new(); streams],
            times: vec![time; streams],
            errors: Vec::new(),
            errors_closed: false,
        }
    }
}

fn too_many() -> Invalid {
    Invalid::new("internal: a batch of more rows than can be counted")
}

/// The first byte of the rows of a state.
const LATEST: u8 = b'l';
const PUMP: u8 = b'p';

impl Running {
    /// Writes what has changed since the last call.
    ///
    /// # Errors
    ///
    /// A broken invariant: a name too long to be a key.
    pub fn save(&mut self, changes: &mut dyn StateWriter) -> Result<(), Invalid> {
        for key in std::mem::take(&mut self.orphans) {
            changes.delete(&key);
        }
        let program = self.program.clone();
        for (stream, changed) in self.changed.iter_mut().enumerate() {
            if std::mem::take(changed)
                && let Some(latest) = self.latest[stream]
            {
                let key = named(LATEST, &program.streams[stream].name)?;
                changes.put(&key, &latest.to_be_bytes());
            }
        }
        for (pump, query) in program.pumps.iter().zip(&mut self.queries) {
            let prefix = named(PUMP, &pump.name)?;
            query.save(&mut Prefixed { prefix, changes });
        }
        Ok(())
    }

    /// Takes up a state that an instance of this program, or of one before it, has saved. Steps
    /// that are as they were go on with theirs; the others begin with nothing, and the next save
    /// deletes what they had.
    ///
    /// # Errors
    ///
    /// Rows that no program wrote.
    pub fn restore(
        &mut self,
        rows: impl IntoIterator<Item = (Vec<u8>, Vec<u8>)>,
    ) -> Result<Restored, Invalid> {
        let mut latest = HashMap::new();
        let mut pumps: BTreeMap<String, Vec<StateRow>> = BTreeMap::new();
        for (key, value) in rows {
            let (kind, name, rest) = taken_apart(&key)?;
            match kind {
                LATEST => {
                    let time = value.as_slice().try_into().map_err(|_| broken())?;
                    latest.insert(name.to_owned(), (key.clone(), Millis::from_be_bytes(time)));
                }
                PUMP => {
                    let rows = pumps.entry(name.to_owned()).or_default();
                    rows.push((rest.to_vec(), value));
                }
                _ => return Err(broken()),
            }
        }
        let program = self.program.clone();
        for (index, stream) in program.streams.iter().enumerate() {
            if let Some((_, time)) = latest.remove(&stream.name) {
                self.latest[index] = Some(time);
            }
        }
        self.orphans
            .extend(latest.into_values().map(|(key, _)| key));
        let mut restored = Restored::default();
        for (pump, query) in program.pumps.iter().zip(&mut self.queries) {
            let Some(rows) = pumps.remove(&pump.name) else {
                continue;
            };
            let took = query.restore(rows)?;
            restored.kept += took.kept.len();
            if took.dropped_rows > 0 {
                restored.changed.push(pump.name.clone());
            }
        }
        for (pump, rows) in pumps {
            let prefix = named(PUMP, &pump)?;
            let keys = rows.into_iter();
            let keys = keys.map(|(own, _)| [prefix.as_slice(), &own].concat());
            self.orphans.extend(keys);
            restored.gone.push(pump);
        }
        Ok(restored)
    }
}

fn broken() -> Invalid {
    Invalid::new("internal: a row of a state that no program wrote")
}

/// `kind`, the length of a name, the name: what a key of a state begins with.
fn named(kind: u8, name: &str) -> Result<Vec<u8>, Invalid> {
    let length = u16::try_from(name.len());
    let length = length.map_err(|_| Invalid::new("internal: a name of more than 65,535 bytes"))?;
    let mut key = vec![kind];
    key.extend(length.to_be_bytes());
    key.extend(name.as_bytes());
    Ok(key)
}

fn taken_apart(key: &[u8]) -> Result<(u8, &str, &[u8]), Invalid> {
    let (kind, rest) = key.split_first().ok_or_else(broken)?;
    let (length, rest) = rest.split_first_chunk::<2>().ok_or_else(broken)?;
    let length = usize::from(u16::from_be_bytes(*length));
    let (name, rest) = rest.split_at_checked(length).ok_or_else(broken)?;
    let name = std::str::from_utf8(name).map_err(|_| broken())?;
    Ok((*kind, name, rest))
}

/// Writes keys of a query behind its name.
struct Prefixed<'a> {
    prefix: Vec<u8>,
    changes: &'a mut dyn StateWriter,
}

impl StateWriter for Prefixed<'_> {
    fn put(&mut self, key: &[u8], value: &[u8]) {
        let key = [self.prefix.as_slice(), key].concat();
        self.changes.put(&key, value);
    }

    fn delete(&mut self, key: &[u8]) {
        let key = [self.prefix.as_slice(), key].concat();
        self.changes.delete(&key);
    }
}
