//! What stands in a request to `_bulk` (OpenSearch, "Bulk"): two lines for each document, what is
//! done with it and itself. Pure.
//!
//! One document that is no line of JSON costs all that are in its request, so that each is looked
//! at before.

use serde::Deserialize;
use serde::de::{Deserializer, IgnoredAny, MapAccess, Visitor};
use types::{Invalid, Timestamp};
use wire::json::write_string;

use crate::search::{Index, Product, Search};

/// What all documents of a destination have in common.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Documents {
    index: Index,
    gives_ids: bool,
    product: Product,
}

/// Where a document goes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Placed {
    /// The index.
    pub index: String,
    /// Its id there; `None`: the cluster gives it one.
    pub id: Option<String>,
    /// Its type; empty where there are none.
    pub type_name: String,
}

impl Documents {
    /// Those of a destination.
    pub fn of(search: &Search) -> Self {
        Self {
            index: search.index.clone(),
            gives_ids: search.gives_ids,
            product: search.product,
        }
    }

    /// What AWS's words for errors begin with.
    pub fn product(&self) -> Product {
        self.product
    }

    /// Where a document of a record goes that arrived then. The id is that of no other document,
    /// and the same in every try: `of_cut` names the cut, the numbers the record and the document.
    ///
    /// # Errors
    /// When the calendar ends before that.
    pub fn place(
        &self,
        arrival: Timestamp,
        of_cut: &str,
        (record, document): (u64, usize),
    ) -> Result<Placed, Invalid> {
        Ok(Placed {
            index: self.index.at(arrival)?,
            id: self
                .gives_ids
                .then(|| format!("{of_cut}.{record}.{document}")),
            type_name: self.index.type_name.clone(),
        })
    }
}

impl Placed {
    /// Writes the document with what is done with it: one with an id is created and never written
    /// over.
    pub fn write(&self, out: &mut Vec<u8>, document: &[u8]) {
        let what: &[u8] = match &self.id {
            Some(_) => b"{\"create\":{\"_index\":",
            None => b"{\"index\":{\"_index\":",
        };
        out.extend_from_slice(what);
        write_string(out, &self.index);
        if !self.type_name.is_empty() {
            out.extend_from_slice(b",\"_type\":");
            write_string(out, &self.type_name);
        }
        if let Some(id) = &self.id {
            out.extend_from_slice(b",\"_id\":");
            write_string(out, id);
        }
        out.extend_from_slice(b"}}\n");
        out.extend_from_slice(line(document));
        out.push(b'\n');
    }
}

/// A document without the white space around it.
fn line(document: &[u8]) -> &[u8] {
    document.trim_ascii()
}

/// Why bytes are not one JSON object on one line, if they are not.
pub fn fault(document: &[u8]) -> Option<String> {
    let line = line(document);
    let why = if line.contains(&b'\n') || line.contains(&b'\r') {
        "it has more than one line".to_owned()
    } else {
        serde_json::from_slice::<Object>(line).err()?.to_string()
    };
    Some(format!(
        "One or more records are malformed. Ensure that each record is single valid JSON object \
         and that it does not contain newlines: {why}"
    ))
}

struct Object;

impl<'de> Deserialize<'de> for Object {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(OfObject)
    }
}

struct OfObject;

impl<'de> Visitor<'de> for OfObject {
    type Value = Object;

    fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Object, A::Error> {
        while map.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
        Ok(Object)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_document_is_one_object_on_one_line() {
        for good in [r#"{"a":1}"#, " {\"a\":{\"b\":[1,2]}} \r\n", "{}\n"] {
            assert_eq!(fault(good.as_bytes()), None, "{good}");
        }
        for bad in [
            "",
            "a line",
            "[1]",
            "1",
            "{\"a\":1",
            "{\"a\":1}{\"b\":2}",
            "{\"a\":1}\n{\"b\":2}",
            "{\n\"a\":1}",
        ] {
            assert!(fault(bad.as_bytes()).is_some(), "{bad}");
        }
    }

    #[test]
    fn a_document_with_an_id_is_created_and_one_without_is_given_one() {
        let placed = Placed {
            index: "logs-2018".to_owned(),
            id: Some("a.1.0".to_owned()),
            type_name: String::new(),
        };
        let mut out = Vec::new();
        placed.write(&mut out, b"{\"a\":1}\n");
        let without = Placed {
            id: None,
            type_name: "t".to_owned(),
            ..placed
        };
        without.write(&mut out, b"{}");
        let wanted = "{\"create\":{\"_index\":\"logs-2018\",\"_id\":\"a.1.0\"}}\n{\"a\":1}\n\
                      {\"index\":{\"_index\":\"logs-2018\",\"_type\":\"t\"}}\n{}\n";
        assert_eq!(String::from_utf8(out).unwrap(), wanted);
    }
}
