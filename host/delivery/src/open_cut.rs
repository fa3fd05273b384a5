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
    Skip(Skip),
}

/// What the objects of a skipped cut follow from, besides the cut: kept with it, so that they are
/// the same whenever it is done again.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub struct Skip {
    /// Why its records were not delivered.
    why: String,
    /// Bytes of an object at which another begins.
    pub object_bytes_max: u64,
}

/// Characters of the reason that stands in the line of every skipped record. Of a longer one the
/// middle is left out: it begins with the object's name and ends with what the store said.
pub const WHY_CHARS_MAX: usize = 400;
/// Characters that are kept of the beginning of a longer one.
const WHY_BEGINNING_CHARS: usize = 120;
const LEFT_OUT: &str = " ... ";

impl Skip {
    /// Records that were not delivered for this reason become objects of so many bytes.
    pub fn new(why: &str, object_bytes_max: u64) -> Self {
        let count = why.chars().count();
        let why = if count <= WHY_CHARS_MAX {
            why.to_owned()
        } else {
            let end = WHY_CHARS_MAX - WHY_BEGINNING_CHARS - LEFT_OUT.len();
            let beginning = why.chars().take(WHY_BEGINNING_CHARS);
            let end = why.chars().skip(count - end);
            beginning.chain(LEFT_OUT.chars()).chain(end).collect()
        };
        Self {
            why,
            object_bytes_max,
        }
    }

    /// Why its records were not delivered.
    pub fn why(&self) -> &str {
        &self.why
    }
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

    /// Whether an operator had it skipped.
    pub fn is_skipped(&self) -> bool {
        matches!(self.way, Way::Skip(_))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_reason_in_every_line_is_bounded_and_keeps_its_beginning_and_its_end() {
        let short = "the endpoint answered 503 SlowDown".to_owned();
        let whole = "\u{65e5}".repeat(WHY_CHARS_MAX);
        for why in ["", &short, &whole] {
            assert_eq!(Skip::new(why, 1).why(), why);
        }
        let long = format!("put {} into logs: {short}", "\u{65e5}/".repeat(500));
        let kept = Skip::new(&long, 1);
        assert_eq!(kept.why().chars().count(), WHY_CHARS_MAX);
        assert!(kept.why().starts_with("put \u{65e5}/"), "{}", kept.why());
        assert!(kept.why().ends_with(&short), "{}", kept.why());
    }
}
