//! The records that go through a plugin while it is developed.

use std::collections::{BTreeSet, VecDeque};
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::Notify;
use tokio::task::JoinHandle;
use tokio::time::{MissedTickBehavior, interval};
use types::{Clock, SystemClock};

use wasm::Role;

use crate::client::{CallError, Client, Target};
use crate::commands::plugin::entries::Entry;
use crate::commands::plugin::run::record_of;
use crate::commands::plugin::test::Fixture;
use crate::commands::plugin::trials::Record;
use crate::commands::stream::{Batch, Reading, Since};
use crate::commands::table;
use crate::failure::Failure;

/// Between two rounds of records.
const ROUND: Duration = Duration::from_secs(1);
/// Records that are kept to be shown and compared; of more, the last.
const KEPT_MAX: usize = 100;
/// Records of files that one round puts.
const ROUND_RECORDS_MAX: usize = 1_000;
/// Entries of a live table that are copied; of more, the first, and that is said.
const COPIED_MAX: usize = 10_000;
/// What a record without a partition key is put with: one must have one.
const KEY: &str = "dev";

/// Where records come from.
#[derive(Clone)]
pub(super) enum Source {
    /// The files below the plugin's folder.
    Fixtures(PathBuf),
    /// A stream of another server.
    Live {
        target: Arc<Target>,
        stream: String,
        from: Since,
    },
}

/// Records on their way into the server's stream.
pub(super) struct Feed {
    source: Source,
    state: Arc<Mutex<State>>,
    task: Option<JoinHandle<()>>,
    /// What the tables of a live consumer hold.
    copied: Vec<Entry>,
    /// Records of files go into a consumer once, and when this says so: each round changes its
    /// tables.
    again: Arc<Notify>,
}

#[derive(Default)]
struct State {
    last: VecDeque<Record>,
    /// Records that were put so far.
    put: u64,
    /// Why the last round came to nothing.
    trouble: Option<String>,
}

impl Feed {
    pub(super) fn new(source: Source) -> Self {
        Self {
            source,
            state: Arc::default(),
            task: None,
            copied: Vec::new(),
            again: Arc::default(),
        }
    }

    /// Copies tables of the server that a live stream is of. What there is to say of each.
    pub(super) async fn copy_tables(&mut self, tables: &BTreeSet<String>) -> Vec<String> {
        let Source::Live { target, .. } = &self.source else {
            return Vec::new();
        };
        let mut client = Client::new(target);
        let mut lines = Vec::new();
        for table in tables {
            let said = match table::entries(&mut client, table, COPIED_MAX).await {
                Ok(Some(read)) => {
                    let first = if read.is_whole { "" } else { "first " };
                    let count = read.entries.len();
                    let entries = read.entries.into_iter().map(|entry| Entry {
                        table: table.clone(),
                        key: entry.key,
                        value: entry.value,
                    });
                    self.copied.extend(entries);
                    format!("a copy of its {first}{count} entries; the one there stays as it is")
                }
                Ok(None) => "begins empty: there is none".to_owned(),
                Err(CallError::Refused { code, message, .. }) => {
                    format!("begins empty: {code}: {message}")
                }
                Err(error) => format!("begins empty: {error}"),
            };
            lines.push(format!("table {table}: {said}"));
        }
        lines
    }

    /// Records of files go into a consumer once more.
    pub(super) fn again(&self) {
        self.again.notify_one();
    }

    /// The last records, to be shown: those of the files, or those that were read of the stream.
    pub(super) fn last(&self) -> Result<Vec<Record>, Failure> {
        match &self.source {
            Source::Fixtures(dir) => Ok(records(dir).unwrap_or_default()),
            Source::Live { .. } => Ok(self.state().last.iter().cloned().collect()),
        }
    }

    /// What a consumer's tables held before the first of these records.
    pub(super) fn before(&self) -> Result<Vec<Entry>, Failure> {
        match &self.source {
            Source::Fixtures(dir) => Ok(entries(dir)?),
            Source::Live { .. } => Ok(self.copied.clone()),
        }
    }

    /// How many records were put, and why no more are.
    pub(super) fn progress(&self) -> (u64, Option<String>) {
        let state = self.state();
        (state.put, state.trouble.clone())
    }

    /// Puts records into this stream from now on, for a plugin of this role.
    pub(super) async fn begin(
        &mut self,
        target: &Arc<Target>,
        stream: &str,
        role: Role,
    ) -> Result<(), Failure> {
        let is_of_files = matches!(self.source, Source::Fixtures(_));
        let reading = match &self.source {
            Source::Fixtures(_) => None,
            Source::Live {
                target,
                stream,
                from,
            } => {
                let begin = from.begin(SystemClock.now())?;
                Some(Reading::begin(target, stream, begin).await?)
            }
        };
        let feeder = Feeder {
            client: Client::new(target),
            stream: stream.to_owned(),
            source: self.source.clone(),
            reading,
            state: Arc::clone(&self.state),
            again: (is_of_files && role == Role::Consumer).then(|| Arc::clone(&self.again)),
        };
        self.task = Some(tokio::spawn(feeder.run()));
        Ok(())
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // Each change under the lock leaves it whole.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Feed {
    fn drop(&mut self) {
        if let Some(task) = self.task.take() {
            task.abort();
        }
    }
}

struct Feeder {
    client: Client,
    stream: String,
    source: Source,
    reading: Option<Reading>,
    state: Arc<Mutex<State>>,
    /// What each round waits for; `None`: nothing but its time.
    again: Option<Arc<Notify>>,
}

impl Feeder {
    async fn run(mut self) {
        let mut rounds = interval(ROUND);
        rounds.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            rounds.tick().await;
            if let Some(again) = &self.again {
                again.notified().await;
            }
            let round = self.round().await;
            if let (Some(again), Err(_)) = (&self.again, &round) {
                again.notify_one();
            }
            let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
            state.trouble = round.err();
        }
    }

    async fn round(&mut self) -> Result<(), String> {
        let records = match (&self.source, &mut self.reading) {
            (Source::Live { .. }, Some(reading)) => {
                let read = reading.next().await.map_err(|error| error.to_string())?;
                read.into_iter().map(record_of).collect()
            }
            (Source::Fixtures(dir), _) => {
                let mut records = records(dir)?;
                records.truncate(ROUND_RECORDS_MAX);
                records
            }
            (Source::Live { .. }, None) => return Err("the stream is not read".to_owned()),
        };
        self.put(records).await
    }

    async fn put(&mut self, records: Vec<Record>) -> Result<(), String> {
        let count = records.len() as u64;
        let mut batch = Batch::new(&self.stream);
        let mut has_room = true;
        for record in &records {
            if !has_room {
                put(&mut batch, &mut self.client).await?;
            }
            let key = match record.partition_key.as_str() {
                "" => KEY,
                key => key,
            };
            has_room = batch.add(key.to_owned(), record.data.clone());
        }
        put(&mut batch, &mut self.client).await?;
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        state.put += count;
        state.last.extend(records);
        while state.last.len() > KEPT_MAX {
            state.last.pop_front();
        }
        Ok(())
    }
}

async fn put(batch: &mut Batch, client: &mut Client) -> Result<(), String> {
    let put = batch.put(client).await;
    put.map(drop).map_err(|failure| failure.text())
}

/// What the tables of all files hold, which may have changed since.
fn entries(dir: &std::path::Path) -> Result<Vec<Entry>, String> {
    let mut entries = Vec::new();
    for fixture in Fixture::all(dir).unwrap_or_default() {
        entries.extend(fixture.before()?);
    }
    Ok(entries)
}

/// The records of all files, which may have changed since.
fn records(dir: &std::path::Path) -> Result<Vec<Record>, String> {
    let fixtures = Fixture::all(dir)?;
    Ok(fixtures.into_iter().flat_map(|it| it.records).collect())
}
