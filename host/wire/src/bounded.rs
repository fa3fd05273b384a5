//! How much of what a client sent an answer repeats.

use std::borrow::Cow;

/// Characters of a client's value that an answer repeats. AWS repeats the whole value; a megabyte
/// of it helps nobody.
pub const VALUE_CHARS_MAX: usize = 4_096;

/// At most [`VALUE_CHARS_MAX`] characters of `text`, with a sign that there were more.
pub(crate) fn bounded(text: &str) -> Cow<'_, str> {
    match text.char_indices().nth(VALUE_CHARS_MAX) {
        None => Cow::Borrowed(text),
        Some((end, _)) => Cow::Owned(format!("{}...", &text[..end])),
    }
}
