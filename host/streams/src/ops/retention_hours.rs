//! The range of a retention period. The model leaves it to the operations.

use types::limits::{RETENTION_HOURS_MAX, RETENTION_HOURS_MIN};
use wire::ApiError;
use wire::members::Integer;

use super::error::invalid_argument;
use super::required;

/// 24 to 8,760 hours.
pub fn parse(hours: &Option<Integer>) -> Result<u32, ApiError> {
    let Integer(hours) = *required("RetentionPeriodHours", hours)?;
    match u32::try_from(hours) {
        Ok(hours) if (RETENTION_HOURS_MIN..=RETENTION_HOURS_MAX).contains(&hours) => Ok(hours),
        Ok(hours) if hours > RETENTION_HOURS_MAX => Err(invalid_argument(format!(
            "Maximum allowed retention period is {RETENTION_HOURS_MAX} hours. Requested retention \
             period ({hours} hours) is too long."
        ))),
        _ => Err(invalid_argument(format!(
            "Minimum allowed retention period is {RETENTION_HOURS_MIN} hours. Requested retention \
             period ({hours} hours) is too short."
        ))),
    }
}
