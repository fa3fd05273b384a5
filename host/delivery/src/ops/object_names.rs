//! Whether objects can have the names that a destination gives them: asked when it is configured,
//! so that no record ever waits for a name that cannot be.

use chrono::{DateTime, Utc};
use types::limits::OBJECT_KEY_BYTES_MAX;
use types::{Invalid, Timestamp};
use wire::ApiError;

use super::error::invalid_argument;
use crate::Delivery;
use crate::arn::DeliveryStreamName;
use crate::delivery_stream::{Destination, Plan};
use crate::object_name::{Label, Place};
use crate::piece::PieceKind;
use crate::prefix::{self, Prefix};

/// Wednesday, 2026-09-30 22:30:30.999: every field of a time is as long as it can be.
const LONGEST: Timestamp = Timestamp(1_790_807_430_999);

/// Refuses a destination whose objects could not be put for their names' sake.
///
/// # Errors
/// InvalidArgumentException, with the name's length and the limit.
pub async fn check(
    delivery: &Delivery,
    stream: &DeliveryStreamName,
    destination: &Destination,
) -> Result<(), ApiError> {
    let refused = |Invalid(why)| invalid_argument(format!("{why}."));
    let plan = destination.plan().map_err(refused)?;
    let Plan {
        bucket, prefixes, ..
    } = &plan;
    for (member, prefix, extension) in [
        ("Prefix", &prefixes.delivered, destination.extension()),
        ("ErrorOutputPrefix", &prefixes.failed, ""),
    ] {
        let key = |at| {
            let oldest = prefix::date_of(at).map_err(refused)?;
            Ok::<_, ApiError>(key(delivery, prefix, (stream, extension), oldest))
        };
        let longest = key(LONGEST)?;
        let bytes = longest.len();
        if bytes > OBJECT_KEY_BYTES_MAX {
            return Err(invalid_argument(format!(
                "{member} is too long: with the name of an object it has up to {bytes} bytes, and \
                 the key of an object can have {OBJECT_KEY_BYTES_MAX}."
            )));
        }
        for key in [longest, key(delivery.now())?] {
            let can_hold = delivery.tools.objects.can_hold(bucket, &key).await;
            can_hold.map_err(|Invalid(why)| invalid_argument(format!("{member}: {why}.")))?;
        }
    }
    Ok(())
}

/// The longest key of an object whose oldest record arrived then.
fn key(
    delivery: &Delivery,
    prefix: &Prefix,
    (stream, extension): (&DeliveryStreamName, &str),
    oldest: DateTime<Utc>,
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
        oldest,
        extension,
    };
    delivery.tools.naming.object_key(prefix, place, label)
}
