//! Infers the columns of JSON documents: members of nested objects are columns, and so are those
//! of the objects in one array, each of which is a row.

use std::collections::HashMap;
use std::fmt;

use serde::Deserialize;
use serde::de::{Deserializer, MapAccess, SeqAccess, Visitor};

use super::candidate::{Candidate, Undetected};
use super::observed::Observed;
use crate::input::coerce::Source;
use crate::input::path::PATH_STEPS_MAX;
use crate::input::schema::{COLUMNS_MAX, JsonMappingParameters, MappingParameters, RecordFormat};

/// A document whose members keep their order.
enum Tree {
    Null,
    Boolean(bool),
    Number(serde_json::Number),
    Text(String),
    Array(Vec<Tree>),
    Object(Vec<(String, Tree)>),
}

/// Columns of all members that were seen.
pub fn infer(texts: &[&str]) -> Result<(Vec<Candidate>, RecordFormat), Undetected> {
    let mut found = Found::default();
    for text in texts {
        for document in serde_json::Deserializer::from_str(text).into_iter::<Tree>() {
            let document = document.map_err(|_| Undetected::NoPattern)?;
            found.see(&document, "$".to_owned(), &mut Vec::new());
        }
    }
    if found.columns.is_empty() || found.too_many {
        return Err(Undetected::NoPattern);
    }
    let row_path = found.row_path();
    let json = Some(JsonMappingParameters {
        record_row_path: row_path,
    });
    let format = RecordFormat {
        record_format_type: "JSON".to_owned(),
        mapping_parameters: Some(MappingParameters { json, csv: None }),
    };
    Ok((found.columns, format))
}

#[derive(Default)]
struct Found {
    columns: Vec<Candidate>,
    by_path: HashMap<String, usize>,
    /// The path of the array whose elements are rows, with `[0:]`.
    rows: Option<String>,
    too_many: bool,
}

impl Found {
    /// Where the elements of one array are all there is, the path of rows leads to them, and the
    /// columns are mapped from there.
    fn row_path(&mut self) -> String {
        let document = "$".to_owned();
        let Some(rows) = self.rows.take() else {
            return document;
        };
        let mut mappings = Vec::with_capacity(self.columns.len());
        for column in &self.columns {
            let mapping = column.mapping.as_deref();
            let Some(inside) = mapping.and_then(|mapping| mapping.strip_prefix(&*rows)) else {
                return document;
            };
            mappings.push(format!("${inside}"));
        }
        for (column, mapping) in self.columns.iter_mut().zip(mappings) {
            column.mapping = Some(mapping);
        }
        rows
    }

    /// Calls itself once for each object in another, of which there are few: the reader of JSON
    /// refuses documents that are nested deeper than it may call itself.
    fn see(&mut self, tree: &Tree, path: String, names: &mut Vec<String>) {
        match tree {
            Tree::Object(members) if names.len() < PATH_STEPS_MAX => {
                for (name, member) in members {
                    let Some(path) = member_path(&path, name) else {
                        continue;
                    };
                    names.push(name.clone());
                    self.see(member, path, names);
                    names.pop();
                }
            }
            Tree::Array(elements) => self.see_array(elements, &path, names),
            Tree::Null => self.note(path, names, Source::Null),
            Tree::Boolean(truth) => self.note(path, names, Source::Boolean(*truth)),
            Tree::Number(number) => {
                self.note(path, names, Source::Number(&number.to_string()));
            }
            Tree::Text(text) => self.note(path, names, Source::Text(text)),
            Tree::Object(_) => self.note(path, names, Source::Composite("")),
        }
    }

    fn see_array(&mut self, elements: &[Tree], path: &str, names: &mut Vec<String>) {
        let path = format!("{path}[0:]");
        if elements.is_empty() {
            return;
        }
        let is_object = |element: &Tree| matches!(element, Tree::Object(_));
        let is_within = self.rows.as_ref().is_some_and(|rows| *rows != path);
        if !elements.iter().all(is_object) || is_within {
            let mut text = String::new();
            write(&Tree::Array(Vec::new()), &mut text);
            for element in elements {
                write(element, &mut text);
            }
            return self.note(path, names, Source::Composite(&text));
        }
        self.rows = Some(path.clone());
        for element in elements {
            self.see(element, path.clone(), names);
        }
    }

    fn note(&mut self, path: String, names: &[String], value: Source<'_>) {
        if names.is_empty() {
            return;
        }
        if let Some(known) = self.by_path.get(&path) {
            return self.columns[*known].observed.see(value);
        }
        if self.columns.len() == COLUMNS_MAX {
            self.too_many = true;
            return;
        }
        let mut observed = Observed::default();
        observed.see(value);
        self.by_path.insert(path.clone(), self.columns.len());
        self.columns.push(Candidate {
            names: names.to_vec(),
            mapping: Some(path),
            observed,
        });
    }
}

/// The path of a member, if one can be written.
fn member_path(path: &str, name: &str) -> Option<String> {
    let is_plain = |c: char| c.is_alphanumeric() || matches!(c, '_' | '-' | '@' | '$' | ':');
    if !name.is_empty() && name.chars().all(is_plain) {
        Some(format!("{path}.{name}"))
    } else if !name.contains('"') {
        Some(format!("{path}[\"{name}\"]"))
    } else if !name.contains('\'') {
        Some(format!("{path}['{name}']"))
    } else {
        None
    }
}

/// Writes about as many characters as a value takes.
fn write(tree: &Tree, out: &mut String) {
    match tree {
        Tree::Null | Tree::Boolean(true) => out.push_str("null,"),
        Tree::Boolean(false) => out.push_str("false,"),
        Tree::Number(number) => out.push_str(&number.to_string()),
        Tree::Text(text) => {
            out.push_str("\"\",");
            out.push_str(text);
        }
        Tree::Array(elements) => {
            out.push_str("[],");
            elements.iter().for_each(|element| write(element, out));
        }
        Tree::Object(members) => {
            out.push_str("{},");
            for (name, member) in members {
                out.push_str("\"\":,");
                out.push_str(name);
                write(member, out);
            }
        }
    }
}

impl<'de> Deserialize<'de> for Tree {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(Builder)
    }
}

struct Builder;

impl<'de> Visitor<'de> for Builder {
    type Value = Tree;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a value of JSON")
    }

    fn visit_unit<E>(self) -> Result<Tree, E> {
        Ok(Tree::Null)
    }

    fn visit_bool<E>(self, truth: bool) -> Result<Tree, E> {
        Ok(Tree::Boolean(truth))
    }

    fn visit_i64<E>(self, number: i64) -> Result<Tree, E> {
        Ok(Tree::Number(number.into()))
    }

    fn visit_u64<E>(self, number: u64) -> Result<Tree, E> {
        Ok(Tree::Number(number.into()))
    }

    fn visit_f64<E: serde::de::Error>(self, number: f64) -> Result<Tree, E> {
        let number = serde_json::Number::from_f64(number);
        number
            .map(Tree::Number)
            .ok_or_else(|| E::custom("not a finite number"))
    }

    fn visit_str<E>(self, text: &str) -> Result<Tree, E> {
        Ok(Tree::Text(text.to_owned()))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut elements: A) -> Result<Tree, A::Error> {
        let mut array = Vec::new();
        while let Some(element) = elements.next_element()? {
            array.push(element);
        }
        Ok(Tree::Array(array))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<Tree, A::Error> {
        let mut object = Vec::new();
        while let Some(member) = members.next_entry()? {
            object.push(member);
        }
        Ok(Tree::Object(object))
    }
}
