//! Which keys are those of objects of failed records of a delivery stream. Objects of other
//! delivery streams may lie below the same prefix, and those of other accounts in the same bucket.

use crate::Delivery;
use crate::object_name::{self, Place};
use crate::prefix::Prefix;
use crate::running::Running;

/// What compressed objects of failed records end in. None are made here, but some may have been
/// packed by their owner.
const PACKED: &str = ".gz";
/// Characters of a UUID, and of the time before it.
const UUID_CHARS: usize = 36;
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

/// Whether an object of that key is one of failed records of this delivery stream. Where another
/// one of its name puts into the same bucket, only those are that a lane of it names so.
pub fn is_of(delivery: &Delivery, running: &Running, key: &str) -> bool {
    let stream = running.stream();
    let prefix = &stream.plan.prefixes.failed;
    let Some(uuid) = uuid_in(key, prefix, stream.arn.name.as_str()) else {
        return false;
    };
    let others = delivery.directory.all();
    let has_double = others.iter().any(|other| {
        let other = other.stream();
        other.id != stream.id
            && other.arn.name == stream.arn.name
            && other.plan.bucket == stream.plan.bucket
    });
    if !has_double {
        return true;
    }
    let Some((cut, part)) = object_name::place_in(uuid) else {
        return false;
    };
    let lanes = running.known_lanes().into_iter();
    lanes.map(|(lane, _, _)| lane).any(|lane| {
        let place = Place {
            delivery_stream: stream.id.0,
            lane: (lane.stream, lane.shard),
            cut,
            part,
            is_failed: true,
        };
        delivery.tools.naming.uuid(place) == uuid
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::prefix::Prefixes;

    #[test]
    fn the_keys_of_a_delivery_stream_are_told_from_all_others() {
        let prefix = |text| Prefixes::parse(Some("ok/"), text).unwrap().failed;
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
