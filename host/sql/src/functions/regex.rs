//! Functions of regular expressions: `SIMILAR TO`, `REGEX_REPLACE`, `SUBSTRING` with a pattern.
//!
//! The engine takes time linear in the text, whatever the pattern; it has no look-around and no
//! references back. Patterns are a user's, so that what they are compiled to is bounded.

use arrow_array::types::Int64Type;
use regex::{Captures, Regex, RegexBuilder};

use super::arguments::{text, whole_number, wrong};
use super::characters::byte_of;
use super::kernel::{broken, strict};
use super::pattern::escape_character;
use super::types;
use crate::cell::Value;
use crate::expr::Expr;
use crate::fault::{Fault, FaultKind, Invalid};
use crate::ty::SqlType;

/// Bytes that a compiled pattern takes, and its cache too, at most; a larger one is refused.
const COMPILED_BYTES_MAX: usize = 1 << 20;

/// Parentheses and the like that lie in each other in a pattern, at most.
const NEST_MAX: u32 = 50;

/// Compiles a pattern, or says what is wrong with it.
pub(super) fn compile(pattern: &str) -> Result<Regex, String> {
    compile_as(pattern, false)
}

/// `lazy`: repeats take as little as they can.
pub(super) fn compile_as(pattern: &str, lazy: bool) -> Result<Regex, String> {
    let made = RegexBuilder::new(pattern)
        .size_limit(COMPILED_BYTES_MAX)
        .dfa_size_limit(COMPILED_BYTES_MAX)
        .nest_limit(NEST_MAX)
        .swap_greed(lazy)
        .build();
    made.map_err(|error| format!("the regular expression {pattern:?} is not taken: {error}"))
}

/// Patterns of rows. One that is the same for every row is compiled once; of others the last one
/// is kept.
struct Patterns {
    make: fn(&str, Option<char>) -> Result<Regex, String>,
    last: Option<((String, Option<char>), Regex)>,
}

impl Patterns {
    fn new(make: fn(&str, Option<char>) -> Result<Regex, String>) -> Self {
        Self { make, last: None }
    }

    fn get(&mut self, pattern: &str, escape: Option<char>) -> Result<&Regex, Fault> {
        let known = matches!(&self.last, Some(((text, by), _)) if text == pattern && *by == escape);
        if !known {
            let made = (self.make)(pattern, escape);
            let made = made.map_err(|message| Fault::new(FaultKind::Argument, message))?;
            self.last = Some(((pattern.to_owned(), escape), made));
        }
        match &self.last {
            Some((_, regex)) => Ok(regex),
            None => Err(Fault::new(
                FaultKind::Argument,
                "a pattern that is not there",
            )),
        }
    }
}

/// Says at once what is wrong with a pattern that is the same for every row.
fn checked(
    pattern: &Expr,
    escape: Option<&Expr>,
    make: fn(&str, Option<char>) -> Result<Regex, String>,
) -> Result<(), Invalid> {
    let escape = match escape.map(Expr::as_literal) {
        None => None,
        Some(Some(Value::Text(escape))) => {
            escape_character(Some(escape)).map_err(|fault| Invalid::new(fault.message))?
        }
        Some(_) => return Ok(()),
    };
    if let Some(Value::Text(pattern)) = pattern.as_literal() {
        make(pattern, escape).map_err(Invalid::new)?;
    }
    Ok(())
}

/// `SIMILAR TO`: a pattern of SQL that the whole text matches.
pub(super) fn similar(operand: Expr, pattern: Expr, escape: Option<Expr>) -> Result<Expr, Invalid> {
    let (operand, pattern) = (text(operand, "SIMILAR TO")?, text(pattern, "SIMILAR TO")?);
    let escape = escape.map(|escape| text(escape, "ESCAPE")).transpose()?;
    checked(&pattern, escape.as_ref(), compile_similar)?;
    let has_escape = escape.is_some();
    let arguments = [Some(operand), Some(pattern), escape];
    let arguments = arguments.into_iter().flatten().collect();
    strict(
        "SIMILAR TO",
        arguments,
        SqlType::Boolean,
        move |inputs, faults| {
            let (texts, patterns) = (inputs.texts(0)?, inputs.texts(1)?);
            let escapes = if has_escape {
                Some(inputs.texts(2)?)
            } else {
                None
            };
            let mut compiled = Patterns::new(compile_similar);
            Ok(inputs.truths(faults, |row| {
                let escape = escape_character(escapes.as_ref().map(|all| all.get(row)))?;
                let regex = compiled.get(patterns.get(row), escape)?;
                Ok(Some(regex.is_match(texts.get(row))))
            }))
        },
    )
}

fn compile_similar(pattern: &str, escape: Option<char>) -> Result<Regex, String> {
    let translated = translated(pattern, escape)?;
    compile(&format!("\\A(?s:{translated})\\z"))
}

/// A pattern of SQL as one of the engine: `%` and `_` as in LIKE, and of regular expressions
/// `| * + ? { } ( ) [ ]`.
fn translated(pattern: &str, escape: Option<char>) -> Result<String, String> {
    let mut out = String::new();
    let mut letters = pattern.chars();
    let mut in_class = false;
    while let Some(letter) = letters.next() {
        if Some(letter) == escape {
            let letter = letters.next();
            let letter = letter.ok_or("a SIMILAR TO pattern ends with its escape character")?;
            out.push_str(&regex::escape(letter.encode_utf8(&mut [0; 4])));
            continue;
        }
        match letter {
            '[' if !in_class => {
                in_class = true;
                out.push('[');
            }
            '[' => {
                // A named class such as [:ALPHA:]: its name is in small letters there.
                let name: String = letters
                    .by_ref()
                    .take_while(|letter| *letter != ']')
                    .collect();
                out.push_str(&format!("[{}]", name.to_lowercase()));
            }
            ']' => {
                in_class = false;
                out.push(']');
            }
            '\\' => out.push_str("\\\\"),
            '&' | '~' if in_class => out.push_str(&format!("\\{letter}")),
            _ if in_class => out.push(letter),
            '%' => out.push_str(".*"),
            '_' => out.push('.'),
            '|' | '*' | '+' | '?' | '{' | '}' | '(' | ')' => out.push(letter),
            _ => out.push_str(&regex::escape(letter.encode_utf8(&mut [0; 4]))),
        }
    }
    Ok(out)
}

/// `SUBSTRING(x SIMILAR pattern ESCAPE e)`: what lies between `e"` and `e"` in a pattern of SQL;
/// without them the first part that the pattern matches as a regular expression. Null if none does.
pub(super) fn substring(
    operand: Expr,
    pattern: Expr,
    escape: Option<Expr>,
) -> Result<Expr, Invalid> {
    let (operand, pattern) = (text(operand, "SUBSTRING")?, text(pattern, "SUBSTRING")?);
    let escape = escape.map(|escape| text(escape, "ESCAPE")).transpose()?;
    checked(&pattern, escape.as_ref(), compile_part)?;
    let length = types::length(operand.ty()).ok_or_else(|| broken("a text has a length"))?;
    let ty = SqlType::Varchar { length };
    let has_escape = escape.is_some();
    let arguments = [Some(operand), Some(pattern), escape];
    let arguments = arguments.into_iter().flatten().collect();
    strict("SUBSTRING SIMILAR", arguments, ty, move |inputs, faults| {
        let (texts, patterns) = (inputs.texts(0)?, inputs.texts(1)?);
        let escapes = if has_escape {
            Some(inputs.texts(2)?)
        } else {
            None
        };
        let mut compiled = Patterns::new(compile_part);
        Ok(inputs.write(faults, |row, out| {
            let escape = escape_character(escapes.as_ref().map(|all| all.get(row)))?;
            let regex = compiled.get(patterns.get(row), escape)?;
            let Some(found) = regex.captures(texts.get(row)) else {
                return Ok(false);
            };
            let part = found.name("part").or_else(|| found.get(0));
            out.push_str(part.map_or("", |part| part.as_str()));
            Ok(part.is_some())
        }))
    })
}

fn compile_part(pattern: &str, escape: Option<char>) -> Result<Regex, String> {
    let Some(letter) = escape else {
        return compile(pattern);
    };
    let mark = format!("{letter}\"");
    match pattern.split(mark.as_str()).collect::<Vec<_>>().as_slice() {
        [before, part, after] => {
            let (before, part) = (translated(before, escape)?, translated(part, escape)?);
            let after = translated(after, escape)?;
            compile(&format!(
                "\\A(?s:(?:{before})(?P<part>{part})(?:{after}))\\z"
            ))
        }
        _ => compile(pattern),
    }
}

/// `REGEX_REPLACE(text, pattern, replacement, start, occurrence)`. In the replacement `$1` is what
/// the first group matched, and a backslash takes the meaning of what follows.
pub(super) fn replace(arguments: Vec<Expr>) -> Result<Expr, Invalid> {
    if !(3..=5).contains(&arguments.len()) {
        return Err(wrong(
            "REGEX_REPLACE",
            &arguments,
            "three to five arguments",
        ));
    }
    let (has_start, has_occurrence) = (arguments.len() > 3, arguments.len() > 4);
    let mut typed = Vec::with_capacity(arguments.len());
    for (index, argument) in arguments.into_iter().enumerate() {
        typed.push(if index < 3 {
            text(argument, "REGEX_REPLACE")?
        } else {
            whole_number(argument, "REGEX_REPLACE")?
        });
    }
    checked(&typed[1], None, |pattern, _| compile(pattern))?;
    strict(
        "REGEX_REPLACE",
        typed,
        SqlType::TEXT,
        move |inputs, faults| {
            let (texts, patterns) = (inputs.texts(0)?, inputs.texts(1)?);
            let replacements = inputs.texts(2)?;
            let starts = if has_start {
                Some(inputs.numbers::<Int64Type>(3)?)
            } else {
                None
            };
            let occurrences = if has_occurrence {
                Some(inputs.numbers::<Int64Type>(4)?)
            } else {
                None
            };
            let mut compiled = Patterns::new(|pattern, _| compile(pattern));
            Ok(inputs.write(faults, |row, out| {
                let start = starts.as_ref().map_or(1, |all| all.get(row));
                let occurrence = occurrences.as_ref().map_or(0, |all| all.get(row));
                let regex = compiled.get(patterns.get(row), None)?;
                let which = Which { start, occurrence };
                replaced(regex, texts.get(row), replacements.get(row), which, out)?;
                Ok(true)
            }))
        },
    )
}

/// Which matches are replaced.
struct Which {
    /// The first character that is looked at.
    start: i64,
    /// The only one that is replaced, or 0: all of them.
    occurrence: i64,
}

fn replaced(
    regex: &Regex,
    text: &str,
    replacement: &str,
    which: Which,
    out: &mut String,
) -> Result<(), Fault> {
    let Which { start, occurrence } = which;
    let (Ok(start), Ok(occurrence)) = (
        usize::try_from(start.saturating_sub(1)),
        usize::try_from(occurrence),
    ) else {
        let message = format!(
            "REGEX_REPLACE begins at 1 or later, not at {start}, and replaces no match \
             before the first, not {occurrence}"
        );
        return Err(Fault::new(FaultKind::Argument, message));
    };
    let mut copied = byte_of(text, start);
    out.push_str(&text[..copied]);
    let looked_at = &text[copied..];
    let offset = copied;
    for (number, found) in regex.captures_iter(looked_at).enumerate() {
        let Some(whole) = found.get(0) else { continue };
        if occurrence != 0 && number + 1 != occurrence {
            continue;
        }
        out.push_str(&text[copied..offset + whole.start()]);
        expand(&found, replacement, out)?;
        copied = offset + whole.end();
        if out.len() > OUT_BYTES_MAX {
            let message = "REGEX_REPLACE gives a text that is too long";
            return Err(Fault::new(FaultKind::Limit, message));
        }
    }
    out.push_str(&text[copied..]);
    Ok(())
}

/// Bytes of a text that is being put together, at most: what no text of the greatest length has.
const OUT_BYTES_MAX: usize = 4 * super::kernel::TEXT_CHARS_MAX;

/// Writes the replacement of one match, in Java's notation.
fn expand(found: &Captures<'_>, replacement: &str, out: &mut String) -> Result<(), Fault> {
    let bad = |message: String| Fault::new(FaultKind::Argument, message);
    let mut letters = replacement.chars().peekable();
    while let Some(letter) = letters.next() {
        match letter {
            '\\' => {
                let letter = letters.next();
                let letter = letter.ok_or_else(|| bad("a replacement ends with \\".to_owned()))?;
                out.push(letter);
            }
            '$' => {
                let mut group: Option<usize> = None;
                while let Some(digit) = letters.peek().and_then(|letter| letter.to_digit(10)) {
                    let digit = usize::try_from(digit).map_err(|_| bad("a digit".to_owned()))?;
                    let longer = group.unwrap_or(0) * 10 + digit;
                    if group.is_some() && longer >= found.len() {
                        break;
                    }
                    group = Some(longer);
                    letters.next();
                }
                match group.filter(|group| *group < found.len()) {
                    Some(group) => out.push_str(found.get(group).map_or("", |part| part.as_str())),
                    None => return Err(bad(format!("{replacement:?} names no group after $"))),
                }
            }
            _ => out.push(letter),
        }
    }
    Ok(())
}
