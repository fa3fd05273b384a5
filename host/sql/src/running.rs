//! A query that runs: the steps of its plan, each behind those that it takes rows from.

mod merge;

use std::collections::BTreeMap;

use self::merge::Merge;
use crate::batch::{BATCH_ROWS_MAX, Batch, Millis};
use crate::expr::evaluate::of_arrow;
use crate::fault::Invalid;
use crate::operator::{Operator, Out, StateWriter};
use crate::operators::{build, fingerprint, inputs, name_of, rows::types_of};
use crate::plan::{Plan, Step, StreamId, TableId};

/// How many steps may stand one behind the other in a query.
const PLAN_DEPTH_MAX: usize = 64;

/// Bytes of a name in the saved state: the fingerprint of a step, and which one of those that have
/// it.
const NAME_BYTES: usize = 10;

/// A row of the saved state: its key and its value.
pub type StateRow = (Vec<u8>, Vec<u8>);

/// Which part of a step a row of the saved state is of.
const OPERATOR_PART: u8 = b'o';
const MERGE_PART: u8 = b'm';

/// A query that runs. It gives the rows of its last step.
pub struct RunningQuery {
    /// Each one stands behind those that feed it.
    nodes: Vec<Node>,
    /// Where the rows of streams go. None: they are what the query gives.
    feeds: Vec<(StreamId, Option<Port>)>,
    /// Rows of the saved state that no step took up.
    orphans: Vec<Vec<u8>>,
    /// No row that it gives from now on is older.
    told: Option<Millis>,
}

/// One of the inputs of a step.
#[derive(Clone, Copy)]
struct Port {
    node: usize,
    input: usize,
}

struct Node {
    operator: Box<dyn Operator>,
    /// What it is, for people.
    title: &'static str,
    /// What its rows in the saved state begin with.
    name: [u8; NAME_BYTES],
    /// Where it has several inputs that do not come in one order.
    merge: Option<Merge>,
    /// By their numbers.
    inputs: Vec<(usize, Input)>,
    /// Rows that came and were not yet taken, with their input.
    waiting: Vec<(usize, Batch)>,
    /// What it was told of time last.
    heard: Option<Millis>,
    /// None: it is the last step.
    next: Option<Port>,
}

/// What an input knows of time.
enum Input {
    /// Time is that of the streams.
    Stream,
    /// Of another step, which has told this.
    Step(Option<Millis>),
}

/// What became of a state that was saved.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Restored {
    /// The steps that go on where they stood.
    pub kept: Vec<&'static str>,
    /// The steps that begin without rows, since the saved state has none of theirs.
    pub empty: Vec<&'static str>,
    /// Rows of steps that are no more; the next save deletes them.
    pub dropped_rows: usize,
}

impl RunningQuery {
    /// The steps of a plan, before the first row.
    ///
    /// # Errors
    ///
    /// A plan that cannot be run.
    pub fn new(plan: &Plan) -> Result<Self, Invalid> {
        let mut query = Self {
            nodes: Vec::new(),
            feeds: Vec::new(),
            orphans: Vec::new(),
            told: None,
        };
        query.put(plan, 0)?;
        Ok(query)
    }

    /// Adds the steps of a plan, those before it first. Gives the last one, or the stream that it
    /// is.
    fn put(&mut self, plan: &Plan, depth: usize) -> Result<Source, Invalid> {
        if depth >= PLAN_DEPTH_MAX {
            return Err(Invalid::new(format!(
                "more than {PLAN_DEPTH_MAX} steps stand one behind the other"
            )));
        }
        if let Step::Stream(stream) = plan.step {
            if depth == 0 {
                self.feeds.push((stream, None));
            }
            return Ok(Source::Stream(stream));
        }
        let from = inputs(&plan.step);
        let mut sources = Vec::with_capacity(from.len());
        for (input, plan) in &from {
            sources.push((*input, self.put(plan, depth + 1)?));
        }
        let node = self.nodes.len();
        let mut own_inputs = Vec::with_capacity(sources.len());
        for (input, source) in sources {
            let port = Port { node, input };
            let known = match source {
                Source::Stream(stream) => {
                    self.feeds.push((stream, Some(port)));
                    Input::Stream
                }
                Source::Node(before) => {
                    self.nodes[before].next = Some(port);
                    Input::Step(None)
                }
            };
            own_inputs.push((input, known));
        }
        let merges = from.len() > 1 && !come_in_order(&from);
        let types = from.iter().map(|(_, input)| types_of(&input.rows));
        self.nodes.push(Node {
            operator: build(plan)?,
            title: name_of(&plan.step),
            name: self.name(fingerprint(plan))?,
            merge: merges.then(|| Merge::new(types.collect())),
            inputs: own_inputs,
            waiting: Vec::new(),
            heard: None,
            next: None,
        });
        Ok(Source::Node(node))
    }

    /// The name of a step in the saved state. The same program has the same names, and a changed
    /// one has those of the steps that are as they were.
    fn name(&self, fingerprint: u64) -> Result<[u8; NAME_BYTES], Invalid> {
        let print = fingerprint.to_be_bytes();
        let same = self.nodes.iter().filter(|node| node.name[..8] == print);
        let same = u16::try_from(same.count());
        let same = same.map_err(|_| Invalid::new("too many steps of one kind"))?;
        let mut name = [0; NAME_BYTES];
        name[..8].copy_from_slice(&print);
        name[8..].copy_from_slice(&same.to_be_bytes());
        Ok(name)
    }

    /// Hands over all rows of a table of reference data: before the first row of a stream, and
    /// again whenever they are others.
    ///
    /// # Errors
    ///
    /// More than a step may hold.
    pub fn set_table(&mut self, table: TableId, rows: &[Batch]) -> Result<(), Invalid> {
        for node in &mut self.nodes {
            node.operator.set_table(table, rows)?;
        }
        Ok(())
    }

    /// Takes rows of a stream. `ROWTIME` never falls, over all streams together.
    ///
    /// # Errors
    ///
    /// A broken invariant, or more state than a step may hold: the query stands still.
    pub fn on_batch(
        &mut self,
        stream: StreamId,
        batch: &Batch,
        out: &mut Out,
    ) -> Result<(), Invalid> {
        let Some(last) = batch.rows().checked_sub(1) else {
            return Ok(());
        };
        let rowtimes = batch.rowtimes();
        self.turn(Turn::Time(rowtimes.value(0)), out)?;
        for (of, port) in &self.feeds {
            if *of != stream {
                continue;
            }
            match port {
                Some(port) => {
                    let waiting = &mut self.nodes[port.node].waiting;
                    waiting.push((port.input, batch.clone()));
                }
                None => out.batches.push(batch.clone()),
            }
        }
        self.turn(Turn::Time(rowtimes.value(last)), out)
    }

    /// Hears that every row from now on, of whichever stream, has a `ROWTIME` of at least `time`.
    ///
    /// # Errors
    ///
    /// As [`Self::on_batch`].
    pub fn on_time(&mut self, time: Millis, out: &mut Out) -> Result<(), Invalid> {
        self.turn(Turn::Time(time), out)
    }

    /// Hears that no row comes any more: all that is open is answered.
    ///
    /// # Errors
    ///
    /// As [`Self::on_batch`].
    pub fn on_end(&mut self, out: &mut Out) -> Result<(), Invalid> {
        self.turn(Turn::End, out)
    }

    /// No row that it gives from now on has a `ROWTIME` before this one. None: nothing is known.
    pub fn time_after(&self) -> Option<Millis> {
        self.told
    }

    /// Lets each step do what there is to do, those in front first.
    fn turn(&mut self, turn: Turn, out: &mut Out) -> Result<(), Invalid> {
        if let (true, Turn::Time(time)) = (self.nodes.is_empty(), turn) {
            self.told = self.told.max(Some(time));
        }
        for index in 0..self.nodes.len() {
            let node = &mut self.nodes[index];
            let mut given = Out::default();
            let time = node.turn(turn, &mut given)?;
            out.faults.append(&mut given.faults);
            out.dropped += given.dropped;
            let batches = together(given.batches)?;
            let Some(port) = node.next else {
                out.batches.extend(batches);
                self.told = self.told.max(time);
                continue;
            };
            let next = &mut self.nodes[port.node];
            let batches = batches.into_iter().map(|batch| (port.input, batch));
            next.waiting.extend(batches);
            for (input, known) in &mut next.inputs {
                if let Input::Step(told) = known
                    && *input == port.input
                {
                    *told = (*told).max(time);
                }
            }
        }
        Ok(())
    }

    /// Writes what changed since the last call.
    pub fn save(&mut self, changes: &mut dyn StateWriter) {
        for key in std::mem::take(&mut self.orphans) {
            changes.delete(&key);
        }
        for node in &mut self.nodes {
            let mut named = Named::new(changes, node.name, OPERATOR_PART);
            node.operator.save(&mut named);
            if let Some(merge) = &mut node.merge {
                merge.save(&mut Named::new(changes, node.name, MERGE_PART));
            }
        }
    }

    /// Takes up a state that was saved, by this program or by one before it: a step that is as it
    /// was goes on, the others begin without rows. Called before the first row.
    ///
    /// # Errors
    ///
    /// Rows that no query saved.
    pub fn restore(
        &mut self,
        rows: impl IntoIterator<Item = StateRow>,
    ) -> Result<Restored, Invalid> {
        let mut parts: BTreeMap<Vec<u8>, Vec<StateRow>> = BTreeMap::new();
        for (mut key, value) in rows {
            if key.len() <= NAME_BYTES {
                return Err(Invalid::new("internal: a row of the state of no step"));
            }
            let own = key.split_off(NAME_BYTES + 1);
            parts.entry(key).or_default().push((own, value));
        }
        let mut restored = Restored::default();
        for node in &mut self.nodes {
            let own = parts.remove(&part_of(node.name, OPERATOR_PART));
            let held = parts.remove(&part_of(node.name, MERGE_PART));
            if own.is_some() || held.is_some() {
                restored.kept.push(node.title);
            } else {
                restored.empty.push(node.title);
            }
            if let Some(own) = own {
                node.operator.restore(&mut own.into_iter())?;
            }
            match (&mut node.merge, held) {
                (Some(merge), Some(held)) => merge.restore(held)?,
                (None, Some(_)) => {
                    return Err(Invalid::new("internal: rows wait where none can"));
                }
                _ => {}
            }
        }
        for (name, rows) in parts {
            restored.dropped_rows += rows.len();
            let keys = rows
                .into_iter()
                .map(|(own, _)| [name.as_slice(), &own].concat());
            self.orphans.extend(keys);
        }
        Ok(restored)
    }

    /// Bytes that all steps hold, about.
    pub fn state_bytes(&self) -> usize {
        let nodes = self.nodes.iter();
        nodes.map(Node::held_bytes).sum()
    }
}

enum Source {
    Stream(StreamId),
    Node(usize),
}

/// Why steps do something.
#[derive(Clone, Copy, PartialEq)]
enum Turn {
    /// Every later row of a stream has at least this `ROWTIME`.
    Time(Millis),
    End,
}

impl Node {
    /// Takes the rows that wait, and hears of time. Gives what the next step may hear of it.
    fn turn(&mut self, turn: Turn, out: &mut Out) -> Result<Option<Millis>, Invalid> {
        let of_streams = match turn {
            Turn::Time(time) => Some(time),
            Turn::End => None,
        };
        // What is known of all inputs; nothing before something is known of each.
        let times = self.inputs.iter().map(|(_, input)| match input {
            Input::Stream => of_streams,
            Input::Step(told) => *told,
        });
        let time = if self.inputs.is_empty() {
            of_streams
        } else {
            times.min().flatten()
        };
        let mut waiting = std::mem::take(&mut self.waiting);
        if let Some(merge) = &mut self.merge {
            for (input, batch) in waiting {
                merge.push(input, batch)?;
            }
            waiting = match (turn, time) {
                (Turn::End, _) => merge.release(None),
                (Turn::Time(_), Some(time)) => merge.release(Some(time)),
                (Turn::Time(_), None) => Vec::new(),
            };
        }
        for (input, batch) in waiting {
            self.operator.on_batch(input, &batch, out)?;
        }
        if turn == Turn::End {
            self.operator.on_end(out)?;
            return Ok(None);
        }
        let Some(time) = time else {
            return Ok(None);
        };
        if self.heard.is_none_or(|heard| heard < time) {
            self.heard = Some(time);
            self.operator.on_time(time, out)?;
        }
        Ok(self.operator.time_after(time))
    }

    fn held_bytes(&self) -> usize {
        let merged = self.merge.as_ref().map_or(0, Merge::held_bytes);
        self.operator.state_bytes() + merged
    }
}

/// Whether rows of these inputs come in one order as it is: of streams that are not the same, with
/// nothing between that holds rows.
fn come_in_order(from: &[(usize, &Plan)]) -> bool {
    let mut streams = Vec::new();
    for (_, plan) in from {
        let mut plan = *plan;
        loop {
            match &plan.step {
                Step::Stream(stream) if !streams.contains(stream) => {
                    streams.push(*stream);
                    break;
                }
                Step::Filter { input, .. } => plan = input,
                Step::Project { input, values }
                    if values.first().and_then(crate::expr::Expr::as_column) == Some(0) =>
                {
                    plan = input;
                }
                _ => return false,
            }
        }
    }
    true
}

/// The same rows in fewer pieces, where they are small.
fn together(batches: Vec<Batch>) -> Result<Vec<Batch>, Invalid> {
    if batches.len() < 2 {
        return Ok(batches);
    }
    let mut fewer: Vec<Batch> = Vec::new();
    let mut small: Vec<Batch> = Vec::new();
    let mut rows = 0;
    for batch in batches {
        if rows + batch.rows() > BATCH_ROWS_MAX && !small.is_empty() {
            fewer.push(Batch::concat(&small).map_err(of_arrow)?);
            small.clear();
            rows = 0;
        }
        rows += batch.rows();
        small.push(batch);
    }
    fewer.push(Batch::concat(&small).map_err(of_arrow)?);
    Ok(fewer)
}

fn part_of(name: [u8; NAME_BYTES], part: u8) -> Vec<u8> {
    let mut key = name.to_vec();
    key.push(part);
    key
}

/// Writes rows of the state with the name of their step in front.
struct Named<'a> {
    changes: &'a mut dyn StateWriter,
    key: Vec<u8>,
}

impl<'a> Named<'a> {
    fn new(changes: &'a mut dyn StateWriter, name: [u8; NAME_BYTES], part: u8) -> Self {
        let key = part_of(name, part);
        Self { changes, key }
    }

    fn with(&mut self, key: &[u8]) -> &[u8] {
        self.key.truncate(NAME_BYTES + 1);
        self.key.extend_from_slice(key);
        &self.key
    }
}

impl StateWriter for Named<'_> {
    fn put(&mut self, key: &[u8], value: &[u8]) {
        self.with(key);
        self.changes.put(&self.key, value);
    }

    fn delete(&mut self, key: &[u8]) {
        self.with(key);
        self.changes.delete(&self.key);
    }
}

#[cfg(test)]
mod tests;
