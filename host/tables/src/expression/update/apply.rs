//! Applying an update to an item.

use std::collections::BTreeSet;

use super::super::Fault;
use super::super::path::{Path, Step};
use super::{Source, Update};
use crate::number::Number;
use crate::value::{ITEM_BYTES_MAX, Item, Value};

const WRONG_TYPE: &str = "An operand in the update expression has an incorrect data type";
const NOT_THERE: &str =
    "The provided expression refers to an attribute that does not exist in the item";
const WRONG_PATH: &str =
    "The document path provided in the update expression is invalid for update";

impl Update {
    /// The item after the update.
    ///
    /// # Errors
    /// It does not fit what is in the item: DynamoDB's text.
    pub fn applied(&self, before: &Item) -> Result<Item, Fault> {
        let mut after = before.clone();
        // All are found first, so that none sees what another has changed. Together they are part
        // of the item, so that what is too large is so before it is put together.
        let mut set = Vec::with_capacity(self.set.len());
        let mut bytes = 0;
        for (path, source) in &self.set {
            let value = source.value(before)?;
            bytes += value.size();
            if bytes > ITEM_BYTES_MAX {
                return Err(too_large());
            }
            set.push((path, value));
        }
        for (path, value) in set {
            put(&mut after, path, value)?;
        }
        for (path, value) in &self.add {
            let sum = added(path.find(before), value)?;
            put(&mut after, path, sum)?;
        }
        for (path, value) in &self.delete {
            match path.find(before) {
                None => {}
                Some(there) => match without(there, value)? {
                    Some(left) => put(&mut after, path, left)?,
                    None => take(&mut after, path)?,
                },
            }
        }
        // Places in lists are those before: the last ones go first.
        let mut removed: Vec<&Path> = self.remove.iter().collect();
        removed.sort_by(|one, other| other.steps.cmp(&one.steps));
        for path in removed {
            take(&mut after, path)?;
        }
        Ok(after)
    }
}

fn too_large() -> Fault {
    Fault("Item size to update has exceeded the maximum allowed size".to_owned())
}

impl Source {
    fn value(&self, item: &Item) -> Result<Value, Fault> {
        match self {
            Self::Value(value) => Ok(Value::clone(value)),
            Self::Path(path) => {
                let there = path.find(item).cloned();
                there.ok_or_else(|| Fault(NOT_THERE.to_owned()))
            }
            Self::IfNotExists(path, other) => match path.find(item) {
                Some(there) => Ok(there.clone()),
                None => other.value(item),
            },
            Self::ListAppend(one, other) => match (one.value(item)?, other.value(item)?) {
                (Value::L(mut list), Value::L(more)) => {
                    list.extend(more);
                    let list = Value::L(list);
                    if list.size() > ITEM_BYTES_MAX {
                        return Err(too_large());
                    }
                    Ok(list)
                }
                _ => Err(Fault(WRONG_TYPE.to_owned())),
            },
            Self::Plus(one, other) => {
                let (one, other) = (one.number(item)?, other.number(item)?);
                summed(one.plus(other))
            }
            Self::Minus(one, other) => {
                let (one, other) = (one.number(item)?, other.number(item)?);
                summed(one.minus(other))
            }
        }
    }

    fn number(&self, item: &Item) -> Result<Number, Fault> {
        match self.value(item)? {
            Value::N(number) => Ok(number),
            _ => Err(Fault(WRONG_TYPE.to_owned())),
        }
    }
}

fn summed(sum: Result<Number, types::Invalid>) -> Result<Value, Fault> {
    sum.map(Value::N).map_err(|why| Fault(why.0))
}

/// What is there and what is added to it.
pub fn added(there: Option<&Value>, more: &Value) -> Result<Value, Fault> {
    match (there, more) {
        (None, more) => Ok(more.clone()),
        (Some(Value::N(one)), Value::N(other)) => summed(one.plus(*other)),
        (Some(Value::Ss(one)), Value::Ss(other)) => Ok(Value::Ss(one | other)),
        (Some(Value::Ns(one)), Value::Ns(other)) => Ok(Value::Ns(one | other)),
        (Some(Value::Bs(one)), Value::Bs(other)) => Ok(Value::Bs(one | other)),
        // Only AttributeUpdates adds to lists.
        (Some(Value::L(one)), Value::L(other)) => {
            Ok(Value::L(one.iter().chain(other).cloned().collect()))
        }
        _ => Err(Fault(WRONG_TYPE.to_owned())),
    }
}

/// What is left of a set; `None`: nothing.
fn without(there: &Value, less: &Value) -> Result<Option<Value>, Fault> {
    fn left<T: Ord + Clone>(
        one: &BTreeSet<T>,
        other: &BTreeSet<T>,
        make: fn(BTreeSet<T>) -> Value,
    ) -> Option<Value> {
        let left = one - other;
        (!left.is_empty()).then(|| make(left))
    }
    match (there, less) {
        (Value::Ss(one), Value::Ss(other)) => Ok(left(one, other, Value::Ss)),
        (Value::Ns(one), Value::Ns(other)) => Ok(left(one, other, Value::Ns)),
        (Value::Bs(one), Value::Bs(other)) => Ok(left(one, other, Value::Bs)),
        _ => Err(Fault(WRONG_TYPE.to_owned())),
    }
}

/// Puts a value where a path leads, which must be there but for its last step.
fn put(item: &mut Item, path: &Path, value: Value) -> Result<(), Fault> {
    let Some((last, way)) = path.steps.split_last() else {
        item.insert(path.attribute.clone(), value);
        return Ok(());
    };
    match (place(item, &path.attribute, way)?, last) {
        (Value::M(map), Step::Name(name)) => {
            map.insert(name.clone(), value);
        }
        (Value::L(list), Step::Element(at)) => match list.get_mut(*at) {
            Some(there) => *there = value,
            None => list.push(value),
        },
        _ => return Err(Fault(WRONG_PATH.to_owned())),
    }
    Ok(())
}

/// Takes away what is where a path leads, which must be there but for its last step.
fn take(item: &mut Item, path: &Path) -> Result<(), Fault> {
    let Some((last, way)) = path.steps.split_last() else {
        item.remove(&path.attribute);
        return Ok(());
    };
    match (place(item, &path.attribute, way)?, last) {
        (Value::M(map), Step::Name(name)) => {
            map.remove(name);
        }
        (Value::L(list), Step::Element(at)) => {
            if *at < list.len() {
                list.remove(*at);
            }
        }
        _ => return Err(Fault(WRONG_PATH.to_owned())),
    }
    Ok(())
}

fn place<'a>(item: &'a mut Item, attribute: &str, way: &[Step]) -> Result<&'a mut Value, Fault> {
    let wrong = || Fault(WRONG_PATH.to_owned());
    let first = item.get_mut(attribute).ok_or_else(wrong)?;
    way.iter()
        .try_fold(first, |value, step| match (value, step) {
            (Value::M(map), Step::Name(name)) => map.get_mut(name).ok_or_else(wrong),
            (Value::L(list), Step::Element(at)) => list.get_mut(*at).ok_or_else(wrong),
            _ => Err(wrong()),
        })
}
