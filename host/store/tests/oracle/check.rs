//! Compares what a store holds with what it must, may and must not hold.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use bytes::Bytes;
use store::{CommitError, Engine, LogId, Position, StoreError, Version, Versioned};

use super::{
    At, Commit, Fate, History, Life, OWN_ROWS, SHARED_ROWS, SharedWrite, author, body, records,
};

/// What was found.
#[derive(Debug, Default)]
pub struct Contents {
    /// Transactions of which anything is there, and so everything.
    pub commits: BTreeSet<usize>,
    pub positions: BTreeMap<(usize, usize), Position>,
    versions: BTreeMap<usize, Version>,
    shared: BTreeMap<u64, (usize, Version)>,
    logs: BTreeMap<LogId, LogContents>,
}

#[derive(Debug)]
struct LogContents {
    horizon: Position,
    tip: Position,
    sealed: bool,
    last: Option<Position>,
}

/// Reads everything and checks that it is what the history allows for a disk of the moment `at`.
pub async fn check(
    history: &History,
    engine: &Arc<dyn Engine>,
    at: At,
) -> Result<Contents, String> {
    let mut contents = Contents::default();
    for (&log, life) in &history.logs {
        read_log(history, engine, (log, life, at), &mut contents)
            .await
            .map_err(|what| format!("log {}: {what}", log.0))?;
    }
    read_rows(history, engine, at, &mut contents).await?;
    for (id, commit) in history.commits.iter().enumerate() {
        check_commit(commit, id, at, &contents).map_err(|what| format!("commit {id}: {what}"))?;
    }
    check_shared_rows(history, &contents)?;
    check_positions(history, at, &contents)?;
    Ok(contents)
}

fn ensure(holds: bool, what: impl FnOnce() -> String) -> Result<(), String> {
    if holds { Ok(()) } else { Err(what()) }
}

fn may_have_happened(step: &super::Step, at: At) -> bool {
    step.fate != Fate::Never && step.sent_at <= at
}

async fn read_log(
    history: &History,
    engine: &Arc<dyn Engine>,
    (log, life, at): (LogId, &Life, At),
    contents: &mut Contents,
) -> Result<(), String> {
    let may_be_deleted = life.deletes.iter().any(|step| may_have_happened(step, at));
    let must_be_deleted = life.deletes.iter().any(|step| step.fate.is_sure(at));
    let tip = match engine.tip(log) {
        Err(StoreError::NoLog(_)) => {
            let must_exist = life.created.fate.is_sure(at) && !may_be_deleted;
            return ensure(!must_exist, || "is gone".to_owned());
        }
        tip => tip.map_err(|error| error.to_string())?,
    };
    ensure(!must_be_deleted, || "is there though deleted".to_owned())?;
    ensure(may_have_happened(&life.created, at), || {
        "was never created".to_owned()
    })?;
    let horizon = engine.horizon(log).map_err(|error| error.to_string())?;
    check_horizon(life, at, horizon, tip)?;
    let (sealed, last) = read_frames(history, engine, (log, horizon, tip), contents).await?;
    let must_be_sealed = life.seals.iter().any(|step| step.fate.is_sure(at));
    let may_be_sealed = life.seals.iter().any(|step| may_have_happened(step, at));
    ensure(sealed || !must_be_sealed, || {
        "is open though sealed".to_owned()
    })?;
    ensure(!sealed || may_be_sealed, || {
        "is sealed though nobody asked".to_owned()
    })?;
    contents.logs.insert(
        log,
        LogContents {
            horizon,
            tip,
            sealed,
            last,
        },
    );
    Ok(())
}

fn check_horizon(life: &Life, at: At, horizon: Position, tip: Position) -> Result<(), String> {
    let sure = life.trims.iter().filter(|(_, step)| step.fate.is_sure(at));
    let least = sure.map(|(before, _)| *before).max().unwrap_or_default();
    let possible = life
        .trims
        .iter()
        .filter(|(_, step)| may_have_happened(step, at));
    let most = possible
        .map(|(before, _)| *before)
        .max()
        .unwrap_or_default();
    ensure(
        least.min(tip) <= horizon && horizon <= most.min(tip),
        || format!("begins at {horizon}, not between {least} and {most}; the tip is {tip}"),
    )
}

/// Reads a log from its beginning to its end; whether it is sealed, and its last position. Its
/// frames must follow each other without a gap, from the one that holds the horizon to the tip.
async fn read_frames(
    history: &History,
    engine: &Arc<dyn Engine>,
    (log, horizon, tip): (LogId, Position, Position),
    contents: &mut Contents,
) -> Result<(bool, Option<Position>), String> {
    let mut last = None;
    let mut next = Position::FIRST;
    let mut follows = None;
    let mut arrival = types::Timestamp(0);
    loop {
        let batch = engine
            .read(log, next, 64 << 10)
            .await
            .map_err(|error| error.to_string())?;
        ensure(next <= batch.next, || {
            format!("reading went back from {next}")
        })?;
        for frame in &batch.frames {
            let place = frame.position;
            let end = Position(place.0 + u64::from(frame.count));
            let fits = follows.map_or(place <= horizon && horizon < end, |next| place == next);
            ensure(fits && end <= tip, || {
                format!("a frame at {place}, read from {next} in {horizon} to {tip}")
            })?;
            follows = Some(end);
            last = Some(place);
            ensure(arrival <= frame.arrival, || {
                format!("an older frame at {place}")
            })?;
            arrival = frame.arrival;
            let (id, index) = author(&frame.body).ok_or(format!("strange bytes at {place}"))?;
            let commit = history
                .commits
                .get(id)
                .ok_or(format!("a strange frame at {place}"))?;
            let sent = commit.logs.get(index) == Some(&log)
                && body(id, index, commit.sizes[index]).body == frame.body;
            ensure(sent && frame.count == records(commit.sizes[index]), || {
                format!("at {place} is not what commit {id} sent")
            })?;
            let known = commit.positions[index];
            ensure(known.is_none_or(|known| known == place), || {
                format!("frame {index} of commit {id} is at {place}, not at {known:?}")
            })?;
            let twice = contents.positions.insert((id, index), place);
            ensure(twice.is_none(), || {
                format!("frame {index} of commit {id} is there twice")
            })?;
            contents.commits.insert(id);
        }
        next = batch.next;
        if batch.frames.is_empty() {
            ensure(tip == next && follows.is_none_or(|end| end == tip), || {
                format!("ends at {next}, and its tip is {tip}")
            })?;
            return Ok((batch.sealed, last));
        }
    }
}

async fn read_rows(
    history: &History,
    engine: &Arc<dyn Engine>,
    at: At,
    contents: &mut Contents,
) -> Result<(), String> {
    for (key, row) in all_rows(engine, OWN_ROWS).await? {
        let id = number(&key).filter(|id| number(&row.value) == Some(*id));
        let id = id.ok_or(format!("a row that nobody wrote: {key:?} = {row:?}"))?;
        let commit = usize::try_from(id)
            .ok()
            .and_then(|id| history.commits.get(id));
        let commit = commit.filter(|commit| commit.has_row && commit.sent_at <= at);
        let commit = commit.ok_or(format!("a row of commit {id}, which has none"))?;
        let known = commit.version;
        ensure(known.is_none_or(|known| known == row.version), || {
            format!(
                "the row of commit {id} has {:?}, not {known:?}",
                row.version
            )
        })?;
        let id = usize::try_from(id).unwrap();
        contents.versions.insert(id, row.version);
        contents.commits.insert(id);
    }
    for (key, row) in all_rows(engine, SHARED_ROWS).await? {
        let key = number(&key).ok_or(format!("a strange row {key:?}"))?;
        let id = number(&row.value).and_then(|id| usize::try_from(id).ok());
        let id = id.filter(|id| *id < history.commits.len());
        let id = id.ok_or(format!("row {key} has a value that nobody wrote: {row:?}"))?;
        contents.shared.insert(key, (id, row.version));
        contents.commits.insert(id);
    }
    Ok(())
}

async fn all_rows(
    engine: &Arc<dyn Engine>,
    table: store::TableId,
) -> Result<Vec<(Bytes, Versioned)>, String> {
    let rows = engine.scan(table, Bytes::new(), None, usize::MAX).await;
    let rows = rows.map_err(|error| error.to_string())?;
    ensure(rows.is_sorted_by(|(a, _), (b, _)| a < b), || {
        "rows out of order".to_owned()
    })?;
    Ok(rows)
}

fn number(bytes: &[u8]) -> Option<u64> {
    bytes.try_into().ok().map(u64::from_be_bytes)
}

/// Whether a transaction is there in full or not at all, and as its fate says.
fn check_commit(commit: &Commit, id: usize, at: At, contents: &Contents) -> Result<(), String> {
    let is_there = contents.commits.contains(&id);
    if !is_there && !commit.fate.is_sure(at) {
        return Ok(());
    }
    ensure(commit.fate != Fate::Never, || {
        "was refused and is there".to_owned()
    })?;
    ensure(commit.sent_at <= at, || {
        "is there before it was sent".to_owned()
    })?;
    for (index, log) in commit.logs.iter().enumerate() {
        // A log that may be gone was checked on its own.
        let Some(log_contents) = contents.logs.get(log) else {
            continue;
        };
        let horizon = log_contents.horizon;
        let kept = match commit.positions[index] {
            Some(position) => horizon < position.after(records(commit.sizes[index])),
            None => horizon == Position::FIRST,
        };
        let found = contents.positions.contains_key(&(id, index));
        ensure(found || !kept, || {
            let place = commit.positions[index];
            format!(
                "{:?}: frame {index} for log {} at {place:?} is lost",
                commit.fate, log.0
            )
        })?;
    }
    let has_row = contents.versions.contains_key(&id);
    ensure(has_row == commit.has_row, || "its row is lost".to_owned())
}

/// Whether every shared row is what the last of the transactions that are there made it.
fn check_shared_rows(history: &History, contents: &Contents) -> Result<(), String> {
    // Of each row: what is known to have been written last.
    let mut newest: BTreeMap<u64, (Version, usize, SharedWrite)> = BTreeMap::new();
    let mut unclear = BTreeSet::new();
    for &id in &contents.commits {
        let commit = &history.commits[id];
        let version = commit
            .version
            .or_else(|| contents.versions.get(&id).copied());
        for &(row, what) in &commit.shared {
            match version {
                Some(version) if newest.get(&row).is_none_or(|last| last.0 < version) => {
                    newest.insert(row, (version, id, what));
                }
                Some(_) => {}
                None => {
                    unclear.insert((row, id));
                }
            }
        }
    }
    for (&row, &(version, id, what)) in &newest {
        let found = contents.shared.get(&row);
        let unclear = unclear.iter().any(|(unclear, _)| *unclear == row);
        let fits = match (found, what) {
            (None, SharedWrite::Remove) => true,
            (None, SharedWrite::Put) => unclear,
            (Some((author, found)), SharedWrite::Put) if *author == id => *found == version,
            (Some((_, found)), _) => unclear && version < *found,
        };
        ensure(fits, || {
            format!("shared row {row} is {found:?}; commit {id} made it {what:?} at {version:?}")
        })?;
    }
    for (&row, &(id, version)) in &contents.shared {
        let put = history.commits[id]
            .shared
            .contains(&(row, SharedWrite::Put));
        let known = history.commits[id].version;
        let fits = put && known.is_none_or(|known| known == version);
        ensure(fits, || {
            format!("shared row {row} is not what commit {id} wrote")
        })?;
    }
    Ok(())
}

/// Whether every position was given once.
fn check_positions(history: &History, at: At, contents: &Contents) -> Result<(), String> {
    let mut taken = BTreeMap::new();
    for (id, commit) in history.commits.iter().enumerate() {
        for (index, (&log, known)) in commit.logs.iter().zip(&commit.positions).enumerate() {
            let found = contents.positions.get(&(id, index));
            // Of one that is not sure only what is there counts: what is lost frees its place.
            let place = known.filter(|_| commit.fate.is_sure(at)).or(found.copied());
            let Some(place) = place else { continue };
            let other = taken.insert((log, place), id);
            ensure(other.is_none(), || {
                format!(
                    "position {place} of log {} is both {other:?}'s and {id}'s",
                    log.0
                )
            })?;
        }
    }
    Ok(())
}

impl Contents {
    /// The last position of a log that holds a frame.
    pub fn last_position(&self, log: LogId) -> Option<Position> {
        self.logs.get(&log).and_then(|log| log.last)
    }
}

impl History {
    /// The history as a disk of the moment `at` may know it: later changes were never asked for,
    /// and what became durable later is uncertain.
    pub fn up_to(&self, at: At) -> Self {
        let mut history = self.clone();
        let cut = |fate: &mut Fate, sent_at: At| {
            *fate = match *fate {
                _ if at < sent_at => Fate::Never,
                Fate::Durable(since) if at < since => Fate::Uncertain,
                fate => fate,
            };
        };
        for commit in &mut history.commits {
            cut(&mut commit.fate, commit.sent_at);
        }
        for life in history.logs.values_mut() {
            let steps = life.seals.iter_mut().chain(&mut life.deletes);
            let trims = life.trims.iter_mut().map(|(_, step)| step);
            for step in steps.chain(trims).chain([&mut life.created]) {
                cut(&mut step.fate, step.sent_at);
            }
        }
        history.restart();
        history
    }

    /// Makes up its mind about everything uncertain, from what was found: what is there stays,
    /// what is not must never come.
    pub fn resolve(&mut self, contents: &Contents, at: At) {
        for (id, commit) in self.commits.iter_mut().enumerate() {
            if contents.commits.contains(&id) {
                for (index, known) in commit.positions.iter_mut().enumerate() {
                    *known = known.or(contents.positions.get(&(id, index)).copied());
                }
                commit.version = commit.version.or(contents.versions.get(&id).copied());
                if commit.fate == Fate::Uncertain {
                    commit.fate = Fate::Durable(at);
                }
                continue;
            }
            // Trimmed or deleted right away, it cannot be told.
            let could_be_seen = commit.has_row
                || commit.logs.iter().any(|log| {
                    let log = contents.logs.get(log);
                    log.is_some_and(|log| log.horizon == Position::FIRST)
                });
            if commit.fate == Fate::Uncertain && could_be_seen {
                commit.fate = Fate::Never;
            }
        }
        for (log, life) in &mut self.logs {
            life.resolve(contents.logs.get(log), at);
        }
    }
}

impl Life {
    fn resolve(&mut self, found: Option<&LogContents>, at: At) {
        let settle = |step: &mut super::Step, happened: bool| {
            if step.fate == Fate::Uncertain {
                step.fate = if happened {
                    Fate::Durable(at)
                } else {
                    Fate::Never
                };
            }
        };
        let Some(found) = found else {
            if !self.created.fate.is_sure(at) {
                settle(&mut self.created, false);
            } else {
                for step in &mut self.deletes {
                    settle(step, true);
                }
            }
            return;
        };
        settle(&mut self.created, true);
        for step in &mut self.deletes {
            settle(step, false);
        }
        for step in &mut self.seals {
            settle(step, found.sealed);
        }
        for (before, step) in &mut self.trims {
            settle(step, (*before).min(found.tip) <= found.horizon);
        }
    }
}

/// Whether a refusal leaves open what became of the change.
pub fn is_unknown(error: &CommitError) -> bool {
    matches!(error, CommitError::Unknown(_))
}
