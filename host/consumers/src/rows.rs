//! What applications and their shards look like in the tables.

use bincode::{Decode, Encode};
use bytes::Bytes;
use store::codec;
use store::{
    Engine, Expect, Key, RowCheck, StoreError, TableId, TableWrite, Version, Versioned, key_after,
};
use types::{Caller, StreamName, Timestamp};
use wasm::{ContentHash, PluginName};

use crate::application::{Application, ApplicationId, ApplicationName, Start, State, Versions};
use crate::counts::Counts;
use crate::table_ids::{self, APPLICATIONS, LEASES, SHARDS, STATES, ShardKey, WORKERS};

/// Rows that are read at once.
const ROWS_PER_SCAN: usize = 256;

#[derive(Encode, Decode)]
struct ApplicationRow {
    id: u64,
    stream: String,
    plugin: String,
    start: StartRow,
    pinned: Option<[u8; 32]>,
    state: u8,
    created_at_ms: u64,
}

#[derive(Encode, Decode)]
enum StartRow {
    TrimHorizon,
    Latest,
    AtTimestamp(u64),
}

#[derive(Encode, Decode)]
struct ShardRow {
    within: u64,
    is_ended: bool,
    counts: Counts,
    version: Option<[u8; 32]>,
}

/// How far an application has come in a shard, besides the position of its pump.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ShardProgress {
    /// User records that are done of the record at the pump's position, which is an aggregate.
    pub within: u64,
    /// The shard takes no more records, and all are done.
    pub is_ended: bool,
    /// What became of all records so far.
    pub counts: Counts,
    /// The version that worked on it last.
    pub version: Option<ContentHash>,
}

/// What an application keeps in its memory.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub struct KeptState {
    /// Which layout the bytes have: the plugin's own number.
    pub state_version: u32,
    /// The plugin's bytes.
    pub bytes: Vec<u8>,
}

/// Who works on a shard.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode)]
pub struct LeaseRow {
    /// The worker's number; [`LeaseRow::NOBODY`] if none does.
    pub owner: u64,
}

impl LeaseRow {
    /// No worker's number.
    pub const NOBODY: u64 = 0;
}

/// A worker that lives until its deadline.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode)]
pub struct WorkerRow {
    /// It lives until then, unless it says so again before.
    pub deadline_ms: u64,
    /// The opening of the store that it works with, where only one is at a time.
    pub opening: Option<u64>,
}

/// The row of an application.
///
/// # Errors
/// When it cannot be made.
pub fn application_write(
    application: &Application,
    expect: Expect,
) -> Result<TableWrite, StoreError> {
    let row = ApplicationRow {
        id: application.id.0,
        stream: application.stream.as_str().to_owned(),
        plugin: application.plugin.as_str().to_owned(),
        start: match application.start {
            Start::TrimHorizon => StartRow::TrimHorizon,
            Start::Latest => StartRow::Latest,
            Start::AtTimestamp(at) => StartRow::AtTimestamp(at.0),
        },
        pinned: match application.versions {
            Versions::Latest => None,
            Versions::Pinned(hash) => Some(hash.0),
        },
        state: match application.state {
            State::Creating => 0,
            State::Running => 1,
            State::Paused => 2,
            State::Deleting => 3,
        },
        created_at_ms: application.created_at.0,
    };
    Ok(TableWrite {
        table: APPLICATIONS,
        key: table_ids::application_key(&application.owner, &application.name),
        value: Some(codec::encode(&row)?),
        expect,
    })
}

/// An application and the version of its row.
///
/// # Errors
/// When another build wrote it.
pub fn read_application(key: &[u8], row: &Versioned) -> Result<(Application, Version), StoreError> {
    let damaged = || codec::damaged("an application");
    let (owner, name) = table_ids::parse_application_key(key).ok_or_else(damaged)?;
    let read: ApplicationRow = codec::decode("applications", &row.value)?;
    let application = Application {
        id: ApplicationId(read.id),
        owner,
        name,
        stream: StreamName::parse(&read.stream).map_err(|_| damaged())?,
        plugin: PluginName::parse(&read.plugin).map_err(|_| damaged())?,
        start: match read.start {
            StartRow::TrimHorizon => Start::TrimHorizon,
            StartRow::Latest => Start::Latest,
            StartRow::AtTimestamp(at) => Start::AtTimestamp(Timestamp(at)),
        },
        versions: match read.pinned {
            None => Versions::Latest,
            Some(hash) => Versions::Pinned(ContentHash(hash)),
        },
        state: match read.state {
            0 => State::Creating,
            1 => State::Running,
            2 => State::Paused,
            3 => State::Deleting,
            _ => return Err(damaged()),
        },
        created_at: Timestamp(read.created_at_ms),
    };
    Ok((application, row.version))
}

/// All applications.
///
/// # Errors
/// When one cannot be read.
pub async fn load_applications(
    engine: &dyn Engine,
) -> Result<Vec<(Application, Version)>, StoreError> {
    let rows = load(engine, APPLICATIONS, None).await?;
    rows.iter()
        .map(|(key, row)| read_application(key, row))
        .collect()
}

/// One application; `None` if there is none of that name.
///
/// # Errors
/// When it cannot be read.
pub async fn find_application(
    engine: &dyn Engine,
    (owner, name): (&Caller, &ApplicationName),
) -> Result<Option<(Application, Version)>, StoreError> {
    let key = table_ids::application_key(owner, name);
    let row = engine.get(APPLICATIONS, &key).await?;
    row.map(|row| read_application(&key, &row)).transpose()
}

/// The row of a shard's progress.
///
/// # Errors
/// When it cannot be made.
pub fn progress_write(key: ShardKey, progress: &ShardProgress) -> Result<TableWrite, StoreError> {
    let row = ShardRow {
        within: progress.within,
        is_ended: progress.is_ended,
        counts: progress.counts,
        version: progress.version.map(|hash| hash.0),
    };
    Ok(TableWrite {
        table: SHARDS,
        key: key.row(),
        value: Some(codec::encode(&row)?),
        // The row of the pump, which is written with it, says whose this is.
        expect: Expect::Any,
    })
}

fn read_progress(row: &Versioned) -> Result<ShardProgress, StoreError> {
    let row: ShardRow = codec::decode("shards of applications", &row.value)?;
    Ok(ShardProgress {
        within: row.within,
        is_ended: row.is_ended,
        counts: row.counts,
        version: row.version.map(ContentHash),
    })
}

/// How far an application has come in a shard.
///
/// # Errors
/// When its row cannot be read.
pub async fn progress_of(
    engine: &dyn Engine,
    key: ShardKey,
) -> Result<Option<ShardProgress>, StoreError> {
    let row = engine.get(SHARDS, &key.row()).await?;
    row.map(|row| read_progress(&row)).transpose()
}

/// The same for all shards of an application, or of all.
///
/// # Errors
/// When a row cannot be read.
pub async fn load_progress(
    engine: &dyn Engine,
    of: Option<ApplicationId>,
) -> Result<Vec<(ShardKey, ShardProgress)>, StoreError> {
    let rows = load(engine, SHARDS, of.map(ShardKey::rows_of)).await?;
    let rows = rows.into_iter().map(|(key, row)| {
        let key = ShardKey::parse_row(&key).ok_or_else(|| codec::damaged("a shard's key"))?;
        Ok((key, read_progress(&row)?))
    });
    rows.collect()
}

/// The row of a shard's state: it goes through only if it is as it was read.
///
/// # Errors
/// When it cannot be made.
pub fn state_write(
    key: ShardKey,
    state: Option<&KeptState>,
    expect: Expect,
) -> Result<TableWrite, StoreError> {
    Ok(TableWrite {
        table: STATES,
        key: key.row(),
        value: state.map(codec::encode).transpose()?,
        expect,
    })
}

/// A check that a shard's state is as it was read.
pub fn state_check(key: ShardKey, version: Option<Version>) -> RowCheck {
    RowCheck {
        table: STATES,
        key: key.row(),
        expect: expecting(version),
    }
}

/// That a row is as it was read: not there, or of this version.
pub fn expecting(version: Option<Version>) -> Expect {
    version.map_or(Expect::Absent, Expect::Version)
}

/// What an application keeps in its memory for a shard, and the version of the row.
///
/// # Errors
/// When it cannot be read.
pub async fn state_of(
    engine: &dyn Engine,
    key: ShardKey,
) -> Result<Option<(KeptState, Version)>, StoreError> {
    let Some(row) = engine.get(STATES, &key.row()).await? else {
        return Ok(None);
    };
    let state = codec::decode("states of applications", &row.value)?;
    Ok(Some((state, row.version)))
}

/// Who works on each shard, with the versions of the rows.
///
/// # Errors
/// When a row cannot be read.
pub async fn load_leases(
    engine: &dyn Engine,
) -> Result<Vec<(ShardKey, LeaseRow, Version)>, StoreError> {
    let rows = load(engine, LEASES, None).await?.into_iter();
    let rows = rows.map(|(key, row)| {
        let key = ShardKey::parse_row(&key).ok_or_else(|| codec::damaged("a lease's key"))?;
        Ok((key, codec::decode("leases", &row.value)?, row.version))
    });
    rows.collect()
}

/// The row of a lease.
///
/// # Errors
/// When it cannot be made.
pub fn lease_write(key: ShardKey, owner: u64, expect: Expect) -> Result<TableWrite, StoreError> {
    Ok(TableWrite {
        table: LEASES,
        key: key.row(),
        value: Some(codec::encode(&LeaseRow { owner })?),
        expect,
    })
}

/// The workers that there are, with the versions of their rows.
///
/// # Errors
/// When a row cannot be read.
pub async fn load_workers(
    engine: &dyn Engine,
) -> Result<Vec<(u64, WorkerRow, Version)>, StoreError> {
    let rows = load(engine, WORKERS, None).await?.into_iter();
    let rows = rows.map(|(key, row)| {
        let worker = table_ids::parse_worker_key(&key);
        let worker = worker.ok_or_else(|| codec::damaged("a worker's key"))?;
        Ok((worker, codec::decode("workers", &row.value)?, row.version))
    });
    rows.collect()
}

/// The row of a worker; `None` removes it.
///
/// # Errors
/// When it cannot be made.
pub fn worker_write(worker: u64, row: Option<&WorkerRow>) -> Result<TableWrite, StoreError> {
    Ok(TableWrite {
        table: WORKERS,
        key: table_ids::worker_key(worker),
        value: row.map(codec::encode).transpose()?,
        expect: Expect::Any,
    })
}

/// The versions of plugins that applications work with, which are not to be deleted.
///
/// # Errors
/// When what is kept cannot be read.
pub async fn pinned(engine: &dyn Engine) -> Result<Vec<ContentHash>, StoreError> {
    let mut pinned: Vec<_> = load_applications(engine)
        .await?
        .into_iter()
        .filter_map(|(application, _)| match application.versions {
            Versions::Pinned(hash) => Some(hash),
            Versions::Latest => None,
        })
        .collect();
    let progress = load_progress(engine, None).await?.into_iter();
    pinned.extend(progress.filter_map(|(_, progress)| progress.version));
    pinned.sort_unstable();
    pinned.dedup();
    Ok(pinned)
}

/// All rows of a table, or those of a range.
///
/// # Errors
/// When the store cannot read them.
pub async fn load(
    engine: &dyn Engine,
    table: TableId,
    range: Option<(Bytes, Bytes)>,
) -> Result<Vec<(Key, Versioned)>, StoreError> {
    let (mut from, to) = match range {
        Some((from, to)) => (from, Some(to)),
        None => (Bytes::new(), None),
    };
    let mut all = Vec::new();
    loop {
        let scanned = engine.scan(table, from, to.clone(), ROWS_PER_SCAN);
        let rows = scanned.await?;
        let Some((last, _)) = rows.last() else {
            return Ok(all);
        };
        from = key_after(last);
        all.extend(rows);
    }
}

#[cfg(test)]
mod tests {
    use types::{AccountId, Region};

    use super::*;

    #[test]
    fn an_application_reads_back_from_its_row() {
        let application = Application {
            id: ApplicationId(7),
            owner: Caller {
                account: AccountId::parse("000000000042").unwrap(),
                region: Region::parse("eu-west-1").unwrap(),
            },
            name: ApplicationName::parse("counts").unwrap(),
            stream: StreamName::parse("text").unwrap(),
            plugin: PluginName::parse("word-count").unwrap(),
            start: Start::AtTimestamp(Timestamp(5)),
            versions: Versions::Pinned(ContentHash([7; 32])),
            state: State::Paused,
            created_at: Timestamp(9),
        };
        let write = application_write(&application, Expect::Absent).unwrap();
        let row = Versioned {
            value: write.value.unwrap(),
            version: Version(3),
        };
        let read = read_application(&write.key, &row).unwrap();
        assert_eq!(read, (application, Version(3)));
        let newer = Versioned {
            value: Bytes::from_static(b"\x09"),
            ..row
        };
        assert!(read_application(&write.key, &newer).is_err());
    }

    #[test]
    fn progress_reads_back_from_its_row() {
        let key = ShardKey {
            application: ApplicationId(7),
            stream: streams::StreamId(1),
            shard: types::ShardId(2),
        };
        let progress = ShardProgress {
            within: 3,
            is_ended: true,
            counts: Counts {
                processed: 9,
                ..Counts::default()
            },
            version: Some(ContentHash([1; 32])),
        };
        let write = progress_write(key, &progress).unwrap();
        let row = Versioned {
            value: write.value.unwrap(),
            version: Version(3),
        };
        assert_eq!(read_progress(&row).unwrap(), progress);
    }
}
