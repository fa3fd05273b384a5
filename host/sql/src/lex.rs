//! The text of a program as tokens.

use std::fmt;

use crate::fault::{Invalid, Place};

/// A program that is longer is refused. AWS: "application code" in the limits of the service.
pub const CODE_CHARACTERS_MAX: usize = 102_400;

/// A name that is longer is refused. AWS: the page on identifiers.
pub const NAME_CHARACTERS_MAX: usize = 128;

/// The smallest part of a program that means something.
#[derive(Clone, Debug, PartialEq)]
pub enum Token {
    /// A name or a word of the language that stands without quotes, in capitals.
    Word(String),
    /// A name in double quotes, as it is written.
    Quoted(String),
    /// A text in single quotes.
    Text(String),
    /// `X'…'`.
    Bytes(Vec<u8>),
    /// A number as it is written, without a sign.
    Number(String),
    Symbol(&'static str),
    End,
}

impl fmt::Display for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Word(word) => f.write_str(word),
            Self::Quoted(name) => write!(f, "\"{name}\""),
            Self::Text(_) => f.write_str("a text"),
            Self::Bytes(_) => f.write_str("a binary literal"),
            Self::Number(number) => write!(f, "the number {number}"),
            Self::Symbol(symbol) => write!(f, "'{symbol}'"),
            Self::End => f.write_str("the end of the program"),
        }
    }
}

/// Symbols, those first that begin with another one.
const SYMBOLS: [&str; 20] = [
    "<>", "!=", "<=", ">=", "||", "=>", "(", ")", ",", ".", ";", "+", "-", "*", "/", "%", "=", "<",
    ">", "?",
];

/// All tokens with the places where they begin. The last one is [`Token::End`].
///
/// # Errors
///
/// A program that is too long, or a character that no token begins with.
pub fn tokens(code: &str) -> Result<Vec<(Token, Place)>, Invalid> {
    if code.chars().count() > CODE_CHARACTERS_MAX {
        let message = format!("the program has more than {CODE_CHARACTERS_MAX} characters");
        return Err(Invalid::new(message));
    }
    let mut lexer = Lexer {
        rest: code,
        place: Place { line: 1, column: 1 },
    };
    let mut tokens = Vec::new();
    loop {
        lexer.skip_blanks()?;
        let place = lexer.place;
        let token = lexer.token().map_err(|invalid| invalid.or_at(place))?;
        let ended = token == Token::End;
        tokens.push((token, place));
        if ended {
            return Ok(tokens);
        }
    }
}

struct Lexer<'a> {
    rest: &'a str,
    place: Place,
}

impl<'a> Lexer<'a> {
    fn peek(&self) -> Option<char> {
        self.rest.chars().next()
    }

    /// Goes over one character.
    fn step(&mut self) -> Option<char> {
        let mut characters = self.rest.chars();
        let character = characters.next()?;
        self.rest = characters.as_str();
        if character == '\n' {
            self.place.line += 1;
            self.place.column = 1;
        } else {
            self.place.column += 1;
        }
        Some(character)
    }

    /// Goes over these characters, if they come next.
    fn take(&mut self, text: &str) -> bool {
        let found = self.rest.starts_with(text);
        if found {
            text.chars().for_each(|_| {
                self.step();
            });
        }
        found
    }

    /// The characters from here on that the condition holds for.
    fn take_while(&mut self, condition: impl Fn(char) -> bool) -> &'a str {
        let begun = self.rest;
        while self.peek().is_some_and(&condition) {
            self.step();
        }
        &begun[..begun.len() - self.rest.len()]
    }

    /// Goes over white space and comments.
    fn skip_blanks(&mut self) -> Result<(), Invalid> {
        loop {
            self.take_while(|character| character.is_whitespace() || character == '\u{feff}');
            let place = self.place;
            if self.take("--") || self.take("//") {
                self.take_while(|character| character != '\n');
            } else if self.take("/*") {
                while !self.take("*/") {
                    let Some(_) = self.step() else {
                        return Err(Invalid::at(place, "this comment does not end"));
                    };
                }
            } else {
                return Ok(());
            }
        }
    }

    fn token(&mut self) -> Result<Token, Invalid> {
        let Some(character) = self.peek() else {
            return Ok(Token::End);
        };
        if character == '\'' {
            return self.quoted('\'', "text").map(Token::Text);
        }
        if character == '"' {
            return Ok(Token::Quoted(checked_name(self.quoted('"', "name")?)?));
        }
        if self.rest.starts_with("X'") || self.rest.starts_with("x'") {
            self.step();
            return bytes(&self.quoted('\'', "binary literal")?).map(Token::Bytes);
        }
        if self.rest.starts_with("U&'") || self.rest.starts_with("u&'") {
            self.step();
            self.step();
            return unescaped(&self.quoted('\'', "text")?).map(Token::Text);
        }
        if is_word_start(character) {
            let word = self.take_while(is_word_part);
            return Ok(Token::Word(checked_name(word.to_uppercase())?));
        }
        let mut following = self.rest.chars();
        let point = following.next() == Some('.') && following.next().is_some_and(is_digit);
        if is_digit(character) || point {
            return self.number();
        }
        let symbol = SYMBOLS.into_iter().find(|symbol| self.take(symbol));
        let unknown = || Invalid::new(format!("nothing begins with the character '{character}'"));
        symbol.map(Token::Symbol).ok_or_else(unknown)
    }

    /// What stands between two quotes; a doubled quote in it is one.
    fn quoted(&mut self, quote: char, what: &str) -> Result<String, Invalid> {
        self.step();
        let mut text = String::new();
        loop {
            text.push_str(self.take_while(|character| character != quote));
            if self.step().is_none() {
                return Err(Invalid::new(format!("this {what} does not end")));
            }
            if self.peek() != Some(quote) {
                return Ok(text);
            }
            self.step();
            text.push(quote);
        }
    }

    fn number(&mut self) -> Result<Token, Invalid> {
        let mut number = self.take_while(is_digit).to_owned();
        if self.take(".") {
            number.push('.');
            number.push_str(self.take_while(is_digit));
        }
        if self.take("e") || self.take("E") {
            number.push('e');
            if self.take("-") {
                number.push('-');
            } else {
                self.take("+");
            }
            let digits = self.take_while(is_digit);
            if digits.is_empty() {
                return Err(Invalid::new("this number has an exponent without digits"));
            }
            number.push_str(digits);
        }
        match self.peek() {
            Some(character) if is_word_part(character) => Err(Invalid::new(format!(
                "the number {number} is followed by '{character}'; a name that begins with a \
                 digit has to be in double quotes"
            ))),
            _ => Ok(Token::Number(number)),
        }
    }
}

fn is_digit(character: char) -> bool {
    character.is_ascii_digit()
}

fn is_word_start(character: char) -> bool {
    character.is_alphabetic() || character == '_'
}

fn is_word_part(character: char) -> bool {
    is_word_start(character) || is_digit(character) || character == '$'
}

fn checked_name(name: String) -> Result<String, Invalid> {
    match name.chars().count() {
        0 => Err(Invalid::new("a name in quotes has no characters")),
        1..=NAME_CHARACTERS_MAX => Ok(name),
        count => Err(Invalid::new(format!(
            "a name has {count} characters, more than {NAME_CHARACTERS_MAX}"
        ))),
    }
}

/// The bytes that hexadecimal digits say.
fn bytes(digits: &str) -> Result<Vec<u8>, Invalid> {
    let wrong = || Invalid::new("a binary literal has an even number of hexadecimal digits");
    let digits: Vec<u8> = digits
        .chars()
        .filter(|character| !character.is_whitespace())
        .map(|character| character.to_digit(16))
        .map(|digit| digit.and_then(|digit| u8::try_from(digit).ok()))
        .collect::<Option<_>>()
        .ok_or_else(wrong)?;
    if !digits.len().is_multiple_of(2) {
        return Err(wrong());
    }
    Ok(digits
        .chunks(2)
        .map(|pair| pair[0] << 4 | pair[1])
        .collect())
}

/// A text in which `\0009` stands for a character by its number and `\\` for a backslash.
fn unescaped(text: &str) -> Result<String, Invalid> {
    let wrong =
        || Invalid::new("a backslash in this text is not followed by four digits or a backslash");
    let mut parts = text.split('\\');
    let mut whole = parts.next().ok_or_else(wrong)?.to_owned();
    while let Some(part) = parts.next() {
        if part.is_empty() {
            whole.push('\\');
            whole.push_str(parts.next().ok_or_else(wrong)?);
            continue;
        }
        let (digits, rest) = part.split_at_checked(4).ok_or_else(wrong)?;
        let number = u32::from_str_radix(digits, 16).map_err(|_| wrong())?;
        whole.push(char::from_u32(number).ok_or_else(wrong)?);
        whole.push_str(rest);
    }
    Ok(whole)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kinds(code: &str) -> Vec<Token> {
        let tokens = tokens(code).unwrap();
        tokens.into_iter().map(|(token, _)| token).collect()
    }

    fn word(text: &str) -> Token {
        Token::Word(text.to_owned())
    }

    #[test]
    fn words_fold_to_capitals_and_quoted_names_do_not() {
        let quoted = Token::Quoted("my \"own\" Name".to_owned());
        assert_eq!(
            kinds("price \"my \"\"own\"\" Name\""),
            [word("PRICE"), quoted, Token::End]
        );
    }

    #[test]
    fn comments_of_all_three_kinds_are_left_out() {
        let code = "a -- b\n// c\nd /* e\nf -- */ g";
        assert_eq!(kinds(code), [word("A"), word("D"), word("G"), Token::End]);
    }

    #[test]
    fn a_token_knows_its_line_and_column_in_characters() {
        let tokens = tokens("é 'ü\nö' x").unwrap();
        let places: Vec<_> = tokens
            .iter()
            .map(|(_, place)| (place.line, place.column))
            .collect();
        assert_eq!(places, [(1, 1), (1, 3), (2, 4), (2, 5)]);
    }

    #[test]
    fn texts_numbers_and_bytes_are_read() {
        assert_eq!(
            kinds("'it''s' 1.50 .5 2e-3 X'0aFF' u&'a\\0041\\\\b'"),
            [
                Token::Text("it's".to_owned()),
                Token::Number("1.50".to_owned()),
                Token::Number(".5".to_owned()),
                Token::Number("2e-3".to_owned()),
                Token::Bytes(vec![10, 255]),
                Token::Text("aA\\b".to_owned()),
                Token::End,
            ]
        );
    }

    #[test]
    fn what_cannot_be_read_is_refused_where_it_begins() {
        let cases = [
            ("a\n  'b", (2, 3), "this text does not end"),
            ("/* a", (1, 1), "this comment does not end"),
            ("a #", (1, 3), "nothing begins with the character '#'"),
            ("X'0'", (1, 1), "a binary literal has an even number"),
            ("\"\"", (1, 1), "a name in quotes has no characters"),
            ("1e", (1, 1), "this number has an exponent without digits"),
            ("  12ab", (1, 3), "the number 12 is followed by 'a'"),
            ("u&'\\00'", (1, 1), "a backslash in this text"),
        ];
        for (code, (line, column), message) in cases {
            let invalid = tokens(code).unwrap_err();
            assert_eq!(invalid.at, Some(Place { line, column }), "{code}");
            assert!(invalid.message.starts_with(message), "{}", invalid.message);
        }
    }

    #[test]
    fn a_program_and_a_name_have_a_longest_length() {
        assert!(tokens(&" ".repeat(CODE_CHARACTERS_MAX)).is_ok());
        assert!(tokens(&" ".repeat(CODE_CHARACTERS_MAX + 1)).is_err());
        assert!(tokens(&"a".repeat(NAME_CHARACTERS_MAX)).is_ok());
        assert!(tokens(&"a".repeat(NAME_CHARACTERS_MAX + 1)).is_err());
    }
}
