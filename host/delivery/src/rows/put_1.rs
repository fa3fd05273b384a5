//! What is known to be there of a cut, in the layouts of lanes' rows before the fourth, which know
//! no requests.

use bincode::Decode;

use crate::counts::Counts;
use crate::open_cut::Put;

#[derive(Decode)]
pub(super) struct FirstPut {
    objects: u32,
    holds: Counts,
}

impl FirstPut {
    /// The same in the layout that is written.
    pub(super) fn in_force(self) -> Put {
        Put::of_objects(self.objects, self.holds)
    }
}
