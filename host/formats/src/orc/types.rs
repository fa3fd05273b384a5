//! The types of columns, as the tail of a file lists them: each before what is in it (ORC
//! specification v1, "Type Information").

use super::protobuf::Message;
use crate::table::{Column, Type};

/// How many columns a type is, with those within it.
pub fn nodes(kind: &Type) -> u64 {
    1 + match kind {
        Type::Array(element) => nodes(element),
        Type::Map(key, value) => nodes(key) + nodes(value),
        Type::Struct(fields) => fields.iter().map(|field| nodes(&field.kind)).sum(),
        _ => 0,
    }
}

/// The types of a table, of which each row is a struct: the fields of the tail.
pub fn of_table(columns: &[Column]) -> Message {
    let mut types = Message::default();
    describe_struct(columns, 0, &mut types);
    types
}

fn describe_struct(fields: &[Column], number: u64, into: &mut Message) {
    let mut told = kind_message(12);
    let mut next = number + 1;
    let numbers = fields.iter().map(|field| {
        let number = next;
        next += nodes(&field.kind);
        number
    });
    let numbers: Vec<u64> = numbers.collect();
    told.numbers(2, &numbers);
    for field in fields {
        told.text(3, field.name.as_bytes());
    }
    into.message(4, &told);
    for (field, number) in fields.iter().zip(numbers) {
        describe(&field.kind, number, into);
    }
}

fn kind_message(kind: u64) -> Message {
    let mut told = Message::default();
    told.number(1, kind);
    told
}

/// Adds a type that has this number, and those within it.
fn describe(kind: &Type, number: u64, into: &mut Message) {
    match kind {
        Type::Struct(fields) => describe_struct(fields, number, into),
        Type::Array(element) => {
            let mut told = kind_message(10);
            told.numbers(2, &[number + 1]);
            into.message(4, &told);
            describe(element, number + 1, into);
        }
        Type::Map(key, value) => {
            let mut told = kind_message(11);
            let second = number + 1 + nodes(key);
            told.numbers(2, &[number + 1, second]);
            into.message(4, &told);
            describe(key, number + 1, into);
            describe(value, second, into);
        }
        Type::Text(Some(chars)) => into.message(4, &with_length(16, *chars)),
        Type::Char(chars) => into.message(4, &with_length(17, *chars)),
        Type::Decimal(precision, scale) => {
            let mut told = kind_message(14);
            told.number(5, u64::from(*precision));
            told.number(6, u64::from(*scale));
            into.message(4, &told);
        }
        Type::Boolean => into.message(4, &kind_message(0)),
        Type::TinyInt => into.message(4, &kind_message(1)),
        Type::SmallInt => into.message(4, &kind_message(2)),
        Type::Int => into.message(4, &kind_message(3)),
        Type::BigInt => into.message(4, &kind_message(4)),
        Type::Float => into.message(4, &kind_message(5)),
        Type::Double => into.message(4, &kind_message(6)),
        Type::Text(None) => into.message(4, &kind_message(7)),
        Type::Binary => into.message(4, &kind_message(8)),
        Type::Timestamp => into.message(4, &kind_message(9)),
        Type::Date => into.message(4, &kind_message(15)),
    }
}

/// A type of texts of so many characters.
fn with_length(kind: u64, chars: usize) -> Message {
    let mut told = kind_message(kind);
    told.number(4, chars as u64);
    told
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Table;

    /// The example of the specification, whose columns have the numbers 1, 2 to 5, and 6.
    #[test]
    fn columns_are_numbered_before_what_is_in_them() {
        let words = [
            ("myInt", "int"),
            (
                "myMap",
                "map<string,struct<myString:string,myDouble:double>>",
            ),
            ("myTime", "timestamp"),
        ];
        let words = words.map(|(name, kind)| (name.to_owned(), kind.to_owned()));
        let table = Table::parse(&words).unwrap();
        let types = of_table(&table.columns);
        let root = b"\x22\x1d\x08\x0c\x12\x03\x01\x02\x07\x1a\x05myInt\x1a\x05myMap\x1a\x06myTime";
        let map = b"\x22\x06\x08\x0b\x12\x02\x03\x04";
        let row = b"\x22\x1a\x08\x0c\x12\x02\x05\x06\x1a\x08myString\x1a\x08myDouble";
        let wanted = [
            &root[..],
            b"\x22\x02\x08\x03",
            map,
            b"\x22\x02\x08\x07",
            row,
            b"\x22\x02\x08\x07",
            b"\x22\x02\x08\x06",
            b"\x22\x02\x08\x09",
        ];
        assert_eq!(types.bytes(), wanted.concat());
        let kinds = table.columns.iter().map(|column| nodes(&column.kind));
        assert_eq!(kinds.collect::<Vec<_>>(), [1, 5, 1]);
    }
}
