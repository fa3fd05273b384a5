//! What a write gives back: the five values of `ReturnValues`.

use serde::Serialize;
use wire::ApiError;
use wire::members::Text;

use super::error;
use crate::change::Changed;
use crate::expression::path::Path;
use crate::expression::projection::Projection;
use crate::value::Item;

/// What a client wants back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wanted {
    /// Nothing.
    Nothing,
    /// The item before.
    AllOld,
    /// The item after.
    AllNew,
    /// What was changed, before.
    UpdatedOld,
    /// What was changed, after.
    UpdatedNew,
}

impl Wanted {
    /// Of the member, which was checked to be one of the five.
    pub fn of(member: &Option<Text<'_>>) -> Self {
        match member.as_ref().map(Text::as_str) {
            Some("ALL_OLD") => Self::AllOld,
            Some("ALL_NEW") => Self::AllNew,
            Some("UPDATED_OLD") => Self::UpdatedOld,
            Some("UPDATED_NEW") => Self::UpdatedNew,
            _ => Self::Nothing,
        }
    }

    /// Refuses what only an update gives.
    ///
    /// # Errors
    /// The client wants more than the item before.
    pub fn only_old(self) -> Result<Self, ApiError> {
        match self {
            Self::Nothing | Self::AllOld => Ok(self),
            _ => Err(error::invalid("Return values set to invalid value")),
        }
    }

    /// What of a change is given back.
    pub fn of_change(self, changed: Changed, paths: &[Path]) -> Option<Item> {
        let part = |item: Option<Item>| {
            let part = Projection::of(paths).of_item(&item?);
            (!part.is_empty()).then_some(part)
        };
        match self {
            Self::Nothing => None,
            Self::AllOld => changed.before,
            Self::AllNew => changed.after,
            Self::UpdatedOld => part(changed.before),
            Self::UpdatedNew => part(changed.after),
        }
    }
}

/// The answer of a write.
#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct Written {
    /// What is given back.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub attributes: Option<Item>,
}
