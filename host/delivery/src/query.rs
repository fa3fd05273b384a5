//! Queries in the language of jq 1.6, in which a delivery stream says what its partitions are
//! (`MetadataExtractionQuery`; developer guide, "Understand partitioning keys"). Pure.
//!
//! jq is Turing complete, and no library for it can be stopped or held to an amount of memory. So
//! this evaluates queries itself: every step and every byte that a value takes is counted, and a
//! query that is over its limits fails its record. What it knows of jq gives what jq 1.6 gives, and
//! a test holds one against the other. What it does not know is refused by name when the query is
//! configured: `def`, `foreach`, `label`, assignments, patterns other than a variable, regular
//! expressions, paths as values, and whatever is not the same in every try (`now`, `input`, `env`).
//! In one place this is not like jq 1.6, and like later ones: the end of `first` or `limit` is no
//! error that a `try` around their values catches.

mod access;
mod call;
mod collection;
mod compare;
mod eval;
mod function;
mod json;
mod meter;
mod number;
mod operator;
mod parse;
mod plain;
mod run;
mod syntax;
#[cfg(test)]
mod tests;
mod text;
mod time;
mod value;

use types::Invalid;

pub use self::meter::{Meter, Spent};
use self::parse::Parser;
use self::syntax::Expr;
use self::value::Value;

/// A query that was parsed.
pub struct Query(Expr);

/// Why a query gives nothing for a record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Failed {
    /// The record, or the query with it, is wrong: a sentence's end.
    Wrong(String),
    /// It took all that it may, or there is no memory for it.
    Spent(Spent),
}

/// A member of what a query gave, as it can stand in a name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Member {
    /// Its text: of a string, a number or a boolean.
    Text(String),
    /// It is a string of so many bytes, more than a name may have.
    Long(usize),
    /// It is null.
    Null,
    /// It is an array or an object.
    Nested,
}

impl Query {
    /// Reads a query.
    ///
    /// # Errors
    /// A sentence's end that names what is wrong, or not known here.
    pub fn parse(text: &str) -> Result<Self, Invalid> {
        Parser::read(text).map(Self)
    }

    /// The names of the members of what it gives, where the query's text says them.
    pub fn keys(&self) -> Option<Vec<String>> {
        self.0.keys()
    }

    /// Those members of these names of the object that it gives for a record of JSON; the first
    /// object counts where it gives several. Texts of more bytes than this are not copied.
    ///
    /// # Errors
    /// When the record is no JSON, or the query fails with it, gives no object, or takes too much.
    pub fn members(
        &self,
        data: &[u8],
        (names, bytes_max): (&[&str], usize),
        meter: &mut Meter<'_>,
    ) -> Result<Vec<(String, Member)>, Failed> {
        match eval::first(&self.0, data, meter)? {
            Some(Value::Object(object)) => {
                let mut members = Vec::new();
                for (name, value) in object.entries() {
                    if !names.contains(&&**name) {
                        continue;
                    }
                    let member = match value {
                        Value::Null => Member::Null,
                        Value::Array(_) | Value::Object(_) => Member::Nested,
                        Value::Text(text) if text.len() > bytes_max => Member::Long(text.len()),
                        Value::Text(text) => {
                            meter.hold(text.len()).map_err(Failed::Spent)?;
                            Member::Text(text.to_string())
                        }
                        Value::Bool(is) => Member::Text(is.to_string()),
                        Value::Number(number) => Member::Text(number::to_text(*number)),
                    };
                    members.push((name.to_string(), member));
                }
                Ok(members)
            }
            Some(other) => {
                let kind = other.kind();
                let what = format!("the query gives a value of type {kind}, not an object");
                Err(Failed::Wrong(what))
            }
            None => Err(Failed::Wrong("the query gives nothing".to_owned())),
        }
    }
}
