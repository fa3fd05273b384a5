//! What becomes of an item. Everything an update reads, it reads from the item as it was before.

mod apply;
mod parse;

use super::path::Path;
use crate::value::Value;

pub use parse::parse;

/// The changes of one request. No path is within another.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Update {
    /// What is set.
    pub set: Vec<(Path, Source)>,
    /// What is removed.
    pub remove: Vec<Path>,
    /// What is added to numbers and to sets.
    pub add: Vec<(Path, Value)>,
    /// What is taken out of sets.
    pub delete: Vec<(Path, Value)>,
}

/// What something is set to.
#[derive(Clone, Debug, PartialEq)]
pub enum Source {
    /// A value of the request.
    Value(Value),
    /// What is there.
    Path(Path),
    /// What is there, or else this.
    IfNotExists(Path, Box<Source>),
    /// Two lists, one after the other.
    ListAppend(Box<Source>, Box<Source>),
    /// A sum.
    Plus(Box<Source>, Box<Source>),
    /// A difference.
    Minus(Box<Source>, Box<Source>),
}

impl Update {
    /// All paths that it changes.
    pub fn paths(&self) -> Vec<Path> {
        let set = self.set.iter().map(|(path, _)| path);
        let add = self.add.iter().map(|(path, _)| path);
        let delete = self.delete.iter().map(|(path, _)| path);
        set.chain(&self.remove)
            .chain(add)
            .chain(delete)
            .cloned()
            .collect()
    }
}
