//! What `#name` and `:value` stand for, and which of them were used.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::{Fault, Kind};
use crate::value::{Item, Value};

/// The names and values that a request gives its expressions.
#[derive(Debug, Default)]
pub struct Substitutes {
    names: BTreeMap<String, String>,
    /// Shared by all that refer to them: a short text may do so a thousand times.
    values: BTreeMap<String, Arc<Value>>,
    names_used: BTreeSet<String>,
    values_used: BTreeSet<String>,
}

impl Substitutes {
    /// Those of a request: names with their `#`, values with their `:`.
    pub fn new(names: BTreeMap<String, String>, values: Item) -> Self {
        Self {
            names,
            values: values
                .0
                .into_iter()
                .map(|(name, value)| (name, Arc::new(value)))
                .collect(),
            names_used: BTreeSet::new(),
            values_used: BTreeSet::new(),
        }
    }

    /// What `#name` stands for.
    pub(super) fn name(&mut self, kind: Kind, reference: &str) -> Result<String, Fault> {
        match self.names.get(reference) {
            Some(name) => {
                self.names_used.insert(reference.to_owned());
                Ok(name.clone())
            }
            None => Err(Fault::invalid(
                kind,
                format!(
                    "An expression attribute name used in the document path is not defined; \
                     attribute name: {reference}"
                ),
            )),
        }
    }

    /// What `:value` stands for.
    pub(super) fn value(&mut self, kind: Kind, reference: &str) -> Result<Arc<Value>, Fault> {
        match self.values.get(reference) {
            Some(value) => {
                self.values_used.insert(reference.to_owned());
                Ok(Arc::clone(value))
            }
            None => Err(Fault::invalid(
                kind,
                format!(
                    "An expression attribute value used in expression is not defined; \
                     attribute value: {reference}"
                ),
            )),
        }
    }

    /// Refuses a request that gives more than its expressions use.
    ///
    /// # Errors
    /// Which names or values are not used.
    pub fn all_used(&self) -> Result<(), Fault> {
        let names = self
            .names
            .keys()
            .filter(|name| !self.names_used.contains(*name));
        unused("ExpressionAttributeNames", names)?;
        let values = self.values.keys();
        unused(
            "ExpressionAttributeValues",
            values.filter(|name| !self.values_used.contains(*name)),
        )
    }
}

fn unused<'a>(member: &str, keys: impl Iterator<Item = &'a String>) -> Result<(), Fault> {
    let keys: Vec<&str> = keys.map(String::as_str).collect();
    if keys.is_empty() {
        return Ok(());
    }
    Err(Fault(format!(
        "Value provided in {member} unused in expressions: keys: {{{}}}",
        keys.join(", ")
    )))
}
