//! Writing an answer by hand, for those of which every nanosecond counts: the same calls write it
//! in any codec.

use serde::Serialize;
use types::Timestamp;

use crate::{ApiError, Codec};

/// Writes one value after the other. Whoever writes keeps to the order: a name before each member
/// of a structure, [`Writer::element`] before each member of a list, and as many as were announced.
#[derive(Debug)]
pub struct Writer {
    codec: Codec,
    out: Vec<u8>,
    /// The structure or list that was begun last has no member yet.
    is_first: bool,
}

impl Writer {
    /// Has written nothing, and has room for `bytes` bytes.
    pub fn with_capacity(codec: Codec, bytes: usize) -> Self {
        Self {
            codec,
            out: Vec::with_capacity(bytes),
            is_first: true,
        }
    }

    /// Begins a structure of so many members.
    pub fn structure(&mut self, members: usize) {
        self.codec.begin_structure(&mut self.out, members);
        self.is_first = true;
    }

    /// Ends a structure.
    pub fn end_structure(&mut self) {
        self.out.extend_from_slice(self.codec.end_of_structure());
        self.is_first = false;
    }

    /// Begins a list of so many members.
    pub fn list(&mut self, members: usize) {
        self.codec.begin_list(&mut self.out, members);
        self.is_first = true;
    }

    /// Ends a list.
    pub fn end_list(&mut self) {
        self.out.extend_from_slice(self.codec.end_of_list());
        self.is_first = false;
    }

    /// Names the member of a structure that comes next, as in the model.
    pub fn member(&mut self, name: &'static str) {
        self.element();
        self.codec.write_name(&mut self.out, name);
    }

    /// A member of a list comes next.
    pub fn element(&mut self) {
        if !self.is_first {
            self.out.extend_from_slice(self.codec.separator());
        }
        self.is_first = false;
    }

    /// Writes text.
    pub fn text(&mut self, text: &str) {
        self.codec.write_text(&mut self.out, text);
    }

    /// Writes text of ASCII letters, digits and hyphens.
    pub fn word(&mut self, word: &[u8]) {
        self.codec.write_word(&mut self.out, word);
    }

    /// Writes a blob.
    pub fn blob(&mut self, data: &[u8]) {
        self.codec.write_blob(&mut self.out, data);
    }

    /// Writes a whole number.
    pub fn number(&mut self, number: u64) {
        self.codec.write_number(&mut self.out, number);
    }

    /// Writes a moment.
    pub fn time(&mut self, moment: Timestamp) {
        self.codec.write_time(&mut self.out, moment);
    }

    /// Writes any value, more slowly.
    ///
    /// # Errors
    /// InternalFailure when the value cannot be written.
    pub fn value<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), ApiError> {
        self.codec.write_value(&mut self.out, value)
    }

    /// Writes a value that is JSON already, in a codec that is JSON.
    pub(crate) fn raw_json(&mut self, json: &[u8]) {
        self.out.extend_from_slice(json);
    }

    /// What was written since the last time. What comes next goes on after it.
    pub fn take(&mut self) -> Vec<u8> {
        std::mem::take(&mut self.out)
    }
}
