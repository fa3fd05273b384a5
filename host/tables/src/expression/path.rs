//! Paths into an item: `a.b[2].c`.

use std::fmt;

use crate::value::{Item, Value};

/// One step further into a document.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Step {
    /// A member of a map.
    Name(String),
    /// An element of a list, counted from 0.
    Element(usize),
}

/// Where in an item something is: an attribute, and steps into it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Path {
    /// The attribute.
    pub attribute: String,
    /// Into it.
    pub steps: Vec<Step>,
}

/// How two paths stand to each other that one request changes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Relation {
    /// Neither is within the other.
    Apart,
    /// One is the other or within it.
    Overlap,
    /// One takes what stands there for a map and the other for a list.
    Conflict,
}

impl Path {
    /// An attribute as a whole.
    pub fn attribute(name: impl Into<String>) -> Self {
        Self {
            attribute: name.into(),
            steps: Vec::new(),
        }
    }

    /// What is there.
    pub fn find<'a>(&self, item: &'a Item) -> Option<&'a Value> {
        let first = item.get(&self.attribute)?;
        self.steps.iter().try_fold(first, step_into)
    }

    /// How this path and another stand to each other.
    pub fn relation(&self, other: &Self) -> Relation {
        if self.attribute != other.attribute {
            return Relation::Apart;
        }
        for (one, other) in self.steps.iter().zip(&other.steps) {
            match (one, other) {
                (Step::Name(_), Step::Element(_)) | (Step::Element(_), Step::Name(_)) => {
                    return Relation::Conflict;
                }
                (one, other) if one != other => return Relation::Apart,
                _ => {}
            }
        }
        Relation::Overlap
    }
}

fn step_into<'a>(value: &'a Value, step: &Step) -> Option<&'a Value> {
    match (value, step) {
        (Value::M(map), Step::Name(name)) => map.get(name),
        (Value::L(list), Step::Element(place)) => list.get(*place),
        _ => None,
    }
}

/// As DynamoDB's texts show it: `[a, b, [2]]`.
impl fmt::Display for Path {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "[{}", self.attribute)?;
        for step in &self.steps {
            match step {
                Step::Name(name) => write!(f, ", {name}")?,
                Step::Element(place) => write!(f, ", [{place}]")?,
            }
        }
        f.write_str("]")
    }
}
