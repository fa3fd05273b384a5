//! What `CopyOptions` are made of: words, and texts in single quotes. Nothing else is read, so that
//! what is written again of them ends no statement and begins none. Pure.

use types::Invalid;

/// One of the things that the text is made of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Token {
    /// A word or a number, in capital letters.
    Word(String),
    /// What stood between quotes.
    Text(String),
}

impl Token {
    /// As it may stand in a statement.
    pub fn written(&self) -> String {
        match self {
            Self::Word(word) => word.clone(),
            Self::Text(text) => format!("'{}'", text.replace('\'', "''")),
        }
    }
}

/// Takes a text apart. Semicolons at its end are left out: AWS's own examples have one there.
///
/// # Errors
/// A sentence that names what is neither a word nor a text in quotes.
pub fn tokens(text: &str) -> Result<Vec<Token>, Invalid> {
    let mut tokens = Vec::new();
    let text = text.trim_end().trim_end_matches(';');
    let mut rest = text.trim();
    while let Some(first) = rest.chars().next() {
        if first == '\'' {
            let (token, after) = quoted(&rest[1..])?;
            tokens.push(Token::Text(token));
            rest = after.trim_start();
            continue;
        }
        let is_of_word = |it: char| it.is_ascii_alphanumeric() || it == '_';
        let end = rest.find(|it| !is_of_word(it)).unwrap_or(rest.len());
        if end == 0 {
            return Err(Invalid(format!("{first} is not expected there")));
        }
        tokens.push(Token::Word(rest[..end].to_ascii_uppercase()));
        rest = rest[end..].trim_start();
    }
    Ok(tokens)
}

/// What stands before the quote that is not doubled, and what comes after it.
fn quoted(text: &str) -> Result<(String, &str), Invalid> {
    let mut token = String::new();
    let mut rest = text;
    loop {
        let Some((before, after)) = rest.split_once('\'') else {
            return Err(Invalid("a quote is not closed".to_owned()));
        };
        token.push_str(before);
        match after.strip_prefix('\'') {
            Some(after) => {
                token.push('\'');
                rest = after;
            }
            None => return Ok((token, after)),
        }
    }
}
