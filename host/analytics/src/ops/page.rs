//! Lists that are given page by page, from a token on that the page before ended with.

use wire::ApiError;
use wire::members::{Integer, Text};

use super::error;
use super::shapes::number;

/// Members of a page that says no limit (model, the limits of all lists).
pub const COUNT: usize = 50;

/// The members of a page.
pub fn limit(said: Option<Integer>) -> Result<usize, ApiError> {
    said.map_or(Ok(COUNT), number)
}

/// The number that a token of ours is; `None`: the first page is wanted.
pub fn token(said: &Option<Text<'_>>) -> Result<Option<u64>, ApiError> {
    let parsed = said.as_ref().map(|text| text.parse::<u64>());
    let parsed = parsed.transpose();
    parsed.map_err(|_| error::invalid_argument("NextToken is not one that was given."))
}
