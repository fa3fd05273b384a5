//! Operations of version 2 that are about applications of Flink alone: networks, dashboards,
//! snapshots apart from applications, windows for maintenance. Each is refused by name.

use wire::{Answer, ApiError, Call, Target};

use super::error;
use crate::Analytics;

/// Refuses an operation.
///
/// # Errors
/// UnsupportedOperationException; AccessDeniedException: who asks may not even do that.
pub fn refuse(_: &Analytics, call: &Call, operation: &str) -> Result<Answer, ApiError> {
    call.caller.permit(&Target::account(call.caller.account))?;
    Err(error::unsupported(format!(
        "{operation} is not supported for applications of SQL."
    )))
}
