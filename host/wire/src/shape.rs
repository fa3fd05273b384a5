//! The model's constraints as data, and what AWS answers when one is broken.
//!
//! An operation declares a rule for each member of its input, once, in the order in which AWS
//! reports them:
//!
//! ```ignore
//! const STREAM_NAME: TextRule = TextRule::chars(1, 128).matching(pattern::NAME);
//! const SHARD_COUNT: NumberRule = NumberRule::at_least(1);
//!
//! impl Shape for Input<'_> {
//!     fn check(&self, check: &mut Check) {
//!         check.required("StreamName", &self.stream_name, STREAM_NAME);
//!         check.optional("ShardCount", &self.shard_count, SHARD_COUNT);
//!     }
//! }
//! ```

pub mod pattern;
mod rules;

use std::fmt::Write;

use crate::ApiError;
use crate::bounded::bounded;
use crate::members::Blob;

pub use rules::{Anything, BlobRule, Fields, ListRule, MapRule, NumberRule, Proportion, TextRule};

/// Violations that one answer names; AWS stops counting there.
pub const VIOLATIONS_MAX: usize = 10;

/// A structure of the model: the list of its members with their rules, and nothing else.
pub trait Shape {
    /// Names each constrained member with its value and its rule.
    fn check(&self, check: &mut Check);
}

/// The input, if it keeps its rules.
pub(crate) fn checked<T: Shape>(input: T) -> Result<T, ApiError> {
    let mut check = Check::new();
    input.check(&mut check);
    match check.finish() {
        Ok(()) => Ok(input),
        Err(error) => Err(refusal(&input, error)),
    }
}

/// The answer to an input that is refused with `error`. A blob that is not base64 goes first: AWS
/// decodes all blobs before it checks anything. Here they are decoded to where they are kept, after
/// all checks, which costs nothing while all is well.
pub fn refusal<T: Shape>(input: &T, error: ApiError) -> ApiError {
    let mut check = Check::of_encoding();
    input.check(&mut check);
    check
        .wrong_encoding()
        .map_or(error, ApiError::serialization)
}

/// What a member may hold. A rule reports to the [`Check`]; it decides nothing else.
pub trait Rule<V> {
    /// Reports each way in which `value` breaks the rule.
    fn check(&self, value: &V, check: &mut Check);
}

/// Collects the violations of one input.
#[derive(Debug, Default)]
pub struct Check {
    path: Vec<Step>,
    violations: Vec<String>,
    blobs: Blobs,
}

/// What a [`Check`] looks for in blobs.
#[derive(Debug, Default)]
enum Blobs {
    /// Their size. Whether they are base64 is found out when they are decoded.
    #[default]
    Sizes,
    /// The first that is not base64, and what is wrong with it. Nothing else is reported then.
    Encoding(Option<String>),
}

#[derive(Clone, Copy, Debug)]
enum Step {
    Member(&'static str),
    Element(usize),
}

impl Check {
    /// A check that has found nothing.
    pub fn new() -> Self {
        Self::default()
    }

    /// A check that finds a blob that is not base64, and nothing else.
    pub(crate) fn of_encoding() -> Self {
        Self {
            blobs: Blobs::Encoding(None),
            ..Self::default()
        }
    }

    /// What is wrong with the first blob that is not base64, after a check of the encoding.
    pub(crate) fn wrong_encoding(self) -> Option<String> {
        match self.blobs {
            Blobs::Sizes => None,
            Blobs::Encoding(wrong) => wrong,
        }
    }

    /// A member that must be there. `name` is as in the model: `StreamName`.
    pub fn required<V, R: Rule<V>>(&mut self, name: &'static str, value: &Option<V>, rule: R) {
        self.path.push(Step::Member(name));
        match value {
            Some(value) => rule.check(value, self),
            None => self.violation(None, "Member must not be null"),
        }
        self.path.pop();
    }

    /// A member that may be absent.
    pub fn optional<V, R: Rule<V>>(&mut self, name: &'static str, value: &Option<V>, rule: R) {
        if let Some(value) = value {
            self.path.push(Step::Member(name));
            rule.check(value, self);
            self.path.pop();
        }
    }

    /// The answer to the input: nothing, or one ValidationException with everything that was found.
    ///
    /// # Errors
    /// ValidationException, when a rule was broken.
    pub fn finish(self) -> Result<(), ApiError> {
        let count = self.violations.len();
        if count == 0 {
            return Ok(());
        }
        let plural = if count == 1 { "" } else { "s" };
        Err(ApiError::validation(format!(
            "{count} validation error{plural} detected: {}",
            self.violations.join("; ")
        )))
    }

    /// An element of the list that is being checked; `index` counts from 0.
    fn element(&mut self, index: usize, check: impl FnOnce(&mut Self)) {
        self.path.push(Step::Element(index));
        check(self);
        self.path.pop();
    }

    /// Reports that the member being checked holds `value` and should satisfy `constraint`.
    fn violation(&mut self, value: Option<&str>, constraint: &str) {
        if self.is_full() || matches!(self.blobs, Blobs::Encoding(_)) {
            return;
        }
        let value = match value {
            Some(value) => format!("'{}'", bounded(value)),
            None => "null".to_owned(),
        };
        self.violations.push(format!(
            "Value {value} at '{}' failed to satisfy constraint: {constraint}",
            self.path_text()
        ));
    }

    /// Looks at the encoding of a blob, if this check is for that.
    fn encoding(&mut self, blob: &Blob<'_>) {
        if let Blobs::Encoding(wrong @ None) = &mut self.blobs {
            *wrong = blob.wrong_encoding();
        }
    }

    fn is_full(&self) -> bool {
        self.violations.len() >= VIOLATIONS_MAX
    }

    /// `records.1.member.partitionKey`: members in lower camel case, elements counted from 1.
    fn path_text(&self) -> String {
        let mut text = String::new();
        for step in &self.path {
            if !text.is_empty() {
                text.push('.');
            }
            match step {
                Step::Member(name) => {
                    let mut letters = name.chars();
                    text.extend(letters.next().map(|first| first.to_ascii_lowercase()));
                    text.push_str(letters.as_str());
                }
                Step::Element(index) => {
                    // Writing to a string cannot fail.
                    let _ = write!(text, "{}.member", index + 1);
                }
            }
        }
        text
    }
}
