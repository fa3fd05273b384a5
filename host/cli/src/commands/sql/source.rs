//! Records go in at a program's source, and the rows of one of its streams come out.

use std::sync::Arc;

use sql::input::{Decoder, InputSchema, Record};
use sql::{FaultedRow, Millis, Outcome, Program, Running, Source, StreamId};

/// The name that programs for AWS read their input with.
const AWS_SOURCE: &str = "SOURCE_SQL_STREAM_001";

/// A program over one source of records.
pub(super) struct Fed {
    program: Arc<Program>,
    running: Running,
    decoder: Decoder,
    /// The names under which the program reads the source.
    sources: Vec<StreamId>,
    /// No row before it comes any more.
    rowtime: Millis,
    faults: Vec<FaultedRow>,
}

/// What a program is, and what it reads.
pub(super) struct Code<'a> {
    pub(super) text: &'a str,
    /// What the source is called besides the name that AWS gives it.
    pub(super) source: &'a str,
    pub(super) schema: &'a InputSchema,
}

impl Fed {
    pub(super) fn new(code: &Code<'_>) -> Result<Self, String> {
        let mut names = vec![AWS_SOURCE];
        if code.source != AWS_SOURCE {
            names.push(code.source);
        }
        let sources: Vec<Source> = names
            .iter()
            .map(|name| Source {
                name: (*name).to_owned(),
                rows: code.schema.row_type(),
                hidden: code.schema.hidden_columns(),
            })
            .collect();
        let said = |invalid: sql::Invalid| invalid.to_string();
        let program = Program::compile(code.text, &sources, &[]).map_err(said)?;
        let known = names.iter().filter_map(|name| program.stream(name));
        let sources: Vec<StreamId> = known.filter(|stream| program.is_read(*stream)).collect();
        let mut needed: Vec<usize> = Vec::new();
        for source in &sources {
            needed.extend(program.needed(*source));
        }
        let decoder = Decoder::new(code.schema, &needed).map_err(said)?;
        let program = Arc::new(program);
        let running = Running::new(program.clone()).map_err(said)?;
        Ok(Self {
            program,
            running,
            decoder,
            sources,
            rowtime: Millis::MIN,
            faults: Vec::new(),
        })
    }

    pub(super) fn program(&self) -> &Arc<Program> {
        &self.program
    }

    /// The stream whose rows are wanted: the one of a name, that of a query by itself, or the only
    /// one that nothing in the program reads.
    pub(super) fn output(&self, name: Option<&str>) -> Result<StreamId, String> {
        let program = &self.program;
        if let Some(name) = name {
            let found = program.stream(name);
            let found = found.or_else(|| program.stream(&name.to_uppercase()));
            return found.ok_or_else(|| format!("the program has no stream '{name}'"));
        }
        if let Some(result) = program.result() {
            return Ok(result);
        }
        let last = program.last_streams();
        match last.as_slice() {
            [stream] => Ok(*stream),
            [] => Err("the program inserts rows into no stream".to_owned()),
            several => {
                let names = several.iter();
                let names: Vec<&str> = names
                    .map(|stream| program.streams()[stream.0].name.as_str())
                    .collect();
                Err(format!(
                    "the program has several last streams: --output says which ({})",
                    names.join(", ")
                ))
            }
        }
    }

    /// Takes a record. Its ROWTIME is its arrival, but never before the one of the record before.
    pub(super) fn record(&mut self, record: &Record<'_>, out: &mut Outcome) -> Result<(), String> {
        self.rowtime = self.rowtime.max(record.rowtime);
        let record = Record {
            rowtime: self.rowtime,
            ..*record
        };
        let decoded = self.decoder.decode(&record, &mut self.faults);
        decoded.map_err(|invalid| invalid.to_string())?;
        if self.decoder.is_full() {
            self.take(out)?;
        }
        Ok(())
    }

    /// Lets the program work on the records that it has.
    pub(super) fn take(&mut self, out: &mut Outcome) -> Result<(), String> {
        let said = |invalid: sql::Invalid| invalid.to_string();
        if !self.faults.is_empty() {
            let faults = std::mem::take(&mut self.faults);
            self.running.on_faults(faults, out).map_err(said)?;
        }
        for batch in self.decoder.finish().map_err(said)? {
            for source in &self.sources {
                self.running.on_batch(*source, &batch, out).map_err(said)?;
            }
        }
        Ok(())
    }

    /// Says that no record before this time comes any more.
    pub(super) fn time(&mut self, time: Millis, out: &mut Outcome) -> Result<(), String> {
        self.take(out)?;
        self.rowtime = self.rowtime.max(time);
        let said = |invalid: sql::Invalid| invalid.to_string();
        self.running.on_time(self.rowtime, out).map_err(said)
    }

    /// Says that no record comes any more.
    pub(super) fn end(&mut self, out: &mut Outcome) -> Result<(), String> {
        self.take(out)?;
        let said = |invalid: sql::Invalid| invalid.to_string();
        self.running.on_end(out).map_err(said)
    }
}
