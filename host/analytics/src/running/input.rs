//! The stream that an application reads: its shards' logs, read as far as the merge wants it.

use std::future::poll_fn;
use std::pin::Pin;
use std::sync::Arc;
use std::task::Poll;

use store::{Engine, LogId, Position, StoreError};
use streams::{Source, SourceMark, SourceShard, StreamId, Streams};
use types::{Clock, ShardId, StreamArn, Timestamp};

use super::limits::{READ_BYTES_MAX, READ_BYTES_MIN, STEP_BYTES_MAX};
use super::merge::{Merge, Places, Taken, Wanted};

/// What is read of a stream at one moment.
#[derive(Debug, Default)]
pub struct Gathered {
    /// Frames in the order of the merge.
    pub frames: Vec<Taken>,
    /// No record that comes is older, if that was not known before.
    pub time: Option<Timestamp>,
}

impl Gathered {
    /// Whether there is nothing to do.
    pub fn is_nothing(&self) -> bool {
        self.frames.is_empty() && self.time.is_none()
    }
}

/// Why nothing is read.
#[derive(Clone, Debug)]
pub enum Unread {
    /// There is no such stream, or it is not in service.
    NoStream,
    /// Another stream has its name: its records are others.
    OtherStream,
    /// A log cannot be read.
    Store(StoreError),
}

/// What an application reads with.
#[derive(Clone)]
pub struct Reader {
    pub engine: Arc<dyn Engine>,
    pub clock: Arc<dyn Clock>,
    pub streams: Arc<Streams>,
}

/// A stream as it is read.
pub struct Input {
    reader: Reader,
    arn: StreamArn,
    id: StreamId,
    mark: SourceMark,
    /// The shards as they were listed last, in order of their names.
    shards: Arc<Vec<SourceShard>>,
    merge: Merge,
    /// What was lost when it was counted last.
    lost: u64,
}

impl Reader {
    /// The stream, if it is there.
    ///
    /// # Errors
    /// It is not.
    pub fn source(&self, arn: &StreamArn) -> Result<Source, Unread> {
        self.streams.source(arn).ok_or(Unread::NoStream)
    }

    /// Where an application begins: with the oldest records, or with the first that arrived at a
    /// moment or later.
    ///
    /// # Errors
    /// A log cannot be asked.
    pub async fn beginning(
        &self,
        source: &Source,
        since: Option<Timestamp>,
    ) -> Result<Places, StoreError> {
        let mut places = Places::default();
        let listed: Vec<ShardId> = source.shards.iter().map(|shard| shard.id).collect();
        for shard in &source.shards {
            let Some(since) = since else {
                // What is gone was never this application's.
                let is_first = !shard.parents.iter().any(|id| listed.contains(id));
                if is_first {
                    let horizon = self.engine.horizon(shard.log)?;
                    places.shards.insert(shard.id, horizon);
                }
                continue;
            };
            let last = self.engine.last_arrival(shard.log)?;
            if shard.is_closed && last.is_none_or(|last| last < since) {
                places.done.insert(shard.id);
            } else if !shard
                .parents
                .iter()
                .any(|id| places.shards.contains_key(id))
            {
                // One whose parents have something to give begins after them.
                let position = self.engine.seek_time(shard.log, since).await?;
                places.shards.insert(shard.id, position);
            }
        }
        Ok(places)
    }

    /// What counts as now for promises: a clock that is not believed promises nothing, since all
    /// that comes would have its time.
    fn now(&self) -> Timestamp {
        self.clock.now().min(self.streams.retention_time().now)
    }
}

impl Input {
    /// Goes on from where it was read to.
    ///
    /// # Errors
    /// The stream is not there, or another one is.
    pub fn open(
        reader: Reader,
        arn: StreamArn,
        (id, places): (StreamId, &Places),
    ) -> Result<Self, Unread> {
        let mark = reader.streams.source_mark(&arn);
        let source = reader.source(&arn)?;
        if source.id != id {
            return Err(Unread::OtherStream);
        }
        let mut merge = Merge::new(places, &source.shards);
        while merge.meet(&source.shards) {}
        Ok(Self {
            reader,
            arn,
            id,
            mark,
            shards: Arc::new(source.shards),
            merge,
            lost: 0,
        })
    }

    /// The shards of frames that are taken, in order of their names.
    pub fn shards(&self) -> Arc<Vec<SourceShard>> {
        Arc::clone(&self.shards)
    }

    /// Whether frames are in hand of which it is not known yet when they come.
    pub fn holds_frames(&self) -> bool {
        self.merge.holds_frames()
    }

    /// How far it is read.
    pub fn places(&self) -> Places {
        self.merge.places()
    }

    /// Records that were lost since this was asked last.
    pub fn takes_lost(&mut self) -> u64 {
        let lost = self.merge.lost();
        lost - std::mem::replace(&mut self.lost, lost)
    }

    /// What comes next, within the bytes of a step; nothing if no record is known to be the next.
    ///
    /// # Errors
    /// A log cannot be read, or the stream is gone.
    pub async fn gather(&mut self) -> Result<Gathered, Unread> {
        self.look_at_shards()?;
        let (mut gathered, mut bytes) = (Gathered::default(), 0);
        loop {
            self.fill().await?;
            let taken = gathered.frames.len();
            while bytes < STEP_BYTES_MAX
                && let Some(frame) = self.merge.take()
            {
                bytes += frame.frame.body.len();
                gathered.frames.push(frame);
            }
            if bytes >= STEP_BYTES_MAX {
                return Ok(gathered);
            }
            if gathered.frames.len() == taken {
                break;
            }
        }
        gathered.time = self.merge.pass_time();
        Ok(gathered)
    }

    /// Returns when a log holds more than was read of it, or the stream changes.
    pub async fn until_more(&self) {
        let engine = &self.reader.engine;
        let logs = self.merge.open_logs();
        let mut waits: Vec<Pin<Box<dyn Future<Output = ()> + Send + '_>>> = Vec::new();
        for (log, read_to) in logs {
            waits.push(Box::pin(beyond(&**engine, log, read_to)));
        }
        let mut changes = self.reader.streams.source_changes(&self.arn);
        let is_changed = self.reader.streams.source_mark(&self.arn) != self.mark;
        if !is_changed {
            waits.push(Box::pin(async move {
                // Its sender lives as long as the streams do.
                let _ = changes.changed().await;
            }));
            poll_fn(|context| {
                for wait in &mut waits {
                    if wait.as_mut().poll(context).is_ready() {
                        return Poll::Ready(());
                    }
                }
                Poll::Pending
            })
            .await;
        }
    }

    /// Learns of shards that were split or merged.
    fn look_at_shards(&mut self) -> Result<(), Unread> {
        let mark = self.reader.streams.source_mark(&self.arn);
        let is_new = mark != self.mark;
        if is_new {
            let source = self.reader.source(&self.arn)?;
            if source.id != self.id {
                return Err(Unread::OtherStream);
            }
            self.mark = mark;
            self.shards = Arc::new(source.shards);
        }
        // Children may have ended as well.
        while (is_new || self.merge.has_ended()) && self.merge.meet(&self.shards) {}
        Ok(())
    }

    /// Reads every log of which nothing is in hand, and asks those that are read to their ends what
    /// they promise.
    async fn fill(&mut self) -> Result<(), Unread> {
        let wanted = self.merge.wanted();
        let part = STEP_BYTES_MAX / wanted.len().max(1);
        let bytes_max = part.clamp(READ_BYTES_MIN, READ_BYTES_MAX);
        // A promise of a moment that is not over would raise what arrives in it.
        let now = self.reader.now().max(self.merge.time());
        let engine = Arc::clone(&self.reader.engine);
        for Wanted { shard, log, from } in wanted {
            let read = match engine.read_from_memory(log, from, bytes_max) {
                Ok(Some(read)) => Ok(read),
                Ok(None) => engine.read(log, from, bytes_max).await,
                Err(error) => Err(error),
            };
            let read = match read {
                // Its stream is being deleted, or the shard has expired: the list says so soon.
                Err(StoreError::NoLog(_)) => continue,
                read => read.map_err(Unread::Store)?,
            };
            let is_at_end = read.frames.is_empty();
            self.merge.fill(shard, read.frames, read.next);
            if is_at_end {
                match engine.arrivals_from(log, now) {
                    Ok(coming) => self.merge.promise(shard, coming),
                    Err(StoreError::NoLog(_)) => {}
                    Err(error) => return Err(Unread::Store(error)),
                }
            }
        }
        Ok(())
    }
}

/// Returns when a log's tip is beyond a position, or the log ends. One that is gone never is: the
/// list of shards says so.
async fn beyond(engine: &dyn Engine, log: LogId, position: Position) {
    if engine.wait_beyond(log, position).await.is_err() {
        std::future::pending::<()>().await;
    }
}
