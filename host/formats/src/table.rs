//! The columns of a table, in Glue's words.

use serde::Deserialize;
use types::Invalid;

use crate::limits::{LEAVES_MAX, TABLE_BYTES_MAX, TYPE_DEPTH_MAX};

/// Characters of a char and of a varchar at most (Hive, "Language Manual Types").
const CHAR_CHARS_MAX: usize = 255;
const VARCHAR_CHARS_MAX: usize = 65_535;
/// What a decimal has that says nothing of it (the same).
const DECIMAL_DEFAULT: (u8, u8) = (10, 0);
const DECIMAL_DIGITS_MAX: u8 = 38;

/// The type of a column.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Type {
    /// `boolean`.
    Boolean,
    /// `tinyint`: 8 bits.
    TinyInt,
    /// `smallint`: 16 bits.
    SmallInt,
    /// `int`: 32 bits.
    Int,
    /// `bigint`: 64 bits.
    BigInt,
    /// `float`: 32 bits.
    Float,
    /// `double`: 64 bits.
    Double,
    /// `decimal(precision,scale)`.
    Decimal(u8, u8),
    /// `string`, `varchar(n)`: of so many characters at most, where that is said.
    Text(Option<usize>),
    /// `char(n)`: of so many characters at most.
    Char(usize),
    /// `binary`: the bytes of a text.
    Binary,
    /// `date`.
    Date,
    /// `timestamp`, without a zone.
    Timestamp,
    /// `array<element>`.
    Array(Box<Type>),
    /// `map<key,value>`.
    Map(Box<Type>, Box<Type>),
    /// `struct<name:type,...>`.
    Struct(Vec<Column>),
}

/// A column, or a field of a struct.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Column {
    /// Its name.
    pub name: String,
    /// What is in it.
    pub kind: Type,
}

/// The columns of a table.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Table {
    pub(crate) columns: Vec<Column>,
    /// Their names and types as they were given, a line each.
    pub(crate) words: String,
}

#[derive(Deserialize)]
struct Answer {
    #[serde(rename = "Table")]
    table: Option<GlueTable>,
    #[serde(rename = "TableVersion")]
    version: Option<GlueVersion>,
    #[serde(flatten)]
    bare: Option<GlueTable>,
}

#[derive(Deserialize)]
struct GlueVersion {
    #[serde(rename = "Table")]
    table: GlueTable,
}

#[derive(Deserialize)]
struct GlueTable {
    #[serde(rename = "StorageDescriptor")]
    storage: GlueStorage,
}

#[derive(Deserialize)]
struct GlueStorage {
    #[serde(rename = "Columns")]
    columns: Vec<GlueColumn>,
}

#[derive(Deserialize)]
struct GlueColumn {
    #[serde(rename = "Name")]
    name: String,
    #[serde(rename = "Type")]
    kind: String,
}

impl Table {
    /// The names and types of the columns of a table, from what Glue's GetTable or GetTableVersion
    /// answers, or from the table of such an answer. Keys of partitions are no columns: they stand
    /// in the names of objects.
    ///
    /// # Errors
    /// A sentence's end that says what is wrong with it.
    pub fn columns_of_glue(answer: &[u8]) -> Result<Vec<(String, String)>, Invalid> {
        let answer: Answer = serde_json::from_slice(answer)
            .map_err(|error| Invalid(format!("is no answer of Glue: {error}")))?;
        let table = answer
            .table
            .or(answer.version.map(|version| version.table))
            .or(answer.bare);
        let table = table
            .ok_or_else(|| Invalid("has no Table with a StorageDescriptor and Columns".into()))?;
        let columns = table.storage.columns.into_iter();
        Ok(columns.map(|it| (it.name, it.kind)).collect())
    }

    /// A table of columns with these names and types.
    ///
    /// # Errors
    /// A sentence's end that names the column and what is wrong with it.
    pub fn parse(columns: &[(String, String)]) -> Result<Self, Invalid> {
        let bytes = columns.iter().map(|(name, kind)| name.len() + kind.len());
        let bytes: usize = bytes.sum();
        if bytes > TABLE_BYTES_MAX {
            return Err(Invalid(format!(
                "has {bytes} bytes of names and types of columns, not up to {TABLE_BYTES_MAX}"
            )));
        }
        let words = columns.iter().fold(String::new(), |words, (name, kind)| {
            words + name + "\0" + kind + "\n"
        });
        let columns = columns.iter().map(|(name, text)| {
            let kind = Parser { rest: text }.whole();
            let kind = kind.map_err(|Invalid(why)| {
                Invalid(format!("has a column {name} of type {text}, which {why}"))
            })?;
            let name = name.clone();
            Ok(Column { name, kind })
        });
        let columns: Vec<Column> = columns.collect::<Result<_, Invalid>>()?;
        if columns.is_empty() {
            return Err(Invalid("has no columns".to_owned()));
        }
        check_names(&columns).map_err(|Invalid(why)| Invalid(format!("has {why}")))?;
        let leaves: usize = columns.iter().map(|column| column.kind.leaves()).sum();
        if leaves > LEAVES_MAX {
            return Err(Invalid(format!(
                "has {leaves} columns, with those within others, not up to {LEAVES_MAX}"
            )));
        }
        Ok(Self { columns, words })
    }

    /// How many columns without columns in them there are.
    pub(crate) fn leaves(&self) -> usize {
        self.columns.iter().map(|column| column.kind.leaves()).sum()
    }
}

impl Type {
    fn leaves(&self) -> usize {
        match self {
            Self::Array(element) => element.leaves(),
            Self::Map(key, value) => key.leaves() + value.leaves(),
            Self::Struct(fields) => fields.iter().map(|field| field.kind.leaves()).sum(),
            _ => 1,
        }
    }
}

/// Names are told apart without upper and lower case, as Glue and Hive do.
fn check_names(columns: &[Column]) -> Result<(), Invalid> {
    let mut names: Vec<String> = columns.iter().map(|it| it.name.to_lowercase()).collect();
    names.sort();
    for pair in names.windows(2) {
        if let [one, other] = pair
            && one == other
        {
            return Err(Invalid(format!("two columns {one}")));
        }
    }
    if names.iter().any(|name| name.trim().is_empty()) {
        return Err(Invalid("a column without a name".to_owned()));
    }
    Ok(())
}

/// Reads a type.
struct Parser<'a> {
    rest: &'a str,
}

impl<'a> Parser<'a> {
    fn whole(mut self) -> Result<Type, Invalid> {
        let kind = self.kind(0)?;
        if self.rest.trim().is_empty() {
            Ok(kind)
        } else {
            Err(self.unknown())
        }
    }

    fn unknown(&self) -> Invalid {
        Invalid("is not known, or not well formed".to_owned())
    }

    /// A word up to what ends one.
    fn word(&mut self) -> &'a str {
        let end = self.rest.find(['<', '>', '(', ')', ',', ':']);
        let (word, rest) = self.rest.split_at(end.unwrap_or(self.rest.len()));
        self.rest = rest;
        word.trim()
    }

    fn takes(&mut self, sign: char) -> bool {
        let rest = self.rest.trim_start().strip_prefix(sign);
        self.rest = rest.unwrap_or(self.rest);
        rest.is_some()
    }

    fn wants(&mut self, sign: char) -> Result<(), Invalid> {
        if self.takes(sign) {
            Ok(())
        } else {
            Err(self.unknown())
        }
    }

    fn kind(&mut self, depth: usize) -> Result<Type, Invalid> {
        if depth > TYPE_DEPTH_MAX {
            return Err(Invalid(format!(
                "is nested more than {TYPE_DEPTH_MAX} deep"
            )));
        }
        let word = self.word().to_lowercase();
        Ok(match word.as_str() {
            "boolean" => Type::Boolean,
            "tinyint" => Type::TinyInt,
            "smallint" => Type::SmallInt,
            "int" | "integer" => Type::Int,
            "bigint" => Type::BigInt,
            "float" | "real" => Type::Float,
            "double" => Type::Double,
            "decimal" | "numeric" => self.decimal()?,
            "string" => Type::Text(None),
            "char" => Type::Char(self.chars(CHAR_CHARS_MAX)?),
            "varchar" => Type::Text(Some(self.chars(VARCHAR_CHARS_MAX)?)),
            "binary" => Type::Binary,
            "date" => Type::Date,
            "timestamp" => Type::Timestamp,
            "array" => {
                self.wants('<')?;
                let element = self.kind(depth + 1)?;
                self.wants('>')?;
                Type::Array(Box::new(element))
            }
            "map" => {
                self.wants('<')?;
                let key = self.kind(depth + 1)?;
                if matches!(key, Type::Array(_) | Type::Map(..) | Type::Struct(_)) {
                    return Err(Invalid("has a map whose keys are no simple values".into()));
                }
                self.wants(',')?;
                let value = self.kind(depth + 1)?;
                self.wants('>')?;
                Type::Map(Box::new(key), Box::new(value))
            }
            "struct" => self.fields(depth)?,
            _ => return Err(self.unknown()),
        })
    }

    fn fields(&mut self, depth: usize) -> Result<Type, Invalid> {
        self.wants('<')?;
        let mut fields = Vec::new();
        loop {
            let name = self.word().to_owned();
            self.wants(':')?;
            let kind = self.kind(depth + 1)?;
            fields.push(Column { name, kind });
            if !self.takes(',') {
                break;
            }
        }
        self.wants('>')?;
        check_names(&fields)?;
        Ok(Type::Struct(fields))
    }

    fn decimal(&mut self) -> Result<Type, Invalid> {
        let (mut precision, mut scale) = DECIMAL_DEFAULT;
        if self.takes('(') {
            precision = self.number()?;
            if self.takes(',') {
                scale = self.number()?;
            }
            self.wants(')')?;
        }
        if !(1..=DECIMAL_DIGITS_MAX).contains(&precision) || scale > precision {
            return Err(Invalid(format!(
                "has no precision of 1 to {DECIMAL_DIGITS_MAX} digits with a scale within it"
            )));
        }
        Ok(Type::Decimal(precision, scale))
    }

    fn chars(&mut self, chars_max: usize) -> Result<usize, Invalid> {
        self.wants('(')?;
        let chars: usize = self.number()?;
        self.wants(')')?;
        if !(1..=chars_max).contains(&chars) {
            return Err(Invalid(format!("has not 1 to {chars_max} characters")));
        }
        Ok(chars)
    }

    fn number<T: std::str::FromStr>(&mut self) -> Result<T, Invalid> {
        let word = self.word();
        word.parse().map_err(|_| self.unknown())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kind(text: &str) -> Result<Type, String> {
        let table = Table::parse(&[("c".to_owned(), text.to_owned())]);
        let table = table.map_err(|Invalid(why)| why)?;
        Ok(table.columns.into_iter().next().unwrap().kind)
    }

    #[test]
    fn glues_types_are_read_however_they_are_nested() {
        let nested = "struct<a:int,b:array<map<string,decimal(5,2)>>, C : varchar(3)>";
        let field = |name: &str, kind| Column {
            name: name.to_owned(),
            kind,
        };
        let map = Type::Map(Box::new(Type::Text(None)), Box::new(Type::Decimal(5, 2)));
        let wanted = Type::Struct(vec![
            field("a", Type::Int),
            field("b", Type::Array(Box::new(map))),
            field("C", Type::Text(Some(3))),
        ]);
        assert_eq!(kind(nested), Ok(wanted));
        assert_eq!(kind("DECIMAL"), Ok(Type::Decimal(10, 0)));
        assert_eq!(kind("decimal( 38 , 38 )"), Ok(Type::Decimal(38, 38)));
        assert_eq!(kind("Double"), Ok(Type::Double));
    }

    #[test]
    fn what_is_no_type_is_told_with_its_column() {
        for (text, told) in [
            ("", "not known"),
            ("uniontype<int>", "not known"),
            ("int)", "not known"),
            ("array<int", "not known"),
            ("array", "not known"),
            ("array<>", "not known"),
            ("struct<>", "not known"),
            ("struct<a>", "not known"),
            ("struct<a:int,A:int>", "two columns a"),
            ("struct<:int>", "without a name"),
            ("map<array<int>,int>", "no simple values"),
            ("decimal(39,0)", "no precision"),
            ("decimal(3,4)", "no precision"),
            ("decimal(0)", "no precision"),
            ("varchar", "not known"),
            ("varchar(0)", "not 1 to 65535"),
            ("char(256)", "not 1 to 255"),
            (&"array<".repeat(40), "nested more than 32 deep"),
            (&"array<".repeat(40_000), "bytes of names and types"),
        ] {
            let why = kind(text).unwrap_err();
            assert!(why.contains(told), "{text}: {why}");
        }
    }

    #[test]
    fn a_table_is_what_glue_answers_or_the_table_in_it() {
        let table = r#"{"Name":"t","StorageDescriptor":{"Columns":[
            {"Name":"a","Type":"int","Comment":"x"},{"Name":"b","Type":"string"}],
            "Location":"s3://x"},"PartitionKeys":[{"Name":"day","Type":"string"}]}"#;
        let wanted = [("a", "int"), ("b", "string")];
        let wanted: Vec<(String, String)> = wanted
            .iter()
            .map(|(name, kind)| ((*name).to_owned(), (*kind).to_owned()))
            .collect();
        for answer in [
            table.to_owned(),
            format!("{{\"Table\":{table}}}"),
            format!("{{\"TableVersion\":{{\"VersionId\":\"3\",\"Table\":{table}}}}}"),
        ] {
            assert_eq!(
                Table::columns_of_glue(answer.as_bytes()),
                Ok(wanted.clone())
            );
        }
        for wrong in [
            "",
            "[]",
            "{}",
            "{\"Table\":{}}",
            "{\"Table\":{\"StorageDescriptor\":{}}}",
        ] {
            assert!(Table::columns_of_glue(wrong.as_bytes()).is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_table_with_too_many_columns_or_two_of_one_name_is_refused() {
        let columns = |count: usize| -> Vec<(String, String)> {
            let names = (0..count).map(|number| (format!("c{number}"), "int".to_owned()));
            names.collect()
        };
        assert_eq!(
            Table::parse(&columns(LEAVES_MAX)).unwrap().leaves(),
            LEAVES_MAX
        );
        for (columns, told) in [
            (columns(0), "no columns"),
            (columns(LEAVES_MAX + 1), "1001 columns"),
            ([columns(2), columns(1)].concat(), "two columns c0"),
        ] {
            let Err(Invalid(why)) = Table::parse(&columns) else {
                panic!("{told}");
            };
            assert!(why.contains(told), "{why}");
        }
    }
}
