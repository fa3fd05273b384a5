//! One shard as a tail reads it: an answer after the other, and what is printed of each.

use bytes::Bytes;
use types::{Clock, SystemClock, Timestamp};
use wire::members::Time;

use super::merge::{Batch, LaneId, Standing};
use super::print::{Place, Printing, Room};
use super::since::Begin;
use crate::client::{CallError, Client};
use crate::commands::stream::shapes::{
    ChildShard, GetRecords, GetShardIterator, Records, ShardIterator,
};

/// Records that one answer may have.
const ANSWER_RECORDS_MAX: usize = 10_000;
/// Records of the first answer of a shard: what is printed first waits for one of each.
const FIRST_RECORDS_MAX: usize = 500;
/// Bytes of a record in an answer, before there was any.
const RECORD_BYTES_GUESS: usize = 1_024;
const GET_RECORDS: &str = "GetRecords";

/// How far a shard is read.
pub(super) struct Cursor {
    pub(super) id: LaneId,
    pub(super) shard: String,
    /// Where to begin in it.
    begin: Begin,
    /// Where to read on; `None` before the first read and after an iterator has expired.
    iterator: Option<String>,
    /// The last record that was read.
    read_to: Option<String>,
    /// When the first iterator was asked for.
    begun_at: Option<Timestamp>,
    /// When the last record that was read arrived.
    seen_to: Timestamp,
    /// Bytes of a record in the last answer that had any, and lines that it became.
    record_bytes: usize,
    record_lines: usize,
    /// Lines of the answer that is being printed.
    answer_lines: usize,
    /// Bytes of data and partition keys in the last answer, about.
    pub(super) read_bytes: usize,
    /// An answer of which not everything is printed, and where what is left begins.
    rest: Option<(Bytes, Place)>,
}

/// What an answer brought.
pub(super) struct Come {
    pub(super) batch: Batch,
    pub(super) standing: Standing,
    /// What comes later arrived then or later.
    pub(super) seen_to: Timestamp,
    /// What the shard became, at its end.
    pub(super) children: Vec<ChildShard>,
    /// It had no record at all.
    pub(super) is_empty: bool,
}

impl Cursor {
    pub(super) fn new(id: LaneId, shard: String, begin: Begin) -> Self {
        Self {
            id,
            shard,
            begin,
            iterator: None,
            read_to: None,
            begun_at: None,
            seen_to: Timestamp(0),
            record_bytes: RECORD_BYTES_GUESS,
            record_lines: 1,
            answer_lines: 0,
            read_bytes: 0,
            rest: None,
        }
    }

    /// How many records to ask for, so that no more come than there is room for if all are alike.
    fn limit(&self, room: Room) -> usize {
        let fitting = room.bytes / self.record_bytes.max(1);
        let answer_max = match self.read_to {
            Some(_) => ANSWER_RECORDS_MAX,
            None => FIRST_RECORDS_MAX,
        };
        let fitting = fitting.min(room.lines / self.record_lines.max(1));
        fitting.clamp(1, answer_max)
    }

    /// What comes next in the shard; `None` if the iterator has expired, and the next call goes on
    /// with another one.
    pub(super) async fn read(
        &mut self,
        client: &mut Client,
        printing: &Printing,
        room: Room,
    ) -> Result<Option<Come>, CallError> {
        let (answer, place) = match self.rest.take() {
            Some(rest) => rest,
            None => match self.ask(client, printing, self.limit(room)).await? {
                Some(answer) => (answer, Place::default()),
                None => return Ok(None),
            },
        };
        let said: Records<'_> = client.read(GET_RECORDS, &answer)?;
        let printed = printing.print(&self.shard, &said.records, place, room);
        let (batch, left) = printed.map_err(CallError::Broken)?;
        self.answer_lines += batch.lines();
        let is_empty = said.records.is_empty();
        if let Some(left) = left {
            // It may be in the middle of the answer: only what was printed before has passed.
            let standing = Standing::Behind;
            let come = self.come(batch, standing, Vec::new(), is_empty);
            self.rest = Some((answer, left));
            return Ok(Some(come));
        }
        if let Some(last) = said.records.last() {
            let Time(arrival) = last.approximate_arrival_timestamp;
            self.seen_to = self.seen_to.max(arrival);
            self.read_to = Some(last.sequence_number.clone().into_owned());
            self.record_bytes = answer.len() / said.records.len();
            self.record_lines = self.answer_lines / said.records.len();
            let bytes = said.records.iter().map(|record| {
                let data_bytes = record.data.len() / 4 * 3;
                data_bytes + record.partition_key.len()
            });
            self.read_bytes = bytes.sum();
        }
        let standing = match (&said.next_shard_iterator, said.millis_behind_latest) {
            (None, _) => Standing::AtEnd,
            (Some(_), Some(0)) => Standing::AtTip,
            // Who does not say how far behind we are has no more if there was nothing.
            (Some(_), None) if is_empty => Standing::AtTip,
            (Some(_), _) => Standing::Behind,
        };
        self.answer_lines = 0;
        self.iterator = said.next_shard_iterator;
        Ok(Some(self.come(
            batch,
            standing,
            said.child_shards,
            is_empty,
        )))
    }

    fn come(
        &self,
        batch: Batch,
        standing: Standing,
        children: Vec<ChildShard>,
        is_empty: bool,
    ) -> Come {
        Come {
            batch,
            standing,
            seen_to: self.seen_to,
            children,
            is_empty,
        }
    }

    /// The answer that comes next; `None` if the iterator has expired.
    async fn ask(
        &mut self,
        client: &mut Client,
        printing: &Printing,
        limit: usize,
    ) -> Result<Option<Bytes>, CallError> {
        let iterator = match self.iterator.clone() {
            Some(iterator) => iterator,
            None => self.new_iterator(client, &printing.stream).await?,
        };
        let input = GetRecords {
            shard_iterator: &iterator,
            limit,
        };
        let answer = client.call_whole(GET_RECORDS, &input).await;
        self.iterator = Some(iterator);
        match answer {
            Err(CallError::Refused { code, .. }) if code == "ExpiredIteratorException" => {
                self.iterator = None;
                Ok(None)
            }
            answer => answer.map(Some),
        }
    }

    /// The first iterator, or one that goes on where an expired one stood: after the last record.
    /// If there was none, LATEST would now skip what came meanwhile, so the time of the first
    /// LATEST stands for it, by the clock of this machine.
    async fn new_iterator(
        &mut self,
        client: &mut Client,
        stream: &str,
    ) -> Result<String, CallError> {
        let now = SystemClock.now();
        let after = self.read_to.as_deref();
        let (kind, at) = match (after, self.begin, self.begun_at) {
            (Some(_), ..) => ("AFTER_SEQUENCE_NUMBER", None),
            (None, Begin::Latest, Some(begun_at)) => ("AT_TIMESTAMP", Some(begun_at)),
            (None, Begin::Latest, None) => ("LATEST", None),
            (None, Begin::TrimHorizon, _) => ("TRIM_HORIZON", None),
            (None, Begin::At(at), _) => ("AT_TIMESTAMP", Some(at)),
        };
        let input = GetShardIterator {
            stream_name: stream,
            shard_id: &self.shard,
            shard_iterator_type: kind,
            starting_sequence_number: after,
            timestamp: at.map(Time),
        };
        let answer: ShardIterator = client.call("GetShardIterator", &input).await?;
        self.begun_at.get_or_insert(now);
        Ok(answer.shard_iterator)
    }
}
