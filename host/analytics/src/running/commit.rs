//! How what an application does becomes durable: records for outputs, rows of its state and its
//! place, in one transaction.
//!
//! ```text
//! small   [ records | state | place ]
//! large   [ entry 0 … 7 ] [ entry 8 … ]   [ place: n entries ]   [ entry 0 | place ] …
//!         kept, and not decided yet       decided                done, also after a crash
//! ```
//!
//! Each write of the place expects the one before, so that of two who work on one application only
//! one goes on.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use store::{CommitError, Expect, TableWrite, Transaction, Version};
use streams::turns::AccountTurn;
use tokio::sync::watch;
use tokio::time::{Instant, sleep};
use types::AccountId;

use super::Order;
use super::ground::Ground;
use super::limits::{
    COMMIT_BYTES_MAX, JOURNAL_ENTRIES_PER_COMMIT, JOURNAL_ENTRY_BYTES, OUTPUT_TIME_IN_HAND_MAX,
    PAUSE_FIRST, PAUSE_MAX,
};
use super::machine::Produced;
use super::merge::Places;
use super::outputs::{Batch, Packed, Prepared};
use super::place::{JournalEntry, Place, place_check, row_write};
use super::session::{Trouble, is_told};
use super::shown::Shown;
use super::state::{Changes, StateRows};
use super::wiring::Wiring;
use crate::application::{Application, ApplicationId};
use crate::tables::STATES;

/// What came of records, and how far they are read with it.
pub type Step = (Changes, Produced, Places);

/// A row of the state: its key and what it becomes.
type StateWrite = (Vec<u8>, Option<Vec<u8>>);

/// What is committed for an application, and how it stands.
pub struct Committing {
    ground: Arc<Ground>,
    id: ApplicationId,
    account: AccountId,
    orders: watch::Receiver<Order>,
    shown: Arc<Shown>,
    place: Place,
    /// The version of the place's row, if there is one.
    version: Option<Version>,
    rows: StateRows,
}

impl Committing {
    /// Reads how an application stands.
    ///
    /// # Errors
    /// It cannot be read.
    pub async fn open(
        ground: &Arc<Ground>,
        application: &Application,
        (orders, shown): (watch::Receiver<Order>, Arc<Shown>),
    ) -> Result<Self, Trouble> {
        let read = Place::read(&*ground.engine, application.id).await?;
        let (mut place, version) = match read {
            Some((place, version)) => (place, Some(version)),
            None => (Place::default(), None),
        };
        let owner = getrandom::u64();
        place.owner = owner.map_err(|error| Trouble::Stands(error.to_string()))?;
        Ok(Self {
            ground: Arc::clone(ground),
            id: application.id,
            account: application.arn.owner.account,
            orders,
            shown,
            rows: StateRows::new(application.id, place.state_start),
            place,
            version,
        })
    }

    /// How the application stands.
    pub fn place(&self) -> &Place {
        &self.place
    }

    /// The state goes on with these rows.
    pub fn has_state_rows(&mut self, rows: StateRows) {
        self.rows = rows;
    }

    /// Writes another place.
    ///
    /// # Errors
    /// It cannot be written.
    pub async fn set_place(&mut self, place: Place) -> Result<(), Trouble> {
        let nothing = (Vec::new(), Vec::new());
        self.transact(place, nothing, &mut None).await
    }

    /// Makes a step durable. The turn is given back if its outputs keep it waiting.
    ///
    /// # Errors
    /// It is not durable, or that is not known: what is in memory must not be used any more.
    pub async fn commit(
        &mut self,
        wiring: &Wiring,
        step: Step,
        turn: &mut Option<AccountTurn>,
    ) -> Result<(), Trouble> {
        let (changes, produced, places) = step;
        let mut place = self.place.clone();
        place.places = places;
        place.counts.add(&produced.counts);
        let bytes = changes.bytes() + produced.bytes();
        let state = self.rows.rows_of(changes)?;
        let mut batches = Vec::new();
        for (output, records) in wiring.outputs.iter().zip(produced.outputs) {
            if records.is_empty() {
                continue;
            }
            let next = place.outputs.entry(output.id.clone()).or_default();
            let first = *next;
            *next += count(records.len());
            place.counts.emitted += count(records.len());
            place.counts.emitted_bytes += count(records.bytes());
            batches.push(Batch {
                output: output.clone(),
                first,
                records,
            });
        }
        if bytes <= COMMIT_BYTES_MAX {
            return self.transact(place, (state, batches), turn).await;
        }
        let entries = entries(state, batches);
        self.keep_journal(&entries).await?;
        place.journal = (entries_count(entries.len())?, 0);
        drop(entries);
        self.set_place(place).await?;
        self.finish_journal(wiring, turn).await
    }

    /// Does what was decided and is not done.
    ///
    /// # Errors
    /// It cannot be done now.
    pub async fn finish_journal(
        &mut self,
        wiring: &Wiring,
        turn: &mut Option<AccountTurn>,
    ) -> Result<(), Trouble> {
        loop {
            let (entries, done) = self.place.journal;
            if done >= entries {
                return Ok(());
            }
            let entry = JournalEntry::read(&*self.ground.engine, self.id, done).await?;
            let mut place = self.place.clone();
            place.journal = if done + 1 < entries {
                (entries, done + 1)
            } else {
                (0, 0)
            };
            let mut batches = Vec::new();
            // An output that was taken away meanwhile gets no more.
            if let Some((id, first)) = entry.output
                && let Some(output) = wiring.outputs.iter().find(|output| output.id == id)
            {
                let mut records = Packed::default();
                for record in &entry.records {
                    records.push(record);
                }
                batches.push(Batch {
                    output: output.clone(),
                    first,
                    records,
                });
            }
            let removal = JournalEntry::removal(self.id, done);
            self.transact_with(place, (entry.state, batches), (vec![removal], turn))
                .await?;
        }
    }

    /// Keeps entries that are not decided yet.
    async fn keep_journal(&mut self, entries: &[JournalEntry]) -> Result<(), Trouble> {
        let mut pauses = Pauses::default();
        let mut number = 0;
        for some in entries.chunks(JOURNAL_ENTRIES_PER_COMMIT) {
            let mut writes = Vec::with_capacity(some.len());
            for entry in some {
                writes.push(entry.write(self.id, number)?);
                number += 1;
            }
            loop {
                let version = self.version;
                let transaction = Transaction {
                    writes: writes.clone(),
                    checks: version
                        .map(|version| place_check(self.id, version))
                        .into_iter()
                        .collect(),
                    ..Transaction::default()
                };
                match self.ground.engine.commit(transaction).await {
                    Ok(_) => break,
                    Err(CommitError::Conflict { .. }) => return Err(Trouble::Fenced),
                    // What is written again is the same.
                    Err(error) => self.waits(&error.to_string(), &mut pauses).await?,
                }
            }
        }
        Ok(())
    }

    async fn transact(
        &mut self,
        place: Place,
        work: (Vec<StateWrite>, Vec<Batch>),
        turn: &mut Option<AccountTurn>,
    ) -> Result<(), Trouble> {
        self.transact_with(place, work, (Vec::new(), turn)).await
    }

    /// Commits rows of the state, records, other rows, and the place that is reached with them.
    async fn transact_with(
        &mut self,
        mut place: Place,
        (state, batches): (Vec<StateWrite>, Vec<Batch>),
        (mut writes, turn): (Vec<TableWrite>, &mut Option<AccountTurn>),
    ) -> Result<(), Trouble> {
        place.writes = self.place.writes + 1;
        let state = state.into_iter();
        writes.extend(
            state.map(|(key, value)| row_write(STATES, Bytes::from(key), value.map(Bytes::from))),
        );
        let batches = Arc::new(batches);
        let mut pauses = Pauses::default();
        loop {
            let Prepared { ready, refused } = self.ready(&batches, turn).await?;
            let mut place = place.clone();
            place.counts.refused += refused;
            place.counts.emitted = place.counts.emitted.saturating_sub(refused);
            let before = self.version.map_or(Expect::Absent, Expect::Version);
            let mut writes = writes.clone();
            writes.push(place.write(self.id, before)?);
            let appends = ready.iter().flat_map(|ready| ready.appends());
            let transaction = Transaction {
                appends: appends.cloned().collect(),
                writes,
                ..Transaction::default()
            };
            let error = match self.ground.engine.commit(transaction).await {
                Ok(committed) => {
                    (self.place, self.version) = (place, Some(committed.version));
                    ready.into_iter().for_each(super::outputs::Ready::committed);
                    self.shown.gets_on();
                    return Ok(());
                }
                Err(error) => error,
            };
            match error {
                CommitError::Sealed(log) => {
                    for ready in ready {
                        ready.resharded(log).await;
                    }
                }
                CommitError::Conflict { .. } | CommitError::Unknown(_) => {
                    if self.is_kept(&place, &error).await? {
                        ready.into_iter().for_each(super::outputs::Ready::committed);
                        self.shown.gets_on();
                        return Ok(());
                    }
                    drop(ready);
                    self.waits(&error.to_string(), &mut pauses).await?;
                }
                error => {
                    drop(ready);
                    self.waits(&error.to_string(), &mut pauses).await?;
                }
            }
        }
    }

    /// Whether a write of the place went through of which that is not known. One that did not is
    /// to be tried again.
    async fn is_kept(&mut self, place: &Place, error: &CommitError) -> Result<bool, Trouble> {
        let read = Place::read(&*self.ground.engine, self.id).await?;
        match read {
            Some((found, version))
                if (found.owner, found.writes) == (place.owner, place.writes) =>
            {
                (self.place, self.version) = (found, Some(version));
                Ok(true)
            }
            found if found.as_ref().map(|(_, version)| *version) == self.version => match error {
                CommitError::Conflict { .. } => Err(Trouble::Fenced),
                _ => Ok(false),
            },
            _ => Err(Trouble::Fenced),
        }
    }

    /// Makes records ready, and waits for outputs that do not take them now.
    async fn ready(
        &mut self,
        batches: &Arc<Vec<Batch>>,
        turn: &mut Option<AccountTurn>,
    ) -> Result<Prepared, Trouble> {
        if batches.is_empty() {
            return Ok(Prepared::default());
        }
        let begun = Instant::now();
        let mut pauses = Pauses::default();
        loop {
            let (takers, batches) = (self.ground.takers(), Arc::clone(batches));
            let whose = (self.account, self.id);
            let prepared = self
                .ground
                .on_thread(whose, move |_| takers.prepare(&batches));
            let prepared = prepared
                .await
                .map_err(|lost| Trouble::Stands(lost.to_string()))?;
            let not_ready = match prepared {
                Ok(prepared) => return Ok(prepared),
                Err(not_ready) => not_ready,
            };
            match not_ready.wait {
                Some(wait) if begun.elapsed() + wait <= OUTPUT_TIME_IN_HAND_MAX => {
                    sleep(wait.max(Duration::from_millis(1))).await;
                }
                Some(wait) => {
                    *turn = None;
                    self.stands(&not_ready.why, wait.clamp(PAUSE_FIRST, PAUSE_MAX))
                        .await?;
                }
                None => {
                    *turn = None;
                    self.waits(&not_ready.why, &mut pauses).await?;
                }
            }
        }
    }

    /// Shows what stands in the way, and pauses for longer each time.
    async fn waits(&mut self, why: &str, pauses: &mut Pauses) -> Result<(), Trouble> {
        self.stands(why, pauses.next()).await
    }

    async fn stands(&mut self, why: &str, pause: Duration) -> Result<(), Trouble> {
        if self.shown.is_stuck(why) {
            tracing::warn!(
                application = self.id.0,
                why,
                "an application does not get on"
            );
        }
        if is_told(&self.orders) {
            return Err(Trouble::Told);
        }
        tokio::select! {
            () = sleep(pause) => Ok(()),
            _ = self.orders.changed() => Err(Trouble::Told),
        }
    }
}

/// Pauses, each twice the one before.
#[derive(Default)]
pub struct Pauses(u32);

impl Pauses {
    /// The next pause.
    pub fn next(&mut self) -> Duration {
        let doubled = self.0.min(16);
        self.0 = self.0.saturating_add(1);
        PAUSE_MAX.min(PAUSE_FIRST.saturating_mul(1 << doubled))
    }
}

/// Nothing in memory has more of them than an u64 counts.
fn count(of: usize) -> u64 {
    of as u64
}

fn entries_count(count: usize) -> Result<u32, Trouble> {
    u32::try_from(count).map_err(|_| Trouble::Stands("a step is too large to be kept".to_owned()))
}

/// The parts that a large step is done in. Those of one output are in order.
fn entries(state: Vec<StateWrite>, batches: Vec<Batch>) -> Vec<JournalEntry> {
    let mut entries = Vec::new();
    let (mut entry, mut bytes) = (JournalEntry::default(), 0);
    for (key, value) in state {
        let more = key.len() + value.as_ref().map_or(0, Vec::len);
        if bytes > 0 && bytes + more > JOURNAL_ENTRY_BYTES {
            entries.push(std::mem::take(&mut entry));
            bytes = 0;
        }
        bytes += more;
        entry.state.push((key, value));
    }
    if bytes > 0 {
        entries.push(entry);
    }
    for Batch {
        output,
        first,
        records,
    } in batches
    {
        let of_output = |first| JournalEntry {
            output: Some((output.id.clone(), first)),
            ..JournalEntry::default()
        };
        let (mut entry, mut bytes, mut next) = (of_output(first), 0, first);
        for record in records.iter() {
            if bytes > 0 && bytes + record.len() > JOURNAL_ENTRY_BYTES {
                entries.push(std::mem::replace(&mut entry, of_output(next)));
                bytes = 0;
            }
            bytes += record.len();
            next += 1;
            entry.records.push(record.to_vec());
        }
        entries.push(entry);
    }
    entries
}
