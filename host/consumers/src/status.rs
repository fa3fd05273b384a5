//! What is shown of applications: to operators as pages, and as metrics.

use serde::Serialize;
use store::{Engine, Position, StoreError};
use streams::pump::row;
use streams::{Source, Streams};
use types::Timestamp;
use wasm::{ContentHash, Life};

use crate::application::{Application, Versions};
use crate::counts::Counts;
use crate::dead_letters::{self, Letter, LetterKey};
use crate::ground::Ground;
use crate::rows::{self, ShardProgress};
use crate::running::{Running, Shown};
use crate::table_ids::ShardKey;

/// Looks at where a shard stands until it is what it was at the one before.
const LOOKS_MAX: usize = 8;

/// One application in a list.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ApplicationSummary {
    /// Its name.
    pub name: String,
    /// The stream that it reads.
    pub stream: String,
    /// Its plugin.
    pub plugin: String,
    /// CREATING, RUNNING, PAUSED or DELETING.
    pub state: &'static str,
    /// Where it began: TRIM_HORIZON, LATEST, or milliseconds since 1970.
    pub start: String,
    /// The version that it is pinned to.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pinned: Option<String>,
    /// What stands in the way of all of it, or of how many shards of this server.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub trouble: Option<String>,
    /// Records that wait, in the shards of this server.
    pub waiting: u64,
    /// What became of all records of the shards that this server has or had.
    #[serde(flatten)]
    pub counts: Counts,
}

/// All that is known of an application.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ApplicationDescription {
    /// As in a list, with the counts of all shards, whoever works on them.
    #[serde(flatten)]
    pub summary: ApplicationSummary,
    /// When it was made, in milliseconds since 1970.
    pub created_at_ms: u64,
    /// Tables that it may read and write.
    pub tables: Vec<String>,
    /// Streams that it may put records to.
    pub emit: Vec<String>,
    /// Milliseconds a second that its plugin may have a processor; 0: as many as
    /// there are.
    pub cpu_ms_per_second: u32,
    /// The same of its account.
    pub account_cpu_ms_per_second: u32,
    /// How long turns of its plugin waited since that had used its share, in microseconds.
    pub held_back_us: u64,
    /// The same of its account.
    pub account_held_back_us: u64,
    /// Dead letters that it has.
    pub letters: u64,
    /// Bytes of their data.
    pub letter_bytes: u64,
    /// Letters that there were, and that were worked on after all.
    pub replayed: u64,
    /// Letters that there were, and that were discarded.
    pub discarded: u64,
    /// Its shards.
    pub shards: Vec<ShardDescription>,
}

/// A shard of an application.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ShardDescription {
    /// The shard's id.
    pub shard: String,
    /// `done`, `here`, `elsewhere`, `waiting` for its parents or a worker.
    pub state: &'static str,
    /// Records of the log that wait.
    pub waiting: u64,
    /// How far behind it is, in milliseconds; where this server works on it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub behind_ms: Option<u64>,
    /// The version that it works with, or that worked on it last.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub version: Option<String>,
    /// Its number, as the plugin's history has it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub version_number: Option<u64>,
    /// It is the plugin's canary.
    pub is_canary: bool,
    /// Why another version was not swapped in.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub swap_refused: Option<String>,
    /// How often an instance ended, or the shard, without what that wanted done at its end, since
    /// this server has it.
    pub unheard: u64,
    /// What stands in its way.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub stuck: Option<String>,
    /// Since when, in milliseconds since 1970.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub stuck_since_ms: Option<u64>,
    /// Batches that this server committed.
    pub batches: u64,
    /// Those that were done again.
    pub redone: u64,
    /// Those of these that met a conflict.
    pub conflicts: u64,
    /// What became of its records.
    #[serde(flatten)]
    pub counts: Counts,
}

/// A dead letter in a list.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct LetterDescription {
    /// What it is called in commands.
    pub id: String,
    /// The shard that it came from.
    pub shard: String,
    /// Its sequence number.
    pub sequence_number: String,
    /// Its place in its aggregate.
    pub sub_sequence_number: u64,
    /// When it arrived.
    pub arrival_ms: u64,
    /// When it was given up.
    pub failed_at_ms: u64,
    /// What it failed with.
    pub reason: String,
    /// The version that it failed with.
    pub version: String,
    /// How often it was tried.
    pub tries: u32,
    /// Bytes of its data.
    pub bytes: u64,
}

impl LetterDescription {
    /// What is shown of a letter.
    pub fn of(key: LetterKey, letter: &Letter) -> Self {
        Self {
            id: key.id(),
            shard: key.shard.shard.to_string(),
            sequence_number: letter.sequence_number.clone(),
            sub_sequence_number: key.place.within,
            arrival_ms: letter.arrival.0,
            failed_at_ms: letter.failed_at.0,
            reason: letter.reason.clone(),
            version: letter.version.to_string(),
            tries: letter.tries,
            bytes: letter.bytes,
        }
    }
}

/// What an application's metrics are made of.
#[derive(Clone, Debug)]
pub struct ApplicationStatus {
    /// As it is kept.
    pub application: std::sync::Arc<Application>,
    /// What stands in the way of all of it.
    pub trouble: Option<String>,
    /// The shards that this server has or had.
    pub shards: Vec<ShardStatus>,
}

/// A shard's part of them.
#[derive(Clone, Debug)]
pub struct ShardStatus {
    /// The shard's id; `None` for those that are gone, together.
    pub shard: Option<String>,
    /// Records of the log that wait.
    pub waiting: u64,
    /// How far behind it is.
    pub behind_ms: u64,
    /// All else.
    pub shown: Shown,
}

impl ApplicationStatus {
    /// Of an application at the moment.
    pub fn of(running: &Running, ground: &Ground) -> Self {
        let application = running.application();
        let arn = application.stream_arn();
        let source = source_of(&ground.streams, &arn);
        let shards = running.shards().into_iter().map(|(key, shard)| {
            let shown = shard.shown();
            let waiting = waiting(&*ground.engine, source.as_ref(), key, &shown);
            let is_gone = key == ShardKey::gone(application.id);
            ShardStatus {
                shard: (!is_gone).then(|| key.shard.to_string()),
                waiting,
                behind_ms: behind(&shown, waiting, ground.now()),
                shown,
            }
        });
        Self {
            shards: shards.collect(),
            trouble: running.trouble(),
            application,
        }
    }

    /// What stands in its way, of all of it or of some shards.
    pub fn told_trouble(&self) -> Option<String> {
        if let Some(trouble) = &self.trouble {
            return Some(trouble.clone());
        }
        let stuck = self.shards.iter().filter_map(|it| it.shown.stuck.as_ref());
        let count = stuck.clone().count();
        let first = stuck.min_by_key(|stuck| stuck.since)?;
        Some(match count {
            1 => format!("a shard stands still: {}", first.why),
            count => format!("{count} shards stand still; one: {}", first.why),
        })
    }

    /// It in a list.
    pub fn summary(&self) -> ApplicationSummary {
        let Application {
            name,
            stream,
            plugin,
            state,
            start,
            versions,
            ..
        } = &*self.application;
        let mut counts = Counts::default();
        for shard in &self.shards {
            counts += shard.shown.counts;
        }
        ApplicationSummary {
            name: name.as_str().to_owned(),
            stream: stream.as_str().to_owned(),
            plugin: plugin.as_str().to_owned(),
            state: state.as_str(),
            start: start.to_string(),
            pinned: match versions {
                Versions::Latest => None,
                Versions::Pinned(hash) => Some(hash.to_string()),
            },
            trouble: self.told_trouble(),
            waiting: self.shards.iter().map(|shard| shard.waiting).sum(),
            counts,
        }
    }
}

/// Where a shard stands, and its counts as they were there, so that what is done and what waits
/// come to what there is. A shard that never rests for as long as this takes is shown as it was
/// last read.
async fn stands(
    engine: &dyn Engine,
    (key, mut progress): (ShardKey, ShardProgress),
) -> Result<(Option<Position>, ShardProgress), StoreError> {
    let pump = key.pump_name();
    let mut stands = row::position_of(engine, &pump).await?;
    for _ in 0..LOOKS_MAX {
        // One that is folded into those that are gone has no row any more.
        let Some(read) = rows::progress_of(engine, key).await? else {
            break;
        };
        progress = read;
        let before = std::mem::replace(&mut stands, row::position_of(engine, &pump).await?);
        if before == stands {
            break;
        }
    }
    Ok((stands.map(|(position, _)| position), progress))
}

/// Says which versions of the plugin shards work with.
fn say_which<'a>(
    life: &Life,
    shards: impl Iterator<Item = (&'a mut ShardDescription, Option<ContentHash>)>,
) {
    let canary = life.canary().map(|canary| canary.number);
    for (shard, version) in shards {
        let known = version.and_then(|hash| life.of_hash(hash));
        shard.version_number = known.map(|version| version.number);
        shard.is_canary = known.is_some() && shard.version_number == canary;
    }
}

impl ApplicationDescription {
    /// All that is known, also of what other workers do.
    ///
    /// # Errors
    /// When what is kept cannot be read.
    pub async fn of(running: &Running, ground: &Ground) -> Result<Self, StoreError> {
        let application = &running.application();
        let (engine, id) = (&*ground.engine, application.id);
        let (sum, _) = dead_letters::sum_of(engine, id).await?;
        let leases = rows::load_leases(engine).await?;
        let source = source_of(&ground.streams, &application.stream_arn());
        let mut counts = Counts::default();
        let (mut shards, mut versions) = (Vec::new(), Vec::new());
        for (key, progress) in rows::load_progress(engine, Some(id)).await? {
            if key == ShardKey::gone(id) {
                counts += progress.counts;
                continue;
            }
            let at_work = running.find(key).map(|shard| shard.shown());
            let mut shown = at_work.unwrap_or_default();
            let (position, progress) = stands(engine, (key, progress)).await?;
            counts += progress.counts;
            if let Some(position) = position {
                shown.position = position;
            }
            let waits = waiting(engine, source.as_ref(), key, &shown);
            let is_leased = leases.iter().any(|(lease, ..)| *lease == key);
            versions.push(progress.version);
            shards.push(ShardDescription {
                shard: key.shard.to_string(),
                state: state_of(progress.is_ended, shown.is_here, is_leased),
                waiting: waits,
                behind_ms: shown.is_here.then(|| behind(&shown, waits, ground.now())),
                version: progress.version.map(|hash| hash.to_string()),
                version_number: None,
                is_canary: false,
                swap_refused: shown.swap_refused.clone(),
                unheard: shown.unheard,
                stuck: shown.stuck.as_ref().map(|stuck| stuck.why.clone()),
                stuck_since_ms: shown.stuck.as_ref().map(|stuck| stuck.since.0),
                batches: shown.batches,
                redone: shown.redone,
                conflicts: shown.conflicts,
                counts: progress.counts,
            });
        }
        // Read after the shards: it knows each version that one of them works with.
        if let Some(life) = ground.plugins.life(&application.plugin) {
            say_which(&life, shards.iter_mut().zip(versions));
        }
        let grants = ground.grants_of(&application.plugin);
        let of_plugin = ground.threads.share_of_plugin(&application.plugin);
        let of_account = ground.threads.share_of_account(application.owner.account);
        let waiting = shards.iter().map(|shard| shard.waiting).sum();
        Ok(Self {
            summary: ApplicationSummary {
                counts,
                waiting,
                // After the shards, so that what stands in the way of one is in both.
                ..ApplicationStatus::of(running, ground).summary()
            },
            created_at_ms: application.created_at.0,
            tables: grants.tables.iter().cloned().collect(),
            emit: grants.emit.iter().cloned().collect(),
            cpu_ms_per_second: of_plugin.ms_per_second,
            account_cpu_ms_per_second: of_account.ms_per_second,
            held_back_us: of_plugin.held_back_us,
            account_held_back_us: of_account.held_back_us,
            letters: sum.letters,
            letter_bytes: sum.bytes,
            replayed: sum.replayed,
            discarded: sum.discarded,
            shards,
        })
    }
}

/// The word for how a shard stands.
fn state_of(is_ended: bool, is_here: bool, is_leased: bool) -> &'static str {
    match (is_ended, is_here, is_leased) {
        (true, ..) => "done",
        (_, true, _) => "here",
        (_, _, true) => "elsewhere",
        _ => "waiting",
    }
}

fn source_of(streams: &Streams, arn: &types::StreamArn) -> Option<Source> {
    streams.source(arn).or_else(|| streams.ending_source(arn))
}

/// Records that wait in a shard.
fn waiting(engine: &dyn Engine, source: Option<&Source>, key: ShardKey, shown: &Shown) -> u64 {
    let source = source.filter(|source| source.id == key.stream);
    let mut shards = source.into_iter().flat_map(|source| &source.shards);
    let shard = shards.find(|shard| shard.id == key.shard);
    let tip = shard.and_then(|shard| engine.tip(shard.log).ok());
    tip.map_or(0, |tip| tip.0.saturating_sub(shown.position.0))
}

/// How long ago the last record arrived that is done, if others wait.
fn behind(shown: &Shown, waiting: u64, now: Timestamp) -> u64 {
    match shown.last_arrival {
        Some(arrival) if waiting > 0 => now.0.saturating_sub(arrival.0),
        _ => 0,
    }
}
