//! What an object was made of: which stretch of which shard, through which version, by which
//! configuration. It is written beside the object by the put that makes it, so that it costs no
//! other one, needs no room here, and is there for as long as the object is.
//!
//! ```text
//! 1 <delivery stream> <stream> <shard> <second in which the shard was made, or -> <cut> <part>
//!   <from> <to> <oldest arrival in milliseconds> <version of the configuration>
//!   <hash of the version, or -> <seal>
//! ```
//!
//! The seal is a keyed hash of all before it and of the object's key: nobody can give an object the
//! origin of another one, and who may put into the bucket learns no key of ours.

use serde::Serialize;
use store::{Engine, LogId, Position, StoreError};
use streams::Numbering;
use types::{Caller, Second, ShardId, Timestamp};
use wasm::ContentHash;
use wire::ApiError;

use crate::Delivery;
use crate::cut::Cut;
use crate::delivery_stream::{DeliveryStreamId, Origin};
use crate::object_name::{NamingKey, Place};
use crate::objects::ObjectError;
use crate::running::Running;
use crate::tables::LaneKey;

/// The number of the layout.
const LAYOUT: &str = "1";
/// In the place of what there is not.
const NONE: &str = "-";
/// AWS's word for what may be asked again.
const UNAVAILABLE: &str = "ServiceUnavailableException";
/// Bytes that are read to find a frame: at least one comes.
const ONE_FRAME: usize = 1;

/// The stretch of a log that an object's cut was about, and what became of it by what.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Made {
    key: LaneKey,
    numbering: Option<Numbering>,
    cut: u64,
    part: u16,
    from: Position,
    to: Position,
    oldest: Timestamp,
    version_id: u64,
    version: Option<ContentHash>,
}

impl Made {
    /// Of the object of a cut that has this place.
    pub fn of(cut: &Cut, place: Place, numbering: Option<Numbering>) -> Self {
        Self {
            key: LaneKey {
                delivery_stream: DeliveryStreamId(place.delivery_stream),
                stream: place.lane.0,
                shard: place.lane.1,
            },
            numbering,
            cut: cut.number,
            part: place.part,
            from: cut.from,
            to: cut.to,
            oldest: cut.oldest,
            version_id: cut.version_id,
            version: cut.plugin.as_ref().map(|pins| pins.hash),
        }
    }

    /// The text beside the object of this key.
    pub fn write(&self, naming: &NamingKey, key: &str) -> String {
        let text = self.text();
        let seal = naming.seal([&text, key]);
        format!("{text} {seal}")
    }

    fn text(&self) -> String {
        let LaneKey {
            delivery_stream,
            stream,
            shard,
        } = self.key;
        let created = self.numbering.map(|it| it.created().number().to_string());
        let version = self.version.map(|hash| hash.to_string());
        format!(
            "{LAYOUT} {} {stream} {shard} {} {} {} {} {} {} {} {}",
            delivery_stream.0,
            created.as_deref().unwrap_or(NONE),
            self.cut,
            self.part,
            self.from.0,
            self.to.0,
            self.oldest.0,
            self.version_id,
            version.as_deref().unwrap_or(NONE)
        )
    }

    /// What [`Made::write`] wrote beside the object of this key; `None`: it did not write this.
    pub fn read(text: &str, naming: &NamingKey, key: &str) -> Option<Self> {
        let (text, seal) = text.rsplit_once(' ')?;
        if naming.seal([text, key]) != seal {
            return None;
        }
        let parts: Vec<&str> = text.split(' ').collect();
        let [LAYOUT, delivery_stream, stream, shard, created, rest @ ..] = &parts[..] else {
            return None;
        };
        let [cut, part, from, to, oldest, version_id, version] = rest else {
            return None;
        };
        let shard: u32 = shard.parse().ok()?;
        let numbering = match *created {
            NONE => None,
            created => {
                let created = Second::new(created.parse().ok()?)?;
                Some(Numbering::new(ShardId(shard), created))
            }
        };
        let version = match *version {
            NONE => None,
            hash => Some(ContentHash::parse(hash)?),
        };
        Some(Self {
            key: LaneKey {
                delivery_stream: DeliveryStreamId(delivery_stream.parse().ok()?),
                stream: stream.parse().ok()?,
                shard,
            },
            numbering,
            cut: cut.parse().ok()?,
            part: part.parse().ok()?,
            from: Position(from.parse().ok()?),
            to: Position(to.parse().ok()?),
            oldest: Timestamp(oldest.parse().ok()?),
            version_id: version_id.parse().ok()?,
            version,
        })
    }
}

/// What an object was made of.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Lineage {
    /// Its key in the bucket.
    pub object: String,
    /// The bucket.
    pub bucket: String,
    /// The lane that made it: the id of the shard that it read, `direct` or `replays`.
    pub lane: String,
    /// The order that it was delivered once more by, if it was.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub redelivery: Option<String>,
    /// The stream that was read.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub source: Option<String>,
    /// The sequence number of the first record that its delivery was about. Objects of one delivery
    /// share it: records are divided among them by partition, by size and by what became of them.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub first_sequence_number: Option<String>,
    /// That of the last one, as long as it is retained: it says when the record arrived.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub last_sequence_number: Option<String>,
    /// How many records of the log lie before the first.
    pub records_before: u64,
    /// How many records of the log its delivery was about. An aggregate is one of them.
    pub records: u64,
    /// When the oldest of them arrived, in milliseconds since 1970.
    pub oldest_ms: u64,
    /// The number of the delivery in its lane.
    pub delivery: u64,
    /// The number of the object among those of its kind in the delivery.
    pub part: u16,
    /// The version of the configuration.
    pub version_id: u64,
    /// The hash of the version of the plugin that they went through, if they went through one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub version: Option<String>,
}

impl Delivery {
    /// What an object of a delivery stream was made of.
    ///
    /// # Errors
    /// ResourceNotFoundException: there is no such delivery stream or object, or the object does
    /// not say, as those of builds before this one and those of other delivery streams.
    pub async fn lineage(
        &self,
        caller: &Caller,
        name: &str,
        object: &str,
    ) -> Result<Lineage, ApiError> {
        let running = self.find(caller, name);
        let running =
            running.ok_or_else(|| absent(format!("There is no such delivery stream {name}.")))?;
        let stream = running.stream();
        let backup = stream.destination.backup.as_deref();
        let backup = backup
            .and_then(|backup| backup.plan().ok())
            .map(|plan| plan.bucket);
        for bucket in [Some(stream.plan.bucket.clone()), backup]
            .into_iter()
            .flatten()
        {
            let found = match self.tools.objects.mark_of(&bucket, object).await {
                Ok(found) => found,
                // No object can have that name.
                Err(ObjectError::Impossible(_)) => None,
                Err(error) => {
                    let why = format!("The bucket does not say: {error}.");
                    return Err(ApiError::new(UNAVAILABLE, why).with_status(503));
                }
            };
            let made = found.and_then(|text| Made::read(&text, &self.tools.naming, object));
            let made = made.filter(|made| is_of(&running, made));
            if let Some(made) = made {
                let mut lineage = told(&running, (bucket.as_str(), object), &made);
                lineage.last_sequence_number = self.last_number(&running, &made).await;
                return Ok(lineage);
            }
        }
        Err(absent(format!(
            "There is no object {object:?} of this delivery stream that says what it was made of."
        )))
    }

    /// The sequence number of the last record, if it is retained.
    async fn last_number(&self, running: &Running, made: &Made) -> Option<String> {
        let (numbering, log) = (made.numbering?, log_of(running, made)?);
        let last = Position(made.to.0.checked_sub(1)?);
        let arrival = arrival_at(&*self.tools.engine, log, last).await.ok()??;
        Some(numbering.record(last, arrival).to_string())
    }
}

/// Whether an object is one of a delivery stream, or of what was ordered of it once more.
fn is_of(running: &Running, made: &Made) -> bool {
    let of = made.key.delivery_stream;
    running.stream().id == of || running.redeliveries.id_of(of).is_some()
}

/// The log that a lane reads or read, if it is there.
fn log_of(running: &Running, made: &Made) -> Option<LogId> {
    let place = (made.key.stream, made.key.shard);
    let logs = running.lane_logs().into_iter();
    let mut of_place = logs.filter(|(key, _)| (key.stream, key.shard) == place);
    of_place.next().map(|(_, log)| log)
}

/// When the record at a position arrived, if it can be read.
async fn arrival_at(
    engine: &dyn Engine,
    log: LogId,
    at: Position,
) -> Result<Option<Timestamp>, StoreError> {
    let read = engine.read(log, at, ONE_FRAME).await?;
    let frame = read.frames.first().filter(|frame| frame.position <= at);
    Ok(frame.map(|frame| frame.arrival))
}

fn told(running: &Running, (bucket, object): (&str, &str), made: &Made) -> Lineage {
    let stream = running.stream();
    let source = match &stream.origin {
        Origin::Stream { arn, .. } => made.numbering.map(|_| arn.to_string()),
        Origin::DirectPut { .. } => None,
    };
    let first = made.numbering.map(|it| it.record(made.from, made.oldest));
    let redelivery = running.redeliveries.id_of(made.key.delivery_stream);
    let own = LaneKey {
        delivery_stream: stream.id,
        ..made.key
    };
    Lineage {
        object: object.to_owned(),
        bucket: bucket.to_owned(),
        lane: own.lane_name(),
        redelivery,
        source,
        first_sequence_number: first.map(|number| number.to_string()),
        last_sequence_number: None,
        records_before: made.from.0,
        records: made.to.0.saturating_sub(made.from.0),
        oldest_ms: made.oldest.0,
        delivery: made.cut,
        part: made.part,
        version_id: made.version_id,
        version: made.version.map(|hash| hash.to_string()),
    }
}

fn absent(what: String) -> ApiError {
    ApiError::new("ResourceNotFoundException", what).with_status(404)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn made() -> Made {
        Made {
            key: LaneKey {
                delivery_stream: DeliveryStreamId(7),
                stream: 8,
                shard: 9,
            },
            numbering: Some(Numbering::new(ShardId(9), Second::new(10).unwrap())),
            cut: 11,
            part: 12,
            from: Position(13),
            to: Position(14),
            oldest: Timestamp(15),
            version_id: 16,
            version: Some(ContentHash([17; 32])),
        }
    }

    #[test]
    fn what_an_object_says_is_read_from_that_object_alone() {
        let naming = NamingKey([1; 32]);
        let direct = Made {
            numbering: None,
            version: None,
            ..made()
        };
        for made in [made(), direct] {
            let text = made.write(&naming, "a/key");
            assert_eq!(Made::read(&text, &naming, "a/key"), Some(made));
            assert_eq!(Made::read(&text, &naming, "another/key"), None);
            assert_eq!(Made::read(&text, &NamingKey([2; 32]), "a/key"), None);
            for wrong in [
                text.replacen('7', "8", 1),
                text[2..].to_owned(),
                text[..text.len() - 1].to_owned(),
                String::new(),
            ] {
                assert_eq!(Made::read(&wrong, &naming, "a/key"), None, "{wrong}");
            }
        }
    }
}
