//! Whether objects can have the names that a destination gives them: asked when it is configured,
//! so that no record ever waits for a name that cannot be.

use types::limits::OBJECT_KEY_BYTES_MAX;
use types::{Invalid, Timestamp};
use wire::ApiError;

use super::error::invalid_argument;
use crate::Delivery;
use crate::arn::DeliveryStreamName;
use crate::delivery_stream::{Destination, Plan};
use crate::object_name::{Label, Place};
use crate::piece::PieceKind;
use crate::prefix::Prefix;
use crate::sink::manifests_of;
use crate::zone::{Local, Zone};

/// Wednesday, 2026-09-30 22:30:30.999: every field of a time is as long as it can be.
const LONGEST: Timestamp = Timestamp(1_790_807_430_999);
/// Milliseconds until the clocks of all zones with a summer's time stand otherwise: a quarter.
const OTHER_CLOCKS_MS: u64 = 92 * 24 * 60 * 60 * 1_000;

/// Refuses a destination whose objects could not be put for their names' sake.
///
/// # Errors
/// InvalidArgumentException, with the name's length and the limit.
pub async fn check(
    delivery: &Delivery,
    stream: &DeliveryStreamName,
    destination: &Destination,
) -> Result<(), ApiError> {
    if let Some(backup) = destination.backup.as_deref() {
        check_place(delivery, stream, (backup, "The backup's ")).await?;
    }
    check_place(delivery, stream, (destination, "")).await
}

/// Refuses one place that objects go to. What is said of it names it so.
async fn check_place(
    delivery: &Delivery,
    stream: &DeliveryStreamName,
    (destination, whose): (&Destination, &str),
) -> Result<(), ApiError> {
    let wrong = |Invalid(why)| invalid_argument(format!("{whose}{why}."));
    let plan = destination.plan().map_err(wrong)?;
    let Plan {
        bucket,
        prefixes,
        zone,
        ..
    } = &plan;
    let refused = destination.refused_under();
    let refused = refused.map(|what| prefixes.failed.filed_under(what));
    let mut named = vec![
        ("Prefix", &prefixes.delivered, destination.extension()),
        ("ErrorOutputPrefix", &prefixes.failed, ""),
    ];
    if let Some(refused) = &refused {
        named.push(("ErrorOutputPrefix", refused, ""));
    }
    let manifests = manifests_of(destination, prefixes);
    if let Some(manifests) = &manifests {
        named.push(("Prefix", manifests, ""));
    }
    for (member, prefix, extension) in named {
        let mut keys = Vec::new();
        for local in moments(zone, delivery.now()).map_err(wrong)? {
            keys.push(key(delivery, prefix, (stream, extension), local));
        }
        let bytes = keys
            .iter()
            .fold(0, |longest, key: &String| longest.max(key.len()));
        if bytes > OBJECT_KEY_BYTES_MAX {
            return Err(invalid_argument(format!(
                "{whose}{member} is too long: with the name of an object it has up to {bytes} \
                 bytes, and the key of an object can have {OBJECT_KEY_BYTES_MAX}."
            )));
        }
        for key in keys {
            let can_hold = delivery.tools.objects.can_hold(bucket, &key).await;
            can_hold
                .map_err(|Invalid(why)| invalid_argument(format!("{whose}{member}: {why}.")))?;
        }
    }
    Ok(())
}

/// Now, and what the zone's clocks show when its names are longest, in winter and in summer.
fn moments(zone: &Zone, now: Timestamp) -> Result<Vec<Local>, Invalid> {
    let mut moments = vec![zone.local(now, zone.clocks_at(now))?];
    for at in [LONGEST, Timestamp(LONGEST.0 + OTHER_CLOCKS_MS)] {
        let clocks = zone.clocks_at(at);
        let shown = LONGEST.0.checked_add_signed(-clocks.east_ms());
        let shown = shown.ok_or_else(|| Invalid("a zone is ahead of all time".to_owned()))?;
        // A name of the zone is in the texts whether or not it was in use in that year.
        for clocks in clocks.by_either_name() {
            moments.push(zone.local(Timestamp(shown), clocks)?);
        }
    }
    Ok(moments)
}

/// The longest key of an object whose oldest record arrived then.
fn key(
    delivery: &Delivery,
    prefix: &Prefix,
    (stream, extension): (&DeliveryStreamName, &str),
    local: Local,
) -> String {
    let place = Place {
        delivery_stream: 0,
        lane: (0, 0),
        cut: 0,
        part: 0,
        kind: PieceKind::Delivered,
    };
    let label = Label {
        stream: stream.as_str(),
        version: u64::MAX,
        local,
        extension,
        values: &prefix.any_values(),
    };
    delivery.tools.naming.object_key(prefix, place, label)
}
