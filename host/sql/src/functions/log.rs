//! Functions that take a line of a log apart: each gives several columns.
//!
//! Every column is a function of the line by itself, so that only those that are used are computed.

mod columns;
mod fast;
mod web;

use regex::Regex;

use super::arguments::{text, wrong};
use super::cast::cast;
use super::kernel::strict;
use super::{regex as patterns, written_moment};
use crate::cell::Value;
use crate::expr::Expr;
use crate::fault::Invalid;
use crate::ty::SqlType;

type Columns = Vec<(String, Expr)>;

/// Columns of a line, at most.
const COLUMNS_MAX: usize = 1_000;

/// The type of a column that has none of its own.
const FIELD: SqlType = SqlType::Varchar { length: 1_024 };

/// The columns of a function that takes a line apart. None if it is not one of them.
pub(super) fn columns(name: &str, arguments: &[Expr]) -> Option<Result<Columns, Invalid>> {
    let parse: fn(&str, &[Expr]) -> Result<Columns, Invalid> = match name {
        "REGEX_LOG_PARSE" => by_regex,
        "FAST_REGEX_LOG_PARSER" | "FAST_REGEX_LOG_PARSE" => fast::parse,
        "SYS_LOG_PARSE" => by_syslog,
        "W3C_LOG_PARSE" => web::parse,
        "FIXED_COLUMN_LOG_PARSE" => columns::fixed,
        "VARIABLE_COLUMN_LOG_PARSE" => columns::variable,
        _ => return None,
    };
    Some(parse(name, arguments))
}

/// A line, and what describes it: a text that is the same for every row.
fn described<'a>(name: &str, arguments: &'a [Expr]) -> Result<(Expr, &'a str), Invalid> {
    let [line, description] = arguments else {
        return Err(wrong(name, arguments, "a text and a pattern"));
    };
    Ok((text(line.clone(), name)?, literal(name, description)?))
}

/// A text that is the same for every row, since the columns depend on it.
fn literal<'a>(name: &str, expr: &'a Expr) -> Result<&'a str, Invalid> {
    match expr.as_literal() {
        Some(Value::Text(text)) => Ok(text),
        _ => Err(Invalid::new(format!(
            "{name} takes a pattern that is written as a text, since its columns depend on it"
        ))),
    }
}

/// `REGEX_LOG_PARSE(line, pattern)`: a column for each group; all null where nothing matches.
fn by_regex(name: &str, arguments: &[Expr]) -> Result<Columns, Invalid> {
    let (line, pattern) = described(name, arguments)?;
    let regex = patterns::compile(pattern).map_err(Invalid::new)?;
    groups(name, &line, &regex)
}

/// A column for each group of the pattern.
fn groups(name: &str, line: &Expr, regex: &Regex) -> Result<Columns, Invalid> {
    let count = regex.captures_len() - 1;
    if count == 0 || count > COLUMNS_MAX {
        return Err(Invalid::new(format!(
            "{name} takes a pattern of 1 to {COLUMNS_MAX} groups, not {count}"
        )));
    }
    let columns = (1..=count).map(|number| {
        let field = group(name, line.clone(), regex.clone(), number)?;
        Ok((format!("COLUMN{number}"), field))
    });
    columns.collect()
}

/// What a group of a pattern matched, cut to the length of a column.
fn group(name: &str, line: Expr, regex: Regex, number: usize) -> Result<Expr, Invalid> {
    let name = format!("{name} {:?} {number}", regex.as_str());
    let found = strict(name, vec![line], SqlType::TEXT, move |inputs, faults| {
        let lines = inputs.texts(0)?;
        let mut places = regex.capture_locations();
        Ok(inputs.write(faults, |row, out| {
            let line = lines.get(row);
            let found = regex.captures_read(&mut places, line);
            let Some((start, end)) = found.and_then(|_| places.get(number)) else {
                return Ok(false);
            };
            out.push_str(&line[start..end]);
            Ok(true)
        }))
    })?;
    cast(found, FIELD)
}

/// `SYS_LOG_PARSE(line)`: when it was (a syslog has no year: 1970), and the rest.
fn by_syslog(name: &str, arguments: &[Expr]) -> Result<Columns, Invalid> {
    let [line] = arguments else {
        return Err(wrong(name, arguments, "a text"));
    };
    let line = text(line.clone(), name)?;
    let regex = patterns::compile(r"^\s*([A-Z][a-z]{2}\s+\d{1,2}\s+\d{2}:\d{2}:\d{2})\s+(.*)$")
        .map_err(Invalid::new)?;
    let time = group(name, line.clone(), regex.clone(), 1)?;
    let format = Expr::literal(Value::Text("MMM d HH:mm:ss".into()), SqlType::TEXT);
    let time = written_moment::from_char(name, format, time, SqlType::Timestamp)?;
    let rest = group(name, line, regex, 2)?;
    Ok(vec![
        ("COLUMN1".to_owned(), time),
        ("COLUMN2".to_owned(), rest),
    ])
}
