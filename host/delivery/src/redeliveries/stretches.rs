//! Which stretches of which logs an order is about: whole frames, that is all records of a call
//! that it touches, so that cuts begin and end where frames do.

use store::{Engine, Frame, LogId, Position, StoreError};
use streams::SourceShard;
use types::{GivenNumber, InShard, Invalid, Timestamp};
use wire::ApiError;

use super::limits::LANES_MAX;
use super::row::{Asked, Moment, Stretch};
use super::{refused, unread};
use crate::Delivery;
use crate::delivery_stream::{DeliveryStream, Origin};

/// Bytes that are read to find a frame: at least one comes.
const ONE_FRAME: usize = 1;

/// The stretches of the logs of a delivery stream's source that an order is about, as far as they
/// are retained.
///
/// # Errors
/// InvalidArgumentException: there is nothing, or too much, or a place is none of the stream's.
pub async fn stretches(
    delivery: &Delivery,
    stream: &DeliveryStream,
    asked: &Asked,
) -> Result<Vec<Stretch>, ApiError> {
    let Origin::Stream { arn, .. } = &stream.origin else {
        return Err(refused(
            "Records that are put directly are gone from the log once they are delivered: nothing \
             of them is retained that could be delivered once more.",
        ));
    };
    let source = delivery.streams.source(arn);
    let source = source.ok_or_else(|| refused(format!("The stream {arn} is not there.")))?;
    let expired = delivery
        .streams
        .retention_time()
        .now
        .before(source.retention);
    let engine = &*delivery.tools.engine;
    let ends = Ends::of(asked, &source.shards)?;
    let mut stretches = Vec::new();
    for shard in &source.shards {
        let between = ends.between(engine, shard, expired).await;
        if let Some(between) = between.map_err(|error| unread(&error))? {
            let of_shard = (shard.log, shard.numbering);
            stretches.push(Stretch::new(source.id.0, of_shard, between));
        }
    }
    if stretches.is_empty() {
        return Err(refused(
            "Nothing is retained between From and To that could be delivered once more.",
        ));
    }
    if stretches.len() > LANES_MAX {
        return Err(refused(format!(
            "The order is about more than {LANES_MAX} shards."
        )));
    }
    Ok(stretches)
}

/// A place in a stream, read.
#[derive(Clone, Copy)]
enum End {
    TrimHorizon,
    At(Timestamp),
    /// In the shard of this log alone.
    In(LogId, InShard),
}

struct Ends {
    from: End,
    to: Option<End>,
}

impl Ends {
    fn of(asked: &Asked, shards: &[SourceShard]) -> Result<Self, ApiError> {
        let to = asked.to.as_ref();
        Ok(Self {
            from: End::of(&asked.from, shards)?,
            to: to.map(|to| End::of(to, shards)).transpose()?,
        })
    }

    /// What lies between the two in a shard, if anything does that has not expired.
    async fn between(
        &self,
        engine: &dyn Engine,
        shard: &SourceShard,
        expired: Timestamp,
    ) -> Result<Option<(Position, Position)>, StoreError> {
        let log = shard.log;
        let mut ends = [Some(self.from), self.to].into_iter().flatten();
        if ends.any(|end| end.is_of_another(log)) {
            return Ok(None);
        }
        let tip = engine.tip(log)?;
        let from = match self.from {
            End::At(at) => engine.seek_time(log, at).await?,
            End::TrimHorizon | End::In(_, InShard::Start) => engine.horizon(log)?,
            End::In(_, InShard::Record(before)) => Position(before),
            End::In(_, InShard::End) => tip,
        };
        let retained = engine.seek_time(log, expired).await?;
        let Some(first) = frame_at(engine, log, from.max(retained)).await? else {
            return Ok(None);
        };
        let to = match self.to {
            None | Some(End::In(_, InShard::End)) => tip,
            Some(End::At(at)) => engine.seek_time(log, at).await?,
            Some(End::TrimHorizon | End::In(_, InShard::Start)) => Position::FIRST,
            Some(End::In(_, InShard::Record(before))) => {
                let last = frame_at(engine, log, Position(before)).await?;
                last.map_or(tip, |frame| frame.end())
            }
        };
        Ok((first.position < to).then_some((first.position, to)))
    }
}

impl End {
    fn of(moment: &Moment, shards: &[SourceShard]) -> Result<Self, ApiError> {
        match moment {
            Moment::TrimHorizon => Ok(Self::TrimHorizon),
            Moment::At(ms) => Ok(Self::At(Timestamp(*ms))),
            Moment::Number(text) => {
                let number = GivenNumber::parse(text);
                let number = number.map_err(|Invalid(why)| refused(format!("{why}.")))?;
                let mut found = shards.iter().filter_map(|shard| {
                    let place = shard.numbering.find(&number)?;
                    Some(Self::In(shard.log, place))
                });
                found
                    .next()
                    .ok_or_else(|| refused(format!("{text} is no sequence number of the stream.")))
            }
        }
    }

    fn is_of_another(self, log: LogId) -> bool {
        matches!(self, Self::In(of, _) if of != log)
    }
}

/// The frame that holds a record, or the next one that is retained; `None`: there is none.
async fn frame_at(
    engine: &dyn Engine,
    log: LogId,
    at: Position,
) -> Result<Option<Frame>, StoreError> {
    let read = engine.read(log, at, ONE_FRAME).await?;
    Ok(read.frames.into_iter().next())
}
