//! A part of a cut that goes to its place as a whole.

use object_store::PutPayload;

use crate::counts::Counts;
use crate::partitioning::Values;

/// What the records of a piece are to whoever finds it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PieceKind {
    /// Delivered.
    Delivered,
    /// Failed before they came to the destination: no plugin could work on them, or an operator
    /// skipped them.
    Failed,
    /// Refused by the destination for good.
    Refused,
    /// All records as they came in, beside those that are delivered.
    Backup,
}

impl PieceKind {
    /// What tells names of this kind from those of others. Names were given by it: it never
    /// changes.
    pub fn code(self) -> u8 {
        match self {
            Self::Delivered => 0,
            Self::Failed => 1,
            Self::Refused => 2,
            Self::Backup => 3,
        }
    }
}

/// A part of a cut that goes to its place as a whole: what one object holds, or one request.
#[derive(Clone, Debug)]
pub struct Piece {
    /// Its number among the cut's pieces of its kind, or of its partition.
    pub part: u16,
    /// What its records are.
    pub kind: PieceKind,
    /// What is handed over.
    pub content: PutPayload,
    /// The records of which it holds all that no piece before it does, and their bytes.
    pub holds: Counts,
    /// The partition that its records are of, if they are of one.
    pub partition: Option<Values>,
    /// Of which record of the request each of its parts is, from 0, where the destination answers
    /// for each.
    pub records: Vec<u16>,
}

impl Piece {
    /// A piece that is an object, or a request that is answered as a whole.
    pub fn new(part: u16, kind: PieceKind, content: PutPayload, holds: Counts) -> Self {
        Self {
            part,
            kind,
            content,
            holds,
            partition: None,
            records: Vec::new(),
        }
    }
}
