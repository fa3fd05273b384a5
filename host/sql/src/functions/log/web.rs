//! Lines of web servers, in the notation of Apache's logs.

use super::{Columns, described, groups};
use crate::expr::Expr;
use crate::fault::Invalid;
use crate::functions::regex as patterns;

/// Formats by their names.
const FORMATS: [(&str, &str); 5] = [
    ("COMMON", r#"%h %l %u %t "%r" %>s %b"#),
    ("COMMON WITH VHOST", r#"%v %h %l %u %t "%r" %>s %b"#),
    (
        "NCSA EXTENDED",
        r#"%h %l %u %t "%r" %>s %b "%[Referer]i" "%[User-agent]i""#,
    ),
    ("REFERER", "%[Referer]i ---> %U"),
    ("AGENT", "%[User-agent]i"),
];

/// `W3C_LOG_PARSE(line, format)`: a column for each `%` of the format.
pub(super) fn parse(name: &str, arguments: &[Expr]) -> Result<Columns, Invalid> {
    let (line, format) = described(name, arguments)?;
    let known = FORMATS.iter().find(|(known, _)| *known == format.trim());
    let format = known.map_or(format, |(_, format)| *format);
    let pattern = pattern_of(format).map_err(Invalid::new)?;
    let regex = patterns::compile(&pattern).map_err(Invalid::new)?;
    groups(name, &line, &regex)
}

/// The regular expression of a format. A field goes to the next character of the format, a time is
/// in brackets.
fn pattern_of(format: &str) -> Result<String, String> {
    let mut pattern = String::from(r"^\s*");
    let mut letters = format.chars().peekable();
    while let Some(letter) = letters.next() {
        if letter != '%' {
            if letter == ' ' {
                pattern.push_str(r"\s+");
            } else {
                pattern.push_str(&regex::escape(letter.encode_utf8(&mut [0; 4])));
            }
            continue;
        }
        if letters.next_if_eq(&'%').is_some() {
            pattern.push('%');
            continue;
        }
        let field = field(format, &mut letters)?;
        let end = letters.peek().copied();
        pattern.push_str(&match (field, end) {
            ('t', _) => r"\[([^\]]*)\]".to_owned(),
            ('r', Some(' ')) => "(.*?)".to_owned(),
            (_, Some('"')) => r#"([^"]*)"#.to_owned(),
            (_, Some(' ')) => r"(\S*)".to_owned(),
            (_, Some(end)) => {
                format!("([^{}]*)", regex::escape(end.encode_utf8(&mut [0; 4])))
            }
            (_, None) => "(.*?)".to_owned(),
        });
    }
    pattern.push_str(r"\s*$");
    Ok(pattern)
}

/// The letter of a field, behind what tells which requests it is for and which header is meant.
fn field(
    format: &str,
    letters: &mut std::iter::Peekable<std::str::Chars<'_>>,
) -> Result<char, String> {
    loop {
        match letters.next() {
            Some('[' | '{') => {
                let closed = letters.any(|letter| matches!(letter, ']' | '}'));
                if !closed {
                    return Err(format!("{format:?} lacks a ] behind %["));
                }
            }
            Some('<' | '>' | '!' | ',' | '0'..='9') => {}
            Some(letter) if letter.is_ascii_alphabetic() => return Ok(letter),
            _ => return Err(format!("{format:?} has a % without a letter of a field")),
        }
    }
}
