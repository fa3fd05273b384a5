//! What inputs and outputs are made of, the same in every codec.
//!
//! An input is a struct whose members are all optional (absent and null are the same) and of the
//! types of this module, so that text and blobs borrow from the body; members that it does not
//! name are ignored. What may be in them is said once, in its [`Shape`](crate::shape::Shape):
//!
//! ```ignore
//! #[derive(serde::Deserialize)]
//! #[serde(rename_all = "PascalCase")]
//! struct Input<'a> {
//!     #[serde(borrow)]
//!     stream_name: Option<Text<'a>>,
//!     #[serde(borrow)]
//!     records: Option<List<Structure<Entry<'a>>>>,
//! }
//!
//! impl Shape for Input<'_> {
//!     fn check(&self, check: &mut Check) {
//!         check.required("Records", &self.records, RECORDS);
//!         check.required("StreamName", &self.stream_name, STREAM_NAME);
//!     }
//! }
//! ```
//!
//! An output is a struct that serde can write. It skips absent members
//! (`#[serde(skip_serializing_if = "Option::is_none")]`), as clients do not expect a null, and a
//! moment in it is a [`Time`], which each codec writes in its own way.

mod blob;
mod collections;
mod double;
mod scalars;

use serde::Serialize;

pub use blob::Blob;
pub use collections::{LIST_MEMBERS_KEPT, List, MAP_ENTRIES_KEPT, Map, Structure};
pub use double::Double;
pub(crate) use scalars::TIME;
pub use scalars::{Boolean, Integer, Text, Time};

/// An output without members, where AWS answers `{}` and not an empty body.
#[derive(Debug, Serialize)]
pub struct NoMembers {}
