//! All shards of a stream read at once, over a few connections, and what each was split or merged
//! into after it.

use std::collections::{BTreeSet, HashMap, HashSet};
use std::sync::Arc;
use std::time::Duration;

use tokio::task::JoinSet;
use tokio::time::{Instant, sleep_until};
use types::limits::SHARD_READ_BYTES_PER_SECOND;

use super::cursor::{Come, Cursor};
use super::lineage::Lineage;
use super::merge::{HELD_BYTES_MAX, HELD_LINES_MAX, LaneId, Merge, Standing};
use super::print::{Printing, Room};
use super::since::Begin;
use crate::client::{CallError, Client, Target};
use crate::commands::stream::describe::shards;
use crate::commands::stream::shapes::ChildShard;

/// Shards that are read at the same time, over a connection each; more take turns on them. Of each
/// there may be an answer of up to 14 MB beside what the merge holds, and its lines.
const CONNECTIONS_MAX: usize = 16;
/// Between two reads of a shard that has no more at the moment, or whose reads are limited: AWS
/// allows five in a second, for all its readers.
const READ_PAUSE: Duration = Duration::from_millis(250);
/// Bytes of lines that are given out at once, about.
const OUT_BYTES: usize = 256 * 1024;

/// A stream that is followed.
pub(super) struct Following {
    target: Arc<Target>,
    printing: Arc<Printing>,
    begin: Begin,
    lineage: Lineage,
    merge: Merge,
    lanes_begun: LaneId,
    /// Shards that are not read at the moment.
    idle: HashMap<LaneId, Cursor>,
    /// When each of them is to be read, but for those of which enough is here.
    due: BTreeSet<(Instant, LaneId)>,
    enough: HashSet<LaneId>,
    reads: JoinSet<Read>,
    /// Connections that nobody uses.
    clients: Vec<Client>,
    /// What shards became that are read to their ends, until all of them is printed.
    ends: HashMap<LaneId, (String, Vec<ChildShard>)>,
    /// The server has refused a read because of AWS's limits.
    is_throttled: bool,
}

/// A read that has ended.
struct Read {
    client: Client,
    cursor: Cursor,
    come: Result<Option<Come>, CallError>,
}

impl Following {
    pub(super) async fn begin(
        target: Arc<Target>,
        begin: Begin,
        printing: Printing,
    ) -> Result<Self, CallError> {
        let mut client = Client::new(&target);
        let all = shards(&mut client, &printing.stream).await?;
        let (lineage, first) = Lineage::begin(begin, &all);
        let mut following = Self {
            target,
            printing: Arc::new(printing),
            begin,
            lineage,
            merge: Merge::new(),
            lanes_begun: 0,
            idle: HashMap::new(),
            due: BTreeSet::new(),
            enough: HashSet::new(),
            reads: JoinSet::new(),
            clients: vec![client],
            ends: HashMap::new(),
            is_throttled: false,
        };
        for shard in first {
            following.add(shard, begin);
        }
        Ok(following)
    }

    /// Appends the lines that come next to `out`, `lines_max` at most. Returns how many; `None`
    /// once every shard was read to its end. Who stops waiting loses nothing.
    pub(super) async fn next(
        &mut self,
        out: &mut Vec<u8>,
        lines_max: usize,
    ) -> Result<Option<usize>, CallError> {
        loop {
            let bytes_max = out.len() + OUT_BYTES;
            let taken = self.merge.take(out, lines_max, bytes_max);
            let ended = self.merge.ended();
            let has_ended = !ended.is_empty();
            for id in ended {
                self.end(id)?;
            }
            let now = Instant::now();
            for id in self.merge.freed() {
                if self.enough.remove(&id) {
                    self.due.insert((now, id));
                }
            }
            self.start_reads(now);
            if taken > 0 {
                return Ok(Some(taken));
            }
            if self.merge.lanes() == 0 {
                return Ok(None);
            }
            // What waited for the end of a shard may go now.
            if !has_ended {
                self.wait().await?;
            }
        }
    }

    fn add(&mut self, shard: String, begin: Begin) {
        let id = self.lanes_begun;
        self.lanes_begun += 1;
        // Of a shard that is read from now on nothing is missing.
        let standing = match begin {
            Begin::Latest => Standing::AtTip,
            Begin::At(_) | Begin::TrimHorizon => Standing::Behind,
        };
        self.merge.add(id, standing);
        self.idle.insert(id, Cursor::new(id, shard, begin));
        self.due.insert((Instant::now(), id));
    }

    /// All of a shard is printed: the turn of what it became has come.
    fn end(&mut self, id: LaneId) -> Result<(), CallError> {
        let end = self.ends.remove(&id);
        let (shard, children) = end.ok_or_else(|| {
            CallError::Broken("a shard has ended that was not read to its end".to_owned())
        })?;
        let begin = match self.begin {
            Begin::Latest => Begin::TrimHorizon,
            begin => begin,
        };
        for child in self.lineage.done(&shard, &children) {
            self.add(child, begin);
        }
        Ok(())
    }

    /// Starts to read what is due, as far as there are connections.
    fn start_reads(&mut self, now: Instant) {
        let lanes = self.merge.lanes().max(1);
        while self.reads.len() < CONNECTIONS_MAX {
            let first = self.due.first().filter(|(due, _)| *due <= now);
            let Some((due, id)) = first.copied() else {
                return;
            };
            self.due.remove(&(due, id));
            if !self.merge.wants(id) {
                self.enough.insert(id);
                continue;
            }
            let Some(mut cursor) = self.idle.remove(&id) else {
                continue; // What is due is idle.
            };
            // With a batch read ahead of each lane all of them are held.
            let room = Room {
                lines: HELD_LINES_MAX / 2 / lanes,
                bytes: HELD_BYTES_MAX / 2 / lanes,
            };
            let client = self.clients.pop();
            let mut client = client.unwrap_or_else(|| Client::new(&self.target));
            let printing = Arc::clone(&self.printing);
            self.reads.spawn(async move {
                let come = cursor.read(&mut client, &printing, room).await;
                Read {
                    client,
                    cursor,
                    come,
                }
            });
        }
    }

    /// Waits until something was read, or the next read is due.
    async fn wait(&mut self) -> Result<(), CallError> {
        let is_room = self.reads.len() < CONNECTIONS_MAX;
        let next_due = self.due.first().map(|(due, _)| *due);
        let next_due = next_due.filter(|_| is_room);
        let due = async {
            match next_due {
                Some(due) => sleep_until(due).await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            Some(read) = self.reads.join_next() => {
                let read = read.map_err(|error| {
                    CallError::Broken(format!("a read ended badly: {error}"))
                })?;
                self.ended(read)
            }
            () = due => Ok(()),
        }
    }

    /// A read has ended.
    fn ended(&mut self, read: Read) -> Result<(), CallError> {
        let Read {
            client,
            cursor,
            come,
        } = read;
        self.clients.push(client);
        let id = cursor.id;
        let pause = match come {
            Ok(Some(come)) => {
                let Come {
                    batch,
                    standing,
                    seen_to,
                    children,
                    is_empty,
                } = come;
                if standing == Standing::AtEnd {
                    self.ends.insert(id, (cursor.shard, children));
                    self.merge.come(id, batch, standing, seen_to.0);
                    return Ok(());
                }
                self.merge.come(id, batch, standing, seen_to.0);
                if standing == Standing::AtTip || is_empty || self.is_throttled {
                    self.pause(&cursor)
                } else {
                    Duration::ZERO
                }
            }
            Ok(None) => Duration::ZERO,
            Err(error) if error.passes() => {
                self.is_throttled |= error.is_over_rate();
                self.pause(&cursor)
            }
            Err(error) => return Err(error),
        };
        self.due.insert((Instant::now() + pause, id));
        self.idle.insert(id, cursor);
        Ok(())
    }

    /// How long a shard is left alone. Where AWS's limits hold, what was read has to be paid for by
    /// time before anything else is given.
    fn pause(&self, cursor: &Cursor) -> Duration {
        let paid_ms = cursor.read_bytes as u64 * 1_000 / u64::from(SHARD_READ_BYTES_PER_SECOND);
        let paid = Duration::from_millis(if self.is_throttled { paid_ms } else { 0 });
        paid.max(READ_PAUSE)
    }
}

#[cfg(test)]
mod tests;
