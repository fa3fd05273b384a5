//! Why a record becomes no row.

/// What stands in the line of a record that cannot be converted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// One of AWS's words.
    pub code: &'static str,
    /// AWS's beginning of a sentence, and what happened.
    pub message: String,
}

/// Characters of what a record holds that are repeated in its line.
const REPEATED_CHARS_MAX: usize = 100;

impl Refusal {
    /// The record is no JSON (AWS was seen to answer this code, and a text that begins so).
    pub fn malformed(what: &str) -> Self {
        Self {
            code: "DataFormatConversion.ParseError",
            message: format!("Encountered malformed JSON. {what}"),
        }
    }

    /// It is JSON of another shape than the table (the same).
    pub fn mismatch(what: &str) -> Self {
        Self {
            code: "DataFormatConversion.MalformedData",
            message: format!("Data does not match the schema. {what}"),
        }
    }

    /// A text is none of the wanted type, in the words of Java's NumberFormatException.
    pub fn input(text: &str) -> Self {
        Self::mismatch(&format!("For input string: \"{}\"", shortened(text)))
    }

    /// The same failure, with the column that it was found in.
    pub fn in_column(mut self, name: &str) -> Self {
        const COLUMN: &str = " (column ";
        if !self.message.contains(COLUMN) && self.code.ends_with("MalformedData") {
            self.message.push_str(COLUMN);
            self.message.push_str(shortened(name).as_str());
            self.message.push(')');
        }
        self
    }
}

/// The beginning of a text.
fn shortened(text: &str) -> String {
    match text.char_indices().nth(REPEATED_CHARS_MAX) {
        Some((end, _)) => format!("{}...", text.get(..end).unwrap_or_default()),
        None => text.to_owned(),
    }
}

/// Why a record was not added.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Unconverted {
    /// It never will be.
    Refused(Refusal),
    /// There is no memory for what it becomes.
    NoRoom,
    /// The file could not be written, which does not happen in memory.
    Broken(String),
}

impl From<Refusal> for Unconverted {
    fn from(refusal: Refusal) -> Self {
        Self::Refused(refusal)
    }
}
