//! What operators do with applications as a whole: each is one commit on its row, and the
//! supervisors of all workers see it at their next look.

use std::fmt;
use std::sync::Arc;

use bytes::Bytes;
use store::codec;
use store::{
    CommitError, Engine, Expect, LogChange, Position, Purpose, StoreError, TableWrite, Transaction,
};
use streams::Source;
use streams::pump::row;
use tokio::task::spawn_blocking;
use types::{Caller, StreamName};
use wasm::{Absence, ContentHash, PluginName, Role};

use crate::application::{Application, ApplicationId, ApplicationName, Start, State, Versions};
use crate::ground::Ground;
use crate::limits::{APPLICATIONS_PER_ACCOUNT_MAX, ROWS_PER_COMMIT};
use crate::rows::{self, ShardProgress, expecting};
use crate::table_ids::{NUMBERS, SETTINGS, ShardKey, dead_letter_log};

/// How often a change is tried that others change meanwhile.
const TRIES_MAX: u32 = 16;

/// An application to be made.
#[derive(Clone, Debug)]
pub struct NewApplication {
    /// Whose.
    pub owner: Caller,
    /// Its name.
    pub name: ApplicationName,
    /// The stream that it reads.
    pub stream: StreamName,
    /// Its plugin.
    pub plugin: PluginName,
    /// Where it begins.
    pub start: Start,
    /// Which version it works with.
    pub versions: Versions,
}

/// Why an application was not changed.
#[derive(Clone, Debug)]
pub enum ChangeError {
    /// There is one of that name.
    Exists,
    /// There is none of that name.
    NotFound,
    /// It is being deleted.
    Deleting,
    /// Its stream is not there, or does not take records.
    NoStream(StreamName),
    /// Its plugin cannot work for it: a sentence.
    Plugin(String),
    /// Its plugin cannot be asked at the moment: a sentence.
    NotYet(String),
    /// The account has as many as it may.
    TooMany,
    /// A plugin's manifest declares it, so that it would be made again.
    Declared(PluginName),
    /// The store refused it, or others changed it all the time.
    Store(StoreError),
}

impl From<StoreError> for ChangeError {
    fn from(error: StoreError) -> Self {
        Self::Store(error)
    }
}

impl fmt::Display for ChangeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Exists => f.write_str("There is an application of that name."),
            Self::NotFound => f.write_str("There is no such application."),
            Self::Deleting => f.write_str("The application is being deleted."),
            Self::NoStream(stream) => write!(
                f,
                "The application's stream {stream} is not there, or is not ACTIVE."
            ),
            Self::Plugin(why) => write!(f, "The application cannot work: {why}."),
            Self::NotYet(why) => write!(f, "The application cannot work yet: {why}."),
            Self::TooMany => write!(
                f,
                "An account has at most {APPLICATIONS_PER_ACCOUNT_MAX} applications."
            ),
            Self::Declared(plugin) => write!(
                f,
                "The manifest of the plugin {plugin} declares the application: take [application] \
                 out of it first, or pause the application."
            ),
            Self::Store(error) => write!(f, "The application was not changed: {error}."),
        }
    }
}

impl std::error::Error for ChangeError {}

/// Makes an application, and keeps where it begins in each shard.
///
/// # Errors
/// When it cannot be made; nothing is left of it then, or what is left is brought to its end.
pub async fn create(ground: &Arc<Ground>, new: NewApplication) -> Result<Application, ChangeError> {
    // Anybody may name any plugin here.
    let with_reason = ground.plugins.tells_reasons_to(new.owner.account);
    check_plugin(ground, (&new.plugin, with_reason), new.versions).await?;
    let engine = &*ground.engine;
    for _ in 0..TRIES_MAX {
        let found = rows::find_application(engine, (&new.owner, &new.name));
        match found.await? {
            Some((application, _)) if application.state == State::Deleting => {
                return Err(ChangeError::Deleting);
            }
            Some(_) => return Err(ChangeError::Exists),
            None => {}
        }
        let all = rows::load_applications(engine).await?;
        let account = new.owner.account;
        let of_account = all.iter().filter(|(it, _)| it.owner.account == account);
        if of_account.count() >= APPLICATIONS_PER_ACCOUNT_MAX {
            return Err(ChangeError::TooMany);
        }
        let numbers = engine.get(SETTINGS, NUMBERS).await?;
        let next: u64 = match &numbers {
            Some(row) => codec::decode("settings of applications", &row.value)?,
            None => 1,
        };
        let after = next.checked_add(1).ok_or(ChangeError::TooMany)?;
        let application = Application {
            id: ApplicationId(next),
            owner: new.owner.clone(),
            name: new.name.clone(),
            stream: new.stream.clone(),
            plugin: new.plugin.clone(),
            start: new.start,
            versions: new.versions,
            state: State::Creating,
            created_at: ground.now(),
        };
        if ground.streams.source(&application.stream_arn()).is_none() {
            return Err(ChangeError::NoStream(new.stream));
        }
        let transaction = Transaction {
            writes: vec![
                rows::application_write(&application, Expect::Absent)?,
                TableWrite {
                    table: SETTINGS,
                    key: Bytes::from_static(NUMBERS),
                    value: Some(codec::encode(&after)?),
                    expect: expecting(numbers.map(|row| row.version)),
                },
            ],
            changes: vec![LogChange::Create(dead_letter_log(application.id))],
            ..Transaction::default()
        };
        match engine.commit(transaction).await {
            Ok(_) => return begin(ground, application).await,
            // Another one was made at the same moment; or this one, if its answer was lost.
            Err(CommitError::Conflict { .. }) => {}
            Err(error) => return Err(ChangeError::Store(error.into())),
        }
    }
    Err(ChangeError::Store(StoreError::Commit(Box::new(
        CommitError::Busy,
    ))))
}

/// Keeps where an application begins that was just made. Done again after a crash, it changes
/// nothing of what was kept before.
///
/// # Errors
/// When it cannot be kept.
pub async fn begin(ground: &Ground, application: Application) -> Result<Application, ChangeError> {
    let arn = application.stream_arn();
    let no_stream = || ChangeError::NoStream(application.stream.clone());
    let source = ground.streams.source(&arn).ok_or_else(no_stream)?;
    begin_shards(
        &*ground.engine,
        (application.id, application.start),
        &source,
    )
    .await?;
    let owner = (&application.owner, &application.name);
    change(ground, owner, |application| {
        if application.state == State::Creating {
            application.state = State::Running;
        }
    })
    .await
}

/// Keeps where shards begin of which nothing is kept yet.
///
/// # Errors
/// When it cannot be kept.
pub async fn begin_shards(
    engine: &dyn Engine,
    (id, start): (ApplicationId, Start),
    source: &Source,
) -> Result<(), StoreError> {
    let begun = row::names_of(engine, &ShardKey::pumps_of(id)).await?;
    let mut writes = Vec::new();
    for shard in &source.shards {
        let key = ShardKey {
            application: id,
            stream: source.id,
            shard: shard.id,
        };
        let name = key.pump_name();
        if begun.contains(&name) {
            continue;
        }
        let position = match start {
            Start::TrimHorizon => engine.horizon(shard.log),
            Start::Latest => engine.tip(shard.log),
            Start::AtTimestamp(at) => engine.seek_time(shard.log, at).await,
        };
        let position = match position {
            Ok(position) => position,
            // It was deleted before anything of it was worked on.
            Err(StoreError::NoLog(_)) => continue,
            Err(error) => return Err(error),
        };
        writes.push(row::beginning(&name, position)?);
        writes.push(rows::progress_write(key, &ShardProgress::default())?);
    }
    commit_in_parts(engine, writes).await
}

/// Keeps that shards that came later begin with their first records.
///
/// # Errors
/// When it cannot be kept.
pub async fn begin_late(engine: &dyn Engine, keys: &[ShardKey]) -> Result<(), StoreError> {
    let mut writes = Vec::new();
    for key in keys {
        writes.push(row::beginning(&key.pump_name(), Position::FIRST)?);
        writes.push(rows::progress_write(*key, &ShardProgress::default())?);
    }
    commit_in_parts(engine, writes).await
}

/// Rows of shards, a few hundred in a commit. Where another worker was first, its rows stay.
async fn commit_in_parts(engine: &dyn Engine, writes: Vec<TableWrite>) -> Result<(), StoreError> {
    for part in writes.chunks(ROWS_PER_COMMIT) {
        let transaction = |writes: &[TableWrite]| Transaction {
            writes: writes.to_vec(),
            ..Transaction::default()
        };
        match engine.commit(transaction(part)).await {
            Ok(_) => continue,
            Err(CommitError::Conflict { .. }) => {}
            Err(error) => return Err(error.into()),
        }
        for pair in part.chunks(2) {
            match engine.commit(transaction(pair)).await {
                Ok(_) | Err(CommitError::Conflict { .. }) => {}
                Err(error) => return Err(error.into()),
            }
        }
    }
    Ok(())
}

/// Changes an application as it is kept.
///
/// # Errors
/// It is not there, is being deleted, or the store refused it.
pub async fn change(
    ground: &Ground,
    (owner, name): (&Caller, &ApplicationName),
    change: impl Fn(&mut Application),
) -> Result<Application, ChangeError> {
    let engine = &*ground.engine;
    for _ in 0..TRIES_MAX {
        let found = rows::find_application(engine, (owner, name)).await?;
        let (mut application, version) = found.ok_or(ChangeError::NotFound)?;
        if application.state == State::Deleting {
            return Err(ChangeError::Deleting);
        }
        let before = application.clone();
        change(&mut application);
        if application == before {
            return Ok(application);
        }
        let write = rows::application_write(&application, Expect::Version(version))?;
        let transaction = Transaction {
            writes: vec![write],
            ..Transaction::default()
        };
        match engine.commit(transaction).await {
            Ok(_) => return Ok(application),
            Err(CommitError::Conflict { .. } | CommitError::Unknown(_)) => {}
            Err(error) => return Err(ChangeError::Store(error.into())),
        }
    }
    Err(ChangeError::Store(StoreError::Commit(Box::new(
        CommitError::Busy,
    ))))
}

/// Whether a plugin can work for an application, as far as that is known before a record is read.
///
/// # Errors
/// Why it cannot; `with_reason`, also why it was refused, if it was.
pub async fn check_plugin(
    ground: &Arc<Ground>,
    (plugin, with_reason): (&PluginName, bool),
    versions: Versions,
) -> Result<(), ChangeError> {
    let version = match versions {
        Versions::Latest => match ground.plugins.current(plugin) {
            Some(version) => version,
            None => {
                let absence = ground.plugins.absence(plugin);
                let absence = absence.unwrap_or(Absence::Loading);
                let why = format!("its plugin {plugin} {}", absence.told(with_reason));
                return Err(match absence {
                    Absence::Loading => ChangeError::NotYet(why),
                    _ => ChangeError::Plugin(why),
                });
            }
        },
        Versions::Pinned(hash) => version(ground, plugin, hash).await?,
    };
    if version.role() != Role::Consumer {
        let world = version.world_name();
        let why = format!("the plugin {plugin} is a {world}, and no consumer");
        return Err(ChangeError::Plugin(why));
    }
    match ground.lacking(plugin, version.manifest()) {
        Some(why) => Err(ChangeError::Plugin(why)),
        None => Ok(()),
    }
}

/// A version by its hash.
///
/// # Errors
/// It cannot be had.
pub async fn version(
    ground: &Ground,
    plugin: &PluginName,
    hash: ContentHash,
) -> Result<Arc<wasm::Version>, ChangeError> {
    let (plugins, name) = (Arc::clone(&ground.plugins), plugin.clone());
    let loaded = spawn_blocking(move || plugins.version(&name, hash)).await;
    let loaded = loaded.map_err(|error| error.to_string()).flatten();
    loaded.map_err(|why| {
        ChangeError::Plugin(format!(
            "the version {hash} of {plugin} cannot be had: {why}"
        ))
    })
}

/// Removes all that is kept of an application, itself last. Done again, it goes on.
///
/// # Errors
/// When something cannot be removed.
pub async fn remove(ground: &Ground, application: &Application) -> Result<(), StoreError> {
    use crate::table_ids::{DEAD_LETTER_SUMS, DEAD_LETTERS, LEASES, SHARDS, STATES};
    let (engine, id) = (&*ground.engine, application.id);
    let mut writes: Vec<_> = row::names_of(engine, &ShardKey::pumps_of(id))
        .await?
        .iter()
        .map(|name| row::removal(name))
        .collect();
    for table in [LEASES, SHARDS, STATES, DEAD_LETTERS] {
        let rows = rows::load(engine, table, Some(ShardKey::rows_of(id))).await?;
        writes.extend(rows.into_iter().map(|(key, _)| TableWrite {
            table,
            key,
            value: None,
            expect: Expect::Any,
        }));
    }
    for part in writes.chunks(ROWS_PER_COMMIT) {
        let transaction = Transaction {
            writes: part.to_vec(),
            ..Transaction::default()
        };
        engine.commit_for(Purpose::MakeRoom, transaction).await?;
    }
    let removed = |table, key| TableWrite {
        table,
        key,
        value: None,
        expect: Expect::Any,
    };
    let mut writes = vec![removed(DEAD_LETTER_SUMS, crate::table_ids::sum_key(id))];
    let named = (&application.owner, &application.name);
    if let Some((found, version)) = rows::find_application(engine, named).await?
        && found.id == id
    {
        // Another worker may have removed it, and somebody made another of its name since.
        let row = rows::application_write(application, Expect::Version(version))?;
        writes.push(TableWrite { value: None, ..row });
    }
    let transaction = Transaction {
        writes,
        changes: vec![LogChange::Delete(dead_letter_log(id))],
        ..Transaction::default()
    };
    engine.commit_for(Purpose::MakeRoom, transaction).await?;
    Ok(())
}
