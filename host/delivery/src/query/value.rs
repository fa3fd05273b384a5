//! Values of JSON as jq has them.

use std::rc::Rc;

use super::meter::{DEPTH_MAX, Meter, Spent};

/// A value. Clones share what is within.
#[derive(Clone, Debug)]
pub enum Value {
    Null,
    Bool(bool),
    Number(f64),
    Text(Rc<str>),
    Array(Rc<Array>),
    Object(Rc<Object>),
}

/// Bytes that a value takes where it lies.
pub const VALUE_BYTES: usize = size_of::<Value>();
/// Bytes that a member takes besides its name and what is within.
const MEMBER_BYTES: usize = VALUE_BYTES + 2 * size_of::<Rc<str>>();
/// Bytes that an allocation takes besides what is in it.
const HEAD_BYTES: usize = 48;

/// Values in order.
#[derive(Debug)]
pub struct Array {
    items: Vec<Value>,
    depth: usize,
}

/// Members in the order in which their names came first.
#[derive(Debug)]
pub struct Object {
    entries: Vec<(Rc<str>, Value)>,
    depth: usize,
}

impl Array {
    pub fn items(&self) -> &[Value] {
        &self.items
    }
}

impl Object {
    pub fn entries(&self) -> &[(Rc<str>, Value)] {
        &self.entries
    }

    /// The member of a name.
    pub fn get(&self, name: &str) -> Option<&Value> {
        let found = self.entries.iter().find(|(known, _)| &**known == name);
        found.map(|(_, value)| value)
    }

    /// Members in the order of their names.
    pub fn sorted(&self) -> Vec<(Rc<str>, Value)> {
        let mut entries = self.entries.clone();
        entries.sort_by(|(one, _), (other, _)| one.cmp(other));
        entries
    }
}

impl Value {
    /// jq's word for its type.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Null => "null",
            Self::Bool(_) => "boolean",
            Self::Number(_) => "number",
            Self::Text(_) => "string",
            Self::Array(_) => "array",
            Self::Object(_) => "object",
        }
    }

    /// Whether a condition that gives this holds.
    pub fn is_true(&self) -> bool {
        !matches!(self, Self::Null | Self::Bool(false))
    }

    /// Levels of values.
    pub fn depth(&self) -> usize {
        match self {
            Self::Array(array) => array.depth,
            Self::Object(object) => object.depth,
            Self::Null | Self::Bool(_) | Self::Number(_) | Self::Text(_) => 0,
        }
    }

    pub fn text(text: &str, meter: &mut Meter<'_>) -> Result<Self, Spent> {
        meter.hold(text.len() + HEAD_BYTES)?;
        Ok(Self::Text(Rc::from(text)))
    }

    /// A number that counts something.
    pub fn count(count: usize) -> Self {
        // No more than there are bytes of memory, which a double counts exactly.
        Self::Number(u32::try_from(count).map_or(f64::INFINITY, f64::from))
    }

    pub fn array(items: Vec<Self>, meter: &mut Meter<'_>) -> Result<Self, Spent> {
        meter.hold(items.len() * VALUE_BYTES)?;
        Self::counted_array(items, meter)
    }

    /// An array whose items were counted while they came.
    pub fn counted_array(items: Vec<Self>, meter: &mut Meter<'_>) -> Result<Self, Spent> {
        meter.hold(HEAD_BYTES)?;
        let depth = level_above(items.iter())?;
        Ok(Self::Array(Rc::new(Array { items, depth })))
    }

    /// An object of members whose names are different.
    pub fn object(entries: Vec<(Rc<str>, Self)>, meter: &mut Meter<'_>) -> Result<Self, Spent> {
        let names: usize = entries.iter().map(|(name, _)| name.len()).sum();
        meter.hold(entries.len() * MEMBER_BYTES + names)?;
        Self::counted_object(entries, meter)
    }

    /// An object whose members were counted while they came.
    pub fn counted_object(
        entries: Vec<(Rc<str>, Self)>,
        meter: &mut Meter<'_>,
    ) -> Result<Self, Spent> {
        meter.hold(HEAD_BYTES)?;
        let depth = level_above(entries.iter().map(|(_, value)| value))?;
        Ok(Self::Object(Rc::new(Object { entries, depth })))
    }
}

fn level_above<'a>(values: impl Iterator<Item = &'a Value>) -> Result<usize, Spent> {
    let depth = values.map(Value::depth).max().unwrap_or(0) + 1;
    if depth > DEPTH_MAX {
        return Err(Spent::Depth);
    }
    Ok(depth)
}

/// Sets a member: in the place of one of that name, or behind the others.
pub fn set(entries: &mut Vec<(Rc<str>, Value)>, name: Rc<str>, value: Value) {
    match entries.iter_mut().find(|(known, _)| *known == name) {
        Some((_, known)) => *known = value,
        None => entries.push((name, value)),
    }
}
