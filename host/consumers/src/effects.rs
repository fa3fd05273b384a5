//! What a batch asks for: reads of tables, writes, records for other streams. Nothing of it is done
//! before the batch is; then it becomes part of the batch's one transaction, with a check on every
//! row that was read, so that batches of all shards come to what they would one after the other.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use tables::Tables;
use tables::application::{ApplicationError, TableRef, first_after};
use tokio::runtime::Handle;
use tokio::time::timeout;
use types::{Caller, PartitionKey, StreamName};
use wasm::{EffectError, Effects, PluginName, Slab};

use crate::desk::{Desk, RowName};
use crate::granted::Granted;

/// How long a read of a table may take. After that the batch is tried again later.
const READ_TIME_MAX: Duration = Duration::from_secs(10);

/// What an operator lets a plugin do. All else is refused.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Grants {
    /// Tables that it reads and writes, by name.
    pub tables: BTreeSet<String>,
    /// Streams that it puts records to, by name.
    pub emit: BTreeSet<String>,
}

impl Grants {
    /// Which of what is asked for these do not have, as lines for the server's configuration;
    /// `None`: they have all.
    pub fn lacking(&self, plugin: &PluginName, asked: &Self) -> Option<String> {
        if asked.tables.is_subset(&self.tables) && asked.emit.is_subset(&self.emit) {
            return None;
        }
        let list = |asked: &BTreeSet<String>, granted: &BTreeSet<String>| {
            let all: Vec<_> = asked
                .union(granted)
                .map(|name| format!("{name:?}"))
                .collect();
            all.join(", ")
        };
        let mut lines = format!("[[plugin_grants]] name = \"{plugin}\"");
        if !(asked.tables.is_empty() && self.tables.is_empty()) {
            lines.push_str(&format!(
                " tables = [{}]",
                list(&asked.tables, &self.tables)
            ));
        }
        if !(asked.emit.is_empty() && self.emit.is_empty()) {
            lines.push_str(&format!(" emit = [{}]", list(&asked.emit, &self.emit)));
        }
        Some(lines)
    }
}

/// Where a batch's reads come from.
#[derive(Clone)]
pub struct Sources {
    /// The tables.
    pub tables: Arc<Tables>,
    /// What the tables' operations run on.
    pub runtime: Handle,
    /// Account and region of all that is named.
    pub owner: Caller,
    /// The plugin.
    pub plugin: PluginName,
    /// What plugins may use.
    pub grants: Arc<Granted>,
}

/// What an instance's calls go to.
pub struct BatchEffects {
    sources: Sources,
    desk: Desk,
}

impl BatchEffects {
    /// Calls that gather on this desk.
    pub fn new(sources: Sources, desk: Desk) -> Self {
        Self { sources, desk }
    }

    /// Waits for what the tables say.
    fn wait<T>(
        &self,
        asked: impl Future<Output = Result<T, ApplicationError>>,
    ) -> Result<T, EffectError> {
        let answered = self.sources.runtime.block_on(async {
            // The timer belongs to the runtime, so that it is made inside.
            timeout(READ_TIME_MAX, asked).await
        });
        match answered {
            Ok(Ok(answer)) => Ok(answer),
            // None of these is a record's fault: an operator can put them right.
            Ok(Err(
                error @ (ApplicationError::Store(_)
                | ApplicationError::OtherSchema(_)
                | ApplicationError::Change(_)),
            )) => Err(EffectError::Unavailable(error.to_string())),
            Ok(Err(error)) => Err(EffectError::Refused(error.to_string())),
            Err(_) => {
                let seconds = READ_TIME_MAX.as_secs();
                let why = format!("a table did not answer within {seconds} s");
                Err(EffectError::Unavailable(why))
            }
        }
    }

    /// The table of that name, which is made if it is not there.
    fn table(&self, name: &str) -> Result<TableRef, EffectError> {
        let Sources {
            tables,
            owner,
            plugin,
            grants,
            ..
        } = &self.sources;
        let grants = grants.of(plugin);
        if !grants.tables.contains(name) {
            let asked = Grants {
                tables: BTreeSet::from([name.to_owned()]),
                ..Grants::default()
            };
            let lines = grants.lacking(plugin, &asked).unwrap_or_default();
            return Err(EffectError::Refused(format!(
                "the table {name} is not granted; the operator would write {lines}"
            )));
        }
        if let Some(table) = self.desk.table(name) {
            return Ok(table);
        }
        let table = self.wait(tables.ensure_application_table(owner, name))?;
        self.desk.uses_table(name, table.clone());
        Ok(table)
    }
}

impl BatchEffects {
    /// The value of a row that the batch has not seen.
    fn read(&self, table: &TableRef, name: RowName) -> Result<Option<Bytes>, EffectError> {
        self.desk.may_read(&name.1)?;
        let found = self
            .sources
            .tables
            .get(table, std::slice::from_ref(&name.1));
        let row = self.wait(found)?.pop().ok_or_else(|| {
            EffectError::Unavailable("a table gave no answer for a key".to_owned())
        })?;
        let value = row.as_ref().map(|(value, _)| value.clone());
        self.desk.has_read(name, row)?;
        Ok(value)
    }
}

impl Effects for BatchEffects {
    fn get(&mut self, table: &str, keys: &Slab) -> Result<Vec<Option<Bytes>>, EffectError> {
        let handle = self.table(table)?;
        let mut values = Vec::with_capacity(keys.len());
        // One by one: none is in memory before there is room for it.
        for key in keys.iter() {
            let name = (table.to_owned(), Bytes::copy_from_slice(key));
            values.push(match self.desk.known(&name) {
                Some(value) => value,
                None => self.read(&handle, name)?,
            });
        }
        Ok(values)
    }

    fn write(
        &mut self,
        table: &str,
        entries: Vec<(Bytes, Option<Bytes>)>,
    ) -> Result<(), EffectError> {
        self.table(table)?;
        self.desk.write(table, entries)
    }

    fn scan(
        &mut self,
        table: &str,
        prefix: &[u8],
        first: &[u8],
        limit: u32,
    ) -> Result<Vec<(Bytes, Bytes)>, EffectError> {
        let handle = self.table(table)?;
        let limit = usize::try_from(limit).unwrap_or(usize::MAX);
        let begin = Bytes::copy_from_slice(first.max(prefix));
        let (mut from, mut merged) = (begin.clone(), BTreeMap::new());
        loop {
            self.desk.may_scan()?;
            let scanned = self
                .sources
                .tables
                .scan(&handle, prefix, Some(&from), limit);
            let rows = self.wait(scanned)?;
            let last = rows.rows.last().map(|row| row.key.clone());
            let end = last.clone().filter(|_| !rows.is_at_end);
            let range = (&begin, end.as_ref());
            self.desk
                .has_scanned((table, prefix), rows.rows, range, &mut merged)?;
            match (last, end) {
                (Some(last), Some(_)) if merged.len() < limit => from = first_after(&last),
                _ => return Ok(merged.into_iter().take(limit).collect()),
            }
        }
    }

    fn emit(&mut self, stream: &str, keys: Slab, data: Slab) -> Result<(), EffectError> {
        let Sources { plugin, grants, .. } = &self.sources;
        let grants = grants.of(plugin);
        if !grants.emit.contains(stream) {
            let asked = Grants {
                emit: BTreeSet::from([stream.to_owned()]),
                ..Grants::default()
            };
            let lines = grants.lacking(plugin, &asked).unwrap_or_default();
            return Err(EffectError::Refused(format!(
                "the stream {stream} is not granted; the operator would write {lines}"
            )));
        }
        let refused = |what: String| EffectError::Refused(what);
        let stream = StreamName::parse(stream).map_err(|it| refused(it.to_string()))?;
        for key in keys.iter() {
            let text = std::str::from_utf8(key)
                .map_err(|_| refused("a partition key is not UTF-8".to_owned()))?;
            PartitionKey::parse(text).map_err(|it| refused(it.to_string()))?;
        }
        self.desk.emit(stream, keys, data)
    }

    fn carries(&mut self, bytes: usize) -> Result<(), EffectError> {
        self.desk.carries(bytes)
    }

    fn done(&mut self, records: u32) -> Result<(), EffectError> {
        self.desk.done(records);
        Ok(())
    }
}
