//! Lines whose columns are described: by their places, or by what is between them.

use super::{COLUMNS_MAX, Columns, FIELD, described, literal};
use crate::ast::{ExpressionKind, Literal};
use crate::cell::Value;
use crate::expr::Expr;
use crate::fault::Invalid;
use crate::functions::arguments::{text, wrong};
use crate::functions::cast::cast;
use crate::functions::characters::byte_of;
use crate::functions::kernel::strict;
use crate::functions::literal::literal as literal_of;
use crate::functions::text::{substring, trim};
use crate::functions::written_moment;
use crate::ty::SqlType;

/// A column as it is described: `name TYPE type ['pattern'] [NOT NULL] [START n [FOR n]]`.
struct Described {
    name: String,
    ty: SqlType,
    /// How a moment is written.
    pattern: Option<String>,
    start: Option<u32>,
    length: Option<u32>,
}

impl Described {
    /// The value of the column, of the text that is in it.
    fn value(&self, name: &str, field: Expr) -> Result<Expr, Invalid> {
        match &self.pattern {
            Some(pattern) => {
                let pattern = Expr::literal(Value::Text(pattern.as_str().into()), SqlType::TEXT);
                written_moment::from_char(name, pattern, field, self.ty)
            }
            None => cast(field, self.ty),
        }
    }
}

/// `FIXED_COLUMN_LOG_PARSE(line, columns)`. The first character has the place 0.
pub(super) fn fixed(name: &str, arguments: &[Expr]) -> Result<Columns, Invalid> {
    let (line, description) = described(name, arguments)?;
    let mut columns = Vec::new();
    for column in parse(name, description)? {
        let number = |number: i128| literal_of(&Literal::Whole(number));
        let start = column.start.ok_or_else(|| {
            Invalid::new(format!(
                "{name} takes columns with a START: {}",
                column.name
            ))
        })?;
        let length = column
            .length
            .map(|length| number(length.into()))
            .transpose()?;
        let field = substring(line.clone(), number(i128::from(start) + 1)?, length)?;
        let field = trim(crate::ast::TrimSide::Both, None, field)?;
        columns.push((column.name.clone(), column.value(name, field)?));
    }
    Ok(columns)
}

/// `VARIABLE_COLUMN_LOG_PARSE(line, columns, delimiter, escape, quotes)`.
pub(super) fn variable(name: &str, arguments: &[Expr]) -> Result<Columns, Invalid> {
    let (line, columns, marks) = match arguments {
        [line, columns, marks @ ..] if (1..=3).contains(&marks.len()) => (line, columns, marks),
        _ => {
            let takes = "a text, columns, a delimiter and, if wanted, an escape and quotes";
            return Err(wrong(name, arguments, takes));
        }
    };
    let mut marks = marks.iter().map(|mark| literal(name, mark));
    let delimiter = marks
        .next()
        .transpose()?
        .filter(|delimiter| !delimiter.is_empty());
    let delimiter = delimiter.ok_or_else(|| Invalid::new(format!("{name} needs a delimiter")))?;
    let escape = marks
        .next()
        .transpose()?
        .filter(|escape| !escape.is_empty());
    let mut quotes = marks.next().transpose()?.unwrap_or("").chars();
    let begin = quotes.next();
    let cut = Cut {
        delimiter: delimiter.to_owned(),
        escape: escape.map(str::to_owned),
        quotes: begin.map(|begin| (begin, quotes.next().unwrap_or(begin))),
    };
    let line = text(line.clone(), name)?;
    let described = match columns.as_literal() {
        Some(Value::Whole(count)) => {
            let count = usize::try_from(*count).ok();
            let count = count.filter(|count| (1..=COLUMNS_MAX).contains(count));
            let count = count
                .ok_or_else(|| Invalid::new(format!("{name} gives 1 to {COLUMNS_MAX} columns")))?;
            let numbered = |number| Described {
                name: format!("COLUMN{number}"),
                ty: FIELD,
                pattern: None,
                start: None,
                length: None,
            };
            (1..=count).map(numbered).collect()
        }
        _ => parse(name, literal(name, columns)?)?,
    };
    let columns = described.iter().enumerate().map(|(index, column)| {
        let field = cut.field(line.clone(), index)?;
        Ok((column.name.clone(), column.value(name, field)?))
    });
    columns.collect()
}

/// How a line is cut into fields.
#[derive(Clone, Debug)]
struct Cut {
    delimiter: String,
    /// Takes the meaning of what follows.
    escape: Option<String>,
    /// Between them, delimiters mean themselves.
    quotes: Option<(char, char)>,
}

impl Cut {
    /// The field with this number, null if there are fewer.
    fn field(&self, line: Expr, index: usize) -> Result<Expr, Invalid> {
        let cut = self.clone();
        let name = format!("VARIABLE_COLUMN_LOG_PARSE {cut:?} {index}");
        strict(name, vec![line], SqlType::TEXT, move |inputs, faults| {
            let lines = inputs.texts(0)?;
            Ok(inputs.write(faults, |row, out| Ok(cut.write(lines.get(row), index, out))))
        })
    }

    fn write(&self, line: &str, index: usize, out: &mut String) -> bool {
        let mut rest = line;
        let mut at = 0;
        let mut closing: Option<char> = None;
        while let Some(letter) = rest.chars().next() {
            let escape = self.escape.as_deref();
            if let Some(after) = escape.and_then(|escape| rest.strip_prefix(escape)) {
                rest = after;
                let end = byte_of(rest, 1);
                if at == index {
                    out.push_str(&rest[..end]);
                }
                rest = &rest[end..];
                continue;
            }
            let after = rest.strip_prefix(self.delimiter.as_str());
            if let Some(after) = after.filter(|_| closing.is_none()) {
                if at == index {
                    return true;
                }
                at += 1;
                rest = after;
                continue;
            }
            rest = &rest[letter.len_utf8()..];
            match (closing, self.quotes) {
                (Some(end), _) if letter == end => closing = None,
                (None, Some((begin, end))) if letter == begin => closing = Some(end),
                _ if at == index => out.push(letter),
                _ => {}
            }
        }
        at == index
    }
}

/// The columns of a description, with commas between them.
fn parse(name: &str, description: &str) -> Result<Vec<Described>, Invalid> {
    let mut columns = Vec::new();
    for column in split(description) {
        columns.push(parse_one(column.trim()).map_err(|what| {
            Invalid::new(format!("{name}: the column {:?}: {what}", column.trim()))
        })?);
        if columns.len() > COLUMNS_MAX {
            return Err(Invalid::new(format!(
                "{name} gives at most {COLUMNS_MAX} columns"
            )));
        }
    }
    Ok(columns)
}

/// At commas that are neither in parentheses nor in apostrophes.
fn split(description: &str) -> Vec<&str> {
    let (mut depth, mut quoted) = (0_u32, false);
    description
        .split(|letter: char| {
            match letter {
                '\'' => quoted = !quoted,
                '(' if !quoted => depth = depth.saturating_add(1),
                ')' if !quoted => depth = depth.saturating_sub(1),
                _ => {}
            }
            letter == ',' && depth == 0 && !quoted
        })
        .collect()
}

fn parse_one(column: &str) -> Result<Described, String> {
    let (column_name, rest) = match column.strip_prefix('"') {
        Some(rest) => {
            let (name, rest) = rest.split_once('"').ok_or("a quote is not closed")?;
            (name.to_owned(), rest)
        }
        None => {
            let (name, rest) = column
                .split_once(char::is_whitespace)
                .ok_or("it has no TYPE")?;
            (name.to_uppercase(), rest)
        }
    };
    let rest = word(rest, "TYPE").ok_or("TYPE is expected behind its name")?;
    let upper = rest.to_ascii_uppercase();
    let places = upper.find(" START ");
    let (ty, places) = match places {
        Some(at) => (&rest[..at], Some(rest[at..].trim())),
        None => (rest, None),
    };
    let mut ty = ty.trim();
    if let Some(at) = ty.to_ascii_uppercase().find(" NOT NULL") {
        ty = ty[..at].trim();
    }
    let mut pattern = None;
    if let Some((before, written)) = ty.split_once('\'') {
        pattern = Some(written.trim_end_matches('\'').to_owned());
        ty = before.trim();
    }
    let number = |text: &str| {
        text.trim()
            .parse::<u32>()
            .map_err(|_| "a place is not a number")
    };
    let (mut start, mut length) = (None, None);
    if let Some(places) = places.and_then(|places| word(places, "START")) {
        let upper = places.to_ascii_uppercase();
        match upper.find(" FOR ") {
            Some(at) => {
                start = Some(number(&places[..at])?);
                length = Some(number(&places[at + " FOR ".len()..])?);
            }
            None => start = Some(number(places)?),
        }
    }
    Ok(Described {
        name: column_name,
        ty: parse_type(ty)?,
        pattern,
        start,
        length,
    })
}

/// What is behind a word, in capitals or not.
fn word<'a>(text: &'a str, word: &str) -> Option<&'a str> {
    let text = text.trim_start();
    let start = text.get(..word.len())?;
    start
        .eq_ignore_ascii_case(word)
        .then(|| text[word.len()..].trim())
}

fn parse_type(ty: &str) -> Result<SqlType, String> {
    let cast = crate::parse::parse_expression(&format!("CAST(NULL AS {ty})"));
    match cast.map(|cast| cast.kind) {
        Ok(ExpressionKind::Cast { ty, .. }) => Ok(ty),
        Ok(_) => Err(format!("{ty:?} is not a type")),
        Err(invalid) => Err(format!("{ty:?} is not a type: {}", invalid.message)),
    }
}
