//! What becomes of an item. Everything an update reads, it reads from the item as it was before.

mod apply;
mod parse;

use std::sync::Arc;

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
    pub add: Vec<(Path, Arc<Value>)>,
    /// What is taken out of sets.
    pub delete: Vec<(Path, Arc<Value>)>,
}

/// What something is set to.
#[derive(Clone, Debug, PartialEq)]
pub enum Source {
    /// A value of the request.
    Value(Arc<Value>),
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
    /// What of an item was changed, for a client that wants it back: of what is added to or taken
    /// out of, the attribute as a whole.
    pub fn returned(&self) -> Vec<Path> {
        let set = self.set.iter().map(|(path, _)| path.clone());
        let sums = self.add.iter().chain(&self.delete);
        let sums = sums.map(|(path, _)| Path::attribute(path.attribute.clone()));
        set.chain(self.remove.iter().cloned()).chain(sums).collect()
    }

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
