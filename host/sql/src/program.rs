//! The program of an application: its streams, its pumps, and in which order they go.

mod merge;
mod order;
mod required;
mod running;
mod statements;

use std::cell::Cell;
use std::collections::HashMap;

use crate::ast::Statement;
use crate::bind::{Binder, Joinable, Readable, UserFunction};
use crate::fault::{Invalid, Place};
use crate::plan::{Needed, Plan, StreamId, TableId};
use crate::ty::RowType;

pub use self::running::{Outcome, Restored, Running};

/// Statements of a program, at most.
pub const STATEMENTS_MAX: usize = 1_000;

/// The stream that rows go to that failed.
pub const ERROR_STREAM: &str = "ERROR_STREAM";

/// What a query that stands by itself gives its rows to.
pub const RESULT: &str = "RESULT";

/// A stream of input or a table of reference data, by the name that the program reads it with.
#[derive(Clone, Debug)]
pub struct Source {
    /// Its name, as it is kept.
    pub name: String,
    /// What its rows look like.
    pub rows: RowType,
    /// How many of the last columns `*` leaves out: what is known of records besides their data.
    pub hidden: usize,
}

/// A stream within the application.
#[derive(Clone, Debug)]
pub struct InStream {
    /// Its name, as it is kept.
    pub name: String,
    /// What its rows look like.
    pub rows: RowType,
}

/// A query that goes on for ever and the stream that it gives its rows to.
#[derive(Clone, Debug)]
pub struct Pump {
    pub name: String,
    pub target: StreamId,
    plan: Plan,
    reads: Vec<StreamId>,
    started: bool,
    at: Place,
}

/// What goes on in one step, in this order.
#[derive(Clone, Copy, Debug)]
enum Stage {
    /// The query of a pump takes its rows.
    Pump(usize),
    /// All that a stream gets is there.
    Stream(StreamId),
}

/// A program that was checked and planned.
#[derive(Debug)]
pub struct Program {
    streams: Vec<InStream>,
    tables: Vec<Source>,
    pumps: Vec<Pump>,
    stages: Vec<Stage>,
    error_stream: StreamId,
    result: Option<StreamId>,
}

impl Program {
    /// Checks a program and plans its queries.
    ///
    /// # Errors
    ///
    /// What is wrong first, with its place: CodeValidationException says the same.
    pub fn compile(code: &str, sources: &[Source], tables: &[Source]) -> Result<Self, Invalid> {
        let statements = crate::parse::parse(code)?;
        if statements.len() > STATEMENTS_MAX {
            return Err(Invalid::new(format!(
                "a program has at most {STATEMENTS_MAX} statements, this one has {}",
                statements.len()
            )));
        }
        let mut draft = Draft::new(sources, tables)?;
        for statement in &statements {
            draft.take(statement)?;
        }
        draft.finish()
    }

    /// All streams: the sources first, in their order.
    pub fn streams(&self) -> &[InStream] {
        &self.streams
    }

    /// The stream of a name, as it is kept: in capitals, unless the program wrote it in quotes.
    pub fn stream(&self, name: &str) -> Option<StreamId> {
        let mut streams = self.streams.iter();
        streams.position(|stream| stream.name == name).map(StreamId)
    }

    /// What rows of a stream look like.
    pub fn rows(&self, stream: StreamId) -> &RowType {
        &self.streams[stream.0].rows
    }

    /// The table of reference data of a name.
    pub fn table(&self, name: &str) -> Option<TableId> {
        let mut tables = self.tables.iter();
        tables.position(|table| table.name == name).map(TableId)
    }

    /// Where rows go that failed.
    pub fn error_stream(&self) -> StreamId {
        self.error_stream
    }

    /// Where the rows of a query go that stands by itself.
    pub fn result(&self) -> Option<StreamId> {
        self.result
    }

    /// The streams that pumps write and none reads: what a program is for.
    pub fn last_streams(&self) -> Vec<StreamId> {
        let is_read = |stream: &StreamId| {
            let mut pumps = self.pumps.iter();
            pumps.any(|pump| pump.reads.contains(stream))
        };
        let mut last: Vec<StreamId> = self.pumps.iter().map(|pump| pump.target).collect();
        last.sort_unstable();
        last.dedup();
        last.retain(|stream| !is_read(stream));
        last
    }

    /// The columns of a stream that queries read.
    pub fn needed(&self, stream: StreamId) -> Vec<usize> {
        let mut needed = Needed::new();
        for pump in &self.pumps {
            pump.plan.add_needed(&mut needed);
        }
        match needed.remove(&stream) {
            Some(columns) => columns.into_iter().collect(),
            None => Vec::new(),
        }
    }

    /// Whether a stream's rows are asked for by a pump.
    pub fn is_read(&self, stream: StreamId) -> bool {
        self.pumps.iter().any(|pump| pump.reads.contains(&stream))
    }
}

/// A program of which some statements are read.
struct Draft {
    streams: Vec<InStream>,
    sources: usize,
    readable: HashMap<String, Readable>,
    tables: Vec<Source>,
    joinable: HashMap<String, Joinable>,
    functions: HashMap<String, UserFunction>,
    /// Expressions that were made so far.
    made: Cell<usize>,
    pumps: Vec<Pump>,
    error_stream: StreamId,
    result: Option<StreamId>,
}

impl Draft {
    fn new(sources: &[Source], tables: &[Source]) -> Result<Self, Invalid> {
        let mut draft = Self {
            streams: Vec::new(),
            sources: sources.len(),
            readable: HashMap::new(),
            tables: tables.to_vec(),
            joinable: HashMap::new(),
            functions: HashMap::new(),
            made: Cell::new(0),
            pumps: Vec::new(),
            error_stream: StreamId(sources.len()),
            result: None,
        };
        for source in sources {
            draft.add_stream(source.name.clone(), source.rows.clone(), None)?;
            if let Some(readable) = draft.readable.get_mut(&source.name) {
                readable.hidden = source.hidden;
            }
        }
        let rows = crate::output::error_row_type();
        draft.add_stream(ERROR_STREAM.to_owned(), rows, None)?;
        for (index, table) in tables.iter().enumerate() {
            if draft.readable.contains_key(&table.name) {
                return Err(already_there(&table.name));
            }
            let joinable = Joinable {
                id: TableId(index),
                rows: table.rows.clone(),
            };
            draft.joinable.insert(table.name.clone(), joinable);
        }
        Ok(draft)
    }

    fn add_stream(
        &mut self,
        name: String,
        rows: RowType,
        watermark: Option<(usize, i64)>,
    ) -> Result<StreamId, Invalid> {
        if self.readable.contains_key(&name) || self.joinable.contains_key(&name) {
            return Err(already_there(&name));
        }
        let id = StreamId(self.streams.len());
        let readable = Readable {
            id,
            rows: rows.clone(),
            watermark,
            hidden: 0,
            required: Vec::new(),
        };
        self.readable.insert(name.clone(), readable);
        self.streams.push(InStream { name, rows });
        Ok(id)
    }

    fn binder(&self) -> Binder<'_> {
        Binder::new(&self.readable, &self.joinable, &self.functions, &self.made)
    }

    /// Reads one more statement.
    fn take(&mut self, statement: &Statement) -> Result<(), Invalid> {
        match statement {
            Statement::CreateStream(create) => self.create_stream(create),
            Statement::CreatePump(create) => self.create_pump(create),
            Statement::CreateFunction(create) => self.create_function(create),
            Statement::AlterPump { names, started } => self.alter_pumps(names, *started),
            Statement::Drop {
                kind,
                name,
                if_exists,
            } => self.drop_thing(*kind, name, *if_exists),
            Statement::Select(query) => self.result_of(query),
        }
    }

    /// Puts the pumps in their order.
    fn finish(self) -> Result<Program, Invalid> {
        let Self {
            streams,
            tables,
            mut pumps,
            error_stream,
            result,
            ..
        } = self;
        pumps.retain(|pump| pump.started);
        let stages = order::stages(&streams, &pumps, error_stream)?;
        Ok(Program {
            streams,
            tables,
            pumps,
            stages,
            error_stream,
            result,
        })
    }
}

fn already_there(name: &str) -> Invalid {
    Invalid::new(format!("'{name}' already exists"))
}

#[cfg(test)]
mod running_tests;
#[cfg(test)]
mod tests;
