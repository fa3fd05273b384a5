//! Where a log is read on: `after=N` and `run=ID` in the query of its page.

use types::LogFrom;
use wire::{ApiError, form};

/// Entries of a log that one answer has; more are there for the next request.
pub(super) const ENTRIES_MAX: usize = 200;

/// Where it is read on; from its beginning, if nothing is said.
///
/// # Errors
/// InvalidArgumentException: `after` is no number.
pub(super) fn from(query: &str) -> Result<LogFrom, ApiError> {
    let after = match form::parameter(query, "after") {
        None => 0,
        Some(after) => after
            .parse()
            .map_err(|_| invalid("The parameter after is the number of a line."))?,
    };
    let run = form::parameter(query, "run");
    Ok(LogFrom {
        after,
        run: run.map(Into::into),
    })
}

pub(super) fn invalid(what: &str) -> ApiError {
    ApiError::new("InvalidArgumentException", what.to_owned())
}
