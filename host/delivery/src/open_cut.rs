//! A cut that was decided, with how it is delivered.

use bincode::{Decode, Encode};
use store::Position;
use types::Invalid;

use crate::answers::Answers;
use crate::counts::{Counts, VersionCounts};
use crate::cut::Cut;
use crate::delivery_stream::Destination;
use crate::zone::{Clocks, Zone};

/// A cut on its way. It is kept before a byte of it leaves; until then it can be forgotten, and
/// what it was about is decided anew.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OpenCut {
    /// The decision.
    pub cut: Cut,
    /// The destination of its time, so that its objects have the same names when it is done again.
    pub destination: Destination,
    /// How the clocks of its time zone stood when the oldest record arrived, as the rules of zones
    /// were known when it was decided: the names say it, also if those are others now.
    pub clocks: Clocks,
    /// What its records become.
    pub way: Way,
    /// Objects of it that may exist: so many were handed over to be put, over all tries.
    pub objects: u32,
    /// Those of them that are known to be there.
    pub put: Put,
    /// Objects of its records that have the numbers of earlier cuts.
    pub before: Before,
    /// What the destination has said of its pieces.
    pub answers: Answers,
}

/// What was put of records before they became a cut of this number.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Encode, Decode)]
pub struct Before {
    /// Objects that may exist.
    pub objects: u32,
    /// What is known to be in them.
    pub holds: Counts,
}

/// Records that an operator moved, until they are done: from where the lane stands on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Moved {
    /// Where the cut ended that they were.
    pub to: Position,
    /// How many they are beyond what the log counts, as [`Cut::extra`] says.
    pub extra: u64,
    /// What was put of them.
    pub before: Before,
}

impl Moved {
    /// What was put of the records of a cut that ends here. Of one that ends earlier that is not
    /// known.
    pub fn of_cut(&self, to: Position) -> Before {
        if self.to <= to {
            self.before
        } else {
            Before::default()
        }
    }

    /// What becomes of the records, the first of which is at a position, when they are given up.
    ///
    /// # Errors
    /// When more is in objects than there are records.
    pub fn given_up(&self, from: Position) -> Result<Counts, Invalid> {
        given_up(self.before.holds, (from, self.to), self.extra)
    }
}

/// What is known to be in objects stays there, and the rest of what lies between two positions is
/// lost: so many records more than the log counts.
fn given_up(held: Counts, (from, to): (Position, Position), extra: u64) -> Result<Counts, Invalid> {
    let all = to.0.checked_sub(from.0).map(|places| places + extra);
    let lost = all.and_then(|all| all.checked_sub(held.records_in));
    let lost = lost.ok_or_else(|| {
        let count = held.records_in;
        Invalid(format!(
            "{count} records of a cut from {from} to {to} are in objects"
        ))
    })?;
    Ok(Counts { lost, ..held })
}

/// The objects of a cut that are known to be there. Objects are put one after the other, the same
/// ones in each try, so that these are the first that were handed over.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Encode, Decode)]
pub struct Put {
    objects: u32,
    holds: Counts,
    /// The last request that an endpoint has taken: all before it are taken, or refused for good.
    request: Option<u16>,
}

impl Put {
    /// So many objects that hold this.
    pub fn of_objects(objects: u32, holds: Counts) -> Self {
        Self {
            objects,
            holds,
            request: None,
        }
    }

    /// These and the object that comes next.
    pub fn and(self, holds: Counts) -> Self {
        Self {
            objects: self.objects + 1,
            holds: self.holds.and(holds),
            ..self
        }
    }

    /// These and so much of the object that comes next.
    pub fn and_in_part(self, holds: Counts) -> Self {
        Self {
            holds: self.holds.and(holds),
            ..self
        }
    }

    /// These, of which the last is the request of this number.
    pub fn with_request(self, part: u16) -> Self {
        Self {
            request: self.request.max(Some(part)),
            ..self
        }
    }

    /// Whether an endpoint is known to have taken a request, or to refuse it for good.
    pub fn has_request(&self, part: u16) -> bool {
        self.request >= Some(part)
    }

    /// All that are known by one of two tries.
    pub fn or(self, other: Self) -> Self {
        let furthest = if other.objects > self.objects {
            other
        } else {
            self
        };
        Self {
            request: self.request.max(other.request),
            ..furthest
        }
    }
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
    /// A cut of which nothing has left, for a destination in this time zone.
    pub fn decided(cut: Cut, destination: Destination, zone: &Zone) -> Self {
        Self {
            clocks: zone.clocks_at(cut.oldest),
            cut,
            destination,
            way: Way::Deliver,
            objects: 0,
            put: Put::default(),
            before: Before::default(),
            answers: Answers::default(),
        }
    }

    /// Objects of its records that may exist, also those of earlier cuts.
    pub fn objects_that_may_exist(&self) -> u32 {
        self.objects.saturating_add(self.before.objects)
    }

    /// What was put of its records, for the cut that they become next.
    pub fn as_before(&self) -> Before {
        Before {
            objects: self.objects_that_may_exist(),
            holds: self.in_objects(),
        }
    }

    /// Whether an operator had it skipped.
    pub fn is_skipped(&self) -> bool {
        matches!(self.way, Way::Skip(_))
    }

    /// What is known to be in objects of its records. Which records two ways of putting them have
    /// in common is not known, so that only the one that got further counts.
    pub fn in_objects(&self) -> Counts {
        let (put, before) = (self.put.holds, self.before.holds);
        if before.records_in > put.records_in {
            before
        } else {
            put
        }
    }

    /// What becomes of its records, and of those from a position on that lie before it, when
    /// nothing more of it is put: what is known to be in objects stays there, and the rest is lost.
    ///
    /// # Errors
    /// When more is in objects than there are records.
    pub fn given_up(&self, from: Position) -> Result<Counts, Invalid> {
        given_up(self.in_objects(), (from, self.cut.to), self.cut.extra())
    }

    /// What is left of it when what lies before a position is given up, under a number of its own;
    /// `None` if that is nothing. Which of its records are in objects is not known then: they
    /// become what the rest becomes. Nor is it known which aggregates lay before: all count as
    /// part of the rest, until it is worked on.
    pub fn rest_from(&self, position: Position) -> Option<Self> {
        let left = self.cut.to.0.checked_sub(position.0)?;
        let number = self.cut.number + 1;
        (left > 0).then(|| Self {
            cut: Cut {
                number,
                from: position,
                records: left + self.cut.extra(),
                ..self.cut.clone()
            },
            destination: self.destination.clone(),
            clocks: self.clocks,
            way: self.way.clone(),
            objects: 0,
            put: Put::default(),
            before: Before::default(),
            answers: Answers::default(),
        })
    }

    /// What the version did that it went through, if it went through one. The author's word for it
    /// is empty where it was not loaded.
    pub fn by_version(&self, counts: Counts, label: String) -> Option<VersionCounts> {
        let (pins, transform) = (self.cut.plugin?, self.destination.transform.as_ref()?);
        Some(VersionCounts {
            plugin: transform.plugin.clone(),
            hash: pins.hash.to_string(),
            label,
            counts,
        })
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
