//! What an evaluation carries along, and why it stops.

use std::rc::Rc;

use super::meter::{Meter, Spent};
use super::value::Value;

/// Characters of what a query says itself that stand in a line.
pub const MESSAGE_CHARS_MAX: usize = 200;

/// Why a filter does not go on.
#[derive(Clone, Debug)]
pub enum Stop {
    /// An error of the query, which it may catch.
    Error(Value),
    /// It took too much, which nothing catches.
    Spent(Spent),
    /// So far as whoever waits under this number wanted.
    Enough(u64),
}

impl From<Spent> for Stop {
    fn from(spent: Spent) -> Self {
        Self::Spent(spent)
    }
}

impl Stop {
    pub fn error(message: &str) -> Self {
        Self::Error(Value::Text(Rc::from(message)))
    }
}

pub type Flow = Result<(), Stop>;
/// What comes next.
pub type Sink<'s, 'm> = &'s mut dyn FnMut(&mut Run<'m, '_>, Value) -> Flow;

/// The variables that a filter sees.
#[derive(Clone, Default)]
pub struct Env(Option<Rc<Variable>>);

struct Variable {
    name: String,
    value: Value,
    outer: Env,
}

impl Env {
    pub fn with(&self, name: &str, value: Value) -> Self {
        Self(Some(Rc::new(Variable {
            name: name.to_owned(),
            value,
            outer: self.clone(),
        })))
    }

    pub fn get(&self, name: &str) -> Option<&Value> {
        let mut at = self.0.as_ref();
        while let Some(variable) = at {
            if variable.name == name {
                return Some(&variable.value);
            }
            at = variable.outer.0.as_ref();
        }
        None
    }
}

/// One evaluation.
pub struct Run<'m, 'r> {
    pub meter: &'r mut Meter<'m>,
    pub depth: usize,
    /// The number of the next that waits for enough.
    pub next: u64,
}
