//! A cut that was decided, with how it is delivered.

use bincode::{Decode, Encode};

use crate::cut::Cut;
use crate::delivery_stream::Destination;

/// A cut on its way. It is kept before a byte of it leaves; until then it can be forgotten, and
/// what it was about is decided anew.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OpenCut {
    /// The decision.
    pub cut: Cut,
    /// The destination of its time, so that its objects have the same names when it is done again.
    pub destination: Destination,
    /// What its records become.
    pub way: Way,
    /// Objects of it that may exist: so many were handed over to be put, over all tries.
    pub objects: u32,
}

/// What the records of a cut become.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub enum Way {
    /// What the configuration makes of them.
    Deliver,
    /// Failed records, since an operator said so.
    Skip {
        /// Why they were not delivered.
        why: String,
    },
}

impl OpenCut {
    /// A cut of which nothing has left.
    pub fn decided(cut: Cut, destination: Destination) -> Self {
        Self {
            cut,
            destination,
            way: Way::Deliver,
            objects: 0,
        }
    }
}
