//! What a record becomes, as lines of COPY's text format (PostgreSQL, "COPY", "Text Format"), with
//! a tab between fields and `\N` for no value, or as objects of JSON one after the other. Fields
//! are found here, as Redshift finds them, so that the database sees one format, whatever lines
//! look like. Pure.

use serde::de::IgnoredAny;

use crate::redshift::copy_options::Lines;

/// What COPY reads as no value.
const NO_VALUE: &[u8] = b"\\N";

/// How what records become is made rows of.
#[derive(Clone, Debug)]
pub enum Filling {
    /// Each object of JSON is a row.
    Objects,
    /// Each line is a row of these fields.
    Fields {
        /// How they are found.
        lines: Lines,
        /// Of each column whether it holds text: what is empty is no value in any other.
        holds_text: Vec<bool>,
    },
}

/// Rows for the database.
#[derive(Default)]
pub struct Rows {
    /// Lines, or objects with a comma after each.
    pub text: Vec<u8>,
}

/// A field as it was found.
#[derive(Default)]
struct Field {
    value: Vec<u8>,
    /// It stands for no value.
    is_null: bool,
    /// It stands between quotes.
    is_quoted: bool,
}

impl Rows {
    /// Adds the rows of something that a record becomes.
    ///
    /// # Errors
    /// Why there are none. What was added before the fault is there.
    pub fn add(&mut self, filling: &Filling, document: &[u8]) -> Result<(), String> {
        match filling {
            Filling::Objects => self.add_objects(document),
            Filling::Fields { lines, holds_text } => self.add_lines(document, lines, holds_text),
        }
    }

    /// All objects, as one array of JSON.
    ///
    /// # Errors
    /// When they are no text, which is looked at before they are added.
    pub fn objects(self) -> Result<String, String> {
        let mut text = self.text;
        text.insert(0, b'[');
        if let Some(last) = text.last_mut() {
            *last = b']';
        }
        String::from_utf8(text).map_err(|error| error.to_string())
    }

    fn add_objects(&mut self, document: &[u8]) -> Result<(), String> {
        std::str::from_utf8(document).map_err(|error| format!("it is no text: {error}"))?;
        let mut rest = document.trim_ascii();
        if rest.is_empty() {
            return Err("it holds no object of JSON".to_owned());
        }
        while !rest.is_empty() {
            if !rest.starts_with(b"{") {
                return Err("it holds something that is no object of JSON".to_owned());
            }
            let mut values = serde_json::Deserializer::from_slice(rest).into_iter::<IgnoredAny>();
            if let Some(Err(error)) = values.next() {
                return Err(format!("it is no JSON: {error}"));
            }
            let (object, after) = rest.split_at(values.byte_offset());
            self.text.extend_from_slice(object);
            self.text.push(b',');
            rest = after.trim_ascii_start();
        }
        Ok(())
    }

    fn add_lines(
        &mut self,
        document: &[u8],
        lines: &Lines,
        holds_text: &[bool],
    ) -> Result<(), String> {
        let mut reader = Reader {
            rest: document,
            lines,
        };
        let mut has_lines = lines.skips_blank;
        while let Some(fields) = reader.line()? {
            has_lines = true;
            let is_blank =
                matches!(&fields[..], [only] if only.value.is_empty() && !only.is_quoted);
            if is_blank && lines.skips_blank {
                continue;
            }
            let (found, wanted) = (fields.len(), holds_text.len());
            if found != wanted {
                return Err(format!(
                    "a line has {found} fields, and {wanted} columns are to be filled"
                ));
            }
            for (place, (field, is_text)) in fields.iter().zip(holds_text).enumerate() {
                if place > 0 {
                    self.text.push(b'\t');
                }
                let is_empty = field.value.is_empty() && (lines.empty_is_null || !is_text);
                if field.is_null || is_empty {
                    self.text.extend_from_slice(NO_VALUE);
                } else {
                    self.write(&field.value);
                }
            }
            self.text.push(b'\n');
        }
        if has_lines {
            Ok(())
        } else {
            Err("it holds no line".to_owned())
        }
    }

    /// Writes a value so that COPY reads it as it is.
    fn write(&mut self, value: &[u8]) {
        for byte in value {
            match byte {
                b'\\' => self.text.extend_from_slice(b"\\\\"),
                b'\t' => self.text.extend_from_slice(b"\\t"),
                b'\n' => self.text.extend_from_slice(b"\\n"),
                b'\r' => self.text.extend_from_slice(b"\\r"),
                byte => self.text.push(*byte),
            }
        }
    }
}

/// Finds lines and their fields.
struct Reader<'a> {
    rest: &'a [u8],
    lines: &'a Lines,
}

/// What ended a field.
enum End {
    Field,
    Line,
}

impl Reader<'_> {
    /// The fields of the next line, if there is one. The last one needs no end of a line.
    fn line(&mut self) -> Result<Option<Vec<Field>>, String> {
        if self.rest.is_empty() {
            return Ok(None);
        }
        let mut fields = Vec::new();
        loop {
            let (field, end) = match self.lines.quote {
                Some(quote) if self.rest.first() == Some(&quote) => self.quoted(quote)?,
                _ => self.plain()?,
            };
            fields.push(field);
            if matches!(end, End::Line) {
                return Ok(Some(fields));
            }
        }
    }

    /// Passes so many bytes.
    fn pass(&mut self, bytes: usize) {
        self.rest = self.rest.get(bytes..).unwrap_or_default();
    }

    /// Passes what ends a field; `None`: something else comes.
    fn end(&mut self) -> Option<End> {
        let end = match self.rest {
            [] => return Some(End::Line),
            [b'\r'] | [b'\n', ..] => (1, End::Line),
            [b'\r', b'\n', ..] => (2, End::Line),
            [byte, ..] if *byte == self.lines.delimiter => (1, End::Field),
            _ => return None,
        };
        self.pass(end.0);
        Some(end.1)
    }

    fn plain(&mut self) -> Result<(Field, End), String> {
        let (whole, mut value) = (self.rest, Vec::new());
        loop {
            let left = self.rest.len();
            if let Some(end) = self.end() {
                let raw = whole.get(..whole.len() - left).unwrap_or_default();
                let is_null = raw == &self.lines.null[..];
                let field = Field {
                    value,
                    is_null,
                    is_quoted: false,
                };
                return Ok((field, end));
            }
            match self.rest {
                [b'\\', escaped, ..] if self.lines.escapes => {
                    value.push(*escaped);
                    self.pass(2);
                }
                [b'\\'] if self.lines.escapes => {
                    return Err("a line ends with a backslash that escapes nothing".to_owned());
                }
                [byte, ..] if Some(*byte) == self.lines.quote => {
                    return Err("a quote is in the middle of a field".to_owned());
                }
                [byte, ..] => {
                    value.push(*byte);
                    self.pass(1);
                }
                [] => {}
            }
        }
    }

    /// A field between quotes, of which two in it are one.
    fn quoted(&mut self, quote: u8) -> Result<(Field, End), String> {
        self.pass(1);
        let mut value = Vec::new();
        loop {
            match self.rest {
                [] => return Err("a quote is not closed".to_owned()),
                [one, two, ..] if *one == quote && *two == quote => {
                    value.push(quote);
                    self.pass(2);
                }
                [one, ..] if *one == quote => {
                    self.pass(1);
                    break;
                }
                [byte, ..] => {
                    value.push(*byte);
                    self.pass(1);
                }
            }
        }
        let end = self.end();
        let end = end.ok_or_else(|| "a quote is in the middle of a field".to_owned())?;
        let field = Field {
            value,
            is_null: false,
            is_quoted: true,
        };
        Ok((field, end))
    }
}

#[cfg(test)]
mod tests {
    use types::Invalid;

    use super::*;
    use crate::redshift::copy_options::RowForm;

    /// The rows of a document whose columns hold text, but for the last one.
    fn rows(options: &str, columns: usize, document: &[u8]) -> Result<String, String> {
        let filling = match RowForm::parse(options).map_err(|Invalid(why)| why)? {
            RowForm::Json => Filling::Objects,
            RowForm::Lines(lines) => Filling::Fields {
                lines,
                holds_text: (1..=columns).map(|column| column < columns).collect(),
            },
        };
        let mut rows = Rows::default();
        rows.add(&filling, document)?;
        Ok(String::from_utf8_lossy(&rows.text).into_owned())
    }

    #[test]
    fn lines_become_rows_as_redshift_reads_them() {
        for (options, columns, document, wanted) in [
            ("", 2, "a|1\n", "a\t1\n"),
            ("", 2, "a|1", "a\t1\n"),
            ("", 2, "a|1\r\nb|2\r\n", "a\t1\nb\t2\n"),
            ("IGNOREBLANKLINES", 2, "", ""),
            // What is empty is a text, and no number.
            ("", 2, "|", "\t\\N\n"),
            ("EMPTYASNULL", 2, "|1", "\\N\t1\n"),
            ("", 2, "\\N|1", "\\N\t1\n"),
            ("NULL AS 'none'", 2, "none|\\N", "\\N\t\\\\N\n"),
            // A backslash is one, unless it escapes.
            ("", 2, "a\\|1", "a\\\\\t1\n"),
            ("ESCAPE", 2, "a\\|b\\\\\\\nc|1", "a|b\\\\\\nc\t1\n"),
            ("ESCAPE", 2, "\\N|1", "\\N\t1\n"),
            ("ESCAPE", 2, "\\Nx|1", "Nx\t1\n"),
            ("DELIMITER '\\t'", 2, "a\t1", "a\t1\n"),
            ("", 2, "a\tb|1", "a\\tb\t1\n"),
            ("", 1, "\\.", "\\\\.\n"),
            ("IGNOREBLANKLINES", 2, "\na|1\n\n", "a\t1\n"),
            ("CSV IGNOREBLANKLINES", 1, "\"\"\n\n1", "\\N\n1\n"),
            ("CSV", 2, "a,1\nb,2", "a\t1\nb\t2\n"),
            ("CSV", 2, "\"a,\"\"b\"\"\n\",1", "a,\"b\"\\n\t1\n"),
            ("CSV", 2, "\"\",\"\"", "\t\\N\n"),
            ("CSV", 2, "\"\\N\",\\N", "\\\\N\t\\N\n"),
            ("CSV QUOTE '%' DELIMITER ';'", 2, "%a;%;1", "a;\t1\n"),
        ] {
            let found = rows(options, columns, document.as_bytes());
            assert_eq!(found.as_deref(), Ok(wanted), "{options}: {document:?}");
        }
    }

    #[test]
    fn what_has_no_rows_says_why() {
        for (options, columns, document, told) in [
            ("", 2, "", "no line"),
            ("", 2, "a", "1 fields, and 2 columns"),
            ("", 2, "a|1|2", "3 fields, and 2 columns"),
            ("", 2, "a|1\n\n", "1 fields, and 2 columns"),
            ("ESCAPE", 1, "a\\", "escapes nothing"),
            ("CSV", 1, "\"a", "not closed"),
            ("CSV", 1, "\"a\"b", "in the middle"),
            ("CSV", 1, "a\"b", "in the middle"),
            ("JSON 'auto'", 1, "", "no object"),
            ("JSON 'auto'", 1, "[1]", "no object"),
            ("JSON 'auto'", 1, "{\"a\":1} 2", "no object"),
            ("JSON 'auto'", 1, "{\"a\":1", "no JSON"),
            ("JSON 'auto'", 1, "{\"a\":\"\u{1}\"}", "no JSON"),
        ] {
            let why = rows(options, columns, document.as_bytes()).unwrap_err();
            assert!(why.contains(told), "{options}: {document:?}: {why}");
        }
        assert!(rows("JSON 'auto'", 1, b"{\"a\":\"\xff\"}").is_err());
    }

    #[test]
    fn objects_are_told_apart_and_become_one_array() {
        let found = rows("JSON 'auto'", 9, b" {\"a\":\"\\n\"}{}\n{\"b\":\n{}} ").unwrap();
        assert_eq!(found, "{\"a\":\"\\n\"},{},{\"b\":\n{}},");
        let array = Rows {
            text: found.into_bytes(),
        };
        let array: serde_json::Value = serde_json::from_str(&array.objects().unwrap()).unwrap();
        assert_eq!(array, serde_json::json!([{"a": "\n"}, {}, {"b": {}}]));
        let deep = "{\"a\":".repeat(100_000) + "1" + &"}".repeat(100_000);
        assert!(rows("JSON 'auto'", 1, deep.as_bytes()).is_ok());
    }

    /// Whatever comes in, each row has as many fields as there are columns, and none breaks off.
    #[test]
    fn no_bytes_make_a_row_of_another_form() {
        let alphabet = b"a|,\"\\\n\r\tN.%\0\xff";
        let mut seed = 7_u64;
        for options in ["", "ESCAPE", "CSV", "NULL ''", "CSV NULL ''"] {
            for _ in 0..20_000 {
                let mut document = Vec::new();
                for _ in 0..8 {
                    seed = seed
                        .wrapping_mul(6_364_136_223_846_793_005)
                        .wrapping_add(1_442_695_040_888_963_407);
                    let place = usize::try_from(seed >> 60).unwrap() % alphabet.len();
                    document.push(alphabet[place]);
                }
                let Ok(text) = rows(options, 2, &document) else {
                    continue;
                };
                assert!(text.is_empty() || text.ends_with('\n'), "{document:?}");
                for row in text.lines() {
                    assert_eq!(row.matches('\t').count(), 1, "{options}: {document:?}");
                    assert!(!row.contains('\r') && row != "\\.", "{document:?}");
                }
            }
        }
    }
}
