//! Dead letters once more: a step of its own, whose commit does what the plugin wants done and
//! removes the letter, so that doing it again changes nothing.
//!
//! It works in an instance of its own with the state that is kept of the letter's shard. If that
//! state changes by it, the next batch of the shard meets a conflict and is done again from there.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use store::{CommitError, Purpose, StoreError, Transaction};
use streams::Numbering;
use streams::emit::{Emission, EmitError};
use types::{Second, Timestamp};
use wasm::{Assignment, Choice, Columns, ContentHash, Fault, Moment, PluginName, Slab, Version};

use crate::application::{Application, Versions};
use crate::catalog::{self, ChangeError};
use crate::contention::{Contention, Reservation};
use crate::dead_letters::{self, Content, Gone, Letter, LetterKey};
use crate::desk::Desk;
use crate::ground::Ground;
use crate::instances::Slot;
use crate::limits::{BATCH_BYTES_MAX, PAUSE_FIRST, REPLAY_WAIT_MAX, STATE_MEMORY_BYTES};
use crate::memory::Memory;
use crate::rows::{self, KeptState};
use crate::running::Running;
use crate::table_ids::ShardKey;
use crate::work::{Making, prepare};

/// How often a replay is tried that others are in the way of.
const TRIES_MAX: u32 = 8;
/// What tells the chance of a replay from that of a batch that begins with the same record.
const OF_REPLAYS: u64 = u64::from_be_bytes(*b"replayed");

/// Why nothing became of a dead letter.
#[derive(Clone, Debug)]
pub enum LetterError {
    /// There is no such letter, or not any more.
    NotFound,
    /// It cannot be worked on with this version.
    Version(String),
    /// The plugin does not work on it: the letter stays.
    Failed(String),
    /// Others were in the way, or what it needs is not to be had now: to be tried again.
    Busy(String),
    /// What is kept of it cannot be read or changed.
    Store(StoreError),
}

impl From<StoreError> for LetterError {
    fn from(error: StoreError) -> Self {
        Self::Store(error)
    }
}

impl fmt::Display for LetterError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotFound => f.write_str("There is no such dead letter."),
            Self::Version(why) => write!(f, "It cannot be replayed: {why}."),
            Self::Failed(why) => write!(f, "It failed again, and stays: {why}."),
            Self::Busy(why) => write!(f, "It was not replayed, and can be in a moment: {why}."),
            Self::Store(error) => write!(f, "The dead letter was not changed: {error}."),
        }
    }
}

impl std::error::Error for LetterError {}

/// Discards a letter.
///
/// # Errors
/// It is not there, or cannot be removed.
pub async fn discard(ground: &Ground, key: LetterKey) -> Result<(), LetterError> {
    let engine = &*ground.engine;
    for _ in 0..TRIES_MAX {
        let found = dead_letters::find(engine, key).await?;
        let (letter, version) = found.ok_or(LetterError::NotFound)?;
        let mut effects = Transaction::default();
        let of = (key, &letter, version);
        dead_letters::remove(engine, of, Gone::Discarded, &mut effects).await?;
        match engine.commit_for(Purpose::MakeRoom, effects).await {
            Ok(_) => return Ok(()),
            Err(CommitError::Conflict { .. }) => {}
            Err(error) => return Err(LetterError::Store(error.into())),
        }
    }
    Err(LetterError::Busy("others changed it".to_owned()))
}

/// Works on a letter with the version that its application works with, or with this one.
///
/// # Errors
/// It is not done, and stays.
pub async fn replay(
    ground: &Arc<Ground>,
    running: &Running,
    (key, hash): (LetterKey, Option<ContentHash>),
) -> Result<(), LetterError> {
    let application = running.application();
    let version = version(ground, (&application, key.shard), hash).await?;
    let (mut told, mut bytes_wanted) = (String::new(), 0);
    let mut contention = Contention::default();
    for tried in 0..TRIES_MAX {
        let found = dead_letters::find(&*ground.engine, key).await?;
        let (letter, row) = found.ok_or(LetterError::NotFound)?;
        let content = dead_letters::content(&*ground.engine, key, &letter).await?;
        let lost = || store::codec::damaged("the content of a dead letter");
        let content = content.ok_or_else(lost)?;
        let turn = running.turn(tried + 1 == TRIES_MAX);
        let turn = waited("its turn", turn).await?;
        let of = (key, &letter, content);
        let application = (&*application, &version);
        let worked = work(ground, application, of, (&mut bytes_wanted, &contention));
        // What it holds is held until the commit.
        let (mut effects, emissions, _held) = match worked.await {
            Ok(worked) => worked,
            Err(LetterError::Busy(why)) => {
                told = why;
                drop(turn);
                tokio::time::sleep(PAUSE_FIRST.saturating_mul(tried + 1)).await;
                continue;
            }
            Err(error) => return Err(error),
        };
        let of = (key, &letter, row);
        dead_letters::remove(&*ground.engine, of, Gone::Replayed, &mut effects).await?;
        for emission in &emissions {
            effects.appends.extend_from_slice(emission.appends());
        }
        match ground.engine.commit(effects).await {
            Ok(_) => {
                for emission in emissions {
                    emission.committed();
                }
                return Ok(());
            }
            Err(error @ (CommitError::Conflict { .. } | CommitError::Sealed(_))) => {
                told = error.to_string();
                if let CommitError::Conflict { table, key } = &error {
                    contention.note(*table, key);
                }
            }
            Err(error) => return Err(LetterError::Store(error.into())),
        }
        drop(turn);
    }
    Err(LetterError::Busy(told))
}

/// What `wait` comes to, for which whoever asks for a replay waits no longer than a while.
async fn waited<T>(what: &str, wait: impl Future<Output = T>) -> Result<T, LetterError> {
    let waited = tokio::time::timeout(REPLAY_WAIT_MAX, wait).await;
    waited.map_err(|_| LetterError::Busy(format!("it waited for {what}")))
}

async fn version(
    ground: &Arc<Ground>,
    (application, shard): (&Application, ShardKey),
    hash: Option<ContentHash>,
) -> Result<Arc<Version>, LetterError> {
    let refused = |error| match error {
        ChangeError::Plugin(why) => LetterError::Version(why),
        ChangeError::NotYet(why) => LetterError::Busy(why),
        ChangeError::Store(error) => LetterError::Store(error),
        other => LetterError::Version(other.to_string().trim_end_matches('.').to_owned()),
    };
    let plugin = &application.plugin;
    let versions = match (hash, application.versions) {
        (Some(hash), _) => Versions::Pinned(hash),
        (None, versions) => versions,
    };
    catalog::check_plugin(ground, (plugin, true), versions)
        .await
        .map_err(refused)?;
    match versions {
        Versions::Pinned(hash) => catalog::version(ground, plugin, hash)
            .await
            .map_err(refused),
        // The one that its shard goes by, whose state it goes on with.
        Versions::Latest => match ground.plugins.choose(plugin, None, &shard.row()) {
            Ok(Choice::Ready(version)) => Ok(version),
            Ok(Choice::Cold(hash)) => {
                let found = catalog::version(ground, plugin, hash).await;
                found.map_err(refused)
            }
            Err(absence) => Err(LetterError::Version(format!(
                "its plugin {plugin} {absence}"
            ))),
        },
    }
}

/// What the guest sees of time and chance: the same chance for the same letter, and no other's.
fn moment(now: Timestamp, application: &Application, key: LetterKey) -> Moment {
    let moment = Moment {
        now,
        seed: application.id.0,
    };
    let shard = moment.at(OF_REPLAYS).at(u64::from(key.shard.shard.0));
    shard.at(key.place.position.0).at(key.place.within)
}

/// What the plugin wants done about a letter. Where it lacks memory, `bytes_wanted` says how much
/// it would have had to have, so that the next try waits for that.
async fn work(
    ground: &Arc<Ground>,
    (application, version): (&Application, &Arc<Version>),
    (key, letter, content): (LetterKey, &Letter, Content),
    (bytes_wanted, contention): (&mut u64, &Contention),
) -> Result<(Transaction, Vec<Emission>, (Memory, Option<Reservation>)), LetterError> {
    let busy = |why: String| LetterError::Busy(why);
    let bytes = 2 * BATCH_BYTES_MAX as u64 + 2 * letter.bytes + STATE_MEMORY_BYTES;
    let asked = bytes.max(*bytes_wanted);
    let taken = take(ground, application, (version.name(), asked), contention);
    let (mut memory, slot, reserved) = taken.await?;
    memory.begins_with(bytes);
    let kept = rows::state_of(&*ground.engine, key.shard).await?;
    let making = Making {
        version: Arc::clone(version),
        assignment: Assignment {
            application: application.name.as_str().to_owned(),
            stream: application.stream_arn().to_string(),
            shard: key.shard.shard.to_string(),
        },
        sources: ground.sources(application),
        desk: Desk::default(),
        kept: kept.as_ref().map(|(state, _)| state.clone()),
        moment: moment(ground.now(), application, key),
    };
    let columns = columns(&making.assignment, (key, letter), &content)?;
    let desk = making.desk.clone();
    let (tables, streams) = (Arc::clone(&ground.tables), Arc::clone(&ground.streams));
    let owner = application.owner.clone();
    let party = Ground::party(application, version.name());
    let is_slow = ground.threads.is_slow(&party);
    let worked = ground.threads.run(&party, is_slow, move |_| {
        making.desk.begin(memory);
        let state = process(&making, &content, columns).inspect_err(|_| {
            making.desk.leave();
        })?;
        let mut effects = Transaction::default();
        let wishes = making.desk.take(&tables, &mut effects);
        let wishes = wishes.map_err(|error| LetterError::Busy(error.to_string()))?;
        let emissions = prepare(&streams, &owner, &wishes.emitted);
        let emissions = emissions.map_err(|it| match it.error {
            EmitError::Refused { .. } => LetterError::Failed(it.error.to_string()),
            error => LetterError::Busy(format!("the stream {}: {error}", it.stream)),
        })?;
        Ok::<_, LetterError>((state, effects, emissions, wishes.memory))
    });
    let worked = worked.await.map_err(|lost| busy(lost.to_string()))?;
    drop(slot);
    if let (Err(_), Some(lacked)) = (&worked, desk.lacked()) {
        *bytes_wanted = lacked;
        return Err(busy("it waited for memory".to_owned()));
    }
    let (state, mut effects, emissions, memory) = worked?;
    let was = kept.as_ref().map(|(_, version)| *version);
    if state.as_ref() == kept.as_ref().map(|(state, _)| state) {
        effects.checks.push(rows::state_check(key.shard, was));
    } else {
        let expect = rows::expecting(was);
        let write = rows::state_write(key.shard, state.as_ref(), expect)?;
        effects.writes.push(write);
    }
    Ok((effects, emissions, (memory, reserved)))
}

/// All that a replay works with: so much memory, room for an instance of the plugin, and the rows
/// that stood in its way. Those come last, so that nobody waits for them while it waits itself.
async fn take(
    ground: &Ground,
    application: &Application,
    (plugin, bytes): (&PluginName, u64),
    contention: &Contention,
) -> Result<(Memory, Slot, Option<Reservation>), LetterError> {
    let share = ground.budget.take(application.payer(), bytes);
    let memory = Memory::new(waited("memory", share).await?);
    // Its instance is none of the shard's.
    let nobodys = ShardKey::gone(application.id);
    let slot = ground.instances.slot(nobodys, application.whose(plugin));
    let slot = waited("room for an instance", slot).await?;
    let reserved = contention.reserve(&ground.tables);
    let reserved = waited("the rows that it changes", reserved).await??;
    Ok((memory, slot, reserved))
}

fn columns(
    assignment: &Assignment,
    (key, letter): (LetterKey, &Letter),
    content: &Content,
) -> Result<Columns, LetterError> {
    let damaged = || store::codec::damaged("the number of a dead letter");
    let created = Second::new(letter.shard_created).ok_or_else(damaged)?;
    let numbering = Numbering::new(key.shard.shard, created);
    let mut partition_keys = Slab::default();
    if !partition_keys.push(content.partition_key.as_bytes()) {
        return Err(damaged().into());
    }
    Ok(Columns {
        arn: assignment.stream.clone(),
        shard: Some(assignment.shard.clone()),
        partition_keys,
        arrivals_ms: vec![letter.arrival.0],
        sequence_numbers: vec![numbering.record(key.place.position, letter.arrival)],
        sub_sequence_numbers: vec![key.place.within],
    })
}

fn process(
    making: &Making,
    content: &Content,
    columns: Columns,
) -> Result<Option<KeptState>, LetterError> {
    let mut data = Slab::default();
    if !data.push(&content.data) {
        return Err(LetterError::Failed("it is larger than 4 GiB".to_owned()));
    }
    let mut instance = making.begin().map_err(of_fault)?;
    let time: Duration = making.version.call_limits().batch_time_max;
    instance
        .process(&data, &Arc::new(columns), 0, time)
        .map_err(of_fault)?;
    let state = instance.snapshot().map_err(of_fault)?;
    Ok(state.map(|(state_version, bytes)| KeptState {
        state_version,
        bytes,
    }))
}

fn of_fault(fault: Fault) -> LetterError {
    match fault {
        Fault::NoInstance(_) | Fault::Unavailable(_) | Fault::Stopped => {
            LetterError::Busy(fault.to_string())
        }
        fault => LetterError::Failed(fault.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use store::disk::simulated::SimulatedDisk;
    use store::embedded::{Embedded, Options};
    use store::{Engine, TableId};
    use streams::Streams;
    use tables::Tables;
    use tokio::runtime::Handle;
    use tokio::time::timeout;
    use types::{AccountId, Caller, ManualClock, Region, StreamName};
    use wasm::{GuestThreadLimits, GuestThreads, Plugins};

    use super::*;
    use crate::application::{ApplicationId, ApplicationName, Start, State};
    use crate::budget::Budget;
    use crate::instances::Instances;

    const MEMORY: u64 = 1024;
    /// What is there comes within this.
    const SOON: Duration = Duration::from_secs(60);
    /// What is not there does not come within this.
    const A_WHILE: Duration = Duration::from_millis(50);
    const ROW: &[u8] = b"row";

    async fn ground(directory: &std::path::Path) -> Ground {
        let disk = Arc::new(SimulatedDisk::new(1));
        let options = Options {
            free_bytes_min: 0,
            ballast_bytes: 0,
            ..Options::default()
        };
        let opening = tokio::task::spawn_blocking(move || Embedded::open(disk, options));
        let engine: Arc<dyn Engine> = opening.await.unwrap().unwrap();
        let clock = Arc::new(ManualClock::new(Timestamp(1_700_000_000_000)));
        let options = wasm::Options {
            directory: None,
            keep: directory.join("keep"),
            limits: wasm::Limits::default(),
            cache_key: [7; 32],
            compiler: None,
            rollout: wasm::RolloutRules::default(),
            signatures: wasm::SignatureRules::default(),
            grants: Arc::default(),
        };
        let streams = Streams::open(engine.clone(), clock.clone(), streams::Options::default());
        Ground {
            streams: streams.await.unwrap(),
            tables: Tables::open(engine.clone(), clock.clone()).await.unwrap(),
            plugins: Arc::new(Plugins::open(options, clock.clone()).unwrap()),
            threads: Arc::new(GuestThreads::start(GuestThreadLimits::default()).unwrap()),
            budget: Budget::new(MEMORY),
            instances: Arc::new(Instances::default()),
            grants: Arc::default(),
            runtime: Handle::current(),
            engine,
            clock,
        }
    }

    fn application() -> Application {
        Application {
            id: ApplicationId(7),
            owner: Caller {
                account: AccountId::parse("000000000042").unwrap(),
                region: Region::parse("eu-west-1").unwrap(),
            },
            name: ApplicationName::parse("counts").unwrap(),
            stream: StreamName::parse("text").unwrap(),
            plugin: PluginName::parse("counter").unwrap(),
            start: Start::TrimHorizon,
            versions: Versions::Latest,
            state: State::Running,
            created_at: Timestamp(9),
        }
    }

    /// The rows were taken first, and kept from everybody while the replay waited for the rest.
    #[tokio::test]
    async fn a_replay_that_waits_for_memory_keeps_no_rows_and_one_that_has_it_does() {
        let directory = tempfile::tempdir().unwrap();
        let ground = ground(directory.path()).await;
        let application = application();
        let mut contention = Contention::default();
        contention.note(items(), ROW);
        let row = Bytes::from_static(ROW);
        let all = ground.budget.take(application.payer(), MEMORY).await;
        {
            let of = (&application.plugin, MEMORY);
            let mut taking = Box::pin(take(&ground, &application, of, &contention));
            assert!(timeout(A_WHILE, &mut taking).await.is_err());
            let free = timeout(SOON, ground.tables.hold_row(&row)).await;
            assert!(free.is_ok(), "it waits for memory");
            drop((free, all));
            let taken = timeout(SOON, taking).await.unwrap();
            let kept = timeout(A_WHILE, ground.tables.hold_row(&row)).await;
            assert!(kept.is_err(), "it is about to begin");
            drop(taken);
        }
        let free = timeout(SOON, ground.tables.hold_row(&row)).await;
        assert!(free.is_ok());
    }

    /// The table of the store that holds items.
    fn items() -> TableId {
        let mut tables = (0..=u64::MAX).map(TableId);
        tables
            .find(|it| tables::application::is_of_items(*it))
            .unwrap()
    }
}
