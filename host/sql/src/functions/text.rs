//! Functions of texts. Places and lengths count characters, from 1.

use std::sync::Arc;

use arrow_array::builder::BinaryBuilder;
use arrow_array::cast::AsArray;
use arrow_array::types::Int64Type;

use super::arguments::{text, whole_number};
use super::characters::byte_of;
use super::kernel::{broken, strict};
use super::types;
use crate::ast::TrimSide;
use crate::expr::Expr;
use crate::fault::{Fault, FaultKind, Invalid};
use crate::ty::{Family, SqlType};

/// A text of a number that was counted in it: places in texts fit in 64 bits.
pub(super) fn counted(count: usize) -> Result<i64, Fault> {
    i64::try_from(count).map_err(|_| Fault::new(FaultKind::Limit, "a text that is too long"))
}

/// So many characters; none below zero. More than can be counted is beyond the end of every text.
fn place(number: i64) -> usize {
    usize::try_from(number.max(0)).unwrap_or(usize::MAX)
}

/// `||`.
pub(super) fn concatenate(left: Expr, right: Expr) -> Result<Expr, Invalid> {
    let (left, right) = (text(left, "||")?, text(right, "||")?);
    let lengths = (types::length(left.ty()), types::length(right.ty()));
    let (Some(a), Some(b)) = lengths else {
        return Err(broken("a text has a length"));
    };
    let longest = types::length(SqlType::TEXT).ok_or_else(|| broken("a text has a length"))?;
    let length = a.saturating_add(b).min(longest);
    let ty = SqlType::Varchar { length };
    strict("||", vec![left, right], ty, |inputs, faults| {
        let (a, b) = (inputs.texts(0)?, inputs.texts(1)?);
        Ok(inputs.write(faults, |row, out| {
            out.push_str(a.get(row));
            out.push_str(b.get(row));
            Ok(true)
        }))
    })
}

/// A text of the same type for each text.
fn rewrite(
    name: &'static str,
    operand: Expr,
    work: impl Fn(&str, &mut String) + Send + Sync + 'static,
) -> Result<Expr, Invalid> {
    let operand = text(operand, name)?;
    let ty = operand.ty();
    strict(name, vec![operand], ty, move |inputs, faults| {
        let texts = inputs.texts(0)?;
        Ok(inputs.write(faults, |row, out| {
            work(texts.get(row), out);
            Ok(true)
        }))
    })
}

pub(super) fn upper(operand: Expr) -> Result<Expr, Invalid> {
    rewrite("UPPER", operand, |text, out| {
        out.extend(text.chars().flat_map(char::to_uppercase));
    })
}

pub(super) fn lower(operand: Expr) -> Result<Expr, Invalid> {
    rewrite("LOWER", operand, |text, out| {
        out.extend(text.chars().flat_map(char::to_lowercase));
    })
}

/// The first letter of each word is a capital, the others are not.
pub(super) fn initcap(operand: Expr) -> Result<Expr, Invalid> {
    rewrite("INITCAP", operand, |text, out| {
        let mut within = false;
        for letter in text.chars() {
            if within {
                out.extend(letter.to_lowercase());
            } else {
                out.extend(letter.to_uppercase());
            }
            within = letter.is_alphanumeric();
        }
    })
}

pub(super) fn char_length(operand: Expr) -> Result<Expr, Invalid> {
    let operand = text(operand, "CHAR_LENGTH")?;
    strict(
        "CHAR_LENGTH",
        vec![operand],
        SqlType::Integer,
        |inputs, faults| {
            let texts = inputs.texts(0)?;
            Ok(inputs.rows::<Int64Type>(faults, |row| {
                counted(texts.get(row).chars().count()).map(Some)
            }))
        },
    )
}

/// The characters at the sides that are any of some, or spaces, are left out.
pub(super) fn trim(
    side: TrimSide,
    characters: Option<Expr>,
    operand: Expr,
) -> Result<Expr, Invalid> {
    let operand = text(operand, "TRIM")?;
    let length = types::length(operand.ty()).ok_or_else(|| broken("a text has a length"))?;
    let ty = SqlType::Varchar { length };
    let mut arguments = vec![operand];
    let spaces = characters.is_none();
    if let Some(characters) = characters {
        arguments.push(text(characters, "TRIM")?);
    }
    strict(
        format!("TRIM {side:?}"),
        arguments,
        ty,
        move |inputs, faults| {
            let texts = inputs.texts(0)?;
            let characters = if spaces { None } else { Some(inputs.texts(1)?) };
            Ok(inputs.write(faults, |row, out| {
                let set = characters.as_ref().map_or(" ", |set| set.get(row));
                let matched = |letter: char| set.contains(letter);
                let mut text = texts.get(row);
                if side != TrimSide::Trailing {
                    text = text.trim_start_matches(matched);
                }
                if side != TrimSide::Leading {
                    text = text.trim_end_matches(matched);
                }
                out.push_str(text);
                Ok(true)
            }))
        },
    )
}

/// Which characters `FROM start FOR length` means: how many before, and how many.
fn span(start: i64, length: Option<i64>) -> Result<(usize, Option<usize>), Fault> {
    let begin = start.max(1);
    let count = match length {
        None => None,
        Some(length) if length < 0 => {
            let message = format!("SUBSTRING of {length} characters");
            return Err(Fault::new(FaultKind::Argument, message));
        }
        // What lies before the text counts, too.
        Some(length) => Some(place(start.saturating_add(length).saturating_sub(begin))),
    };
    Ok((place(begin - 1), count))
}

/// `SUBSTRING(x FROM a FOR b)` by places, of texts and of bytes.
pub(super) fn substring(operand: Expr, from: Expr, length: Option<Expr>) -> Result<Expr, Invalid> {
    let is_bytes = operand.ty().family() == Family::Bytes;
    let operand = if is_bytes {
        operand
    } else {
        text(operand, "SUBSTRING")?
    };
    let longest = types::length(operand.ty()).ok_or_else(|| broken("a text has a length"))?;
    let ty = if is_bytes {
        SqlType::Varbinary { length: longest }
    } else {
        SqlType::Varchar { length: longest }
    };
    let has_length = length.is_some();
    let mut arguments = vec![operand, whole_number(from, "SUBSTRING")?];
    if let Some(length) = length {
        arguments.push(whole_number(length, "SUBSTRING")?);
    }
    strict("SUBSTRING", arguments, ty, move |inputs, faults| {
        let starts = inputs.numbers::<Int64Type>(1)?;
        let lengths = if has_length {
            Some(inputs.numbers::<Int64Type>(2)?)
        } else {
            None
        };
        let span = |row| span(starts.get(row), lengths.as_ref().map(|all| all.get(row)));
        if !is_bytes {
            let texts = inputs.texts(0)?;
            return Ok(inputs.write(faults, |row, out| {
                let (skip, count) = span(row)?;
                let text = texts.get(row);
                let text = &text[byte_of(text, skip)..];
                let end = count.map_or(text.len(), |count| byte_of(text, count));
                out.push_str(&text[..end]);
                Ok(true)
            }));
        }
        let bytes = inputs.column(0)?.as_binary::<i32>();
        let nulls = inputs.nulls();
        let mut builder = BinaryBuilder::new();
        for row in 0..inputs.rows {
            if nulls.as_ref().is_some_and(|nulls| nulls.is_null(row)) {
                builder.append_null();
                continue;
            }
            let bytes = bytes.value(inputs.place(arrow_array::Array::len(bytes), row));
            match span(row) {
                Ok((skip, count)) => {
                    let part = &bytes[skip.min(bytes.len())..];
                    builder.append_value(&part[..count.unwrap_or(part.len()).min(part.len())]);
                }
                Err(fault) => {
                    faults.add(row, fault);
                    builder.append_null();
                }
            }
        }
        Ok(Arc::new(builder.finish()))
    })
}

/// The place where one text begins in another, at `from` or behind it; 0 where it does not.
pub(super) fn position(wanted: Expr, within: Expr, from: Option<Expr>) -> Result<Expr, Invalid> {
    let (wanted, within) = (text(wanted, "POSITION")?, text(within, "POSITION")?);
    let mut arguments = vec![wanted, within];
    let has_from = from.is_some();
    if let Some(from) = from {
        arguments.push(whole_number(from, "POSITION")?);
    }
    strict(
        "POSITION",
        arguments,
        SqlType::Integer,
        move |inputs, faults| {
            let (wanted, within) = (inputs.texts(0)?, inputs.texts(1)?);
            let from = if has_from {
                Some(inputs.numbers::<Int64Type>(2)?)
            } else {
                None
            };
            Ok(inputs.rows::<Int64Type>(faults, |row| {
                let text = within.get(row);
                let skipped = from
                    .as_ref()
                    .map_or(0, |from| place(from.get(row).saturating_sub(1)));
                let begin = byte_of(text, skipped);
                let Some(found) = text[begin..].find(wanted.get(row)) else {
                    return Ok(Some(0));
                };
                let before = text[..begin + found].chars().count();
                Ok(Some(counted(before)? + 1))
            }))
        },
    )
}

/// `OVERLAY(x PLACING y FROM a FOR b)`; without a length as much as is placed.
pub(super) fn overlay(
    operand: Expr,
    placing: Expr,
    from: Expr,
    length: Option<Expr>,
) -> Result<Expr, Invalid> {
    let (operand, placing) = (text(operand, "OVERLAY")?, text(placing, "OVERLAY")?);
    let mut arguments = vec![operand, placing, whole_number(from, "OVERLAY")?];
    let has_length = length.is_some();
    if let Some(length) = length {
        arguments.push(whole_number(length, "OVERLAY")?);
    }
    strict(
        "OVERLAY",
        arguments,
        SqlType::TEXT,
        move |inputs, faults| {
            let (texts, placings) = (inputs.texts(0)?, inputs.texts(1)?);
            let starts = inputs.numbers::<Int64Type>(2)?;
            let lengths = if has_length {
                Some(inputs.numbers::<Int64Type>(3)?)
            } else {
                None
            };
            Ok(inputs.write(faults, |row, out| {
                let (text, placing) = (texts.get(row), placings.get(row));
                let length = match &lengths {
                    Some(lengths) => lengths.get(row),
                    None => counted(placing.chars().count())?,
                };
                if length < 0 {
                    let message = format!("OVERLAY of {length} characters");
                    return Err(Fault::new(FaultKind::Argument, message));
                }
                let begin = starts.get(row).saturating_sub(1);
                out.push_str(&text[..byte_of(text, place(begin))]);
                out.push_str(placing);
                out.push_str(&text[byte_of(text, place(begin.saturating_add(length)))..]);
                Ok(true)
            }))
        },
    )
}
