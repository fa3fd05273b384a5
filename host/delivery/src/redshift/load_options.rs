//! `CopyOptions` for Redshift itself: what COPY is told besides the table, the manifest and the
//! role (Amazon Redshift, COPY, "Optional parameters"). They are Redshift's to understand. They are
//! read here only as far as it takes to know that they are options and nothing else, and written
//! again from what was read: no text of a configuration is a part of a statement. Pure.

use types::Invalid;

use super::tokens::{Token, tokens};
use crate::compression::Compression;

/// Words that say where objects are and who may read them, which the delivery stream says itself.
const SAID_HERE: [&str; 10] = [
    "ACCESS_KEY_ID",
    "AUTHORIZATION",
    "COPY",
    "CREDENTIALS",
    "FROM",
    "IAM_ROLE",
    "MANIFEST",
    "SECRET_ACCESS_KEY",
    "SESSION_TOKEN",
    "WITH",
];
/// Words by which nothing would be loaded, or nothing of what lies in these objects.
const LOADS_NOTHING: [&str; 5] = [
    "ENCRYPTED",
    "MASTER_SYMMETRIC_KEY",
    "NOLOAD",
    "READRATIO",
    "SSH",
];
/// Words that say how objects are packed (COPY, "File compression parameters").
const PACKED: [&str; 4] = ["BZIP2", "GZIP", "LZOP", "ZSTD"];

/// Options that can only be options.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LoadOptions {
    tokens: Vec<Token>,
}

impl LoadOptions {
    /// Reads the options.
    ///
    /// # Errors
    /// A sentence that names what is not an option, or is none of the caller's.
    pub fn parse(text: &str) -> Result<Self, Invalid> {
        let tokens = tokens(text)?;
        for token in &tokens {
            match token {
                Token::Word(word) if SAID_HERE.contains(&word.as_str()) => {
                    return Err(Invalid(format!(
                        "{word} is not an option here: the delivery stream itself says what is \
                         copied and by which role, which is RoleARN"
                    )));
                }
                Token::Word(word) if LOADS_NOTHING.contains(&word.as_str()) => {
                    return Err(Invalid(format!(
                        "{word} is not supported: nothing that is delivered would be loaded"
                    )));
                }
                Token::Word(_) => {}
                Token::Text(text) => ends_everywhere(text)?,
            }
        }
        Ok(Self { tokens })
    }

    /// Whether they tell COPY how objects are packed that are packed so.
    ///
    /// # Errors
    /// A sentence that says what is missing.
    pub fn check_packing(&self, compression: Compression) -> Result<(), Invalid> {
        let word = match compression {
            Compression::Gzip => "GZIP",
            Compression::Zstd => "ZSTD",
            // What producers have packed is theirs to say.
            Compression::Uncompressed
            | Compression::Zip
            | Compression::Snappy
            | Compression::HadoopSnappy => return Ok(()),
        };
        if self.packing().any(|token| is_word(token, word)) {
            return Ok(());
        }
        Err(Invalid(format!(
            "{word} is missing, without which COPY does not read objects of CompressionFormat \
             {word}"
        )))
    }

    /// The options as they may stand in a statement. How objects are packed is as another
    /// configuration says: that of the time when they were.
    pub fn written(&self, packed_by: &Self) -> String {
        let others = self.tokens.iter().filter(|token| !is_packing(token));
        let all = others.chain(packed_by.packing());
        all.map(Token::written).collect::<Vec<_>>().join(" ")
    }

    fn packing(&self) -> impl Iterator<Item = &Token> {
        self.tokens.iter().filter(|token| is_packing(token))
    }
}

fn is_packing(token: &Token) -> bool {
    PACKED.iter().any(|word| is_word(token, word))
}

fn is_word(token: &Token, wanted: &str) -> bool {
    matches!(token, Token::Word(word) if word == wanted)
}

/// A text ends at the same quote whether or not a backslash takes the meaning of what follows it:
/// which of both holds is a setting of the database (PostgreSQL, `standard_conforming_strings`). So
/// backslashes before a quote are even in number.
fn ends_everywhere(text: &str) -> Result<(), Invalid> {
    if text.contains(char::is_control) {
        return Err(Invalid("a text has a control character".to_owned()));
    }
    // What comes before the quote at its end counts, too.
    for before in text.split('\'') {
        let backslashes = before.bytes().rev().take_while(|it| *it == b'\\').count();
        if backslashes % 2 == 1 {
            return Err(Invalid(
                "a backslash stands before a quote; a backslash itself is two".to_owned(),
            ));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(text: &str) -> Result<String, Invalid> {
        let options = LoadOptions::parse(text)?;
        Ok(options.written(&options))
    }

    #[test]
    fn options_of_redshift_pass_and_are_written_from_what_was_read() {
        for (text, wanted) in [
            ("", ""),
            (" json 'auto' ; ", "JSON 'auto'"),
            ("delimiter '\\t' lzop;", "DELIMITER '\\t' LZOP"),
            (
                "gzip maxerror as 10\n dateformat 'auto'",
                "MAXERROR AS 10 DATEFORMAT 'auto' GZIP",
            ),
            (
                "JSON 's3://b/it''s--/*.json' REGION AS 'us-east-1'",
                "JSON 's3://b/it''s--/*.json' REGION AS 'us-east-1'",
            ),
            (r"null '\\' quote ''''", r"NULL '\\' QUOTE ''''"),
            ("null as ''", "NULL AS ''"),
            (
                "format as csv acceptinvchars '^'",
                "FORMAT AS CSV ACCEPTINVCHARS '^'",
            ),
        ] {
            assert_eq!(written(text), Ok(wanted.to_owned()), "{text}");
        }
    }

    #[test]
    fn nothing_passes_that_could_end_the_statement_or_say_what_is_said_here() {
        for (text, told) in [
            ("csv; drop table a", "; is not expected"),
            ("csv -- and", "- is not expected"),
            ("csv /* and */", "/ is not expected"),
            ("null $$a$$", "$ is not expected"),
            ("null \"a\"", "\" is not expected"),
            ("csv (a)", "( is not expected"),
            ("null 'a", "a quote is not closed"),
            (
                r"null '\' csv null ' ; drop table a; --'",
                "a backslash stands before",
            ),
            (r"null '\' ; drop table a; --'", "; is not expected"),
            (
                r"null 'a\'' ; drop table a; --'",
                "a backslash stands before",
            ),
            (r"null 'a\", "a quote is not closed"),
            ("null 'a\u{0}'", "a control character"),
            ("manifest", "MANIFEST is not an option here"),
            ("credentials 'a'", "CREDENTIALS is not an option here"),
            ("with credentials as 'a'", "WITH is not"),
            ("Iam_Role default", "IAM_ROLE is not"),
            ("access_key_id 'a'", "ACCESS_KEY_ID is not"),
            ("from 's3://b/k'", "FROM is not"),
            ("noload", "NOLOAD is not supported"),
            ("encrypted", "ENCRYPTED is not supported"),
        ] {
            let Err(Invalid(why)) = written(text) else {
                panic!("{text} passes");
            };
            assert!(why.contains(told), "{text}: {why}");
        }
        // Within quotes all of it is data.
        assert!(written("null 'manifest; -- $$ drop'").is_ok());
    }

    #[test]
    fn how_objects_are_packed_is_said_by_the_configuration_of_their_time() {
        let of = |text| LoadOptions::parse(text).unwrap();
        let (packed, plain) = (of("csv gzip"), of("json 'auto'"));
        assert_eq!(plain.written(&packed), "JSON 'auto' GZIP");
        assert_eq!(packed.written(&plain), "CSV");
        assert_eq!(packed.check_packing(Compression::Gzip), Ok(()));
        assert_eq!(packed.check_packing(Compression::Uncompressed), Ok(()));
        assert!(packed.check_packing(Compression::Zstd).is_err());
        let Invalid(why) = plain.check_packing(Compression::Gzip).unwrap_err();
        assert!(why.starts_with("GZIP is missing"), "{why}");
        assert_eq!(of("zstd").check_packing(Compression::Zstd), Ok(()));
    }
}
