//! Names of tables and columns as a `CopyCommand` gives them. They are taken apart here and quoted
//! anew wherever they stand in a statement: no text of a configuration is a part of one. Pure.

use std::collections::HashSet;

use types::Invalid;

use super::jdbc_url::Dialect;

/// Bytes of a name (PostgreSQL, "Identifiers and Key Words"). Of a longer one the database would
/// silently take the first so many.
const NAME_BYTES_MAX: usize = 63;
/// The same of Redshift (Amazon Redshift, "Names and identifiers").
const NAME_BYTES_MAX_OF_REDSHIFT: usize = 127;
/// Columns of a table (PostgreSQL, "Limits"; Amazon Redshift, CREATE TABLE, has as many).
const COLUMNS_MAX: usize = 1_600;

/// A name as the database has it.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Identifier(String);

/// A table, and the schema that it is in; `None`: the first of the user's search path that has it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TableName {
    /// The schema.
    pub schema: Option<Identifier>,
    /// The table.
    pub table: Identifier,
}

impl Identifier {
    /// A name that is known to be the database's own.
    pub fn known(name: String) -> Self {
        Self(name)
    }

    /// The name between quotes, as it may stand in a statement.
    pub fn quoted(&self) -> String {
        format!("\"{}\"", self.0.replace('"', "\"\""))
    }
}

impl TableName {
    /// Reads `table`, `schema.table` and the same with quotes.
    ///
    /// # Errors
    /// A sentence that says what is wrong.
    pub fn parse(text: &str, dialect: Dialect) -> Result<Self, Invalid> {
        let mut names = Names::of(text, dialect);
        let first = names.next()?;
        if names.is_at_end() {
            return Ok(Self {
                schema: None,
                table: first,
            });
        }
        names.passes('.')?;
        let table = names.next()?;
        names.ends()?;
        Ok(Self {
            schema: Some(first),
            table,
        })
    }

    /// The name as it may stand in a statement.
    pub fn quoted(&self) -> String {
        match &self.schema {
            Some(schema) => format!("{}.{}", schema.quoted(), self.table.quoted()),
            None => self.table.quoted(),
        }
    }
}

/// Reads names of columns between commas.
///
/// # Errors
/// A sentence that says what is wrong, also where a column is there twice.
pub fn columns(text: &str, dialect: Dialect) -> Result<Vec<Identifier>, Invalid> {
    let mut names = Names::of(text, dialect);
    let mut columns = vec![names.next()?];
    while !names.is_at_end() {
        names.passes(',')?;
        columns.push(names.next()?);
    }
    if columns.len() > COLUMNS_MAX {
        return Err(Invalid(format!("more than {COLUMNS_MAX} columns")));
    }
    let mut seen = HashSet::new();
    match columns.iter().find(|name| !seen.insert(*name)) {
        Some(twice) => Err(Invalid(format!("{} is there twice", twice.0))),
        None => Ok(columns),
    }
}

/// Names that are read one after the other.
struct Names<'a> {
    rest: &'a str,
    name_bytes_max: usize,
}

impl<'a> Names<'a> {
    fn of(text: &'a str, dialect: Dialect) -> Self {
        Self {
            rest: text.trim(),
            name_bytes_max: match dialect {
                Dialect::PostgreSql => NAME_BYTES_MAX,
                Dialect::Redshift => NAME_BYTES_MAX_OF_REDSHIFT,
            },
        }
    }

    fn is_at_end(&self) -> bool {
        self.rest.is_empty()
    }

    fn passes(&mut self, mark: char) -> Result<(), Invalid> {
        let rest = self.rest.strip_prefix(mark);
        self.rest = rest.ok_or_else(|| self.unexpected())?.trim_start();
        Ok(())
    }

    fn ends(&self) -> Result<(), Invalid> {
        if self.is_at_end() {
            Ok(())
        } else {
            Err(self.unexpected())
        }
    }

    fn next(&mut self) -> Result<Identifier, Invalid> {
        let name = if let Some(quoted) = self.rest.strip_prefix('"') {
            self.quoted(quoted)?
        } else {
            self.plain()?
        };
        self.rest = self.rest.trim_start();
        let bytes_max = self.name_bytes_max;
        if name.is_empty() {
            Err(Invalid("a name is empty".to_owned()))
        } else if name.len() > bytes_max {
            Err(Invalid(format!("{name} has more than {bytes_max} bytes")))
        } else {
            Ok(Identifier(name))
        }
    }

    /// Between quotes everything is as it is, but two quotes are one.
    fn quoted(&mut self, text: &'a str) -> Result<String, Invalid> {
        let mut name = String::new();
        let mut rest = text;
        loop {
            let Some((before, after)) = rest.split_once('"') else {
                return Err(Invalid("a quote is not closed".to_owned()));
            };
            name.push_str(before);
            match after.strip_prefix('"') {
                Some(after) => {
                    name.push('"');
                    rest = after;
                }
                None => {
                    self.rest = after;
                    break;
                }
            }
        }
        if name.contains(char::is_control) {
            return Err(Invalid("a name has a control character".to_owned()));
        }
        Ok(name)
    }

    /// Without quotes capital letters are small ones, as in SQL.
    fn plain(&mut self) -> Result<String, Invalid> {
        let is_part = |it: char| it.is_alphanumeric() || it == '_' || it == '$';
        let end = self.rest.find(|it| !is_part(it));
        let (name, rest) = self.rest.split_at(end.unwrap_or(self.rest.len()));
        if !name.starts_with(|it: char| it.is_alphabetic() || it == '_') {
            return Err(self.unexpected());
        }
        self.rest = rest;
        Ok(name.to_ascii_lowercase())
    }

    fn unexpected(&self) -> Invalid {
        let shown: String = self.rest.chars().take(20).collect();
        if shown.is_empty() {
            Invalid("a name is missing".to_owned())
        } else {
            Invalid(format!(
                "{shown} is not expected; names are letters, digits, _ and $, or anything between \
                 double quotes"
            ))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_read_as_sql_reads_them_and_quoted_anew() {
        for (text, quoted) in [
            ("events", "\"events\""),
            (" Public.Events ", "\"public\".\"events\""),
            ("\"Public\" . \"a.b\"", "\"Public\".\"a.b\""),
            ("\"a\"\"; drop table b\"", "\"a\"\"; drop table b\""),
            ("_a$1", "\"_a$1\""),
            ("größe", "\"größe\""),
        ] {
            let parsed = TableName::parse(text, Dialect::PostgreSql).unwrap();
            assert_eq!(parsed.quoted(), quoted, "{text}");
        }
    }

    #[test]
    fn what_is_no_name_is_refused() {
        let long = "a".repeat(NAME_BYTES_MAX + 1);
        for text in [
            "",
            " ",
            "1a",
            "a b",
            "a;",
            "a; drop table b",
            "a.b.c",
            "a.",
            ".a",
            "\"a",
            "\"\"",
            "\"a\"b",
            "a--b",
            "a(b)",
            &long,
        ] {
            assert!(
                TableName::parse(text, Dialect::PostgreSql).is_err(),
                "{text}"
            );
        }
        // Redshift has longer ones.
        for (bytes, is_fine) in [(NAME_BYTES_MAX + 1, true), (127, true), (128, false)] {
            let parsed = TableName::parse(&"a".repeat(bytes), Dialect::Redshift);
            assert_eq!(parsed.is_ok(), is_fine, "{bytes}");
        }
    }

    #[test]
    fn columns_are_names_between_commas_each_once() {
        let names = |text| {
            let columns = columns(text, Dialect::Redshift)?;
            Ok::<_, Invalid>(columns.iter().map(Identifier::quoted).collect::<Vec<_>>())
        };
        let wanted = ["\"a\"", "\"B, c\"", "\"d\""];
        assert_eq!(names(" A,\"B, c\" , d").unwrap(), wanted);
        for text in ["", "a,", ",a", "a b", "a,a", "a,A", "a,b)", "a,(b"] {
            assert!(names(text).is_err(), "{text}");
        }
        assert!(names("a,\"A\"").is_ok());
    }
}
