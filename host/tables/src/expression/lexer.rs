//! The words and signs of an expression.

use super::{EXPRESSION_BYTES_MAX, Fault, Kind};

/// One word or sign, as it stands in the text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Token<'a> {
    /// A name, a keyword or a function.
    Word(&'a str),
    /// `#name`.
    NameRef(&'a str),
    /// `:value`.
    ValueRef(&'a str),
    /// Digits, as an index of a list.
    Digits(&'a str),
    /// A sign or an operator.
    Sign(&'a str),
}

impl<'a> Token<'a> {
    /// As it stands in the text.
    pub fn text(self) -> &'a str {
        match self {
            Self::Word(text)
            | Self::NameRef(text)
            | Self::ValueRef(text)
            | Self::Digits(text)
            | Self::Sign(text) => text,
        }
    }
}

/// The tokens of a text.
///
/// # Errors
/// The text is empty or too long, or has a sign that no expression has.
pub fn tokens(kind: Kind, text: &str) -> Result<Vec<Token<'_>>, Fault> {
    if text.trim().is_empty() {
        return Err(Fault::invalid(kind, "The expression can not be empty;"));
    }
    if text.len() > EXPRESSION_BYTES_MAX {
        let what = format!(
            "Expression size has exceeded the maximum allowed size; expression size: {}",
            text.len()
        );
        return Err(Fault::invalid(kind, what));
    }
    let mut tokens = Vec::new();
    let mut rest = text.trim_start();
    while let Some(first) = rest.chars().next() {
        let (token, length) = match first {
            '#' => {
                let length = 1 + word_length(&rest[1..], is_in_reference);
                (Token::NameRef(&rest[..length]), length)
            }
            ':' => {
                let length = 1 + word_length(&rest[1..], is_in_reference);
                (Token::ValueRef(&rest[..length]), length)
            }
            first if first.is_ascii_digit() => {
                let length = word_length(rest, |c| c.is_ascii_digit());
                (Token::Digits(&rest[..length]), length)
            }
            first if first.is_ascii_alphabetic() || first == '_' => {
                let length = word_length(rest, is_in_reference);
                (Token::Word(&rest[..length]), length)
            }
            _ => {
                let length = sign_length(rest).ok_or_else(|| wrong_sign(kind, text, rest))?;
                (Token::Sign(&rest[..length]), length)
            }
        };
        if matches!(token, Token::NameRef("#") | Token::ValueRef(":")) {
            return Err(wrong_sign(kind, text, rest));
        }
        tokens.push(token);
        rest = rest[length..].trim_start();
    }
    Ok(tokens)
}

fn is_in_reference(c: char) -> bool {
    c.is_ascii_alphanumeric() || c == '_'
}

fn word_length(text: &str, is_in: impl Fn(char) -> bool) -> usize {
    text.find(|c| !is_in(c)).unwrap_or(text.len())
}

fn sign_length(text: &str) -> Option<usize> {
    let double = ["<>", "<=", ">="].iter().any(|sign| text.starts_with(sign));
    if double {
        return Some(2);
    }
    let single = text.starts_with(['(', ')', ',', '.', '[', ']', '=', '<', '>', '+', '-']);
    single.then_some(1)
}

fn wrong_sign(kind: Kind, text: &str, rest: &str) -> Fault {
    let token: String = rest.chars().take(1).collect();
    Fault::invalid(
        kind,
        syntax_error(&token, &near(text, text.len() - rest.len())),
    )
}

/// What a syntax error says.
pub fn syntax_error(token: &str, near: &str) -> String {
    format!("Syntax error; token: \"{token}\", near: \"{near}\"")
}

/// A few signs around a place of a text.
fn near(text: &str, at: usize) -> String {
    const SHOWN_CHARS: usize = 5;
    let before = text[..at].chars().rev().take(SHOWN_CHARS);
    let before: Vec<char> = before.collect();
    let after = text[at..].chars().take(SHOWN_CHARS);
    before.into_iter().rev().chain(after).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn texts(text: &str) -> Vec<&str> {
        let tokens = tokens(Kind::Condition, text).unwrap();
        tokens.into_iter().map(Token::text).collect()
    }

    #[test]
    fn a_text_falls_into_words_references_and_signs() {
        assert_eq!(
            texts(" a.#b[10]<>:v AND(size (c)<=:w)"),
            [
                "a", ".", "#b", "[", "10", "]", "<>", ":v", "AND", "(", "size", "(", "c", ")",
                "<=", ":w", ")"
            ]
        );
    }

    #[test]
    fn what_no_expression_has_is_refused() {
        for text in [
            "",
            "  ",
            "a ! b",
            "a = #",
            ": = a",
            "ä = b",
            &"a".repeat(4_097),
        ] {
            assert!(tokens(Kind::Update, text).is_err(), "{text}");
        }
    }
}
