//! What applications look like in the tables.

use bincode::{Decode, Encode};
use bytes::Bytes;
use store::{Engine, Expect, StoreError, TableId, TableWrite, Version, Versioned};
use streams::codec;
use types::Timestamp;

use crate::application::{Application, ApplicationId, Configuration, Lineage, Phase, Start};
use crate::arn::ApplicationArn;
use crate::limits::{CONFIGURATION_BYTES_MAX, OPERATIONS_KEPT_MAX, VERSIONS_KEPT_MAX};
use crate::tables::{self, APPLICATIONS, NUMBERS, OPERATIONS, SETTINGS, VERSIONS};

/// Rows that are read at once.
const ROWS_PER_SCAN: usize = 256;

/// The row of an application.
#[derive(Encode, Decode)]
struct ApplicationRow {
    id: u64,
    description: Option<String>,
    phase: Phase,
    created_at_ms: u64,
    updated_at_ms: u64,
    version: u64,
    lineage: Lineage,
    configuration: Configuration,
    is_of_version_2: bool,
    tags: Vec<(String, String)>,
    start: Start,
    next_operation: u64,
}

/// A version of an application that is kept.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub struct KeptVersion {
    /// Where it came from.
    pub lineage: Lineage,
    /// What it was.
    pub configuration: Configuration,
}

/// An operation on an application that is remembered.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub struct KeptOperation {
    /// Its name.
    pub operation: String,
    /// When it was done.
    pub at_ms: u64,
    /// The version before and after, if it made one.
    pub versions: Option<(u64, u64)>,
}

/// What the tables held when the server started.
pub struct Loaded {
    /// All applications, also those that are being deleted.
    pub applications: Vec<Application>,
    /// The rows of applications that another build wrote.
    pub unreadable: Vec<UnreadableApplication>,
    /// The number of the next application.
    pub next_id: u64,
    /// The version of its row, if there is one.
    pub next_id_version: Option<Version>,
}

/// An application whose row this build does not read. It stands still.
#[derive(Clone, Debug)]
pub struct UnreadableApplication {
    /// Its address.
    pub arn: ApplicationArn,
    /// What is known of the row.
    pub why: String,
    /// The version of its row.
    pub row_version: Version,
}

/// Reads all applications.
pub async fn load(engine: &dyn Engine) -> Result<Loaded, StoreError> {
    let (mut applications, mut unreadable) = (Vec::new(), Vec::new());
    for (key, row) in scan(engine, APPLICATIONS, (Bytes::new(), None)).await? {
        let arn = tables::parse_application_key(&key);
        let arn = arn.ok_or_else(|| codec::damaged("an application's key"))?;
        let row_version = row.version;
        match read_application(arn.clone(), &row) {
            Ok(application) => applications.push(application),
            Err(error) => unreadable.push(UnreadableApplication {
                arn,
                why: error.to_string(),
                row_version,
            }),
        }
    }
    let next = engine.get(SETTINGS, NUMBERS).await?;
    Ok(Loaded {
        applications,
        unreadable,
        next_id_version: next.as_ref().map(|row| row.version),
        next_id: match next {
            Some(row) => codec::decode("settings of applications", &row.value)?,
            None => 0,
        },
    })
}

fn read_application(arn: ApplicationArn, row: &Versioned) -> Result<Application, StoreError> {
    let read: ApplicationRow = codec::decode("applications", &row.value)?;
    Ok(Application {
        id: ApplicationId(read.id),
        arn,
        description: read.description,
        phase: read.phase,
        created_at: Timestamp(read.created_at_ms),
        updated_at: Timestamp(read.updated_at_ms),
        version: read.version,
        lineage: read.lineage,
        configuration: read.configuration,
        is_of_version_2: read.is_of_version_2,
        tags: read.tags.into_iter().collect(),
        start: read.start,
        next_operation: read.next_operation,
        row_version: row.version,
    })
}

/// The write of an application's row.
pub fn application_write(
    application: &Application,
    expect: Expect,
) -> Result<TableWrite, StoreError> {
    let row = ApplicationRow {
        id: application.id.0,
        description: application.description.clone(),
        phase: application.phase,
        created_at_ms: application.created_at.0,
        updated_at_ms: application.updated_at.0,
        version: application.version,
        lineage: application.lineage,
        configuration: application.configuration.clone(),
        is_of_version_2: application.is_of_version_2,
        tags: application.tags.clone().into_iter().collect(),
        start: application.start.clone(),
        next_operation: application.next_operation,
    };
    Ok(TableWrite {
        table: APPLICATIONS,
        key: tables::application_key(&application.arn),
        value: Some(codec::encode(&row)?),
        expect,
    })
}

/// The removal of an application's row.
pub fn application_removal(arn: &ApplicationArn, version: Version) -> TableWrite {
    TableWrite {
        table: APPLICATIONS,
        key: tables::application_key(arn),
        value: None,
        expect: Expect::Version(version),
    }
}

/// The write of the next number.
pub fn next_id_write(next: u64, version: Option<Version>) -> Result<TableWrite, StoreError> {
    Ok(TableWrite {
        table: SETTINGS,
        key: Bytes::from_static(NUMBERS),
        value: Some(codec::encode(&next)?),
        expect: version.map_or(Expect::Absent, Expect::Version),
    })
}

/// The writes that keep the version in force and forget the one that is one too many.
pub fn version_writes(application: &Application) -> Result<Vec<TableWrite>, StoreError> {
    let kept = KeptVersion {
        lineage: application.lineage,
        configuration: application.configuration.clone(),
    };
    let mut writes = vec![write(
        (VERSIONS, application, application.version),
        Some(codec::encode(&kept)?),
    )];
    if let Some(oldest) = application.version.checked_sub(VERSIONS_KEPT_MAX) {
        writes.push(write((VERSIONS, application, oldest), None));
    }
    Ok(writes)
}

/// The writes that remember an operation and forget the one that is one too many. The application
/// is as it is after it.
pub fn operation_writes(
    application: &Application,
    operation: &KeptOperation,
) -> Result<Vec<TableWrite>, StoreError> {
    let number = application.next_operation;
    let mut writes = vec![write(
        (OPERATIONS, application, number),
        Some(codec::encode(operation)?),
    )];
    if let Some(oldest) = number.checked_sub(OPERATIONS_KEPT_MAX) {
        writes.push(write((OPERATIONS, application, oldest), None));
    }
    Ok(writes)
}

fn write(
    (table, application, number): (TableId, &Application, u64),
    value: Option<Bytes>,
) -> TableWrite {
    TableWrite {
        table,
        key: tables::numbered_key(application.id, number),
        value,
        expect: Expect::Any,
    }
}

/// Bytes of a configuration as it is kept.
fn configuration_bytes(configuration: &Configuration) -> Result<usize, StoreError> {
    Ok(codec::encode(configuration)?.len())
}

/// Whether a configuration fits a row with all that lies beside it.
pub fn fits(configuration: &Configuration) -> bool {
    configuration_bytes(configuration).is_ok_and(|bytes| bytes <= CONFIGURATION_BYTES_MAX)
}

/// One version of an application, if it is kept.
pub async fn find_version(
    engine: &dyn Engine,
    (id, version): (ApplicationId, u64),
) -> Result<Option<KeptVersion>, StoreError> {
    let key = tables::numbered_key(id, version);
    let row = engine.get(VERSIONS, &key).await?;
    row.map(|row| codec::decode("versions of applications", &row.value))
        .transpose()
}

/// One operation on an application, if it is remembered.
pub async fn find_operation(
    engine: &dyn Engine,
    (id, number): (ApplicationId, u64),
) -> Result<Option<KeptOperation>, StoreError> {
    let key = tables::numbered_key(id, number);
    let row = engine.get(OPERATIONS, &key).await?;
    row.map(|row| codec::decode("operations on applications", &row.value))
        .transpose()
}

/// All operations on an application that are remembered, the newest first, with their numbers.
pub async fn operations_of(
    engine: &dyn Engine,
    id: ApplicationId,
) -> Result<Vec<(u64, KeptOperation)>, StoreError> {
    let (from, to) = tables::rows_of(id);
    let rows = scan(engine, OPERATIONS, (from, Some(to))).await?;
    let operations = rows.into_iter().rev().map(|(key, row)| {
        let number = tables::parse_numbered_key(&key);
        let number = number.ok_or_else(|| codec::damaged("an operation's key"))?;
        Ok((
            number,
            codec::decode("operations on applications", &row.value)?,
        ))
    });
    operations.collect()
}

/// The removals of all that is kept of an application beside its row.
pub async fn removals(
    engine: &dyn Engine,
    id: ApplicationId,
) -> Result<Vec<TableWrite>, StoreError> {
    let mut writes = Vec::new();
    for table in [VERSIONS, OPERATIONS] {
        let (from, to) = tables::rows_of(id);
        let rows = scan(engine, table, (from, Some(to))).await?;
        writes.extend(rows.into_iter().map(|(key, _)| TableWrite {
            table,
            key,
            value: None,
            expect: Expect::Any,
        }));
    }
    Ok(writes)
}

/// All rows of a table from a key to before another.
async fn scan(
    engine: &dyn Engine,
    table: TableId,
    (mut from, to): (Bytes, Option<Bytes>),
) -> Result<Vec<(Bytes, Versioned)>, StoreError> {
    let mut all = Vec::new();
    loop {
        let rows = engine.scan(table, from, to.clone(), ROWS_PER_SCAN).await?;
        let Some((last, _)) = rows.last() else {
            return Ok(all);
        };
        from = store::key_after(last);
        all.extend(rows);
    }
}
