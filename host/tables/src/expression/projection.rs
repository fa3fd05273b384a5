//! Which attributes are given back, and parts of them.

use std::collections::BTreeMap;

use super::parser::Parser;
use super::path::{Path, Relation, Step};
use super::{Fault, Kind, Substitutes};
use crate::value::{Item, Value};

/// Paths of which none is within another.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Projection {
    attributes: BTreeMap<String, Part>,
}

/// What of a value is given back.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Part {
    Whole,
    Of(BTreeMap<Step, Part>),
}

impl Projection {
    /// Reads a list of paths.
    ///
    /// # Errors
    /// The text is none, or a path is within another.
    pub fn parse(text: &str, substitutes: &mut Substitutes) -> Result<Self, Fault> {
        let mut parser = Parser::new(Kind::Projection, text, substitutes)?;
        let mut paths = vec![parser.path()?];
        while parser.takes_sign(",") {
            paths.push(parser.path()?);
        }
        parser.end()?;
        all_apart(Kind::Projection, &paths)?;
        Ok(Self::of(&paths))
    }

    /// Of paths none of which is within another.
    pub fn of(paths: &[Path]) -> Self {
        let mut attributes = BTreeMap::new();
        for path in paths {
            let part = attributes.entry(path.attribute.clone());
            let mut place = part.or_insert_with(|| Part::Of(BTreeMap::new()));
            for step in &path.steps {
                if let Part::Of(parts) = place {
                    let next = parts.entry(step.clone());
                    place = next.or_insert_with(|| Part::Of(BTreeMap::new()));
                } else {
                    break;
                }
            }
            *place = Part::Whole;
        }
        Self { attributes }
    }

    /// What it lets through of an item.
    pub fn of_item(&self, item: &Item) -> Item {
        let of = |(name, part): (&String, &Part)| {
            let value = part.of_value(item.get(name)?)?;
            Some((name.clone(), value))
        };
        Item(self.attributes.iter().filter_map(of).collect())
    }

    /// The attributes that it names, whole or in part.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.attributes.keys().map(String::as_str)
    }
}

impl Part {
    fn of_value(&self, value: &Value) -> Option<Value> {
        let parts = match self {
            Self::Whole => return Some(value.clone()),
            Self::Of(parts) => parts,
        };
        match value {
            Value::M(map) => {
                let of = |(step, part): (&Step, &Self)| match step {
                    Step::Name(name) => Some((name.clone(), part.of_value(map.get(name)?)?)),
                    Step::Element(_) => None,
                };
                let found: BTreeMap<_, _> = parts.iter().filter_map(of).collect();
                (!found.is_empty()).then_some(Value::M(found))
            }
            Value::L(list) => {
                let of = |(step, part): (&Step, &Self)| match step {
                    Step::Element(place) => part.of_value(list.get(*place)?),
                    Step::Name(_) => None,
                };
                let found: Vec<_> = parts.iter().filter_map(of).collect();
                (!found.is_empty()).then_some(Value::L(found))
            }
            _ => None,
        }
    }
}

/// Refuses paths of which one is within another.
pub fn all_apart(kind: Kind, paths: &[Path]) -> Result<(), Fault> {
    for (place, one) in paths.iter().enumerate() {
        for other in paths.iter().skip(place + 1) {
            let how = match one.relation(other) {
                Relation::Apart => continue,
                Relation::Overlap => "overlap",
                Relation::Conflict => "conflict",
            };
            return Err(Fault::invalid(
                kind,
                format!(
                    "Two document paths {how} with each other; must remove or rewrite one of \
                     these paths; path one: {one}, path two: {other}"
                ),
            ));
        }
    }
    Ok(())
}
