//! `LIKE`.

use super::arguments::text;
use super::kernel::{strict, sure};
use crate::cell::Value;
use crate::expr::Expr;
use crate::fault::{Fault, FaultKind, Invalid};
use crate::ty::SqlType;

/// A pattern, taken apart. `%` is any text, `_` any character.
#[derive(Debug, PartialEq)]
enum Pattern {
    Exactly(String),
    Begins(String),
    Ends(String),
    Contains(String),
    Other(Vec<Token>),
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Token {
    One(char),
    Any,
    AnyText,
}

impl Pattern {
    fn parse(pattern: &str, escape: Option<char>) -> Result<Self, Fault> {
        let mut tokens = Vec::new();
        let mut letters = pattern.chars();
        while let Some(letter) = letters.next() {
            let token = if Some(letter) == escape {
                let escaped = letters.next();
                let allowed =
                    |letter: &char| matches!(letter, '%' | '_') || escape == Some(*letter);
                let Some(letter) = escaped.filter(allowed) else {
                    let message = "in LIKE, the escape character stands before %, _ or itself";
                    return Err(Fault::new(FaultKind::Argument, message));
                };
                Token::One(letter)
            } else {
                match letter {
                    '%' => Token::AnyText,
                    '_' => Token::Any,
                    _ => Token::One(letter),
                }
            };
            if token != Token::AnyText || tokens.last() != Some(&Token::AnyText) {
                tokens.push(token);
            }
        }
        Ok(Self::of(tokens))
    }

    fn of(tokens: Vec<Token>) -> Self {
        let plain = |tokens: &[Token]| {
            let letters = tokens.iter().map(|token| match token {
                Token::One(letter) => Some(*letter),
                Token::Any | Token::AnyText => None,
            });
            letters.collect::<Option<String>>()
        };
        let found = match tokens.as_slice() {
            [Token::AnyText] => Some(Self::Begins(String::new())),
            [Token::AnyText, middle @ .., Token::AnyText] => plain(middle).map(Self::Contains),
            [Token::AnyText, end @ ..] => plain(end).map(Self::Ends),
            [begin @ .., Token::AnyText] => plain(begin).map(Self::Begins),
            all => plain(all).map(Self::Exactly),
        };
        found.unwrap_or(Self::Other(tokens))
    }

    fn matches(&self, text: &str) -> bool {
        match self {
            Self::Exactly(whole) => text == whole,
            Self::Begins(start) => text.starts_with(start.as_str()),
            Self::Ends(end) => text.ends_with(end.as_str()),
            Self::Contains(part) => text.contains(part.as_str()),
            Self::Other(tokens) => matches(tokens, text),
        }
    }
}

/// Goes back to the last `%` only, so that the time is at most the product of both lengths.
fn matches(tokens: &[Token], text: &str) -> bool {
    let mut rest = text.chars();
    let mut at = 0;
    let mut retry: Option<(usize, std::str::Chars<'_>)> = None;
    loop {
        if let Some(Token::AnyText) = tokens.get(at) {
            at += 1;
            retry = Some((at, rest.clone()));
            continue;
        }
        let mut after = rest.clone();
        let fits = match (tokens.get(at), after.next()) {
            (None, None) => return true,
            (Some(Token::One(wanted)), Some(letter)) => *wanted == letter,
            (Some(Token::Any), Some(_)) => true,
            _ => false,
        };
        if fits {
            at += 1;
            rest = after;
            continue;
        }
        let Some((again, from)) = &mut retry else {
            return false;
        };
        if from.next().is_none() {
            return false;
        }
        at = *again;
        rest = from.clone();
    }
}

/// The character that an escape is, which has to be one.
pub(super) fn escape_character(escape: Option<&str>) -> Result<Option<char>, Fault> {
    let Some(escape) = escape else {
        return Ok(None);
    };
    let mut letters = escape.chars();
    match (letters.next(), letters.next()) {
        (Some(letter), None) => Ok(Some(letter)),
        _ => Err(Fault::new(
            FaultKind::Argument,
            "ESCAPE takes one character",
        )),
    }
}

/// `LIKE`. A pattern that is the same for every row is taken apart once.
pub(super) fn like(operand: Expr, pattern: Expr, escape: Option<Expr>) -> Result<Expr, Invalid> {
    let operand = text(operand, "LIKE")?;
    let pattern = text(pattern, "LIKE")?;
    let escape = escape.map(|escape| text(escape, "ESCAPE")).transpose()?;
    let fixed_escape = match &escape {
        None => Some(None),
        Some(escape) => match escape.as_literal() {
            Some(Value::Text(text)) => Some(Some(text.clone())),
            _ => None,
        },
    };
    if let (Some(Value::Text(written)), Some(escape)) = (pattern.as_literal(), &fixed_escape) {
        let invalid = |fault: Fault| Invalid::new(fault.message);
        let escape = escape_character(escape.as_deref()).map_err(invalid)?;
        let name = format!("LIKE {written:?} {escape:?}");
        let pattern = Pattern::parse(written, escape).map_err(invalid)?;
        return sure(
            name,
            vec![operand],
            SqlType::Boolean,
            move |inputs, faults| {
                let texts = inputs.texts(0)?;
                Ok(inputs.truths(faults, |row| Ok(Some(pattern.matches(texts.get(row))))))
            },
        );
    }
    let has_escape = escape.is_some();
    let arguments = [Some(operand), Some(pattern), escape];
    let arguments = arguments.into_iter().flatten().collect();
    strict(
        "LIKE",
        arguments,
        SqlType::Boolean,
        move |inputs, faults| {
            let (texts, patterns) = (inputs.texts(0)?, inputs.texts(1)?);
            let escapes = if has_escape {
                Some(inputs.texts(2)?)
            } else {
                None
            };
            Ok(inputs.truths(faults, |row| {
                let escape = escape_character(escapes.as_ref().map(|all| all.get(row)))?;
                let pattern = Pattern::parse(patterns.get(row), escape)?;
                Ok(Some(pattern.matches(texts.get(row))))
            }))
        },
    )
}
