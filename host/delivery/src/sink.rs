//! A destination is a sink for one cut.
//!
//! ```text
//! begin     the cut is decided, and with it all that its pieces follow from
//! write     its records, in the order of the log, become pieces: `packing`, pure
//!           the cut is kept before its first piece leaves
//! hand      each piece goes to its place, one after the other, and is answered:
//!             delivered   all of its records are there
//!             again       the same piece is handed over later, by the same name
//!             undecided   something else has its name: an operator decides
//! finish    what became of all records, and the lane's position, are durable together
//! ```
//!
//! A piece is named by its lane, its cut and its number among the pieces of its kind (see
//! [`crate::object_name::Place`]), so that it has the same name in every try and after a restart.
//! Which pieces there are, in which order, and what they hold is a function of the cut, the log and
//! what is settled: so the first so many that are known to be there stay the first so many.

mod bucket;

pub use bucket::Bucket;

/// What a place says to a piece that was handed over.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Answer {
    /// All of its records are there, under this name.
    Delivered(String),
    /// Not now. The same piece may be taken later.
    Again {
        /// What happened, to which piece.
        why: String,
        /// Whether it is certain that nothing of the piece is there.
        is_refused: bool,
    },
    /// Something else has its name. An operator decides; this says about what.
    Undecided(String),
}
