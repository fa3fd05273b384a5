//! One consumer's subscription to one shard, from SubscribeToShard until five minutes later.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use store::{LogId, Position, StoreError};
use tokio::sync::watch;
use tokio::time::sleep;
use types::limits::{GET_RECORDS_COUNT_MAX, SUBSCRIPTION_TIME_MAX};
use types::{ConsumerArn, SequenceNumber, ShardId, Timestamp};
use wire::event_stream::{self, BESIDES_PAYLOAD_BYTES_MAX};
use wire::{ApiError, Codec, EventSource, Requester, Room};

use super::events::{self, BESIDES_RECORDS_BYTES_MAX, Pushed};
use super::{Lease, Open};
use crate::Streams;
use crate::consumer_counts::ConsumerCounts;
use crate::directory::owner;
use crate::iterator::Start;
use crate::ops::describe::ChildShard;
use crate::ops::{address, error};
use crate::reader::{RoomWanted, Wanted};
use crate::shard::Shard;
use crate::stream::Stream;

/// Bytes of data and partition keys of one event, unless one record alone has more.
const EVENT_BYTES_MAX: usize = 256 * 1024;
/// How long nothing is pushed before an event without records says that all is well. Clients give
/// a connection up over which nothing comes for 30 seconds.
const HEARTBEAT: Duration = Duration::from_secs(5);
/// How long a subscription waits for which there is no room before it asks for room again.
const ROOM_PAUSE: Duration = Duration::from_millis(100);
/// Bytes for which there must be room before anything is read for an event whose size is not known.
const EVENT_ROOM_BYTES_MIN: usize = 64 * 1024;
/// Bytes that the end of a closed shard may have: its two children.
const END_BYTES_MAX: usize = 2 * 1024;
/// How far behind one is at least that has not read everything: see GetRecords.
const BEHIND_MS_MIN: u128 = 1;

/// A subscription, which its connection asks for one event after the other.
pub struct Subscription {
    streams: Arc<Streams>,
    /// Who has subscribed.
    caller: Requester,
    consumer: ConsumerArn,
    /// When the consumer was registered: another one may have its address within the same second.
    registered_at: Timestamp,
    counts: Arc<ConsumerCounts>,
    /// As the catalog knew it when it was looked at last.
    stream: Arc<Stream>,
    changes: watch::Receiver<u64>,
    shard: ShardId,
    codec: Codec,
    lease: Arc<Lease>,
    taken_over: watch::Receiver<bool>,
    ends_at: Duration,
    phase: Phase,
    /// Where the next event begins.
    start: Start,
    /// Bytes for which there must be room before anything is read for the next event.
    needs: usize,
    /// The number of the last record that was pushed.
    last: Option<SequenceNumber>,
    heartbeat_at: Duration,
    _open: Open,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    /// The client was not told yet that it is subscribed.
    Begun,
    /// Records are pushed.
    Pushing,
    /// Nothing more is pushed.
    Over,
}

/// What a subscription is made of.
pub struct Subscribed {
    pub caller: Requester,
    pub consumer: ConsumerArn,
    pub registered_at: Timestamp,
    pub counts: Arc<ConsumerCounts>,
    pub stream: Arc<Stream>,
    pub shard: ShardId,
    pub start: Start,
    pub lease: Arc<Lease>,
}

/// What a look at the log has brought.
enum Found {
    /// Records, and for how many bytes there is room. Those may be none because they have expired:
    /// then no room was taken.
    Records(Arc<Pushed>, usize),
    /// There are records from here on, and no room for the so many bytes that the first of them
    /// needs, or that may be needed before it is known.
    NoRoom(Start, usize),
}

impl Subscription {
    /// Begins now.
    pub fn new(streams: &Arc<Streams>, subscribed: Subscribed, codec: Codec) -> Self {
        let uptime = streams.clock.uptime();
        let Subscribed {
            caller,
            consumer,
            registered_at,
            counts,
            stream,
            shard,
            start,
            lease,
        } = subscribed;
        let mut changes = streams.directory.changes(&stream.arn);
        // What has changed since the stream was found is found by looking again.
        changes.mark_changed();
        Self {
            taken_over: lease.watch(),
            lease,
            consumer,
            registered_at,
            counts,
            stream,
            changes,
            shard,
            codec,
            ends_at: uptime + SUBSCRIPTION_TIME_MAX,
            phase: Phase::Begun,
            start,
            needs: EVENT_ROOM_BYTES_MIN,
            last: None,
            heartbeat_at: uptime + HEARTBEAT,
            _open: streams.fanout.opens(),
            streams: Arc::clone(streams),
            caller,
        }
    }

    /// The next event; `None`: the subscription has lasted as long as it may, or is not allowed any
    /// more.
    async fn push(&mut self, room: &dyn Room) -> Result<Option<Vec<Bytes>>, ApiError> {
        loop {
            let uptime = self.streams.clock.uptime();
            if uptime >= self.ends_at {
                return Ok(None);
            }
            let Some(stream) = self.look()? else {
                return Ok(None);
            };
            let shard = stream.shards.find(self.shard);
            let shard = shard.ok_or_else(|| error::shard_not_found(&stream.arn, self.shard))?;
            if let Some(pause) = self.lease.pause(uptime).filter(|_| self.is_throttled()) {
                self.wait_for(pause).await;
                continue;
            }
            let (found, taken) = match self.find(&stream, shard, room).await? {
                Found::Records(found, taken) => (found, taken),
                Found::NoRoom(start, needs) => {
                    // It is not read again before there is room for all of it.
                    (self.start, self.needs) = (start, needs);
                    self.wait_for(ROOM_PAUSE).await;
                    continue;
                }
            };
            // It may have waited for its turn to read, and may not be pushed this any more.
            if self.changes.has_changed().unwrap_or(true) {
                room.give_back(taken);
                continue;
            }
            (self.start, self.needs) = (Start::Record(found.next), EVENT_ROOM_BYTES_MIN);
            if found.count > 0 {
                let event = self.records(&stream, shard, &found)?;
                return Ok(Some(spare(event, taken, room)));
            }
            if found.next_arrival.is_some() {
                continue;
            }
            let is_over = found.at_end && shard.facts().closed_at.is_some();
            if is_over && room.take(END_BYTES_MAX) {
                self.phase = Phase::Over;
                let children = ChildShard::all(&stream, shard);
                let event = events::end(&children, self.codec)?;
                return Ok(Some(spare(event, END_BYTES_MAX, room)));
            }
            if uptime >= self.heartbeat_at && room.take(BESIDES_RECORDS_BYTES_MAX) {
                let event = self.records(&stream, shard, &found)?;
                return Ok(Some(spare(event, BESIDES_RECORDS_BYTES_MAX, room)));
            }
            let rest = if is_over {
                ROOM_PAUSE
            } else {
                self.heartbeat_at.saturating_sub(uptime).max(ROOM_PAUSE)
            };
            // A log that has ended never goes beyond: what comes next is a change of its stream.
            let log = (!found.at_end).then_some(shard.facts().log);
            self.wait(log, found.next, rest).await?;
        }
    }

    /// The stream as it is now, if the subscription goes on; `None`: its caller may not have it any
    /// more. The model of events has no word for that, and clients take a stream or a shard that
    /// is not found for one that has ended: it is said to them when they subscribe again.
    fn look(&mut self) -> Result<Option<Arc<Stream>>, ApiError> {
        if self.lease.is_taken_over() {
            let shard = self.stream.shards.find(self.shard);
            let shard =
                shard.ok_or_else(|| error::shard_not_found(&self.stream.arn, self.shard))?;
            return Err(error::consumers::subscribed(&self.consumer, shard));
        }
        // Its other end lives as long as the directory.
        if self.changes.has_changed().unwrap_or(true) {
            self.changes.mark_unchanged();
            let found = address::consumer(&self.streams, &self.caller, &self.consumer);
            let (now, consumer) = match found {
                Err(error) if error.denial().is_some() => return Ok(None),
                found => found?,
            };
            if now.id != self.stream.id || !now.status.is_in_service() {
                return Err(error::no_stream(&self.consumer.stream));
            }
            if consumer.created_at != self.registered_at {
                return Err(error::consumers::not_found(&self.consumer));
            }
            self.stream = now;
        }
        let is_over = self.caller.has_expired(self.streams.now());
        Ok((!is_over).then(|| Arc::clone(&self.stream)))
    }

    /// What comes next, for which room is taken.
    async fn find(
        &self,
        stream: &Stream,
        shard: &Shard,
        room: &dyn Room,
    ) -> Result<Found, ApiError> {
        let streams = &self.streams;
        let log = shard.facts().log;
        let place = match self.start {
            Start::Record(position) if stream.consumers.len() > 1 => {
                Some((log, position, self.codec))
            }
            Start::Record(_) | Start::Time(_) => None,
        };
        let uptime = streams.clock.uptime();
        if let Some(pushed) = place.and_then(|place| streams.fanout.shared.find(place, uptime)) {
            let bytes = pushed.text.bytes() + BESIDES_RECORDS_BYTES_MAX;
            return Ok(if room.take(bytes) {
                Found::Records(pushed, bytes)
            } else {
                Found::NoRoom(self.start, bytes)
            });
        }
        // Without room nothing is read, and nobody waits for a turn to read.
        if !room.take(self.needs) {
            return Ok(Found::NoRoom(self.start, self.needs));
        }
        room.give_back(self.needs);
        let wanted = Wanted {
            start: self.start,
            limit: GET_RECORDS_COUNT_MAX,
            bytes_max: EVENT_BYTES_MAX,
            text_bytes_max: usize::MAX,
            codec: self.codec,
            reader: self.caller.account,
            room: Some(RoomWanted {
                room,
                bytes: self.needs,
            }),
        };
        let selection = streams.select(stream, shard, &wanted).await;
        let selection = match selection {
            Err(StoreError::Corrupt { .. }) => {
                let next = streams.readable_from(shard, self.start).await;
                let next = next.map_err(|e| error::store("read", &stream.arn, shard, &e))?;
                return Err(error::unreadable(shard, next));
            }
            Err(StoreError::Key { key, why }) => {
                let refusal = streams.kms().refusal(key, why, &owner(&stream.arn));
                return Err(error::kms::refused(refusal));
            }
            selection => selection.map_err(|e| error::store("read", &stream.arn, shard, &e))?,
        };
        let mut taken = selection.room_bytes();
        if selection.count == 0 {
            room.give_back(taken);
            return Ok(match selection.lacks_room_for {
                Some(bytes) => Found::NoRoom(Start::Record(selection.next), bytes),
                None => Found::Records(Arc::new(Pushed::of(selection)), 0),
            });
        }
        let more = (selection.text_bytes() + BESIDES_RECORDS_BYTES_MAX).saturating_sub(taken);
        // The little that may be missing beside so much text is in its connection's own share.
        if room.take(more) {
            taken += more;
        }
        let pushed = Arc::new(Pushed::of(selection));
        if let Some(place) = place {
            streams.fanout.shared.keep(place, &pushed, uptime);
        }
        Ok(Found::Records(pushed, taken))
    }

    fn records(
        &mut self,
        stream: &Stream,
        shard: &Shard,
        found: &Pushed,
    ) -> Result<Vec<Bytes>, ApiError> {
        let streams = &self.streams;
        self.heartbeat_at = streams.clock.uptime() + HEARTBEAT;
        self.last = found.last.or(self.last);
        let behind = found.next_arrival.map_or(0, |arrival| {
            let behind = streams.now().since(arrival).as_millis();
            behind.max(BEHIND_MS_MIN)
        });
        let behind = u64::try_from(behind).map_err(|e| error::internal("tell how far", &e))?;
        let continuation = match self.last {
            Some(last) => last,
            None => self.before(stream, shard, found.next)?,
        };
        if self.is_throttled() {
            self.lease.pushed(found.bytes);
        }
        let event = events::records(found, continuation, behind, self.codec)?;
        let (records, bytes) = (found.count as u64, found.bytes as u64);
        let metrics = streams.metrics();
        metrics.pushed_records.add(records);
        metrics.pushed_bytes.add(bytes);
        stream.counts.events.add(1);
        stream.counts.event_records.add(records);
        stream.counts.event_bytes.add(bytes);
        stream.counts.event_behind_ms.set(behind);
        self.counts.pushed((records, bytes), behind);
        Ok(event)
    }

    /// A number after which a reader goes on at `position`.
    fn before(
        &self,
        stream: &Stream,
        shard: &Shard,
        position: Position,
    ) -> Result<SequenceNumber, ApiError> {
        let Some(before) = position.0.checked_sub(1) else {
            return Ok(shard.starting_number());
        };
        let arrival = self.streams.engine.last_arrival(shard.facts().log);
        let arrival = arrival.map_err(|e| error::store("look at", &stream.arn, shard, &e))?;
        let arrival = arrival.unwrap_or(shard.facts().opened_at);
        Ok(shard.numbering().record(Position(before), arrival))
    }

    fn is_throttled(&self) -> bool {
        self.streams.options.throttle
    }

    /// Waits for the log to go beyond `next`, if it can, or for anything else that matters.
    async fn wait(
        &mut self,
        log: Option<LogId>,
        next: Position,
        rest: Duration,
    ) -> Result<(), ApiError> {
        let engine = Arc::clone(&self.streams.engine);
        let beyond = async {
            match log {
                Some(log) => engine.wait_beyond(log, next).await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            beyond = beyond => match beyond {
                // Its stream is gone: the next look says so.
                Ok(()) | Err(StoreError::NoLog(_)) => Ok(()),
                Err(error) => Err(error::internal("wait for records", &error)),
            },
            _ = self.taken_over.changed() => Ok(()),
            _ = self.changes.changed() => {
                self.changes.mark_changed();
                Ok(())
            }
            () = sleep(rest) => Ok(()),
        }
    }

    /// Waits for so long, or until another subscription takes over.
    async fn wait_for(&mut self, pause: Duration) {
        tokio::select! {
            _ = self.taken_over.changed() => {}
            () = sleep(pause) => {}
        }
    }
}

/// The event, after room was given back that it does not need.
fn spare(event: Vec<Bytes>, taken: usize, room: &dyn Room) -> Vec<Bytes> {
    let bytes: usize = event.iter().map(Bytes::len).sum();
    room.give_back(taken.saturating_sub(bytes));
    event
}

#[async_trait]
impl EventSource for Subscription {
    async fn next(&mut self, room: &dyn Room) -> Option<Vec<Bytes>> {
        let made = match self.phase {
            Phase::Over => Ok(None),
            Phase::Begun => {
                while !room.take(BESIDES_PAYLOAD_BYTES_MAX) {
                    let is_over = self.streams.clock.uptime() >= self.ends_at;
                    if is_over || self.lease.is_taken_over() {
                        return None;
                    }
                    self.wait_for(ROOM_PAUSE).await;
                }
                self.phase = Phase::Pushing;
                let response = event_stream::initial_response(self.codec);
                response.map(|event| Some(spare(event, BESIDES_PAYLOAD_BYTES_MAX, room)))
            }
            Phase::Pushing => self.push(room).await,
        };
        match made {
            Ok(event) => event,
            Err(error) => {
                self.phase = Phase::Over;
                // A connection that has no room to hear why it ends ends without.
                let bytes = BESIDES_PAYLOAD_BYTES_MAX + error.message().len() * 6;
                if !room.take(bytes) {
                    return None;
                }
                let event = events::exception(&error, self.codec);
                event.ok().map(|event| spare(event, bytes, room))
            }
        }
    }
}
