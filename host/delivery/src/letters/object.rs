//! Which keys are those of objects of failed records of a delivery stream. Objects of other
//! delivery streams may lie below the same prefix, and those of other accounts in the same bucket.

use std::collections::BTreeMap;

use crate::Delivery;
use crate::delivery_stream::{DeliveryStream, Origin};
use crate::object_name::{self, Place};
use crate::piece::PieceKind;
use crate::prefix::Prefix;
use crate::running::Running;
use crate::tables::LaneKey;

/// What compressed objects of failed records end in. None are made here, but some may have been
/// packed by their owner.
pub const PACKED: &str = ".gz";
/// Characters of a UUID, and of the time before it.
const UUID_CHARS: usize = 36;
/// Shards that are over whose objects are known, of each stream: the newest of them. What older
/// ones failed is not listed.
const SHARDS_MAX: u32 = 1_000;
const TIME: &str = "dddd-dd-dd-dd-dd-dd";

/// The UUID of a key that objects of failed records of this name below this prefix may have:
/// `<prefix><name>-<version>-yyyy-MM-dd-HH-mm-ss-<uuid>`.
pub fn uuid_in<'a>(key: &'a str, prefix: &Prefix, name: &str) -> Option<&'a str> {
    let stem = key.strip_suffix(PACKED).unwrap_or(key);
    let (rest, uuid) = stem.split_at_checked(stem.len().checked_sub(UUID_CHARS)?)?;
    let rest = rest.strip_suffix('-')?;
    let (rest, time) = rest.split_at_checked(rest.len().checked_sub(TIME.len())?)?;
    let is_time = time
        .bytes()
        .zip(TIME.bytes())
        .all(|(is, wanted)| match wanted {
            b'd' => is.is_ascii_digit(),
            sign => is == sign,
        });
    let rest = rest.strip_suffix('-')?;
    let (rest, version) = rest.rsplit_once('-')?;
    let is_version = !version.is_empty() && version.bytes().all(|it| it.is_ascii_digit());
    let before = rest.strip_suffix(name)?;
    let is_below = before.starts_with(&prefix.first_text()) && before.ends_with(prefix.last_text());
    (is_time && is_version && is_below).then_some(uuid)
}

/// What keys of objects of failed records of a delivery stream begin with, in order: a key of one
/// is none of another.
pub fn first_texts(stream: &DeliveryStream) -> Vec<String> {
    let failed = &stream.plan.prefixes.failed;
    let mut texts = vec![failed.first_text()];
    if let Some(what) = stream.destination.refused_lines_under() {
        texts.push(failed.filed_under(what).first_text());
    }
    apart(texts)
}

/// The texts in order, without those that begin with another of them.
fn apart(mut texts: Vec<String>) -> Vec<String> {
    texts.sort();
    // One that others begin with comes right before these.
    texts.dedup_by(|text, before| text.starts_with(before.as_str()));
    texts
}

/// Whether an object of that key is one of failed records of this delivery stream: one that a lane
/// of it names so, or that one named so whose shard is over. Whoever puts into the bucket can give
/// an object any other part of the name, and so can a prefix.
pub fn is_of(delivery: &Delivery, running: &Running, key: &str) -> bool {
    let stream = running.stream();
    let failed = &stream.plan.prefixes.failed;
    let refused = stream.destination.refused_lines_under();
    let refused = refused.map(|what| failed.filed_under(what));
    let refused = refused.as_ref().map(|prefix| (PieceKind::Refused, prefix));
    let mut kinds = [Some((PieceKind::Failed, failed)), refused]
        .into_iter()
        .flatten();
    kinds.any(|(kind, prefix)| {
        let uuid = uuid_in(key, prefix, stream.arn.name.as_str());
        uuid.is_some_and(|uuid| is_named_so(delivery, running, (kind, uuid)))
    })
}

/// Whether an object of a kind with this UUID is one of this delivery stream.
fn is_named_so(delivery: &Delivery, running: &Running, (kind, uuid): (PieceKind, &str)) -> bool {
    let stream = running.stream();
    let Some((cut, part)) = object_name::place_in(uuid) else {
        return false;
    };
    let is_named_by = |lane: (u64, u32)| {
        let place = Place {
            delivery_stream: stream.id.0,
            lane,
            cut,
            part,
            kind,
        };
        delivery.tools.naming.uuid(place) == uuid
    };
    let (lanes, newest) = lanes_of(delivery, running);
    // The rows of lanes of shards that are over are folded into one.
    lanes.into_iter().any(is_named_by)
        || newest.into_iter().any(|(stream, newest)| {
            let shards = newest.saturating_sub(SHARDS_MAX)..newest;
            shards.rev().any(|shard| is_named_by((stream, shard)))
        })
}

/// The lanes of a delivery stream that are there, and the newest shard of each stream that it has
/// read as far as that is known.
fn lanes_of(delivery: &Delivery, running: &Running) -> (Vec<(u64, u32)>, BTreeMap<u64, u32>) {
    let (mut lanes, mut newest) = (Vec::new(), BTreeMap::new());
    for own in [LaneKey::NO_STREAM, LaneKey::REPLAYS] {
        lanes.push((own, 0));
    }
    let mut reads = |stream: u64, shard: u32| {
        lanes.push((stream, shard));
        let known: &mut u32 = newest.entry(stream).or_default();
        *known = shard.max(*known);
    };
    for (lane, _, _) in running.known_lanes() {
        if !lane.owns_log() {
            reads(lane.stream, lane.shard);
        }
    }
    if let Origin::Stream { arn, .. } = &running.stream().origin
        && let Some(source) = delivery.streams.source(arn)
    {
        for shard in source.shards {
            reads(source.id.0, shard.id.0);
        }
    }
    (lanes, newest)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::prefix::Prefixes;

    #[test]
    fn what_keys_begin_with_is_in_order_and_none_is_part_of_another() {
        let apart = |texts: &[&str]| apart(texts.iter().map(|it| (*it).to_owned()).collect());
        assert_eq!(apart(&["p/", "h/"]), ["h/", "p/"]);
        assert_eq!(apart(&["bad/x", "bad/"]), ["bad/"]);
        assert_eq!(apart(&["", "h/"]), [""]);
        assert_eq!(apart(&["bad/", "bad/"]), ["bad/"]);
    }

    #[test]
    fn the_keys_of_a_delivery_stream_are_told_from_all_others() {
        let prefix = |text| Prefixes::parse(Some("ok/"), text, false).unwrap().failed;
        let uuid = "00000000-0004-8005-9000-000000000000";
        let end = format!("clicks-1-2023-11-14-22-13-20-{uuid}");
        let hour = "ok/processing-failed/2023/11/14/22/";
        let is = |key: String, prefix: &Prefix| uuid_in(&key, prefix, "clicks") == Some(uuid);
        let usual = prefix(None);
        assert!(is(format!("{hour}{end}"), &usual));
        assert!(is(format!("{hour}{end}.gz"), &usual));
        for other in [
            format!("{hour}my-{end}"),
            format!("ok/2023/11/14/22/{end}"),
            format!("{hour}{end}x"),
            format!("{hour}clicks-x-2023-11-14-22-13-20-{uuid}"),
            format!("{hour}clicks-1-2023-11-14-22-13-2x-{uuid}"),
            format!("{hour}visits-1-2023-11-14-22-13-20-{uuid}"),
            uuid.to_owned(),
            "é".repeat(19),
            String::new(),
        ] {
            assert!(!is(other.clone(), &usual), "{other}");
        }
        let open = prefix(Some("bad-!{firehose:error-output-type}-"));
        assert!(is(format!("bad-processing-failed-{end}"), &open));
        assert!(!is(format!("bad-processing-failed_{end}"), &open));
        let plain = prefix(Some("bad/"));
        assert!(is(format!("bad/processing-failed/{end}"), &plain));
    }
}
