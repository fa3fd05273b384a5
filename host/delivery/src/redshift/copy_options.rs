//! `CopyOptions`: what records look like (Amazon Redshift, COPY, "Data format parameters" and "Data
//! conversion parameters"). Those are read that mean something wherever rows come from; any other
//! is refused by its name. Pure.

use types::Invalid;

use super::tokens::{Token, tokens};

/// What stands between the fields of a row where nobody says (the same page, DELIMITER and CSV).
const DELIMITER_DEFAULT: u8 = b'|';
const DELIMITER_DEFAULT_OF_CSV: u8 = b',';
const QUOTE_DEFAULT: u8 = b'"';
/// What stands for no value where nobody says (NULL AS).
const NULL_DEFAULT: &[u8] = b"\\N";

/// What records look like.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RowForm {
    /// Objects of JSON, whose members are columns by their name: `JSON 'auto'`.
    Json,
    /// Lines of fields.
    Lines(Lines),
}

/// Lines of fields.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Lines {
    /// Between fields.
    pub delimiter: u8,
    /// Around fields, in CSV; `None`: it is none.
    pub quote: Option<u8>,
    /// What stands for no value.
    pub null: Vec<u8>,
    /// Whether a backslash takes its meaning from what follows.
    pub escapes: bool,
    /// Whether a line of nothing is no row.
    pub skips_blank: bool,
    /// Whether a text of nothing is no value.
    pub empty_is_null: bool,
}

/// What was said so far.
#[derive(Default)]
struct Said {
    csv: bool,
    json: bool,
    delimiter: Option<u8>,
    quote: Option<u8>,
    null: Option<Vec<u8>>,
    escapes: bool,
    skips_blank: bool,
    empty_is_null: bool,
}

impl RowForm {
    /// Reads the options.
    ///
    /// # Errors
    /// A sentence that names what is not read.
    pub fn parse(text: &str) -> Result<Self, Invalid> {
        let mut said = Said::default();
        let mut tokens = tokens(text)?.into_iter().peekable();
        let mut seen = Vec::new();
        while let Some(token) = tokens.next() {
            let Token::Word(mut word) = token else {
                return Err(Invalid("a text in quotes is not expected there".to_owned()));
            };
            if word == "FORMAT" {
                pass_as(&mut tokens);
                word = match tokens.next() {
                    Some(Token::Word(format)) if format == "CSV" || format == "JSON" => format,
                    _ => return Err(Invalid("FORMAT is neither CSV nor JSON".to_owned())),
                };
            }
            let mut value = || {
                pass_as(&mut tokens);
                match tokens.next() {
                    Some(Token::Text(text)) => Ok(text),
                    _ => Err(Invalid(format!("{word} needs a text in quotes"))),
                }
            };
            match word.as_str() {
                "CSV" => said.csv = true,
                "JSON" => match value()?.as_str() {
                    "auto" => said.json = true,
                    _ => {
                        return Err(Invalid("JSON is not supported but with 'auto'".to_owned()));
                    }
                },
                "DELIMITER" => said.delimiter = Some(one_byte(&word, &value()?)?),
                "QUOTE" => said.quote = Some(one_byte(&word, &value()?)?),
                "NULL" => said.null = Some(value()?.into_bytes()),
                "ESCAPE" => said.escapes = true,
                "IGNOREBLANKLINES" => said.skips_blank = true,
                "EMPTYASNULL" => said.empty_is_null = true,
                _ => return Err(Invalid(format!("{word} is not supported"))),
            }
            if seen.contains(&word) {
                return Err(Invalid(format!("{word} is there twice")));
            }
            seen.push(word);
        }
        said.form()
    }
}

/// `AS` may stand before a value.
fn pass_as(tokens: &mut std::iter::Peekable<std::vec::IntoIter<Token>>) {
    let is_as = |token: &Token| matches!(token, Token::Word(word) if word == "AS");
    tokens.next_if(is_as);
}

impl Said {
    fn form(self) -> Result<RowForm, Invalid> {
        let not_with =
            |one: &str, other: &str| Err(Invalid(format!("{one} cannot be together with {other}")));
        if self.json {
            let others = [
                (self.csv, "CSV"),
                (self.delimiter.is_some(), "DELIMITER"),
                (self.quote.is_some(), "QUOTE"),
                (self.null.is_some(), "NULL"),
                (self.escapes, "ESCAPE"),
                (self.skips_blank, "IGNOREBLANKLINES"),
                (self.empty_is_null, "EMPTYASNULL"),
            ];
            return match others.iter().find(|(is_said, _)| *is_said) {
                Some((_, other)) => not_with("JSON", other),
                None => Ok(RowForm::Json),
            };
        }
        if self.csv && self.escapes {
            return not_with("CSV", "ESCAPE");
        }
        if self.quote.is_some() && !self.csv {
            return Err(Invalid("QUOTE needs CSV".to_owned()));
        }
        let (delimiter, quote) = if self.csv {
            (DELIMITER_DEFAULT_OF_CSV, Some(QUOTE_DEFAULT))
        } else {
            (DELIMITER_DEFAULT, None)
        };
        let lines = Lines {
            delimiter: self.delimiter.unwrap_or(delimiter),
            quote: self.quote.or(quote),
            null: self.null.unwrap_or_else(|| NULL_DEFAULT.to_vec()),
            escapes: self.escapes,
            skips_blank: self.skips_blank,
            empty_is_null: self.empty_is_null,
        };
        let delimiter = lines.delimiter;
        if lines.quote == Some(delimiter) || lines.escapes && delimiter == b'\\' {
            return Err(Invalid(
                "DELIMITER is a quote or a backslash that has another meaning".to_owned(),
            ));
        }
        if lines.null.iter().any(|it| *it == delimiter || *it == b'\n') {
            return Err(Invalid("NULL holds what ends a field".to_owned()));
        }
        Ok(RowForm::Lines(lines))
    }
}

/// One character of ASCII, or `\t`, `\\` or `\ddd`, its number to the base of eight.
fn one_byte(option: &str, text: &str) -> Result<u8, Invalid> {
    let byte = match text.as_bytes() {
        [byte] => Some(*byte),
        b"\\t" => Some(b'\t'),
        b"\\\\" => Some(b'\\'),
        [b'\\', digits @ ..] if digits.len() == 3 => u8::from_str_radix(&text[1..], 8).ok(),
        _ => None,
    };
    let is_usable = |it: &u8| it.is_ascii() && !matches!(it, 0 | b'\n' | b'\r');
    byte.filter(is_usable)
        .ok_or_else(|| Invalid(format!("{option} is not one character of ASCII")))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines() -> Lines {
        Lines {
            delimiter: b'|',
            quote: None,
            null: b"\\N".to_vec(),
            escapes: false,
            skips_blank: false,
            empty_is_null: false,
        }
    }

    fn csv() -> Lines {
        Lines {
            delimiter: b',',
            quote: Some(b'"'),
            ..lines()
        }
    }

    #[test]
    fn options_are_read_as_redshift_writes_them() {
        for (text, form) in [
            ("", RowForm::Lines(lines())),
            (" ; ", RowForm::Lines(lines())),
            ("json 'auto'", RowForm::Json),
            ("FORMAT AS JSON AS 'auto';", RowForm::Json),
            ("format json 'auto'", RowForm::Json),
            ("csv", RowForm::Lines(csv())),
            ("FORMAT AS CSV", RowForm::Lines(csv())),
            (
                "delimiter '\\t' NULL AS '' IgnoreBlankLines",
                RowForm::Lines(Lines {
                    delimiter: b'\t',
                    null: Vec::new(),
                    skips_blank: true,
                    ..lines()
                }),
            ),
            (
                "DELIMITER AS '\\001' ESCAPE emptyasnull",
                RowForm::Lines(Lines {
                    delimiter: 1,
                    escapes: true,
                    empty_is_null: true,
                    ..lines()
                }),
            ),
            (
                "CSV QUOTE AS '''' NULL 'it''s'",
                RowForm::Lines(Lines {
                    quote: Some(b'\''),
                    null: b"it's".to_vec(),
                    ..csv()
                }),
            ),
        ] {
            assert_eq!(RowForm::parse(text), Ok(form), "{text}");
        }
    }

    #[test]
    fn what_is_not_read_is_refused_by_its_name() {
        for (text, told) in [
            ("GZIP", "GZIP is not supported"),
            ("json 'auto' lzop", "LZOP is not supported"),
            ("fixedwidth 'a:1'", "FIXEDWIDTH is not supported"),
            ("JSON 's3://b/k'", "JSON is not supported but with 'auto'"),
            ("JSON 'auto ignorecase'", "JSON is not supported but"),
            ("MANIFEST", "MANIFEST is not supported"),
            ("CREDENTIALS 'x'", "CREDENTIALS is not supported"),
            ("FORMAT PARQUET", "FORMAT is neither CSV nor JSON"),
            ("delimiter", "DELIMITER needs a text"),
            ("delimiter ','  delimiter ','", "DELIMITER is there twice"),
            ("delimiter '||'", "DELIMITER is not one character"),
            ("delimiter '\\n'", "DELIMITER is not one character"),
            ("delimiter '\\012'", "DELIMITER is not one character"),
            ("csv escape", "CSV cannot be together with ESCAPE"),
            ("json 'auto' csv", "JSON cannot be together with CSV"),
            ("quote '%'", "QUOTE needs CSV"),
            ("csv quote ','", "DELIMITER is a quote"),
            ("null 'a|b'", "NULL holds what ends a field"),
            ("'a'", "a text in quotes is not expected"),
            ("csv; drop", "; is not expected"),
            ("null 'a", "a quote is not closed"),
        ] {
            let Err(Invalid(why)) = RowForm::parse(text) else {
                panic!("{text} is read");
            };
            assert!(why.contains(told), "{text}: {why}");
        }
    }
}
